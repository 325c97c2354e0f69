"""Reads what banks send in the flat form: UTF-8, LF, `|` between fields, nothing quoted; H, then D lines, then T.

The header has the fields of a clearing file's, with the bank as sender and `SSC` as receiver, in this order:
version `1`, file id, sender (CNAPS), `SSC`, business date, place of the cycle in the day (`00`: the whole day), kind,
instant, currency `156`, SHA-256. The trailer is a clearing file's: count, debit total, credit total, hash total (each
amount times its place, modulo 10^18), SHA-256 of all bytes before it.

| kind | D, its place, and then | the header's SHA-256 is of |
|---|---|---|
| STATEMENT | bank_ref, payment_id or nothing, direction, amount in fen, booked_on | the statement before, or nothing |
| RETURN | the fields of the clearing file's line; as its remark: reason code, space, the bank's reference | the same |
| ACK | the rejected line's place in the clearing file, or 0 for the whole file; reason code | that clearing file |

The debit total of a RETURN is of the items that were taken from the sender, as in the clearing file. An ACK has no
amounts, so its totals are zero. Its lines are in the order of the clearing file's; none at all accepts the file.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from engine.core.bank_lines import (
    WHOLE_FILE,
    AckLine,
    Acknowledgement,
    AckStatus,
    Direction,
    ReturnLine,
    StatementLine,
    UploadHeading,
    UploadKind,
)
from engine.core.money import CURRENCY_NUMBER
from engine.formats.bank_file import SENDER, FileTrailer, MalformedRecord
from engine.formats.flat import HASH_TOTAL_MODULUS
from engine.formats.flat_layout import DETAIL, DIGEST_OR_NOTHING, TRAILER, TWO_DIGITS, VERSION, Shape
from engine.formats.upload_fields import (
    Misfit,
    read_cnaps,
    read_day,
    read_direction,
    read_fen,
    read_instant,
    read_place,
    read_reason,
    read_text,
    read_text_or_nothing,
)
from engine.formats.upload_lines import End, TextBlock, text_blocks
from engine.formats.uploads import Reading, Tally, whole

NAME: Final = "flat"
_SEPARATOR: Final = "|"
_KINDS: Final = frozenset((UploadKind.STATEMENT, UploadKind.RETURN, UploadKind.ACK))

_SUMS: Final = frozenset(("debit_total", "credit_total", "hash_total"))

Read = Callable[[str], object]
Line = StatementLine | ReturnLine | AckLine


def read(chunks: Iterable[bytes]) -> Iterator[Reading]:
    """What a bank says, line by line, in memory that does not grow with it.

    Shape: `StatementLine`s, `ReturnLine`s or `AckLine`s. After a heading that cannot be read nothing follows.
    Checked: places, count, totals, hash total and digest; the sums only if every line could be read.
    """
    return whole(_read(chunks))


def _constant(text: str) -> Read:
    def read_constant(value: str) -> str:
        if value != text:
            raise Misfit(f"not {text}")
        return value

    return read_constant


def _shaped(shape: Shape) -> Read:
    def read_shape(value: str) -> object:
        try:
            return shape.read(value)
        except ValueError as error:
            raise Misfit(f"not {shape.name}") from error

    return read_shape


def _kind(value: str) -> UploadKind:
    if value not in _KINDS:
        raise Misfit(f"none of {', '.join(sorted(_KINDS))}")
    return UploadKind(value)


def _return_remark(value: str) -> tuple[str, str]:
    reason, space, reference = value.partition(" ")
    return read_reason(reason), read_text(reference) if space else ""


_HEADER: Final[tuple[tuple[str, Read], ...]] = (
    ("version", _constant(VERSION)),
    ("file_id", read_text),
    ("sender", read_cnaps),
    ("receiver", _constant(SENDER)),
    ("business_date", read_day),
    ("cycle", _shaped(TWO_DIGITS)),
    ("kind", _kind),
    ("created_at", read_instant),
    ("currency", _constant(CURRENCY_NUMBER)),
    ("previous_sha256", _shaped(DIGEST_OR_NOTHING)),
)
_STATEMENT: Final[tuple[tuple[str, Read], ...]] = (
    ("bank_ref", read_text),
    ("payment_id", read_text_or_nothing),
    ("direction", read_direction),
    ("amount", read_fen),
    ("booked_on", read_day),
)
_OF_RETURNS: Final[dict[str, Read]] = {"payment_id": read_text, "amount": read_fen, "remark": _return_remark}
_RETURN: Final = tuple((field.name, _OF_RETURNS.get(field.name) or _shaped(field.shape)) for field in DETAIL)
_ACK: Final[tuple[tuple[str, Read], ...]] = (("line", read_place), ("code", read_reason))
_TRAILER: Final = tuple((field.name, _shaped(field.shape)) for field in TRAILER)


class _Returned(msgspec.Struct, frozen=True):
    payment_id: str
    leg: str
    debit_bank: str
    credit_bank: str
    amount: int
    remark: tuple[str, str]


class _Fields(msgspec.Struct, frozen=True):
    """How the lines of one kind are read."""

    layout: tuple[tuple[str, Read], ...]
    line: Callable[[int, Sequence[str], str], Line]


def _statement_line(line_number: int, values: Sequence[str], _sender: str) -> StatementLine:
    bank_ref, payment_id, direction, amount, booked_on = values
    return StatementLine(  # by the functions of its layout: a million lines have no time for a table
        line_number,
        read_text(bank_ref),
        read_text_or_nothing(payment_id),
        read_direction(direction),
        read_fen(amount),
        read_day(booked_on),
    )


def _return_line(line_number: int, values: Sequence[str], sender: str) -> ReturnLine:
    found = msgspec.convert(_values_of(_RETURN, values), _Returned)
    is_debit, is_credit = found.debit_bank == sender, found.credit_bank == sender
    if not is_debit and not is_credit:
        raise Misfit("of other banks")
    direction = Direction.DEBIT if is_debit else Direction.CREDIT
    reason, reference = found.remark
    return ReturnLine(
        line_number,
        found.payment_id,
        found.leg,
        None if is_debit and is_credit else direction,
        found.amount,
        reason,
        "",
        0,
        reference,
    )


def _ack_line(line_number: int, values: Sequence[str], _sender: str) -> AckLine:
    place, code = values
    return AckLine(line_number, read_place(place), read_reason(code))


_LINES: Final = {
    UploadKind.STATEMENT: _Fields(_STATEMENT, _statement_line),
    UploadKind.RETURN: _Fields(_RETURN, _return_line),
    UploadKind.ACK: _Fields(_ACK, _ack_line),
}


class _Upload:
    """One upload, as its lines come."""

    def __init__(self) -> None:
        self.is_lost = False
        self._heading: UploadHeading | None = None
        self._fields = _LINES[UploadKind.STATEMENT]
        self._place = 0
        self._lines = Tally()
        self._hash_total = 0
        self._digest = hashlib.sha256()
        self._is_readable = True
        self._is_over = False
        self._has_carriage_returns = False
        self._acknowledged = WHOLE_FILE - 1  # the last place that an acknowledgement named
        self._whole_file_code = ""

    def read(self, block: TextBlock) -> Iterator[Reading]:
        """Take the next lines."""
        if not self._is_over:
            self._digest.update(_before_trailer(block.content))
        for line_number, line in enumerate(block.lines, block.line_number):
            if line is None:
                self._pass_over()
            elif line.endswith("\r"):
                if not self._has_carriage_returns:
                    self._has_carriage_returns = True
                    yield MalformedRecord(line_number, "record", "ends in CR LF where LF is due")
                yield from self._read_line(line_number, line.removesuffix("\r"))
            else:
                yield from self._read_line(line_number, line)
            if self.is_lost:
                return

    def end(self, line_number: int) -> Iterator[Reading]:
        """There are no more lines; *line_number* is that of the first that is not there."""
        if not self._is_over:
            yield MalformedRecord(line_number, "record", "the file ends before its trailer")
            return
        if self._heading is not None and self._heading.kind is UploadKind.ACK:
            yield self._acknowledgement()
        yield self._lines.trailer

    def _pass_over(self) -> None:
        self._is_readable = False
        self._place += 1
        self.is_lost = self._heading is None

    def _read_line(self, line_number: int, line: str) -> Iterator[Reading]:
        tag, *values = line.split(_SEPARATOR)
        if self._is_over:
            yield MalformedRecord(line_number, "record", "after the trailer")
        elif self._heading is None:
            yield from self._read_heading(line_number, tag, values)
        elif tag == "D":
            yield from self._read_detail(line_number, values, self._heading)
        elif tag == "T":
            yield from self._read_trailer(line_number, values)
        else:
            yield MalformedRecord(line_number, "record", "neither D nor T")

    def _read_heading(self, line_number: int, tag: str, values: Sequence[str]) -> Iterator[Reading]:
        if tag != "H":
            yield MalformedRecord(line_number, "record", "a file begins with H")
        faults = list(_faults_of(_HEADER, values)) if tag == "H" else []
        for field, reason in faults:
            yield MalformedRecord(line_number, field, reason)
        if tag != "H" or faults:
            self.is_lost = True
            return
        found = _values_of(_HEADER, values)
        heading = msgspec.convert(found | {"form": NAME, "cycle": found["cycle"] or None}, UploadHeading)
        if heading.kind is UploadKind.ACK and not heading.previous_sha256:
            yield MalformedRecord(line_number, "previous_sha256", "an ACK names its file by it")
        self._heading = heading
        self._fields = _LINES[heading.kind]
        yield heading

    def _read_detail(self, line_number: int, values: Sequence[str], heading: UploadHeading) -> Iterator[Reading]:
        self._place += 1
        if not values or values[0] != str(self._place):
            yield MalformedRecord(line_number, "seq", "not the line's place")
        try:
            if len(values) != len(self._fields.layout) + 1:
                raise Misfit(f"not {len(self._fields.layout) + 2} fields")
            line = self._fields.line(line_number, values[1:], heading.sender)
        except Misfit as error:
            self._is_readable = False
            faults = list(_faults_of(self._fields.layout, values[1:])) or [("record", str(error))]
            for field, reason in faults:
                yield MalformedRecord(line_number, field, reason)
            return
        if isinstance(line, AckLine):
            yield from self._take_ack(line)
            return
        self._lines.add(line.amount, line.direction)
        self._hash_total += line.amount * self._place
        yield line

    def _take_ack(self, line: AckLine) -> Iterator[Reading]:
        self._lines.add(0)
        if line.seq <= self._acknowledged:
            yield MalformedRecord(line.line_number, "line", "not after the line before it")
        self._acknowledged = line.seq
        if line.seq == WHOLE_FILE:
            self._whole_file_code = line.code
        else:
            yield line

    def _read_trailer(self, line_number: int, values: Sequence[str]) -> Iterator[Reading]:
        self._is_over = True
        faults = list(_faults_of(_TRAILER, values))
        for field, reason in faults:
            yield MalformedRecord(line_number, field, reason)
        if faults:
            return
        told = msgspec.convert(_values_of(_TRAILER, values), FileTrailer)
        found = FileTrailer(
            count=self._place,
            debit_total=self._lines.debit_total,
            credit_total=self._lines.credit_total,
            hash_total=self._hash_total % HASH_TOTAL_MODULUS,
            sha256=self._digest.hexdigest(),
        )
        for field in FileTrailer.__struct_fields__:
            is_judged = self._is_readable or field not in _SUMS
            if is_judged and getattr(told, field) != getattr(found, field):
                yield MalformedRecord(line_number, field, "not what the lines before it give")

    def _acknowledgement(self) -> Acknowledgement:
        status = AckStatus.PART if self._lines.count else AckStatus.ACTC
        if self._whole_file_code:
            return Acknowledgement(status=AckStatus.RJCT, reasons=((WHOLE_FILE, self._whole_file_code),))
        return Acknowledgement(status=status)


def _before_trailer(content: bytes) -> bytes:
    """What of some whole lines the digest is over."""
    if content.startswith(b"T|"):
        return b""
    trailer = content.find(b"\nT|")
    return content if trailer < 0 else content[: trailer + 1]


def _faults_of(layout: Sequence[tuple[str, Read]], values: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each field that cannot be read, and why."""
    if len(values) != len(layout):
        yield "record", f"not {len(layout)} fields"
        return
    for (field, read_value), value in zip(layout, values, strict=True):
        try:
            read_value(value)
        except Misfit as error:
            yield field, str(error)


def _values_of(layout: Sequence[tuple[str, Read]], values: Sequence[str]) -> dict[str, object]:
    return {field: read_value(value) for (field, read_value), value in zip(layout, values, strict=True)}


def _read(chunks: Iterable[bytes]) -> Iterator[Reading]:
    upload = _Upload()
    for found in text_blocks(chunks):
        match found:
            case MalformedRecord():
                yield found
            case TextBlock():
                yield from upload.read(found)
                if upload.is_lost:
                    return
            case End():
                yield from upload.end(found.line_number)
