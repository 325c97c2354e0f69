"""What the ledger answers, kept compact; `engine.web` renders it, the same way the first time and on every replay."""

import enum
from datetime import datetime
from typing import Final

import msgspec

from engine.core.calendar import CycleNumber
from engine.core.commands import Fact
from engine.core.ids import CardId
from engine.core.payer import CardStatus, IssueLevel
from engine.core.payments import Payment, Refund

ANSWER_VERSION: Final = 3
"""Grows when rendering changes, so that an old answer is rendered by the old function for ever."""


class EventKind(enum.IntEnum):
    """What happened; one event a command that was decided for the first time. Stored."""

    AUTHORIZED = 1
    CAPTURED = 2
    PART_CAPTURED = 3
    DECLINED = 4
    VOIDED = 5
    EXPIRED = 6
    REFUNDED = 7
    ORDER_CANCELLED = 8
    CARD_REPORTED_LOST = 9
    CARD_REINSTATED = 10
    ACCOUNT_OPENED = 11
    REFUSED = 12  # nothing changed, but the answer is remembered
    BOOKED = 13  # postings that no payment's own life makes
    CONFIRMED = 14  # and still on hold; one that is captured at once is CAPTURED
    RAISED = 15
    PASSWORD_SET = 16
    SETTINGS_CHANGED = 17
    CARD_CHANGED = 18
    FAMILY_CHANGED = 19
    PASSWORD_CHECKED = 20


class Clearing(enum.IntEnum):
    """How far the banks' side of a payment is. The name in lower case is the wire's `clearing_status`."""

    UNCLEARED = 1
    BATCHED = 2
    PUBLISHED = 3
    SETTLED = 4
    RETURNED = 5  # some of it was given back by its bank, and is not collected


class CancelOutcome(enum.IntEnum):
    """What cancelling an order did. The name in lower case is the wire's `outcome`."""

    VOIDED = 1
    REFUNDED = 2
    NOTHING_TO_CANCEL = 3


class CardState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A card as a loss report leaves it."""

    id: CardId
    status: CardStatus
    issue_level: IssueLevel
    at: datetime


class Answer(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """The outcome of one command. Stored, so fields are only ever added at the end."""

    version: int = ANSWER_VERSION
    refusal: str | None = None
    field: str | None = None  # the wire name of the field that the refusal is about
    payment: Payment | None = None
    clearing: Clearing = Clearing.UNCLEARED
    next_cutoff_at: datetime | None = None
    refund: Refund | None = None
    cancelled: CancelOutcome | None = None
    card: CardState | None = None
    trace_id: str | None = None  # of the request that was refused first
    booked_in: CycleNumber | None = None  # the cycle that a booking's postings are in
    tries_left: int | None = None  # of the password that was not right


class Remembered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The body of an event: what was asked, and what was answered."""

    facts: tuple[Fact, ...]
    answer: Answer
