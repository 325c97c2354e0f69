"""Orders that a merchant shows to be paid: what one says, and where it stands.

What a payment has to know of one is in `pay_orders`.
"""

import enum
from datetime import datetime
from typing import Final

import msgspec

from engine.core.benefits import MedicalBill
from engine.core.ids import MerchantId, OrderId, PaymentId
from engine.core.payments import State
from engine.core.refusals import Refusal

LIVES_S_DEFAULT: Final = 900
LIVES_S_MAX: Final = 86_400
ITEMS_MAX: Final = 100


class OrderStatus(enum.StrEnum):
    """Where an order stands as its readers see it."""

    OPEN = "open"  # it can be paid, or its payment waits to be confirmed
    PAID = "paid"  # money is held or taken for it
    CANCELLED = "cancelled"  # nothing is held or kept for it, and nothing ever will be
    EXPIRED = "expired"  # nobody has paid in time; the merchant may show it again


class OrderItem(msgspec.Struct, frozen=True, array_like=True):
    """One line to be shown to whoever pays. Units: fen, for all pieces. Stored."""

    name: str
    quantity: int
    amount: int


class ShownOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as its merchant and its cardholder see it, in its newest version. Units: fen."""

    id: OrderId
    merchant: MerchantId
    order_no: str
    token: bytes  # sixteen random bytes
    version: int
    amount: int
    scenario: int
    terminal_id: str
    description: str | None
    items: tuple[OrderItem, ...]
    return_url: str | None
    bill_no: str | None = None  # of an agency's bill that it pays
    bill: MedicalBill | None = None  # that it pays, with the insurance's part
    lives_s: int
    expires_at: datetime  # from this instant on it is too late
    created_at: datetime  # of this version


class Claim(msgspec.Struct, frozen=True):
    """What claims an order number for ever: a payment as it stands, or a cancellation (None)."""

    payment: PaymentId | None
    state: State | None
    expires_at: datetime | None  # of what is on hold


_NOTHING_KEPT: Final = frozenset({State.VOIDED, State.EXPIRED, State.REFUNDED})
UNDECIDED: Final = frozenset({State.AWAITING_USER})
"""States of a payment in which its order is neither paid nor over."""


def judge_claim(claim: Claim, *, now: datetime) -> Refusal:
    """Why an order of a number that is claimed cannot be shown any more: what a payment for it would be told."""
    if claim.payment is None:
        return Refusal.ORDER_CANCELLED
    has_lapsed = claim.expires_at is not None and now >= claim.expires_at
    return Refusal.ORDER_NUMBER_USED if claim.state in _NOTHING_KEPT or has_lapsed else Refusal.ORDER_ALREADY_PAID


def status_of(order: ShownOrder, claim: Claim | None, *, now: datetime) -> OrderStatus:
    """Where an order stands. What claims its number decides; only without it does the time."""
    if claim is None:
        return OrderStatus.EXPIRED if now >= order.expires_at else OrderStatus.OPEN
    if claim.payment is None or claim.state in _NOTHING_KEPT:
        return OrderStatus.CANCELLED
    return OrderStatus.OPEN if claim.state in UNDECIDED else OrderStatus.PAID


def says_the_same(order: ShownOrder, other: ShownOrder) -> bool:
    """True if two versions of an order differ in nothing that the merchant has said."""
    return _said(order) == _said(other)


def _said(order: ShownOrder) -> tuple[object, ...]:
    return (
        order.amount,
        order.scenario,
        order.terminal_id,
        order.description,
        order.items,
        order.return_url,
        order.bill_no,
        order.bill,
        order.lives_s,
    )
