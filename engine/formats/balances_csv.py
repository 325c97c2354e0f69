"""Reads the balances of a local platform as CSV (RFC 4180, UTF-8, a comma between fields, lines end in LF or CR LF).

The first line names the columns, in either order:

| column | what is in it |
|---|---|
| `card_no` | the number on the physical card |
| `balance` | what its personal account holds, in fen; 0 where it holds nothing |
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from engine.core.cards import is_card_number
from engine.formats.bank_file import MalformedRecord
from engine.formats.upload_fields import Misfit, read_fen_total
from engine.formats.upload_lines import End, text_blocks

COLUMNS: Final = ("card_no", "balance")


class BalanceLine(msgspec.Struct, frozen=True):
    """What one card's account holds. Its repr does not show the number. Units: fen."""

    line_number: int
    card_no: str
    amount: int

    def __repr__(self) -> str:
        return f"BalanceLine({self.line_number})"


def read(chunks: Iterable[bytes]) -> Iterator[BalanceLine | MalformedRecord]:
    """What a file says, line by line, in memory that does not grow with it.

    What is wrong comes in its place. After a first line that does not name the columns nothing follows.
    """
    columns: Sequence[str] = ()
    for block in text_blocks(chunks):
        if isinstance(block, End):
            if not columns:
                yield MalformedRecord(1, "record", "no line that names the columns")
            return
        if isinstance(block, MalformedRecord):
            yield block
            continue
        for line_number, line in enumerate(block.lines, block.line_number):
            cells = _cells_of(line)
            if not columns:
                if cells is None or sorted(cells) != sorted(COLUMNS):
                    yield MalformedRecord(line_number, "record", f"not the columns {' and '.join(COLUMNS)}")
                    return
                columns = cells
            elif line is not None:  # otherwise it has been told
                yield from _read_line(line_number, cells, columns)


def _read_line(
    line_number: int, cells: Sequence[str] | None, columns: Sequence[str]
) -> Iterator[BalanceLine | MalformedRecord]:
    if cells is None or len(cells) != len(columns):
        yield MalformedRecord(line_number, "record", f"not {len(columns)} fields")
        return
    given = dict(zip(columns, cells, strict=True))
    card_no = given["card_no"]
    is_number = is_card_number(card_no)
    if not is_number:
        yield MalformedRecord(line_number, "card_no", "eight digits or capitals and the check character of GB 11714")
    try:
        amount = read_fen_total(given["balance"])
    except Misfit as misfit:
        yield MalformedRecord(line_number, "balance", str(misfit))
        return
    if is_number:
        yield BalanceLine(line_number, card_no, amount)


def _cells_of(line: str | None) -> list[str] | None:
    if line is None:
        return None
    if '"' not in line:
        return line.removesuffix("\r").split(",")
    try:
        (cells,) = csv.reader((line.removesuffix("\r"),), strict=True)
    except (csv.Error, ValueError):  # quotes that go on after the line are two rows, or none
        return None
    return cells
