"""What the contract says of the register of cards."""

from collections.abc import Mapping
from typing import Final

from engine.core.cards import DEVICES_MAX, RELATIVES_MAX
from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.web.field_notes import id_pattern
from engine.web.operation import Operation, Parameter, Tag, text_schema
from engine.web.wire import CardView, NothingRequest
from engine.web.wire_cards import (
    CardDetails,
    CardImportView,
    CardRequest,
    CardSearchRequest,
    CardSummary,
    DeviceList,
    DeviceView,
    EndingRequest,
    NewDeviceView,
    PaymentEnablingRequest,
    RelativeList,
    RelativeRequest,
    RelativeView,
    ReplacementRequest,
    SignRequest,
    SignView,
)
from engine.web.wire_participants import ReasonRequest

CARD_ID: Final = Parameter(
    name="id",
    text="The card.",
    schema={"type": "string", "pattern": id_pattern(IdKind.CARD)},
    place="path",
)
CSV: Final = "text/csv"
_SIGN_NO: Final = Parameter(
    name="sign_no",
    text="What the channel has issued.",
    schema={"type": "string", "pattern": id_pattern(IdKind.SIGN)},
    place="path",
)
_DEVICE_NO: Final = Parameter(
    name="device_no", text="The phone.", schema={"type": "string", "pattern": "^[0-9]{11}$"}, place="path"
)
_RELATIVE: Final = Parameter(
    name="relative",
    text="The link.",
    schema={"type": "string", "pattern": id_pattern(IdKind.RELATIVE)},
    place="path",
)

_SEEING: Final = (Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED, Refusal.REGION_NOT_PERMITTED)
_ONCE: Final = (*_SEEING, Refusal.IDEMPOTENCY_KEY_MISSING, Refusal.IDEMPOTENCY_KEY_REUSED)
_CHANGING: Final = (*_ONCE, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS)
_MOVING: Final = (*_SEEING, Refusal.CARD_REPORTED_LOST, Refusal.CARD_NOT_USABLE)
_IDENTIFYING: Final = (Refusal.ID_NUMBER_INVALID, Refusal.IDENTITY_MISMATCH, Refusal.TOO_MANY_ATTEMPTS)
_BY_PASSWORD: Final = (
    Refusal.REAUTHENTICATION_REQUIRED,
    Refusal.PASSWORD_BLOCK_INVALID,
    Refusal.PASSWORD_BLOCK_EXPIRED,
    Refusal.PASSWORD_INCORRECT,
    Refusal.PASSWORD_LOCKED,
    Refusal.TOO_MANY_ATTEMPTS,
    Refusal.PASSKEY_INVALID,
)
_STOPPED: Final = (Refusal.CARD_REPORTED_LOST, Refusal.CARD_NOT_USABLE)

CARD_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/cards"): Operation(
        tag=Tag.CARDS,
        summary="Bring a card into the register",
        text="For operators, of their region. A person has one card at a time. It is issued for paying only later, by a"
        " channel.",
        request=CardRequest,
        status=201,
        response=CardSummary,
        refusals=(
            *_CHANGING,
            Refusal.ID_NUMBER_INVALID,
            Refusal.REGION_UNKNOWN,
            Refusal.CARD_ALREADY_EXISTS,
            Refusal.IDENTITY_MISMATCH,
        ),
    ),
    ("POST", "/v1/cards/search"): Operation(
        tag=Tag.CARDS,
        summary="Find a card",
        text="For channels, which give the ID number, the name and the card's number, and are never told which of them"
        " does not fit; and for operators of the region, by one of the two numbers.",
        request=CardSearchRequest,
        response=CardSummary,
        refusals=(*_SEEING, *_IDENTIFYING, Refusal.IDEMPOTENCY_KEY_MISSING),
    ),
    ("POST", "/v1/cards/import"): Operation(
        tag=Tag.CARDS,
        summary="Bring in a file of cards",
        text="For operators, of their region. CSV as in `schemas/cards.csv`. Every line that is right comes in, a page"
        " at a time; what is wrong with the others is told by line and field, the first hundred. Lines that are in"
        " the register already change nothing, so a file that broke off may be sent again; the same bytes as a file"
        " that came to its end are answered as it was.",
        parameters=(
            Parameter(
                name="dry_run",
                text="`true`: say what would come of it, and change nothing.",
                schema={**text_schema("true", "false"), "default": "false"},
            ),
        ),
        upload_media_types=(CSV,),
        response=CardImportView,
        refusals=(*_SEEING, Refusal.BODY_TOO_LARGE, Refusal.IDEMPOTENCY_KEY_MISSING),
    ),
    ("GET", "/v1/cards/{id}"): Operation(
        tag=Tag.CARDS,
        summary="A card, masked",
        text="For channels that have issued it, which see their own issue, and for operators of its region.",
        parameters=(CARD_ID,),
        response=CardDetails,
        refusals=_SEEING,
    ),
    ("POST", "/v1/cards/{id}/suspend"): Operation(
        tag=Tag.CARDS,
        summary="Suspend a card",
        text="For operators.",
        parameters=(CARD_ID,),
        request=ReasonRequest,
        response=CardView,
        refusals=_MOVING,
    ),
    ("POST", "/v1/cards/{id}/resume"): Operation(
        tag=Tag.CARDS,
        summary="Let a suspended card pay again",
        text="For operators.",
        parameters=(CARD_ID,),
        request=ReasonRequest,
        response=CardView,
        refusals=_MOVING,
    ),
    ("POST", "/v1/cards/{id}/cancel"): Operation(
        tag=Tag.CARDS,
        summary="End a card for good",
        text="For operators, who give a reason, and for channels that have issued it: then the person agrees by the"
        " card's password, sealed with the card's id and `/cancel` as `order_no`, or by a passkey, for the act"
        " `cancel`, bound to the"
        " card's id.",
        parameters=(CARD_ID,),
        request=EndingRequest,
        response=CardView,
        refusals=(*_MOVING, *_BY_PASSWORD),
    ),
    ("POST", "/v1/cards/{id}/replace"): Operation(
        tag=Tag.CARDS,
        summary="Give a card a new physical card",
        text="For operators. The account, the electronic card and the phones stay; terminals read the new number only,"
        " and a card that was lost or has expired is in use again.",
        parameters=(CARD_ID,),
        request=ReplacementRequest,
        response=CardSummary,
        refusals=(*_CHANGING, Refusal.CARD_ALREADY_EXISTS, Refusal.CARD_NOT_USABLE),
    ),
    ("POST", "/v1/cards/{id}/signs"): Operation(
        tag=Tag.CARDS,
        summary="Issue the electronic card on a channel",
        text="For channels. Level 1: it can be queried. A channel that has issued it gets the same `sign_no` again.",
        parameters=(CARD_ID,),
        request=SignRequest,
        status=201,
        response=SignView,
        refusals=(*_CHANGING, *_IDENTIFYING, *_STOPPED),
    ),
    ("POST", "/v1/cards/{id}/signs/{sign_no}/unlink"): Operation(
        tag=Tag.CARDS,
        summary="End what a channel has issued",
        text="For the channel: the person agrees by the card's password, sealed with the `sign_no` and `/unlink` as"
        " `order_no`, or by"
        " a passkey, for the act `unlink`, bound to the `sign_no`. For operators, who give a reason. With the last"
        " issue that lets the card pay, paying ends.",
        parameters=(CARD_ID, _SIGN_NO),
        request=EndingRequest,
        response=SignView,
        refusals=(*_ONCE, *_BY_PASSWORD),
    ),
    ("POST", "/v1/cards/{id}/level-2"): Operation(
        tag=Tag.CARDS,
        summary="Let a card pay",
        text="For channels that have issued it. Level 2: the card's bank account is activated and has a telephone"
        " number.",
        parameters=(CARD_ID,),
        request=PaymentEnablingRequest,
        response=CardView,
        refusals=(
            Refusal.NOT_FOUND,
            Refusal.BANK_ACCOUNT_NOT_ACTIVATED,
            Refusal.BANK_ACCOUNT_MISMATCH,
            *_STOPPED,
        ),
    ),
    ("GET", "/v1/cards/{id}/devices"): Operation(
        tag=Tag.CARDS,
        summary="A card's phones",
        parameters=(CARD_ID,),
        response=DeviceList,
        refusals=_SEEING,
    ),
    ("POST", "/v1/cards/{id}/devices"): Operation(
        tag=Tag.CARDS,
        summary="Register a phone",
        text=f"For channels that have issued the card; {DEVICES_MAX} at a time. The phone makes payment codes with"
        " `totp_key`. It is told in this answer only, and again to whoever repeats the request under its key.",
        parameters=(CARD_ID,),
        request=NothingRequest,
        status=201,
        response=NewDeviceView,
        refusals=(*_CHANGING, *_STOPPED, Refusal.DEVICES_TOO_MANY),
    ),
    ("POST", "/v1/cards/{id}/devices/{device_no}/revoke"): Operation(
        tag=Tag.CARDS,
        summary="Revoke a phone",
        text="For channels that have issued the card, and for operators.",
        parameters=(CARD_ID, _DEVICE_NO),
        request=NothingRequest,
        response=DeviceView,
        refusals=_CHANGING,
    ),
    ("GET", "/v1/cards/{id}/relatives"): Operation(
        tag=Tag.CARDS,
        summary="Relatives whom a card helps",
        parameters=(CARD_ID,),
        response=RelativeList,
        refusals=_SEEING,
    ),
    ("POST", "/v1/cards/{id}/relatives"): Operation(
        tag=Tag.CARDS,
        summary="Link a relative",
        text=f"For channels that have issued the card; {RELATIVES_MAX} at a time. The relative gives all three of what"
        " a person can show. Of several who help one relative, the one that was linked last pays.",
        parameters=(CARD_ID,),
        request=RelativeRequest,
        status=201,
        response=RelativeView,
        refusals=(*_CHANGING, *_IDENTIFYING, Refusal.RELATIVES_TOO_MANY),
    ),
    ("POST", "/v1/cards/{id}/relatives/{relative}/revoke"): Operation(
        tag=Tag.CARDS,
        summary="End the link of a relative",
        text="For channels that have issued the card, and for operators.",
        parameters=(CARD_ID, _RELATIVE),
        request=NothingRequest,
        response=RelativeView,
        refusals=_ONCE,
    ),
}
