"""Reads what a region knows of persons as CSV: RFC 4180, UTF-8, a comma between fields, lines end in LF or CR LF.

The first line names the columns, in any order: `id_number`, whom the line is about, and the fields of the topic's
struct in `engine.core.inquiry`. What may be null is left empty, or its column out. Units: money in fen.
"""

import csv
import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final, Literal, Union, get_args, get_origin

import msgspec

from engine.core.id_numbers import parse_id_number
from engine.core.inquiry import TEXT_CHARS_MAX, InquiryRecord, Topic
from engine.formats.bank_file import MalformedRecord
from engine.formats.upload_lines import End, text_blocks

ID_NUMBER: Final = "id_number"


class RecordLine(msgspec.Struct, frozen=True):
    """One record and whom it is about: an ID number of eighteen characters. Its repr shows nothing of the person."""

    line: int
    id_number: str
    record: InquiryRecord

    def __repr__(self) -> str:
        return f"RecordLine(line={self.line})"


class RecordFault(msgspec.Struct, frozen=True):
    """What is wrong with a line, and where; the value is not told."""

    line: int
    field: str
    reason: str


def read(topic: Topic, chunks: Iterable[bytes], *, today: date) -> Iterator[RecordLine | tuple[RecordFault, ...]]:
    """What a file says, in memory that does not grow with it.

    Shape: a record, or everything that is wrong with the line. After a first line that does not name the columns
    nothing follows.
    """
    columns: Sequence[str] | None = None
    for block in text_blocks(chunks):
        if isinstance(block, End):
            if columns is None:
                yield (RecordFault(1, "record", "no line that names the columns"),)
            return
        if isinstance(block, MalformedRecord):
            yield (RecordFault(block.line_number, block.field, block.reason),)
            continue
        for number, line in enumerate(block.lines, block.line_number):
            cells = _cells_of(line) if line is not None else None
            if columns is None:
                faults = tuple(_wrong_columns(topic, cells or ()))
                if faults:
                    yield faults
                    return
                columns = cells
            elif line is not None:  # otherwise it has been told
                yield _read_line(topic, number, columns, cells, today)


def _read_line(
    topic: Topic, number: int, columns: Sequence[str], cells: Sequence[str] | None, today: date
) -> RecordLine | tuple[RecordFault, ...]:
    if cells is None:
        return (RecordFault(number, "record", "quotes that do not end where a field does"),)
    if len(cells) != len(columns):
        return (RecordFault(number, "record", f"not {len(columns)} fields"),)
    given = {column: cell for column, cell in zip(columns, cells, strict=True) if cell}
    faults = []
    person = parse_id_number(given.pop(ID_NUMBER, ""), today=today)
    if isinstance(person, str):
        faults.append(RecordFault(number, ID_NUMBER, person))
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(topic.record):
        if field.name not in given:
            if field.required:
                faults.append(RecordFault(number, field.name, "missing"))
            continue
        kind = _kind_of(field.type)
        try:
            values[field.name] = msgspec.convert(_value_of(given[field.name], kind), kind)
        except msgspec.ValidationError:
            faults.append(RecordFault(number, field.name, _wanted(kind)))
    if faults or isinstance(person, str):
        return tuple(faults)
    return RecordLine(number, person.text, msgspec.convert(values, topic.record))


def _kind_of(kind: object) -> object:
    """What a cell has to be where it is not left empty."""
    return get_args(kind)[0] if get_origin(kind) in (Union, types.UnionType) else kind


def _value_of(cell: str, kind: object) -> object:
    """A number that is written as whole numbers are; anything else is judged as the text that it is."""
    is_number = getattr(kind, "__origin__", None) is int and _NUMBER.fullmatch(cell) is not None
    return int(cell) if is_number else cell


def _wanted(kind: object) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    return _WANTED[getattr(kind, "__origin__", kind)]


_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_WANTED: Final[Mapping[object, str]] = {
    date: "a date is written YYYY-MM-DD",
    int: "a whole number within its bounds",
    str: f"1 to {TEXT_CHARS_MAX} printable characters; of a region six digits",
}


def _cells_of(line: str) -> list[str] | None:
    try:
        (cells,) = csv.reader((line.removesuffix("\r"),), strict=True)
    except (csv.Error, ValueError):  # quotes that go on after the line are two rows, or none
        return None
    return cells


def _wrong_columns(topic: Topic, given: Sequence[str]) -> Iterator[RecordFault]:
    known = (ID_NUMBER, *topic.columns)
    optional = {field.name for field in msgspec.structs.fields(topic.record) if not field.required}
    if any(cell not in known for cell in given):
        yield RecordFault(1, "record", f"a column that is none of {', '.join(known)}")
    for column in known:
        if given.count(column) > 1:
            yield RecordFault(1, column, "this column is named twice")
        if column not in given and column not in optional:
            yield RecordFault(1, column, "this column is missing")
