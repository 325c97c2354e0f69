"""A payment's timeline: everything that happened to it, from the scan to the bank's own books, in order of time."""

import enum
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from engine.core.answers import EventKind
from engine.core.postings import Phase, PostingKind


class StepKind(enum.StrEnum):
    """What happened. The value is on the wire; of one instant, steps are in the order of these lines."""

    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    PART_CAPTURED = "part_captured"
    DECLINED = "declined"
    VOIDED = "voided"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    ORDER_CANCELLED = "order_cancelled"
    REFUSED = "refused"
    RETURNED = "returned"  # its bank has given an item back, or has not taken it
    RELEASED = "released"
    HELD = "held"
    POSTED = "posted"
    RETURN_POSTED = "return_posted"
    PRESENTED_AGAIN = "presented_again"
    ADJUSTED = "adjusted"
    CYCLE_CLOSED = "cycle_closed"
    FILE_LINE = "file_line"
    PUBLISHED = "published"
    PULLED = "pulled"
    ACKNOWLEDGED = "acknowledged"
    DROPPED = "dropped"  # it is not settled with its cycle
    SETTLED = "settled"
    STATEMENT_LINE = "statement_line"
    DIFFERENCE = "difference"
    DIFFERENCE_SETTLED = "difference_settled"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened. `ids` are names of ours and of the banks'; `amount` is in fen, None if there is none."""

    at: datetime
    kind: StepKind
    ids: Mapping[str, str]
    amount: int | None = None


_PLACES: Final = {kind: place for place, kind in enumerate(StepKind)}
_POSTED: Final = {
    PostingKind.RETURN: StepKind.RETURN_POSTED,
    PostingKind.RETURN_UNSETTLED: StepKind.RETURN_POSTED,
    PostingKind.REPRESENT: StepKind.PRESENTED_AGAIN,
    PostingKind.ADJUST: StepKind.ADJUSTED,
}


def in_order(steps: Iterable[Step]) -> list[Step]:
    """The steps in order of time; those of one instant as one follows from the other, else as they came."""
    return sorted(steps, key=lambda step: (step.at, _PLACES[step.kind]))


def step_of_event(kind: EventKind) -> StepKind:
    """What an event about a payment tells."""
    return StepKind(kind.name.lower())


def step_of_posting(phase: Phase, kind: PostingKind) -> StepKind:
    """What a posting about a payment tells."""
    if phase is Phase.POST:
        return _POSTED.get(kind, StepKind.POSTED)
    return StepKind.HELD if phase is Phase.HOLD else StepKind.RELEASED
