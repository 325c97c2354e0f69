"""Reads the register of cards as CSV (RFC 4180, UTF-8, a comma between fields, lines that end in LF or CR LF).

The first line names the columns, in any order; what is optional is left empty, or its column out.

| column | what is in it |
|---|---|
| `name`, `id_number` | the person's, as on the document; fifteen digits are brought into the new form |
| `phone` | eleven digits, as the bank has it; optional |
| `card_no` | the number on the physical card |
| `region` | that has issued it, six digits of GB/T 2260 |
| `bank` | CNAPS number of the bank that has issued it |
| `bank_account` | the account; empty: it is not activated |
| `issued_on`, `valid_until` | dates of the physical card |
| `insurance`, `person_type` | such as 310 and 11; empty: not insured |
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import msgspec

from engine.core.card_records import OPTIONAL_FIELDS, RECORD_FIELDS, CardRecord, read_record
from engine.core.refusals import Refusal
from engine.formats.bank_file import MalformedRecord
from engine.formats.upload_lines import End, text_blocks


class CardLine(msgspec.Struct, frozen=True):
    """One card."""

    line_number: int
    record: CardRecord


class CardFault(msgspec.Struct, frozen=True):
    """What is wrong with a line, and where; the value is not told."""

    line: int
    field: str
    reason: str
    refusal: Refusal = Refusal.FIELD_INVALID


def read(chunks: Iterable[bytes], *, today: date) -> Iterator[CardLine | CardFault]:
    """What a file says, line by line, in memory that does not grow with it.

    What is wrong comes in its place, all of it. After a first line that does not name the columns nothing follows.
    """
    columns: Sequence[str] | None = None
    for block in text_blocks(chunks):
        if isinstance(block, End):
            if columns is None:
                yield CardFault(1, "record", "no line that names the columns")
            return
        if isinstance(block, MalformedRecord):
            yield CardFault(block.line_number, block.field, block.reason)
            continue
        for line_number, line in enumerate(block.lines, block.line_number):
            cells = _cells_of(line) if line is not None else None
            if columns is None:
                faults = tuple(_wrong_columns(cells))
                yield from faults
                if faults:
                    return
                columns = cells
            elif line is not None:  # otherwise it has been told
                yield from _read_line(line_number, cells, columns, today)


def _read_line(
    line_number: int, cells: Sequence[str] | None, columns: Sequence[str], today: date
) -> Iterator[CardLine | CardFault]:
    if cells is None:
        yield CardFault(line_number, "record", "quotes that do not end where a field does")
        return
    if len(cells) != len(columns):
        yield CardFault(line_number, "record", f"not {len(columns)} fields")
        return
    record = read_record(dict(zip(columns, cells, strict=True)), today=today)
    if isinstance(record, CardRecord):
        yield CardLine(line_number, record)
        return
    for wrong in record:
        yield CardFault(line_number, wrong.field, wrong.reason, wrong.refusal)


def _cells_of(line: str) -> list[str] | None:
    if '"' not in line:
        return line.removesuffix("\r").split(",")
    try:
        (cells,) = csv.reader((line.removesuffix("\r"),), strict=True)
    except (csv.Error, ValueError):  # quotes that go on after the line are two rows, or none
        return None
    return cells


def _wrong_columns(cells: Sequence[str] | None) -> Iterator[CardFault]:
    given = cells or ()
    if any(cell not in RECORD_FIELDS for cell in given):
        yield CardFault(1, "record", f"a column that is none of {', '.join(RECORD_FIELDS)}")
    for column in RECORD_FIELDS:
        if given.count(column) > 1:
            yield CardFault(1, column, "this column is named twice")
        if column not in given and column not in OPTIONAL_FIELDS:
            yield CardFault(1, column, "this column is missing")
