"""Orders that merchants show for their customers' apps to pay, as a payment has to know them."""

from datetime import datetime

import msgspec

from engine.core.refusals import Refusal


class PayOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The newest version of an order. Units: fen."""

    id: bytes
    amount: int
    expires_at: datetime


def judge_pay_order(
    order: PayOrder | None, shown: bytes, *, amount: int, until: datetime | None = None, now: datetime
) -> Refusal | None:
    """None if *amount* pays the order that was shown; else the first rule that forbids it.

    An order that was posted again replaces the one that was shown: the cardholder has to see it first. *until* is when
    the version ends that was read for the payment, whose bill it brings along; every version ends at another time.
    """
    if order is None:
        return Refusal.NOT_FOUND
    if now >= order.expires_at:
        return Refusal.ORDER_EXPIRED
    if order.id != shown or order.amount != amount or until not in (None, order.expires_at):
        return Refusal.ORDER_AMOUNT_CHANGED
    return None
