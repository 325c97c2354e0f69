"""Reads UnionPay's merchant reconciliation file, ZM: fixed widths, GBK, one separator character between the fields.

What becomes of its fields, counted from one:

| field | name | becomes |
|---|---|---|
| 7 | txnAmt | `amount`, in fen |
| 10, else 12 | queryId, orderId | `bank_ref` |
| 12, 35, 25, 41 | orderId, merReserved, billNo, the original orderId | `payment_id`: the first that is one |
| 17 | settleAmt | only its shape is checked, C or D and twelve digits: it is net of the fee |
| 20 | txnType | `direction` and `is_reversal`, by `_TXN_TYPES` |

The original orderId counts because a refund's orderId is its own. `booked_on` is the settlement date of the file, which
is in its name and not in it. Field 6, the card number, is not carried over: it is personal data, and nothing of ours
is found by it. Not used either: institutions, trace numbers, times, fees, terminals, instalments and the rest.

The file has no heading and no totals: its totals come in another file. So one that lost whole lines at its end looks
whole, and only reconciling it shows what is not there.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import accumulate
from operator import itemgetter
from typing import Final

from engine.core.bank_lines import Direction, StatementLine, UploadHeading, UploadKind
from engine.core.ids import PREFIXES, IdKind
from engine.formats.bank_file import MalformedRecord
from engine.formats.upload_fields import Misfit, read_day, read_text
from engine.formats.upload_lines import Block, End, blocks
from engine.formats.uploads import Reading, Tally, whole

NAME: Final = "unionpay_zm"

# Before the tail: one of 32 and 98 bytes, of 32 and 99, or of 131, which are as many bytes as the first.
_WIDTHS: Final = (
    *(3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2),
    *(6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13, 13, 8, 32, 13, 13, 12, 2, 1),
)
_ENDS: Final = tuple(accumulate(width + 1 for width in _WIDTHS))  # of each field, its separator included
_FIELDS: Final = tuple(slice(end - width - 1, end - 1) for end, width in zip(_ENDS, _WIDTHS, strict=True))
_SEPARATORS: Final = itemgetter(*(end - 1 for end in _ENDS))
_ORIGINAL_ORDER: Final = slice(_ENDS[-1], _ENDS[-1] + 32)
_LENGTHS: Final = (_ENDS[-1] + 131, _ENDS[-1] + 132)

_TXN_TYPES: Final = {  # of UnionPay's open platform: direction at the cardholder's bank, and whether it undoes another
    b"01": (Direction.DEBIT, False),  # purchase
    b"03": (Direction.DEBIT, False),  # pre-authorization completed
    b"04": (Direction.CREDIT, True),  # refund
    b"11": (Direction.DEBIT, False),  # collection
    b"12": (Direction.CREDIT, False),  # payout
    b"13": (Direction.DEBIT, False),  # bill
    b"31": (Direction.CREDIT, True),  # purchase cancelled
    b"33": (Direction.CREDIT, True),  # completion cancelled
}
_FIRST_FIELD: Final = re.compile(rb"[A-Z][0-9]{2}")
_AMOUNT: Final = re.compile(rb"[0-9]{12}")
_SIGNED_AMOUNT: Final = re.compile(rb"[CD][0-9]{12}")
_FILE_NAME: Final = re.compile(r"INN([0-9]{6})[0-9]{2}ZM_", re.ASCII)
_PAYMENT: Final = PREFIXES[IdKind.PAYMENT]


def read(chunks: Iterable[bytes], *, settled_on: date | None) -> Iterator[Reading]:
    """What UnionPay booked on one settlement date, line by line, in memory that does not grow with it.

    Shape: `StatementLine`s; the heading has no file id. Lines may end in LF or CR LF.
    """
    return whole(_read(chunks, settled_on))


def is_first_line(line: bytes) -> bool:
    """The line can be the first of such a file."""
    line = line.removesuffix(b"\r")
    return len(line) in _LENGTHS and _FIRST_FIELD.fullmatch(line[_FIELDS[0]]) is not None and _is_cut(line)


def settlement_date_in(name: str) -> date | None:
    """The settlement date that the name of a ZM file tells, such as ``INN26112488ZM_777290058110097``."""
    found = _FILE_NAME.match(name)
    try:
        return read_day(f"20{found[1]}") if found is not None else None
    except Misfit:
        return None


class _Statement:
    """One file, as its lines come."""

    def __init__(self, settled_on: date) -> None:
        self._lines = Tally()
        self._settled_on = settled_on

    def read(self, block: Block) -> Iterator[Reading]:
        """Take the next lines."""
        for line_number, ended in enumerate(block.lines, block.line_number):
            line = ended.removesuffix(b"\r")
            if len(line) not in _LENGTHS:
                yield MalformedRecord(line_number, "record", f"not {_LENGTHS[0]} or {_LENGTHS[1]} bytes")
            elif not _is_cut(line):
                yield MalformedRecord(line_number, "record", "no separator where one is due")
            else:
                yield from self._read_line(line_number, line)

    def end(self, line_number: int) -> Iterator[Reading]:
        """There are no more lines; *line_number* is that of the first that is not there."""
        if line_number == 1:
            yield MalformedRecord(1, "record", "the file has no lines")
        yield self._lines.trailer

    def _read_line(self, line_number: int, line: bytes) -> Iterator[Reading]:
        values = [line[field] for field in _FIELDS]
        faults = list(_faults_of(line, values))
        for field, reason in faults:
            yield MalformedRecord(line_number, field, reason)
        if faults:
            return
        direction, is_reversal = _TXN_TYPES[values[19]]
        query_id, order_id = _text(values[9]), _text(values[11])
        orders = (order_id, _text(values[34]), _text(values[24]), _text(line[_ORIGINAL_ORDER]))
        amount = int(values[6])
        self._lines.add(amount, direction)
        yield StatementLine(
            line_number,
            query_id or order_id,
            next((order for order in orders if order.startswith(_PAYMENT)), ""),
            direction,
            amount,
            self._settled_on,
            "",
            is_reversal,
        )


def _faults_of(line: bytes, values: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    """What is wrong with a line of the right length, field by field."""
    try:
        line.decode("gbk")
    except UnicodeDecodeError:
        yield "record", "not GBK"
    if not _AMOUNT.fullmatch(values[6]) or not int(values[6]):
        yield "txnAmt", "not an amount of twelve digits above zero"
    if not _SIGNED_AMOUNT.fullmatch(values[16]):
        yield "settleAmt", "not C or D and twelve digits"
    if values[19] not in _TXN_TYPES:
        yield "txnType", "not a type of what is cleared"
    if not _text(values[9]) and not _text(values[11]):
        yield "queryId", "neither this nor an orderId"
    for place, field in ((9, "queryId"), (11, "orderId")):
        value = _text(values[place])
        try:
            read_text(value or "-")
        except Misfit as error:
            yield field, str(error)


def _is_cut(line: bytes) -> bool:
    """There is one and the same separator wherever one is due."""
    separators = set(_SEPARATORS(line))
    return len(separators) == 1 and not bytes(separators).isalnum()


def _text(value: bytes) -> str:
    """A field's text; the spaces that fill it up are the format's."""
    return value.decode("gbk", "replace").rstrip(" ")


def _read(chunks: Iterable[bytes], settled_on: date | None) -> Iterator[Reading]:
    if settled_on is None:
        yield MalformedRecord(1, "settlement date", "neither in the file nor in its name")
        return
    statement = _Statement(settled_on)
    yield UploadHeading(file_id="", kind=UploadKind.STATEMENT, form=NAME, business_date=settled_on)
    for found in blocks(chunks):
        match found:
            case MalformedRecord():
                yield found
            case Block():
                yield from statement.read(found)
            case End():
                yield from statement.end(found.line_number)
