"""What the books check reads, as it comes out of its queries."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import asyncpg
import msgspec

from engine.core.calendar import CycleNumber
from engine.core.ids import PaymentId
from engine.core.payment_audit import PaymentFold, PaymentSeen, RefundFold
from engine.core.payments import Payment, Refund
from engine.store.rows import payment_of, refund_of, remembered_of


class LaneHead(NamedTuple):
    """A lane's row, and the last batch that there is of it."""

    lane: int
    seq: int
    head: bytes
    last_seq: int


class Stretch(NamedTuple):
    """Some batches of one lane, all of one cycle: those behind `after_seq`, up to `last_seq`."""

    lane: int
    after_seq: int
    last_seq: int
    cycle: CycleNumber


class TotalsFault(NamedTuple):
    """An account whose stored totals are not those of its postings."""

    account: bytes
    lane: int | None
    expected: Sequence[int | None]
    actual: Sequence[int | None]


class TotalsChecked(NamedTuple):
    """A slice of accounts that was compared."""

    number: int
    fault: TotalsFault | None


class SliceChecked(NamedTuple):
    """A slice of references that was looked up: its last key (None at the end), and what points nowhere."""

    number: int
    last: tuple[Any, ...] | None
    fault: tuple[Any, ...] | None


class RefundSeen(NamedTuple):
    """A refund as it is stored; None where its tenders cannot be read."""

    payment: PaymentId
    refund_no: str
    refund: Refund | None


class SealRow(NamedTuple):
    """A seal as it is stored, behind its cycle."""

    lanes: bytes
    root: bytes
    key_id: str
    signature: bytes


class SealedCycle(NamedTuple):
    """A cycle that was sealed; None if its seal is not there any more."""

    cycle: CycleNumber
    seal: SealRow | None


class SealedLane(NamedTuple):
    """What a lane's chain has where a seal says that it ended."""

    lane: int
    seq: int
    hash: bytes | None
    next_cycle: int | None


class FileRow(NamedTuple):
    """What a clearing file says of its bytes, and the root that its cycle was sealed with."""

    name: str
    cycle: CycleNumber
    size: int
    sha256: bytes
    root: bytes
    key_id: str
    signature: bytes
    sealed_root: bytes | None


class Netted(NamedTuple):
    """A cycle that has net positions, and what they sum to. Units: fen."""

    cycle: CycleNumber
    debits: int
    credits: int


class NetFault(NamedTuple):
    """A bank whose net position is wrong: fen and number of items that it pays, fen and number that it gets."""

    bank: bytes | None  # None: accounts that no bank holds
    expected: Sequence[int]
    actual: Sequence[int]


class FileFault(NamedTuple):
    """A clearing file that is not about its cycle's postings, or is missing: fen and number of items."""

    bank: bytes
    kind: str
    name: str | None
    expected: Sequence[int]
    actual: Sequence[int | None]


_NO_EVENTS: Final = PaymentFold(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, None, None, None, None, None, None, None)


def payment_seen_of(row: asyncpg.Record) -> PaymentSeen:
    """A payment of a `payments` row."""
    stored = row["payment"]
    return PaymentSeen(
        id=PaymentId(row["id"]),
        is_stored=stored is not None,
        payment=None if stored is None else _readable(stored),
        captured=0 if stored is None else stored["captured"],
        refunded=0 if stored is None else stored["refunded"],
        fold=_NO_EVENTS if row["opened"] is None else PaymentFold._make(row[2:20]),
        refunds=RefundFold._make(row[20:24]),
        original=None if row["original"] is None else _payment_in(row["original"]),
        hold_due=row["hold_due"],
        order_payment=row["order_payment"],
    )


def _readable(stored: asyncpg.Record) -> Payment | None:
    try:
        return payment_of(stored)
    except (KeyError, msgspec.DecodeError):
        return None


def _payment_in(body: bytes) -> Payment | None:
    try:
        return remembered_of(body).answer.payment
    except msgspec.DecodeError:
        return None


def refund_seen_of(stored: asyncpg.Record) -> RefundSeen:
    """A refund of a `refund` row."""
    try:
        refund = refund_of(stored)
    except msgspec.DecodeError:
        refund = None
    return RefundSeen(PaymentId(stored["payment"]), stored["refund_no"], refund)


def slice_of(rows: Sequence[asyncpg.Record], *, width: int) -> SliceChecked:
    """A slice of references. Its row is: count, the last key, then what is wrong (null if nothing is)."""
    if not rows:
        return SliceChecked(0, None, None)
    row = tuple(rows[0])
    fault = row[1 + width :]
    return SliceChecked(row[0], row[1 : 1 + width], fault if fault[0] is not None else None)
