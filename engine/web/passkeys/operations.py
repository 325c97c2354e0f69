"""What the contract says of passkeys."""

from collections.abc import Mapping
from typing import Final

from engine.core.ids import IdKind
from engine.core.passkeys import PASSKEYS_MAX
from engine.core.refusals import Refusal
from engine.web.field_note import id_pattern
from engine.web.operation import Operation, Parameter, Tag
from engine.web.passkeys.wire import (
    AssertionOptionsRequest,
    AssertionOptionsView,
    CreationOptionsView,
    NewPasskeyRequest,
    PasskeyLinkRequest,
    PasskeyLinkView,
    PasskeyList,
    PasskeyOptionsRequest,
    PasskeyView,
)
from engine.web.wire import NothingRequest

_ONCE: Final = (Refusal.NOT_FOUND, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS)
_REGISTERING: Final = (
    Refusal.CARD_REPORTED_LOST,
    Refusal.CARD_NOT_USABLE,
    Refusal.PASSKEYS_TOO_MANY,
    Refusal.PASSKEY_INVALID,
)
_AGREEING: Final = (
    Refusal.REAUTHENTICATION_REQUIRED,
    Refusal.PASSWORD_BLOCK_INVALID,
    Refusal.PASSWORD_BLOCK_EXPIRED,
    Refusal.PASSWORD_INCORRECT,
    Refusal.PASSWORD_LOCKED,
    Refusal.TOO_MANY_ATTEMPTS,
)
_SEEING: Final = (Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED, Refusal.REGION_NOT_PERMITTED)

PASSKEYS_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/identity/passkeys"): Operation(
        tag=Tag.IDENTITY,
        summary="Register a passkey",
        text=f"For channels that have issued the card. A card has {PASSKEYS_MAX} at most.",
        request=NewPasskeyRequest,
        status=201,
        response=PasskeyView,
        refusals=(*_ONCE, *_REGISTERING),
    ),
    ("GET", "/v1/identity/passkeys"): Operation(
        tag=Tag.IDENTITY,
        summary="The passkeys of a card",
        text="For channels that have issued the card, and for operators of its region.",
        parameters=(
            Parameter(name="card_id", text="The card.", schema={"type": "string", "pattern": id_pattern(IdKind.CARD)}),
        ),
        response=PasskeyList,
        refusals=_SEEING,
    ),
    ("POST", "/v1/identity/passkeys/registration-options"): Operation(
        tag=Tag.IDENTITY,
        summary="Begin to register a passkey",
        text="For channels that have issued the card. The person agrees by the card's password, sealed with the card's"
        " id and `/register_passkey` as `order_no`, or by another passkey, for the act `register_passkey`, bound to"
        " the card's id. The options"
        " are for `PublicKeyCredential.parseCreationOptionsFromJSON`, and then for `navigator.credentials.create`.",
        request=PasskeyOptionsRequest,
        status=201,
        response=CreationOptionsView,
        refusals=(*_ONCE, *_REGISTERING, *_AGREEING),
    ),
    ("POST", "/v1/identity/passkeys/assertion-options"): Operation(
        tag=Tag.IDENTITY,
        summary="Ask for a challenge that agrees to one thing",
        text="For channels that have issued the card. What a passkey signs is good for the act that was asked for here,"
        " about the thing that it is bound to, once, and for the channel that has asked.",
        request=AssertionOptionsRequest,
        status=201,
        response=AssertionOptionsView,
        refusals=_ONCE,
    ),
    ("POST", "/v1/identity/passkeys/links"): Operation(
        tag=Tag.IDENTITY,
        summary="Open the page for passkeys to a person",
        text="For channels that have issued the card and whose app cannot use passkeys itself. The link leads to the"
        " engine's own page, once: to register a passkey, which the person agrees to as above, or to confirm a payment"
        " that waits.",
        request=PasskeyLinkRequest,
        status=201,
        response=PasskeyLinkView,
        refusals=(*_ONCE, *_REGISTERING, *_AGREEING, Refusal.PAYMENT_NOT_FOUND),
    ),
    ("POST", "/v1/identity/passkeys/{id}/revoke"): Operation(
        tag=Tag.IDENTITY,
        summary="End a passkey",
        text="For channels that have issued its card, and for operators of the card's region.",
        parameters=(
            Parameter(
                name="id",
                text="The passkey.",
                schema={"type": "string", "pattern": id_pattern(IdKind.PASSKEY)},
                place="path",
            ),
        ),
        request=NothingRequest,
        response=PasskeyView,
        refusals=(*_SEEING, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS),
    ),
}
