"""What the contract says of consents of persons and grants of departments and channels."""

from collections.abc import Mapping
from typing import Final

from engine.core.consents import Scope
from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.web.consents.wire import ConsentList, ConsentRequest, ConsentView, GrantList, GrantRequest, GrantView
from engine.web.field_note import id_pattern
from engine.web.operation import PAGE, Operation, Parameter, Tag, text_schema
from engine.web.wire_cards import EndingRequest
from engine.web.wire_participants import ApprovalView, ReasonRequest

CARD_OF_QUERY: Final = Parameter(
    name="card_id", text="Whose data it is about.", schema={"type": "string", "pattern": id_pattern(IdKind.CARD)}
)
_CONSENT_ID: Final = Parameter(
    name="id",
    text="The consent.",
    schema={"type": "string", "pattern": id_pattern(IdKind.CONSENT)},
    place="path",
)
_GRANT_ID: Final = Parameter(
    name="id", text="The grant.", schema={"type": "string", "pattern": id_pattern(IdKind.GRANT)}, place="path"
)
_HOLDER: Final = Parameter(name="holder", text="Only of this one; for operators.", schema=text_schema())
_SCOPE: Final = Parameter(name="scope", text="Only of this.", schema=text_schema(*Scope))

_SEEING: Final = (Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED, Refusal.REGION_NOT_PERMITTED)
_ONCE: Final = (
    Refusal.NOT_FOUND,
    Refusal.IDEMPOTENCY_KEY_MISSING,
    Refusal.IDEMPOTENCY_KEY_REUSED,
    Refusal.IDEMPOTENCY_KEY_IN_PROGRESS,
)
_BY_THE_PERSON: Final = (
    Refusal.REAUTHENTICATION_REQUIRED,
    Refusal.PASSWORD_BLOCK_INVALID,
    Refusal.PASSWORD_BLOCK_EXPIRED,
    Refusal.PASSWORD_INCORRECT,
    Refusal.PASSWORD_LOCKED,
    Refusal.PASSKEY_INVALID,
    Refusal.TOO_MANY_ATTEMPTS,
)
_BY_OPERATORS: Final = (*_ONCE, Refusal.SCOPE_NOT_AUTHORIZED, Refusal.REGION_NOT_PERMITTED)

CONSENTS_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/consents"): Operation(
        tag=Tag.CONSENTS,
        summary="Keep what a person agrees to",
        text="For channels that have issued the card. It counts by the person's own act, which is bound to just this"
        " and kept as evidence. One to the same thing that is in force ends with it.",
        request=ConsentRequest,
        status=201,
        response=ConsentList,
        refusals=(*_ONCE, *_BY_THE_PERSON, Refusal.PURPOSE_REQUIRED),
    ),
    ("GET", "/v1/consents"): Operation(
        tag=Tag.CONSENTS,
        summary="What a person has agreed to",
        text="For channels, which see what they have asked for themselves, and for operators of the card's region.",
        parameters=(CARD_OF_QUERY, *PAGE),
        response=ConsentList,
        refusals=_SEEING,
    ),
    ("POST", "/v1/consents/{id}/withdraw"): Operation(
        tag=Tag.CONSENTS,
        summary="Withdraw a consent",
        text="For the channel that has asked for it: the person agrees by the card's password, sealed with the"
        " consent's id and `/withdraw` as `order_no`, or by a passkey, for the act `withdraw`, bound to that id."
        " For operators, who"
        " give a reason. From the answer on nothing is shown by it, nor the next page of one begun.",
        parameters=(_CONSENT_ID,),
        request=EndingRequest,
        response=ConsentView,
        refusals=(*_BY_OPERATORS, *_BY_THE_PERSON),
    ),
    ("POST", "/v1/grants"): Operation(
        tag=Tag.CONSENTS,
        summary="Ask for a department or a channel to be let look",
        text="For operators. Another operator has to approve it.",
        request=GrantRequest,
        status=202,
        response=ApprovalView,
        refusals=(*_BY_OPERATORS, Refusal.REGION_UNKNOWN, Refusal.PURPOSE_REQUIRED),
    ),
    ("GET", "/v1/grants"): Operation(
        tag=Tag.CONSENTS,
        summary="What may be looked at by whom",
        text="For operators, of their region; departments and channels see their own.",
        parameters=(_HOLDER, _SCOPE, *PAGE),
        response=GrantList,
        refusals=(Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED),
    ),
    ("GET", "/v1/grants/{id}"): Operation(
        tag=Tag.CONSENTS,
        summary="A grant",
        text="For operators of its region, and for its holder.",
        parameters=(_GRANT_ID,),
        response=GrantView,
        refusals=(Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED),
    ),
    ("POST", "/v1/grants/{id}/revoke"): Operation(
        tag=Tag.CONSENTS,
        summary="Revoke a grant",
        text="For operators. One is enough, and it holds from the answer on.",
        parameters=(_GRANT_ID,),
        request=ReasonRequest,
        response=GrantView,
        refusals=_BY_OPERATORS,
    ),
}
