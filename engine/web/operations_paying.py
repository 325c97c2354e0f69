"""What the contract says of confirming, of deposits and of medical bills."""

from collections.abc import Mapping
from typing import Final

from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.web.field_notes import id_pattern
from engine.web.operation import Operation, Parameter, Tag
from engine.web.wire import CardView, ConfirmationRequest, PaymentView, RaiseRequest
from engine.web.wire_cards import PasswordRequest, SettingsRequest
from engine.web.wire_medical import QuoteRequest, QuoteView

_PAYMENT_ID: Final = Parameter(
    name="id",
    text="The payment.",
    schema={"type": "string", "pattern": id_pattern(IdKind.PAYMENT)},
    place="path",
)
_CARD_ID: Final = Parameter(
    name="id",
    text="The card.",
    schema={"type": "string", "pattern": id_pattern(IdKind.CARD)},
    place="path",
)
ABOUT_THE_PASSWORD: Final = (
    Refusal.PASSWORD_BLOCK_INVALID,
    Refusal.PASSWORD_BLOCK_EXPIRED,
    Refusal.PASSWORD_LOCKED,
    Refusal.PASSWORD_INCORRECT,
    Refusal.TOO_MANY_ATTEMPTS,
)
_OWN_PAYMENT: Final = (Refusal.NOT_FOUND, Refusal.PAYMENT_NOT_FOUND)
ABOUT_THE_CARD: Final = (Refusal.CARD_REPORTED_LOST, Refusal.CARD_NOT_USABLE, Refusal.PAYMENT_NOT_ENABLED)
ABOUT_THE_CODE: Final = (
    Refusal.PAY_CODE_MALFORMED,
    Refusal.PAY_CODE_FOREIGN,
    Refusal.PAY_CODE_WRONG,
    Refusal.PAY_CODE_EXPIRED,
    Refusal.PAY_CODE_USED,
    Refusal.DEVICE_REVOKED,
)

PAYING_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/payments/{id}/confirmation"): Operation(
        tag=Tag.PAYMENTS,
        summary="Confirm a payment that waits for its cardholder",
        text="For the merchant at whose terminal the password is entered, and for channels whose app asks for it. The"
        " password comes sealed to the engine (JWE, `ECDH-ES` and `A256GCM`, with the key of use `enc` in `/v1/keys`)"
        " and bound to this payment. In its place an app may give what a passkey has signed for the act `confirm`,"
        " bound to the payment's id (`/v1/identity/passkeys/assertion-options`). The payment goes on as it was asked"
        " for: captured, or held.",
        parameters=(_PAYMENT_ID,),
        request=ConfirmationRequest,
        response=PaymentView,
        refusals=(
            *_OWN_PAYMENT,
            *ABOUT_THE_CARD,
            *ABOUT_THE_PASSWORD,
            Refusal.PASSKEY_INVALID,
            Refusal.CHANNEL_SUSPENDED,
            Refusal.PAYMENT_STATE_CONFLICT,
            Refusal.CONFIRMATION_TIMEOUT,
        ),
    ),
    ("POST", "/v1/payments/{id}/raise"): Operation(
        tag=Tag.PAYMENTS,
        summary="Put more on hold for a deposit",
        text="By another code of the same cardholder, on the business date of the authorization. The final bill of the"
        " stay comes with the capture: the funds pay their part of it, the deposit the rest, and what is left of it is"
        " released.",
        parameters=(_PAYMENT_ID,),
        request=RaiseRequest,
        response=PaymentView,
        refusals=(
            *_OWN_PAYMENT,
            *ABOUT_THE_CODE,
            *ABOUT_THE_CARD,
            Refusal.MERCHANT_SUSPENDED,
            Refusal.CHANNEL_SUSPENDED,
            Refusal.SCENARIO_NOT_ENABLED,
            Refusal.IDENTITY_MISMATCH,
            Refusal.LIMIT_EXCEEDED,
            Refusal.TOO_MANY_ATTEMPTS,
            Refusal.INSUFFICIENT_FUNDS,
            Refusal.PAYMENT_STATE_CONFLICT,
        ),
    ),
    ("POST", "/v1/cards/{id}/password"): Operation(
        tag=Tag.CARDS,
        summary="Set a card's password",
        text="For channels, in whose app the cardholder has entered the old one and the new one; and for operators, who"
        " need no old one and so end a lock-out. Six digits; not all the same, nor a run. From the answer on only the"
        " new one is right, and wrong tries are forgotten.",
        parameters=(_CARD_ID,),
        request=PasswordRequest,
        response=CardView,
        refusals=(Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED, *ABOUT_THE_PASSWORD),
    ),
    ("POST", "/v1/cards/{id}/settings"): Operation(
        tag=Tag.CARDS,
        summary="Take a cardholder's own settings",
        text="For channels that have issued the card. They hold from the answer on, at every counter.",
        parameters=(_CARD_ID,),
        request=SettingsRequest,
        response=CardView,
        refusals=(Refusal.NOT_FOUND,),
    ),
    ("POST", "/v1/medical/quotes"): Operation(
        tag=Tag.PAYMENTS,
        summary="Pre-settle a medical bill",
        text="What the insurance would make of it now. Nothing is posted, held or used; the code stays good for the"
        " payment. Payable for ten minutes by naming it as `quote_id`, if its split has not changed by then.",
        request=QuoteRequest,
        status=201,
        response=QuoteView,
        refusals=(
            Refusal.NOT_FOUND,
            Refusal.TOO_MANY_ATTEMPTS,
            Refusal.MERCHANT_SUSPENDED,
            Refusal.CHANNEL_SUSPENDED,
            Refusal.TERMINAL_UNKNOWN,
            Refusal.SCENARIO_NOT_ENABLED,
            Refusal.BILL_INVALID,
            Refusal.AMOUNT_NOT_BALANCED,
            *ABOUT_THE_CODE,
            *ABOUT_THE_CARD,
            Refusal.PLAN_MISSING,
        ),
    ),
}
