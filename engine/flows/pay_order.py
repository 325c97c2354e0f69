"""Paying an order that was shown: in the cardholder's app with a card, or on the order's page by a code.

What the order says is read before; the lane judges, as of its own reading, whether that is still what is to be paid.
"""

import msgspec

from engine.core.commands import Authorize, PasswordProof, PresentedCode
from engine.core.ids import CallerId, CardId
from engine.core.orders import ShownOrder
from engine.core.payments import Mode
from engine.core.scenarios import BY_NUMBER
from engine.flows.authorize_payment import PaymentWish, authorize_command
from engine.flows.clock import IdSource


class CardAgreed(msgspec.Struct, frozen=True, kw_only=True):
    """What a cardholder has agreed to in a channel's app. Units: fen."""

    channel: CallerId
    card: CardId
    amount: int  # as the app has shown it
    password: PasswordProof | None


def pay_by_card(order: ShownOrder, agreed: CardAgreed, *, key: str | None, trace_id: str, ids: IdSource) -> Authorize:
    """The command for what a cardholder has agreed to. The app's channel is the caller. *key* None: to be previewed."""
    wish = _wish(order, mode=Mode.SCAN_ORDER, amount=agreed.amount, card=agreed.card, password=agreed.password)
    return authorize_command(wish, caller=agreed.channel, key=key, trace_id=trace_id, ids=ids)


def pay_by_code(order: ShownOrder, code: PresentedCode, *, amount: int, trace_id: str, ids: IdSource) -> Authorize:
    """The command for a code that was entered on the order's page, which has shown *amount* fen.

    The merchant is the caller, since the page is its own; and what makes two of them the same is the code and the
    version of the order, so that a form that is sent twice pays once.
    """
    wish = _wish(order, mode=Mode.CASHIER, amount=amount, code=code)
    key = f"cashier/{order.id.hex()}/{order.version}/{code.digest}"
    return authorize_command(wish, caller=CallerId(order.merchant), key=key, trace_id=trace_id, ids=ids)


def _wish(
    order: ShownOrder,
    *,
    mode: Mode,
    amount: int,
    code: PresentedCode | None = None,
    card: CardId | None = None,
    password: PasswordProof | None = None,
) -> PaymentWish:
    return PaymentWish(
        merchant=order.merchant,
        mode=mode,
        code=code,
        card=card,
        order_no=order.order_no,
        amount=amount,
        scenario=BY_NUMBER[order.scenario],
        terminal_id=order.terminal_id,
        capture=True,
        hold_s=None,
        description=order.description,
        bill_no=order.bill_no,
        bill=order.bill,
        password=password,
        pay_order=order.id,
        pay_order_until=order.expires_at,
    )
