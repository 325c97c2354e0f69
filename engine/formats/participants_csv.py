"""Reads participants as CSV (RFC 4180, UTF-8, a comma between fields, lines that end in LF or CR LF).

The first line names the columns, in any order; what a kind does not have is left empty, or its column out.

| column | what is in it |
|---|---|
| `kind` | `bank`, `merchant`, `agency`, or `terminal`: more terminals of a merchant |
| `code` | of the participant; of the merchant where the line is about terminals |
| `name_zh`, `name_en` | its names |
| `region` | six digits of GB/T 2260 |
| `bank` | the CNAPS number of the bank that keeps the account of a merchant or an agency |
| `scenarios` | of a merchant, with blanks between them |
| `terminals` | of a merchant, with blanks between them |
| `level` | grade of a hospital, 0 to 3; empty says nothing of it: a new merchant has 0, others keep theirs |
| `item` | what an agency collects or pays |
| `public_key` | what it signs with: Base64 of a SubjectPublicKeyInfo (PEM without its first and last line) |

Operators are not brought in by file: each of them is looked at.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from engine.core.participants import (
    CODE_PATTERNS,
    ParticipantKind,
    Registration,
    wrong_fields,
    wrong_terminals,
)
from engine.formats.bank_file import MalformedRecord
from engine.formats.upload_lines import End, text_blocks

LINES_MAX: Final = 100_000  # of one file: all of it is brought in by one transaction of a few seconds
COLUMNS: Final = (
    "kind",
    "code",
    "name_zh",
    "name_en",
    "region",
    "bank",
    "scenarios",
    "terminals",
    "level",
    "item",
    "public_key",
)
_REQUIRED: Final = ("kind", "code", "name_zh", "name_en", "region")
_TERMINAL: Final = "terminal"
_KINDS: Final = {kind.value: kind for kind in (ParticipantKind.BANK, ParticipantKind.MERCHANT, ParticipantKind.AGENCY)}


class ParticipantLine(msgspec.Struct, frozen=True):
    """One participant; its `public_key` is as it stands in the file."""

    line_number: int
    registration: Registration
    says_level: bool


class TerminalsLine(msgspec.Struct, frozen=True):
    """More terminals of a merchant."""

    line_number: int
    merchant_code: str
    terminals: tuple[str, ...]


Reading = ParticipantLine | TerminalsLine | MalformedRecord


def read(chunks: Iterable[bytes]) -> Iterator[Reading]:
    """What a file says, line by line, in memory that does not grow with it.

    What is wrong comes in its place, all of it. After a first line that does not name the columns nothing follows.
    """
    columns: Sequence[str] | None = None
    for block in text_blocks(chunks):
        if isinstance(block, End):
            if columns is None:
                yield MalformedRecord(1, "record", "no line that names the columns")
            return
        if isinstance(block, MalformedRecord):
            yield block
            continue
        for line_number, line in enumerate(block.lines, block.line_number):
            cells = _cells_of(line) if line is not None else None
            if line_number > LINES_MAX + 1:
                yield MalformedRecord(line_number, "record", f"more than {LINES_MAX} lines")
                return
            if columns is None:
                faults = tuple(_wrong_columns(cells))
                yield from faults
                if faults:
                    return
                columns = cells
            elif cells is None:
                if line is not None:  # otherwise it has been told
                    yield MalformedRecord(line_number, "record", "quotes that do not end where a field does")
            elif len(cells) != len(columns):
                yield MalformedRecord(line_number, "record", f"not {len(columns)} fields")
            else:
                yield from _read_line(line_number, dict(zip(columns, cells, strict=True)))


def _cells_of(line: str) -> list[str] | None:
    try:
        (cells,) = csv.reader((line.removesuffix("\r"),), strict=True)
    except (csv.Error, ValueError):  # quotes that go on after the line are two rows, or none
        return None
    return cells


def _wrong_columns(cells: Sequence[str] | None) -> Iterator[MalformedRecord]:
    given = cells or ()
    if any(cell not in COLUMNS for cell in given):
        yield MalformedRecord(1, "record", f"a column that is none of {', '.join(COLUMNS)}")
    for column in COLUMNS:
        if given.count(column) > 1:
            yield MalformedRecord(1, column, "this column is named twice")
        if column in _REQUIRED and column not in given:
            yield MalformedRecord(1, column, "this column is missing")


def _read_line(line_number: int, cells: Mapping[str, str]) -> Iterator[Reading]:
    terminals = tuple(cells.get("terminals", "").split())
    if cells["kind"] == _TERMINAL:
        yield from _read_terminals(line_number, cells, terminals)
        return
    kind = _KINDS.get(cells["kind"])
    if kind is None:
        yield MalformedRecord(line_number, "kind", f"one of {', '.join((*_KINDS, _TERMINAL))}")
        return
    region, level = cells["region"], cells.get("level", "")
    is_region = len(region) == 6 and region.isascii() and region.isdigit()
    is_level = len(level) == 1 and level.isascii() and level.isdigit()
    registration = Registration(
        kind=kind,
        code=cells["code"],
        name_zh=cells["name_zh"],
        name_en=cells["name_en"],
        region=int(region) if is_region else -1,
        bank=cells.get("bank", ""),
        scenarios=tuple(cells.get("scenarios", "").split()),
        terminals=terminals,
        level=int(level) if is_level else -1 if level else 0,
        item=cells.get("item", ""),
        public_key=cells.get("public_key", ""),
    )
    faults = tuple(wrong_fields(registration))
    for wrong in faults:
        yield MalformedRecord(line_number, wrong.field, wrong.reason)
    if not faults:
        yield ParticipantLine(line_number, registration, says_level=bool(level))


def _read_terminals(line_number: int, cells: Mapping[str, str], terminals: tuple[str, ...]) -> Iterator[Reading]:
    faults = []
    pattern, text = CODE_PATTERNS[ParticipantKind.MERCHANT]
    if not pattern.fullmatch(cells["code"]):
        faults.append(MalformedRecord(line_number, "code", text))
    reason = wrong_terminals(terminals) if terminals else "none"
    if reason is not None:
        faults.append(MalformedRecord(line_number, "terminals", reason))
    faults += [
        MalformedRecord(line_number, column, "not for terminals")
        for column in COLUMNS
        if column not in ("kind", "code", "terminals") and cells.get(column)
    ]
    yield from faults
    if not faults:
        yield TerminalsLine(line_number, cells["code"], terminals)
