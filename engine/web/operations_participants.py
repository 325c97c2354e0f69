"""What the contract says of participants and approvals."""

from collections.abc import Mapping
from typing import Final

from engine.core.ids import IdKind
from engine.core.participants import ID_KINDS
from engine.core.refusals import Refusal
from engine.web.field_notes import id_pattern
from engine.web.operation import PAGE, Operation, Parameter, Tag, text_schema
from engine.web.wire_participants import (
    APPROVAL_KIND_NAMES,
    APPROVAL_STATE_NAMES,
    ApprovalList,
    ApprovalView,
    ChangeRequest,
    DecisionRequest,
    FundList,
    FundRequest,
    KeyList,
    KeyRequest,
    KeyView,
    ParticipantList,
    ParticipantRequest,
    ParticipantView,
    ReasonRequest,
    RotationRequest,
    TerminalList,
    TerminalsRequest,
)

PARTICIPANT_ID: Final = Parameter(
    name="id",
    text="The participant.",
    schema={"type": "string", "pattern": "|".join(id_pattern(kind) for kind in ID_KINDS.values())},
    place="path",
)
APPROVAL_ID: Final = Parameter(
    name="id",
    text="The approval.",
    schema={"type": "string", "pattern": id_pattern(IdKind.APPROVAL)},
    place="path",
)
KEY_ID: Final = Parameter(name="keyid", text="The key.", schema=text_schema(), place="path")

_READING: Final = (Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED)
_CHANGING: Final = (*_READING, Refusal.REGION_NOT_PERMITTED, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS)
_ASKING: Final = "For operators. Another operator has to approve it."
_STOPPING: Final = "For operators. One is enough."

PARTICIPANT_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/v1/participants"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="Participants",
        parameters=(
            Parameter(name="kind", text="Only this kind.", schema=text_schema(*(kind.value for kind in ID_KINDS))),
            Parameter(name="code", text="Only this code.", schema=text_schema()),
            Parameter(name="status", text="Only this state.", schema=text_schema("active", "suspended")),
            *PAGE,
        ),
        response=ParticipantList,
        refusals=_READING,
    ),
    ("POST", "/v1/participants"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="Bring in a participant",
        text=f"{_ASKING} A secret that is asked for is made then, and told in the answer of the approval only.",
        request=ParticipantRequest,
        status=202,
        response=ApprovalView,
        refusals=(*_CHANGING, Refusal.PARTICIPANT_EXISTS),
    ),
    ("GET", "/v1/participants/{id}"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="One participant",
        parameters=(PARTICIPANT_ID,),
        response=ParticipantView,
        refusals=_READING,
    ),
    ("POST", "/v1/participants/{id}/changes"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="Change a participant",
        text=_ASKING,
        parameters=(PARTICIPANT_ID,),
        request=ChangeRequest,
        status=202,
        response=ApprovalView,
        refusals=_CHANGING,
    ),
    ("POST", "/v1/participants/{id}/suspend"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="Suspend a participant",
        text=f"{_STOPPING} A suspended merchant can still refund, cancel and look at its payments. Whatever a suspended"
        " bank or agency sends is refused by every process within ten seconds.",
        parameters=(PARTICIPANT_ID,),
        request=ReasonRequest,
        response=ParticipantView,
        refusals=_CHANGING,
    ),
    ("POST", "/v1/participants/{id}/reinstate"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="Let a suspended participant take part again",
        text=_ASKING,
        parameters=(PARTICIPANT_ID,),
        request=ReasonRequest,
        status=202,
        response=ApprovalView,
        refusals=(*_CHANGING, Refusal.PARTICIPANT_STATE_CONFLICT),
    ),
    ("GET", "/v1/participants/{id}/keys"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="Keys of a participant",
        parameters=(PARTICIPANT_ID,),
        response=KeyList,
        refusals=_READING,
    ),
    ("POST", "/v1/participants/{id}/keys"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="Give a participant one more key",
        text=f"{_ASKING} A secret is made then, and told in the answer of the approval only.",
        parameters=(PARTICIPANT_ID,),
        request=KeyRequest,
        status=202,
        response=ApprovalView,
        refusals=_CHANGING,
    ),
    ("POST", "/v1/participants/{id}/keys/rotate"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="Give a participant a key in place of all others",
        text=_ASKING,
        parameters=(PARTICIPANT_ID,),
        request=RotationRequest,
        status=202,
        response=ApprovalView,
        refusals=_CHANGING,
    ),
    ("POST", "/v1/participants/{id}/keys/{keyid}/revoke"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="Take a key away",
        text=_STOPPING,
        parameters=(PARTICIPANT_ID, KEY_ID),
        request=ReasonRequest,
        response=KeyView,
        refusals=_CHANGING,
    ),
    ("GET", "/v1/participants/{id}/terminals"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="Terminals of a merchant",
        parameters=(PARTICIPANT_ID, *PAGE),
        response=TerminalList,
        refusals=_READING,
    ),
    ("POST", "/v1/participants/{id}/terminals"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="Register terminals of a merchant",
        text=_STOPPING,
        parameters=(PARTICIPANT_ID,),
        request=TerminalsRequest,
        response=ParticipantView,
        refusals=_CHANGING,
    ),
    ("POST", "/v1/participants/{id}/terminals/remove"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="Take terminals from a merchant",
        text=_STOPPING,
        parameters=(PARTICIPANT_ID,),
        request=TerminalsRequest,
        response=ParticipantView,
        refusals=_CHANGING,
    ),
    ("GET", "/v1/funds"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="Funds and their banks",
        parameters=PAGE,
        response=FundList,
        refusals=_READING,
    ),
    ("POST", "/v1/funds"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="Let a bank hold a fund",
        text=_ASKING,
        request=FundRequest,
        status=202,
        response=ApprovalView,
        refusals=_CHANGING,
    ),
}
APPROVAL_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/v1/approvals"): Operation(
        tag=Tag.APPROVALS,
        summary="Approvals",
        parameters=(
            Parameter(name="kind", text="Only this kind.", schema=text_schema(*APPROVAL_KIND_NAMES.values())),
            Parameter(name="status", text="Only this state.", schema=text_schema(*APPROVAL_STATE_NAMES.values())),
            *PAGE,
        ),
        response=ApprovalList,
        refusals=_READING,
    ),
    ("GET", "/v1/approvals/{id}"): Operation(
        tag=Tag.APPROVALS,
        summary="One approval",
        parameters=(APPROVAL_ID,),
        response=ApprovalView,
        refusals=_READING,
    ),
    ("POST", "/v1/approvals/{id}/approve"): Operation(
        tag=Tag.APPROVALS,
        summary="Approve what another operator has asked for",
        text="It is decided once, whoever decides at the same time. If what was asked for cannot be done any more, it"
        " stays undecided.",
        parameters=(APPROVAL_ID,),
        request=DecisionRequest,
        response=ApprovalView,
        refusals=(
            *_CHANGING,
            Refusal.PARTICIPANT_EXISTS,
            Refusal.PARTICIPANT_STATE_CONFLICT,
            Refusal.RISK_RULE_CHANGED,
            Refusal.ERASURE_NOT_DUE,
            Refusal.APPROVAL_EXPIRED,
            Refusal.APPROVAL_DECIDED,
            Refusal.APPROVAL_REQUIRED,
        ),
    ),
    ("POST", "/v1/approvals/{id}/reject"): Operation(
        tag=Tag.APPROVALS,
        summary="Reject what an operator has asked for",
        parameters=(APPROVAL_ID,),
        request=DecisionRequest,
        response=ApprovalView,
        refusals=(*_CHANGING, Refusal.APPROVAL_EXPIRED, Refusal.APPROVAL_DECIDED),
    ),
}
