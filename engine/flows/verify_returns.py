"""Following what was given back, presented again, corrected or billed to what the books have of it.

It is marked as done after its posting is made, so a posting that is looked up after the mark was read is there.
`engine.flows.verify_bookings` goes the other way.
"""

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from engine.core.approvals import Approval, ApprovalKind, ApprovalOutcome
from engine.core.commands import Book
from engine.core.ids import NO_ID, IdKind, MalformedId, id_text, parse_id
from engine.core.violations import Violation, ViolationKind, Where, name_of
from engine.flows.correct import (
    DifferenceHandling,
    ManualPosting,
    booking_of_approval,
    entry_by_hand,
    entry_of_handling,
)
from engine.flows.post_returns import bookings_of_return
from engine.flows.represent import presentation_of
from engine.flows.verify_journal import Counts, Progress
from engine.store.returns import ReturnRow
from engine.store.settlement import NUMBERS
from engine.store.verify_returns import ReturnReads

RESOLUTIONS: Final = (ApprovalKind.MANUAL_POSTING, ApprovalKind.RESOLVE_DIFFERENCE)
"""What two operators have agreed on is posted by these."""


class ReturnCheck:
    """Follows what was given back, presented again, corrected or billed to its postings."""

    def __init__(self, reads: ReturnReads, counts: Counts, progress: Progress) -> None:
        """*reads* is nobody else's meanwhile."""
        self._reads = reads
        self._counts = counts
        self._progress = progress

    async def check_returns(self) -> Violation | None:
        """Every item that was given back is posted so, and so is its way into suspense."""
        after = (NO_ID, -1)
        while rows := await self._reads.posted_returns(after):
            wanted = [booking for row in rows for booking in bookings_of_return(row)]
            violation = await self._missing(ViolationKind.RETURN_NOT_POSTED, "item_return", wanted)
            violation = violation or await self._without_fate(rows)
            if violation is not None:
                return violation
            self._counts.returns += len(rows)
            self._progress("returns", self._counts.returns, self._counts.returns)
            after = (rows[-1].batch, rows[-1].n)
        return None

    async def check_presentations(self) -> Violation | None:
        """Every item that was presented again is posted as often as it was."""
        after = ("", 0)
        while items := await self._reads.presented_items(after):
            wanted = [
                presentation_of(msgspec.structs.replace(item, present_count=place))
                for item in items
                for place in range(item.present_count)
            ]
            violation = await self._missing(ViolationKind.RETURN_NOT_POSTED, "returned_item", wanted)
            if violation is not None:
                return violation
            after = (items[-1].item, NUMBERS[items[-1].direction])
        return None

    async def check_resolutions(self) -> Violation | None:
        """Every correction that two operators have agreed on and that was carried out is posted so."""
        after = NO_ID
        while approvals := await self._reads.carried_out(RESOLUTIONS, after):
            wanted = [booking for approval in approvals if (booking := await self._booking_of(approval)) is not None]
            violation = await self._missing(ViolationKind.RESOLUTION_NOT_POSTED, "approval", wanted)
            if violation is not None:
                return violation
            self._counts.resolutions += len(approvals)
            self._progress("resolutions", self._counts.resolutions, self._counts.resolutions)
            after = approvals[-1].id
        return None

    async def check_handled(self) -> Violation | None:
        """Every difference that a person has dealt with names what two operators have agreed on, about it or about the
        same one in a statement that was replaced.
        """
        after = (NO_ID, -1)
        while differences := await self._reads.handled_differences(after):
            ids = {one: approval_id(one.resolution) for one in differences}
            approvals = await self._reads.approvals({found for found in ids.values() if found is not None})
            for one, identifier in ids.items():
                if not is_agreed_on(approvals.get(identifier or NO_ID), (ApprovalKind.RESOLVE_DIFFERENCE,)):
                    where = Where(table="difference", name=f"{id_text(one.reconciliation)}/{one.n}")
                    return Violation(ViolationKind.RESOLUTION_UNFOUNDED, where, "an approval", one.resolution or "none")
            after = differences[-1][:2]
        return None

    async def check_bills(self) -> Violation | None:
        """Every bill that is paid is paid by the payment that it names."""
        after: tuple[str, ...] | None = ("",)
        while after is not None:
            checked = await self._reads.check_bills(after)
            if checked.fault is not None:
                bill_no, payment = checked.fault
                where = Where(table="bill", payment=name_of(payment), name=bill_no)
                return Violation(ViolationKind.BILL_WRONG, where, "a payment that pays it", "none")
            self._counts.bills += checked.number
            self._progress("bills", self._counts.bills, self._counts.bills)
            after = checked.last
        return None

    async def _without_fate(self, rows: Sequence[ReturnRow]) -> Violation | None:
        """The first of these items of which nobody knows what became."""
        ends = [(row.original or row.item, row.direction) for row in rows]
        known = await self._reads.returned_items(ends)
        for row, end in zip(rows, ends, strict=True):
            if end not in known:
                where = Where(table="returned_item", payment=_subject(row.payment), name=end[0])
                return Violation(ViolationKind.RETURN_UNFOUNDED, where, "what became of it", "none")
        return None

    async def _booking_of(self, approval: Approval) -> Book | None:
        """What carrying it out has posted; None if nothing moved."""
        if approval.kind is ApprovalKind.MANUAL_POSTING:
            by_hand = msgspec.json.decode(approval.payload, type=ManualPosting)
            return booking_of_approval(approval, entry_by_hand(by_hand))
        wanted = msgspec.json.decode(approval.payload, type=DifferenceHandling)
        difference = await self._reads.difference(parse_id(wanted.reconciliation, IdKind.RECONCILIATION), wanted.n)
        entry = entry_of_handling(difference, wanted) if difference is not None else None
        return booking_of_approval(approval, entry) if entry is not None else None

    async def _missing(self, kind: ViolationKind, table: str, wanted: Sequence[Book]) -> Violation | None:
        """The first of these bookings that is not in the books exactly so."""
        found = await self._reads.bookings([booking.key for booking in wanted if booking.key is not None])
        for booking in wanted:
            assert booking.key is not None, "every booking has a key"
            seen = found.get(booking.key)
            if seen is None or (seen.about, seen.kind, seen.entries) != (booking.about, booking.kind, booking.entries):
                where = Where(table=table, payment=_subject(booking.about), name=booking.key)
                amounts = "none" if seen is None else " ".join(str(entry.amount) for entry in seen.entries)
                return Violation(kind, where, " ".join(str(entry.amount) for entry in booking.entries), amounts)
        return None


def approval_id(text: str) -> bytes | None:
    """The request that a text names; None if it names none."""
    try:
        return parse_id(text, IdKind.APPROVAL)
    except MalformedId:
        return None


def is_agreed_on(approval: Approval | None, kinds: Collection[ApprovalKind]) -> bool:
    """True for a request of one of *kinds* that two operators have agreed on, whether or not its mark is there yet."""
    return (
        approval is not None
        and approval.kind in kinds
        and approval.outcome in (ApprovalOutcome.UNDER_WAY, ApprovalOutcome.DONE)
    )


def _subject(about: bytes) -> str | None:
    return None if about == NO_ID else name_of(about)
