"""What goes over the wire about a payment's timeline."""

from datetime import datetime
from typing import Literal

import msgspec

StepName = Literal[
    "authorized",
    "captured",
    "part_captured",
    "declined",
    "voided",
    "expired",
    "refunded",
    "order_cancelled",
    "refused",
    "returned",
    "released",
    "held",
    "posted",
    "return_posted",
    "presented_again",
    "adjusted",
    "cycle_closed",
    "file_line",
    "published",
    "pulled",
    "acknowledged",
    "dropped",
    "settled",
    "statement_line",
    "difference",
    "difference_settled",
]


class TimelineStepView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a payment. Units: fen."""

    at: datetime
    kind: StepName
    ids: dict[str, str]
    amount: int | None
    text: str


class TimelineView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that happened to a payment, in order of time."""

    items: tuple[TimelineStepView, ...]
