"""The journal: the bytes of a batch's immutable rows, and the hash chain over them."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from struct import Struct
from typing import Final, NamedTuple, TypeAlias

from engine.core.calendar import CycleNumber

GENESIS: Final = bytes(32)
"""The head of a lane that has committed nothing."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HEADER: Final = Struct(">hqiqqHH").pack  # lane, seq, date ordinal, cycle, at, how many postings and events
_POSTING: Final = Struct(">hhqi16shh16s16sq").pack
_EVENT: Final = Struct(">hhi16sqI").pack


class PostingRow(NamedTuple):
    """A posting as it is stored, column by column."""

    business_date: date
    lane: int
    seq: int
    n: int
    event: int
    cycle: int
    region: int
    payment: bytes
    phase: int
    kind: int
    debit: bytes
    credit: bytes
    amount: int


class EventRow(NamedTuple):
    """An event as it is stored, column by column."""

    business_date: date
    lane: int
    seq: int
    n: int
    kind: int
    region: int
    payment: bytes
    at: datetime
    body: bytes


NewPosting: TypeAlias = tuple[int, int, bytes, int, int, bytes, bytes, int]
"""A posting that a lane writes: event, region, payment, phase, kind, debit, credit, amount. Its n is its place."""

NewEvent: TypeAlias = tuple[int, int, int, bytes, bytes]
"""An event that a lane writes: n, kind, region, payment, body. Its instant is the batch's."""


class BatchHeader(NamedTuple):
    """What a batch's hash covers beside its rows."""

    lane: int
    seq: int
    at: datetime
    business_date: date
    cycle: CycleNumber


def microseconds(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def batch_hash(prev: bytes, header: BatchHeader, postings: Sequence[PostingRow], events: Sequence[EventRow]) -> bytes:
    """The link that follows *prev*: SHA-256 over *prev*, the header and every column of every row, in order of n."""
    parts = [prev, _header(header, len(postings), len(events))]
    parts += [
        _POSTING(n, event, cycle, region, payment, phase, kind, debit, credit, amount)
        for _, _, _, n, event, cycle, region, payment, phase, kind, debit, credit, amount in postings
    ]
    for _, _, _, n, kind, region, payment, at, body in events:
        parts += (_EVENT(n, kind, region, payment, microseconds(at), len(body)), body)
    return hashlib.sha256(b"".join(parts)).digest()


def new_batch_hash(
    prev: bytes, header: BatchHeader, postings: Sequence[NewPosting], events: Sequence[NewEvent]
) -> bytes:
    """`batch_hash` of the rows that *postings* and *events* become when they are written."""
    parts = [prev, _header(header, len(postings), len(events))]
    cycle, at = header.cycle, microseconds(header.at)
    parts += [
        _POSTING(n, event, cycle, region, payment, phase, kind, debit, credit, amount)
        for n, (event, region, payment, phase, kind, debit, credit, amount) in enumerate(postings)
    ]
    for n, kind, region, payment, body in events:
        parts += (_EVENT(n, kind, region, payment, at, len(body)), body)
    return hashlib.sha256(b"".join(parts)).digest()


def _header(header: BatchHeader, posting_count: int, event_count: int) -> bytes:
    day, at = header.business_date.toordinal(), microseconds(header.at)
    return _HEADER(header.lane, header.seq, day, header.cycle, at, posting_count, event_count)


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """The root over *leaves*: SHA-256, leaves and nodes told apart by a first byte (RFC 6962, section 2.1)."""
    level = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
    if not level:
        return hashlib.sha256().digest()
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [hashlib.sha256(b"\1" + left + right).digest() for left, right in pairs]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]


def lane_leaf(lane: int, seq: int, head: bytes) -> bytes:
    """One lane's end in a seal, as bytes."""
    return Struct(">hq").pack(lane, seq) + head
