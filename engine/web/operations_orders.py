"""What the contract says of orders that are shown to be paid."""

from collections.abc import Mapping
from typing import Final

from engine.codes.order_code import CODE_CHARS_MAX, TOKEN_PATTERN
from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.web.field_notes import id_pattern
from engine.web.operation import PAGE, Operation, Parameter, Tag, text_schema
from engine.web.wire import PaymentView
from engine.web.wire_orders import OrderList, OrderPaymentRequest, OrderPreview, OrderRequest, OrderView

_ORDER_ID: Final = Parameter(
    name="id",
    text="The order.",
    schema={"type": "string", "pattern": id_pattern(IdKind.ORDER)},
    place="path",
)
_TOKEN: Final = Parameter(
    name="token",
    text="The order's token, as `/v1/orders/lookup` tells it.",
    schema={"type": "string", "pattern": f"^{TOKEN_PATTERN}$"},
    place="path",
)
_CLAIMED: Final = (Refusal.ORDER_ALREADY_PAID, Refusal.ORDER_NUMBER_USED, Refusal.ORDER_CANCELLED)
_MERCHANT: Final = (Refusal.MERCHANT_SUSPENDED, Refusal.TERMINAL_UNKNOWN, Refusal.SCENARIO_NOT_ENABLED)

ORDER_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/orders"): Operation(
        tag=Tag.PAYMENTS,
        summary="Show an order to be paid",
        text="For merchants. The cardholder scans `qr_text` with an app, or opens `cashier_url`. The same `order_no`"
        " with anything else in it is a new version of the order, under the same id, token and link: only the newest"
        " can be paid, and an app or a page that has shown another amount is told so. The same content again is"
        " answered with the order as it is. The number is claimed by the payment, as every order number is; cancelling"
        " it beats an order that was shown and is not paid yet. `bill_no` and `bill` mean what they mean in"
        " a payment: an agency's bill, and a medical one, of which the insurance pays what the figures of whoever pays"
        " it make of it by then.",
        request=OrderRequest,
        status=201,
        response=OrderView,
        refusals=(
            Refusal.NOT_FOUND,
            Refusal.IDEMPOTENCY_KEY_IN_PROGRESS,
            *_MERCHANT,
            *_CLAIMED,
            Refusal.AMOUNT_NOT_BALANCED,
            Refusal.BILL_INVALID,
            Refusal.BILL_ALREADY_PAID,
            Refusal.BILL_EXPIRED,
            Refusal.AMOUNT_MISMATCH,
        ),
    ),
    ("GET", "/v1/orders"): Operation(
        tag=Tag.PAYMENTS,
        summary="Orders",
        text="For merchants.",
        parameters=(Parameter(name="order_no", text="Only this number.", schema=text_schema()), *PAGE),
        response=OrderList,
        refusals=(Refusal.NOT_FOUND,),
    ),
    ("GET", "/v1/orders/lookup"): Operation(
        tag=Tag.CARDS,
        summary="What a scanned order comes to",
        text="For channels: what the cardholder is shown before paying. The amount is the engine's, whatever the code"
        " says. With `card_id` the answer tells what paying it by that card would come to now; the payment is decided"
        " anew.",
        parameters=(
            Parameter(
                name="code",
                text="What was scanned: the text of the order's QR code, the link to its page, or its token.",
                schema={"type": "string", "maxLength": CODE_CHARS_MAX},
            ),
            Parameter(
                name="card_id",
                text="The card that its holder would pay with.",
                schema={"type": "string", "pattern": id_pattern(IdKind.CARD)},
            ),
        ),
        response=OrderPreview,
        refusals=(Refusal.NOT_FOUND, Refusal.ORDER_CODE_MALFORMED, Refusal.PAYMENT_NOT_ENABLED),
    ),
    ("GET", "/v1/orders/{id}"): Operation(
        tag=Tag.PAYMENTS,
        summary="One order",
        text="For merchants.",
        parameters=(_ORDER_ID,),
        response=OrderView,
        refusals=(Refusal.NOT_FOUND,),
    ),
    ("GET", "/v1/orders/{id}/qr.svg"): Operation(
        tag=Tag.PAYMENTS,
        summary="Picture of an order's code",
        text="For merchants.",
        parameters=(_ORDER_ID,),
        media_types=("image/svg+xml",),
        refusals=(Refusal.NOT_FOUND,),
    ),
    ("POST", "/v1/orders/{token}/payments"): Operation(
        tag=Tag.CARDS,
        summary="Pay an order in the cardholder's app",
        text="For channels: the cardholder has seen what is to be paid, and agrees. `amount` is what the app has"
        " shown.",
        parameters=(_TOKEN,),
        request=OrderPaymentRequest,
        status=201,
        response=PaymentView,
        refusals=(
            Refusal.NOT_FOUND,
            *_MERCHANT,
            *_CLAIMED,
            Refusal.ORDER_EXPIRED,
            Refusal.ORDER_AMOUNT_CHANGED,
            Refusal.CARD_REPORTED_LOST,
            Refusal.CARD_NOT_USABLE,
            Refusal.PAYMENT_NOT_ENABLED,
            Refusal.UNPAID_RIDE,
            Refusal.PASSWORD_BLOCK_INVALID,
            Refusal.PASSWORD_LOCKED,
            Refusal.PASSWORD_INCORRECT,
            Refusal.LIMIT_EXCEEDED,
            Refusal.RISK_DECLINED,
            Refusal.TOO_MANY_ATTEMPTS,
            Refusal.INSUFFICIENT_FUNDS,
            Refusal.PLAN_MISSING,
            Refusal.BILL_INVALID,
            Refusal.BILL_ALREADY_PAID,
            Refusal.BILL_EXPIRED,
            Refusal.AMOUNT_MISMATCH,
            Refusal.RELATIVE_NOT_LINKED,
        ),
    ),
}
