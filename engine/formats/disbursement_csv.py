"""Reads batches of benefits as CSV (RFC 4180, UTF-8, a comma between fields, lines that end in LF or CR LF).

The first line names the columns, in any order:

| column | what is in it |
|---|---|
| `line_no` | the agency's own reference, 1 to 35 characters; may be left out, then it is the line's place, from one |
| `card_id` (or `id`) | whom to pay: the id of a card |
| `benefit_code` | what for: 1 to 32 of A-Z, 0-9, `_` and `-` |
| `period` | the month it is for, `202611` or `2026-11` |
| `fund_pay_type` | what pays it: six digits |
| `amount` | how much, in fen |

The last line may be `TOTAL,<number of lines>,<sum of their amounts>`. A file without it that lost whole lines at its
end looks whole: who sends it without confirms the number and the sum otherwise.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from engine.core.bank_lines import DisbursementLine, UploadHeading, UploadKind
from engine.formats.bank_file import MalformedRecord
from engine.formats.upload_fields import (
    Misfit,
    read_benefit_code,
    read_card_id,
    read_count,
    read_fen,
    read_fen_total,
    read_fund_pay_type,
    read_month,
    read_text,
)
from engine.formats.upload_lines import End, TextBlock, text_blocks
from engine.formats.uploads import Reading, Tally, whole

NAME: Final = "csv"

_COLUMNS: Final[dict[str, Callable[[str], object]]] = {
    "line_no": read_text,
    "card_id": read_card_id,
    "benefit_code": read_benefit_code,
    "period": read_month,
    "fund_pay_type": read_fund_pay_type,
    "amount": read_fen,
}
_ALIASES: Final = {"id": "card_id"}
_OPTIONAL: Final = frozenset(("line_no",))
_TOTAL: Final = "TOTAL"


def read(chunks: Iterable[bytes]) -> Iterator[Reading]:
    """What is to be paid, line by line, in memory that does not grow with it.

    Shape: `DisbursementLine`s. After a first line that does not name the columns nothing follows.
    Checked: the number of lines and their sum, if the last line tells them.
    """
    return whole(_read(chunks))


def names_columns(line: bytes) -> bool:
    """The line is meant to be the first of such a file: what is wrong with it can be told."""
    return b"benefit_code" in line.replace(b'"', b"").removesuffix(b"\r").split(b",")


class _Batch:
    """One file, as its lines come."""

    def __init__(self) -> None:
        self.is_lost = False
        self._columns: tuple[str, ...] = ()
        self._places: dict[str, int] = {}
        self._place = 0
        self._lines = Tally()
        self._is_readable = True
        self._is_over = False

    def read(self, block: TextBlock) -> Iterator[Reading]:
        """Take the next lines."""
        for line_number, line in enumerate(block.lines, block.line_number):
            cells = _cells_of(line)
            if self._is_over:
                yield MalformedRecord(line_number, "record", "after the totals")
            elif not self._columns:
                yield from self._read_columns(line_number, cells)
            elif cells is None:
                self._place += 1
                self._is_readable = False
                if line is not None:  # otherwise it has been told
                    yield MalformedRecord(line_number, "record", "quotes that do not end where a field does")
            elif cells[0] == _TOTAL:
                yield from self._read_totals(line_number, cells)
            else:
                yield from self._read_line(line_number, cells)
            if self.is_lost:
                return

    def end(self, line_number: int) -> Iterator[Reading]:
        """There are no more lines; *line_number* is that of the first that is not there."""
        if not self._columns:
            yield MalformedRecord(line_number, "record", "the file has no line that names its columns")
        yield self._lines.trailer

    def _read_columns(self, line_number: int, cells: Sequence[str] | None) -> Iterator[Reading]:
        columns = [_ALIASES.get(cell, cell) for cell in cells or ()]
        missing = [column for column in _COLUMNS if column not in columns and column not in _OPTIONAL]
        faults = [(column, "this column is missing") for column in missing]
        faults += [(column, "this column is named twice") for column in _COLUMNS if columns.count(column) > 1]
        if any(column not in _COLUMNS for column in columns):
            faults.append(("record", f"a column that is none of {', '.join(_COLUMNS)}"))
        for field, reason in faults:
            yield MalformedRecord(line_number, field, reason)
        if faults:
            self.is_lost = True
            return
        self._columns = tuple(columns)
        self._places = {column: place for place, column in enumerate(columns)}
        yield UploadHeading(file_id="", kind=UploadKind.DISBURSEMENT, form=NAME)

    def _read_line(self, line_number: int, cells: Sequence[str]) -> Iterator[Reading]:
        self._place += 1
        if len(cells) != len(self._columns):
            self._is_readable = False
            yield MalformedRecord(line_number, "record", f"not {len(self._columns)} fields")
            return
        places = self._places
        own_ref = places.get("line_no")
        try:
            line = DisbursementLine(  # by the functions of the table above: a million lines have no time for it
                line_number,
                str(self._place) if own_ref is None else read_text(cells[own_ref]),
                read_card_id(cells[places["card_id"]]),
                read_benefit_code(cells[places["benefit_code"]]),
                read_month(cells[places["period"]]),
                read_fund_pay_type(cells[places["fund_pay_type"]]),
                read_fen(cells[places["amount"]]),
            )
        except Misfit:
            self._is_readable = False
            yield from self._faults_of(line_number, cells)
            return
        self._lines.add(line.amount)
        yield line

    def _faults_of(self, line_number: int, cells: Sequence[str]) -> Iterator[MalformedRecord]:
        for column, cell in zip(self._columns, cells, strict=True):
            try:
                _COLUMNS[column](cell)
            except Misfit as error:
                yield MalformedRecord(line_number, column, str(error))

    def _read_totals(self, line_number: int, cells: Sequence[str]) -> Iterator[Reading]:
        self._is_over = True
        values = cells[1:]
        while len(values) > 2 and not values[-1]:  # a spreadsheet fills the line up
            values = values[:-1]
        try:
            count, total = values
            told_count, told_total = read_count(count), read_fen_total(total)
        except ValueError:
            yield MalformedRecord(line_number, "record", "not a number of lines and a sum of amounts in fen")
            return
        if told_count != self._place:
            yield MalformedRecord(line_number, "count", "not what the lines before it give")
        if self._is_readable and told_total != self._lines.total:
            yield MalformedRecord(line_number, "total", "not what the lines before it give")


def _cells_of(line: str | None) -> Sequence[str] | None:
    """The fields of a line; None if it cannot be cut into fields."""
    if line is None:
        return None
    line = line.removesuffix("\r")
    if '"' not in line:
        return line.split(",")
    try:
        rows = list(csv.reader([line], strict=True))
    except csv.Error:
        return None
    return rows[0] if rows else None


def _read(chunks: Iterable[bytes]) -> Iterator[Reading]:
    batch = _Batch()
    for found in text_blocks(chunks):
        match found:
            case MalformedRecord():
                yield found
            case TextBlock():
                yield from batch.read(found)
                if batch.is_lost:
                    return
            case End():
                yield from batch.end(found.line_number)
