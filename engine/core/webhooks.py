"""Notifications: what is told, to whom, and when an attempt that failed is made again."""

import enum
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from engine.core.answers import EventKind
from engine.core.ids import ENTROPY_BITS, IdKind, PaymentId, make_id, region_of, shard_of
from engine.core.payments import Payment, State

TEST_TYPE: Final = "webhook.test"
"""Of a message that an owner sends itself."""

_UNTOLD: Final = frozenset(
    {
        EventKind.ORDER_CANCELLED,  # an order that no payment was made for; else it is a void or a refund
        EventKind.CARD_REPORTED_LOST,
        EventKind.CARD_REINSTATED,
        EventKind.ACCOUNT_OPENED,
        EventKind.REFUSED,
        EventKind.BOOKED,
        EventKind.PASSWORD_SET,
        EventKind.SETTINGS_CHANGED,
        EventKind.CARD_CHANGED,
        EventKind.FAMILY_CHANGED,
        EventKind.PASSWORD_CHECKED,
    }
)
_AWAITING_TYPE: Final = "payment.awaiting_user"
_TYPES: Final = {kind: f"payment.{kind.name.lower()}" for kind in EventKind if kind not in _UNTOLD}
TOLD_KINDS: Final = tuple(_TYPES)
"""Every move of a payment is told."""

EVENT_TYPES: Final = (*_TYPES.values(), _AWAITING_TYPE)
"""What events are called when they are told."""

ENDPOINTS_MAX: Final = 10
"""Of one owner: each of them costs a message an event."""

GIVE_UP_AFTER: Final = timedelta(days=3)
"""From when a message is set going; what has not been taken by then is a dead letter."""

OVERLAP: Final = timedelta(hours=24)
"""For which the secret before the newest signs along."""

KEEP_DELIVERED: Final = timedelta(days=7)
KEEP_DEAD: Final = timedelta(days=30)

_LANE_BITS: Final = 10
_N_BITS: Final = 8
_SEQ_BITS: Final = ENTROPY_BITS - _LANE_BITS - _N_BITS

_FIRST_PAUSE_S: Final = 5.0
_PAUSE_S_MAX: Final = 4 * 3_600.0
_PAUSE_FACTOR: Final = 3.0
_JITTER: Final = 0.2


class EndpointState(enum.IntEnum):
    """Where an endpoint stands. Stored; the name in lower case is on the wire."""

    ENABLED = 1
    DISABLED = 2  # nothing is sent, and what happens meanwhile is not told
    REMOVED = 3


class MessageState(enum.IntEnum):
    """Where a message stands. Stored; the name in lower case is on the wire."""

    PENDING = 1
    DELIVERED = 2
    DEAD = 3


class Subscription(msgspec.Struct, frozen=True):
    """Who is told what: an endpoint that is enabled."""

    endpoint: bytes
    owner: bytes
    types: frozenset[str]  # empty: all
    since: datetime  # business time

    def wants(self, event_type: str, at: datetime) -> bool:
        """True if the endpoint is told an event of this type and instant."""
        return at >= self.since and (not self.types or event_type in self.types)


def event_type(kind: EventKind, payment: Payment) -> str:
    """What a move of a payment is called when it is told."""
    if kind is EventKind.AUTHORIZED and payment.state is State.AWAITING_USER:
        return _AWAITING_TYPE
    return _TYPES[kind]


def event_id(*, lane: int, seq: int, n: int, at: datetime, payment: PaymentId) -> bytes:
    """The id of an event: it follows from its place in the journal, so whoever makes it makes the same.

    Of the sequence the lower bits are enough: nothing else of the lane has the same ones in the same millisecond.
    """
    assert lane < 1 << _LANE_BITS
    assert n < 1 << _N_BITS
    place = ((lane << _SEQ_BITS | seq % (1 << _SEQ_BITS)) << _N_BITS) | n
    return make_id(
        IdKind.EVENT,
        at_ms=round(at.timestamp() * 1_000),
        shard=shard_of(payment),
        region=region_of(payment),
        entropy=place,
    )


def pause_after(attempt: int, *, draw: float) -> timedelta:
    """How long to wait after the *attempt*-th attempt, the first of which is 1.

    5, 15, 45 seconds and so on up to four hours, each a fifth longer or shorter by *draw* (0 to 1), so that the
    messages of a receiver that was away for a while do not all come back in one instant.
    """
    # No power of it is asked for that is beyond the longest pause: the number of attempts has no bound.
    grown = _FIRST_PAUSE_S * _PAUSE_FACTOR ** min(attempt - 1, 10)
    return timedelta(seconds=min(grown, _PAUSE_S_MAX) * (1 + _JITTER * (2 * draw - 1)))


def next_attempt(attempt: int, *, now: datetime, give_up_at: datetime, draw: float) -> datetime | None:
    """When to try again after an attempt that failed; None if that was the last one.

    The last attempt is made when the time is over, so that a receiver that comes back just before is told.
    """
    if now >= give_up_at:
        return None
    return min(now + pause_after(attempt, draw=draw), give_up_at)


def unknown_types(types: Sequence[str]) -> list[str]:
    """Those of *types* that nothing is called, or that are there twice."""
    return [name for place, name in enumerate(types) if name not in EVENT_TYPES or name in types[:place]]
