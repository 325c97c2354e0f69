"""Following the postings that no payment's own life makes back to what they were made for.

Each is the answer to one key of the engine's own, and the key names its occasion. What it is made for is kept before
it is posted, so it is there when it is looked up after the answer was read.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from engine.core.approvals import Approval
from engine.core.bank_lines import Direction
from engine.core.ids import NO_ID
from engine.core.returns import ReturnState, is_presented_again
from engine.core.violations import Violation, ViolationKind, Where
from engine.flows.correct import APPROVAL_KEY
from engine.flows.post_returns import RETURN_KEY, SUSPEND_KEY
from engine.flows.represent import PRESENT_KEY
from engine.flows.verify_journal import Counts, Progress
from engine.flows.verify_returns import RESOLUTIONS, approval_id, is_agreed_on
from engine.store.verify_returns import BookedAnswer, ItemEnd, ReturnedSeen, ReturnReads

_DIRECTIONS = frozenset(Direction)


class _Reasons(NamedTuple):
    """What some keys may have been made for."""

    decided: set[ItemEnd]
    returned: Mapping[ItemEnd, ReturnedSeen]
    approvals: Mapping[bytes, Approval]


class BookingCheck:
    """Looks at every booking in the folds."""

    def __init__(self, reads: ReturnReads, counts: Counts, progress: Progress) -> None:
        """*reads* has the folds beside it, and is nobody else's meanwhile."""
        self._reads = reads
        self._counts = counts
        self._progress = progress

    async def check_bookings(self) -> Violation | None:
        """Every booking in the folds is the answer to one key, and was made for something.

        The folds must stay as they are meanwhile: whatever is in them was answered before.
        """
        key = ""
        while answers := await self._reads.booked_answers(key):
            violation = await self._unfounded(answers)
            if violation is not None:
                return violation
            await self._reads.keep_answers(answers)
            key = answers[-1].key
        return await self._not_answered_once()

    async def _not_answered_once(self) -> Violation | None:
        after: tuple[int, ...] | None = (-1, -1, -1)
        while after is not None:
            checked = await self._reads.check_answered(after)
            if checked.fault is not None:
                lane, seq, n, count = checked.fault
                where = Where(table="event", lane=lane, seq=seq, n=n)
                return Violation(ViolationKind.BOOKING_NOT_ANSWERED_ONCE, where, "the answer to one key", f"to {count}")
            self._counts.bookings += checked.number
            self._progress("bookings", self._counts.bookings, self._counts.bookings)
            after = checked.last
        return None

    async def _unfounded(self, answers: Sequence[BookedAnswer]) -> Violation | None:
        by_occasion: dict[str, list[str]] = defaultdict(list)
        for answer in answers:
            by_occasion[answer.key.partition("/")[0]].append(answer.key)
        reasons = await self._reasons(by_occasion)
        for answer in answers:
            kind = _unfounded_as(answer.key, reasons)
            if kind is not None:
                where = Where(table="answer", lane=answer.lane, seq=answer.seq, n=answer.n, name=answer.key)
                return Violation(kind, where, "what it was posted for", "none")
        return None

    async def _reasons(self, keys: Mapping[str, Sequence[str]]) -> _Reasons:
        returned = [_end_of(key) for key in keys.get(RETURN_KEY, ())]
        others = [_end_of(key) for key in keys.get(SUSPEND_KEY, ())] + [
            (_place_of(key)[0], Direction.DEBIT) for key in keys.get(PRESENT_KEY, ())
        ]
        approvals = {approval_id(key.partition("/")[2]) or NO_ID for key in keys.get(APPROVAL_KEY, ())}
        return _Reasons(
            decided=await self._reads.decided_returns(returned) if returned else set(),
            returned=await self._reads.returned_items(others) if others else {},
            approvals=await self._reads.approvals(approvals) if approvals else {},
        )


def _unfounded_as(key: str, reasons: _Reasons) -> ViolationKind | None:
    """What is wrong with a key that was made for nothing."""
    occasion, _, rest = key.partition("/")
    if occasion == RETURN_KEY:
        return None if _end_of(key) in reasons.decided else ViolationKind.RETURN_UNFOUNDED
    if occasion == SUSPEND_KEY:
        seen = reasons.returned.get(_end_of(key))
        is_given_up = seen is not None and seen.state is ReturnState.SUSPENDED and is_presented_again(seen.stand_in)
        return None if is_given_up else ViolationKind.RETURN_UNFOUNDED
    if occasion == PRESENT_KEY:
        item, place = _place_of(key)
        seen = reasons.returned.get((item, Direction.DEBIT))
        # What is due is perhaps posted, and not yet marked.
        most = seen.present_count + (seen.state is ReturnState.RETURNED) if seen is not None else 0
        return None if 1 <= place <= most else ViolationKind.RETURN_UNFOUNDED
    if occasion == APPROVAL_KEY:
        approval = reasons.approvals.get(approval_id(rest) or NO_ID)
        return None if is_agreed_on(approval, RESOLUTIONS) else ViolationKind.RESOLUTION_UNFOUNDED
    return None


def _end_of(key: str) -> ItemEnd:
    """The item and the direction that a key names; a key that names none has an item that there is not."""
    _, item, direction = [*key.split("/"), "", ""][:3]
    return (item, Direction(direction)) if direction in _DIRECTIONS else ("", Direction.DEBIT)


def _place_of(key: str) -> tuple[str, int]:
    """The item and the how manieth presentation a key names; a key that names none has place 0."""
    _, item, place = [*key.split("/"), "", ""][:3]
    return item, int(place) if place.isascii() and place.isdigit() and len(place) <= 4 else 0
