"""The rules of a lane's chain: one batch with its rows goes in, the first violation comes out.

A row's business date needs no rule: rows are looked up by their batch's date, so one with another date is missing from
its batch, and stray where it is.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

from engine.core.calendar import CycleNumber
from engine.core.ids import NO_ID
from engine.core.journal import GENESIS, BatchHeader, EventRow, PostingRow, batch_hash
from engine.core.postings import PostingKind
from engine.core.violations import Violation, ViolationKind, Where, name_of


class BatchRow(NamedTuple):
    """A batch as it is stored, column by column."""

    lane: int
    seq: int
    at: datetime
    business_date: date
    cycle: CycleNumber
    n: int
    prev: bytes
    hash: bytes


class Link(NamedTuple):
    """How far a lane's chain has been followed."""

    seq: int
    hash: bytes
    business_date: date
    cycle: int


START: Final = Link(0, GENESIS, date.min, 0)


def batch_violation(
    before: Link, batch: BatchRow, postings: Sequence[PostingRow], events: Sequence[EventRow]
) -> Violation | None:
    """What is wrong with one batch that should follow *before*; its rows are in order of n."""
    if batch.seq != before.seq + 1:
        return _of_batch(ViolationKind.BATCH_MISSING, batch, f"batch {before.seq + 1}", f"batch {batch.seq}")
    if batch.prev != before.hash:
        return _of_batch(ViolationKind.CHAIN_LINK_BROKEN, batch, before.hash.hex(), batch.prev.hex())
    if batch.cycle < before.cycle or batch.business_date < before.business_date:
        expected = f"cycle {before.cycle} of {before.business_date}, or later"
        found = f"cycle {batch.cycle} of {batch.business_date}"
        return _of_batch(ViolationKind.CYCLE_WENT_BACK, batch, expected, found)
    if batch.n != len(events):
        return _of_batch(ViolationKind.EVENT_MISSING, batch, f"{batch.n} events", f"{len(events)} events")
    violation = _postings_violation(batch, postings, events)
    if violation is not None:
        return violation
    header = BatchHeader(batch.lane, batch.seq, batch.at, batch.business_date, batch.cycle)
    link = batch_hash(batch.prev, header, postings, events)
    if link != batch.hash:
        return _of_batch(ViolationKind.BATCH_ALTERED, batch, batch.hash.hex(), link.hex())
    return None


def after(batch: BatchRow) -> Link:
    """The link that the next batch of the lane follows."""
    return Link(batch.seq, batch.hash, batch.business_date, batch.cycle)


def _postings_violation(
    batch: BatchRow, postings: Sequence[PostingRow], events: Sequence[EventRow]
) -> Violation | None:
    subjects = {event.n: event.payment for event in events}
    for n, row in enumerate(postings):
        # A balance that is brought in is filed under its card, and its event is about no payment.
        subject = NO_ID if row.kind == PostingKind.OPENING else row.payment
        if row.n != n:
            fault = (ViolationKind.POSTING_MISSING, f"posting {n}", f"posting {row.n}")
        elif row.cycle != batch.cycle:
            fault = (ViolationKind.POSTING_IN_OTHER_CYCLE, str(batch.cycle), str(row.cycle))
        elif row.amount <= 0 or row.debit == row.credit:
            fault = (ViolationKind.POSTING_MALFORMED, "an amount above zero between two accounts", str(row.amount))
        elif subjects.get(row.event) != subject:
            fault = (ViolationKind.POSTING_WITHOUT_EVENT, f"event {row.event} about its payment", "none")
        else:
            continue
        kind, expected, actual = fault
        where = Where(lane=batch.lane, seq=batch.seq, n=row.n, payment=name_of(row.payment))
        return Violation(kind, where, expected, actual)
    return None


def _of_batch(kind: ViolationKind, batch: BatchRow, expected: str, actual: str) -> Violation:
    return Violation(kind, Where(lane=batch.lane, seq=batch.seq, cycle=batch.cycle), expected, actual)
