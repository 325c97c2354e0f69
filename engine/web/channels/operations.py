"""What the contract says of channels: admission, conformance, what they may do, and what stops them."""

from collections.abc import Mapping
from typing import Final

from engine.core.channels import ChannelState, OwnerClass
from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.web.channels.wire import (
    ChannelDirectory,
    ChannelList,
    ChannelRequest,
    ChannelTermsRequest,
    ChannelView,
    ResumeRequest,
    StopOrderList,
    StopRequest,
)
from engine.web.channels.wire_conformance import (
    ConclusionRequest,
    ConformanceReportRequest,
    ConformanceRunView,
    PracticeRequest,
    PracticeView,
)
from engine.web.field_notes import id_pattern
from engine.web.operation import PAGE, Operation, Parameter, Tag, text_schema
from engine.web.wire import NothingRequest
from engine.web.wire_participants import ApprovalView, KeyList, KeyRequest, KeyView, ReasonRequest, RotationRequest

_CHANNEL_ID: Final = Parameter(
    name="id", text="The channel.", schema={"type": "string", "pattern": id_pattern(IdKind.CHANNEL)}, place="path"
)
_RUN_ID: Final = Parameter(
    name="run", text="The run.", schema={"type": "string", "pattern": id_pattern(IdKind.CONFORMANCE_RUN)}, place="path"
)
_KEY_ID: Final = Parameter(name="keyid", text="The key.", schema=text_schema(), place="path")
_ONE: Final = (_CHANNEL_ID,)
_READING: Final = (Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED)
_ONCE: Final = (
    Refusal.IDEMPOTENCY_KEY_MISSING,
    Refusal.IDEMPOTENCY_KEY_REUSED,
    Refusal.IDEMPOTENCY_KEY_IN_PROGRESS,
)
_CHANGING: Final = (*_READING, *_ONCE, Refusal.REGION_NOT_PERMITTED)
_MOVING: Final = (*_CHANGING, Refusal.CHANNEL_STATE_CONFLICT)
_ASKING: Final = "For operators. Another operator has to approve it."
_STOPPING: Final = (
    "For operators; one is enough. A tier-1 channel takes its tier-2 channels along. Payments made before are captured,"
    " voided, refunded and cleared as ever, and can be looked at. Of a product or a region it is an order beside the"
    " channel's state, which one operator of that region may give."
)
_PLAYING: Final = "For the channel itself, in a sandbox. "

CHANNELS_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/channels"): Operation(
        tag=Tag.CHANNELS,
        summary="Apply for a channel",
        text="For operators, on behalf of who runs it. Its key opens nothing but the runs in which it shows that it"
        " works, and what is told of itself.",
        request=ChannelRequest,
        status=201,
        response=ChannelView,
        refusals=(*_CHANGING, Refusal.PARTICIPANT_EXISTS),
    ),
    ("GET", "/v1/channels"): Operation(
        tag=Tag.CHANNELS,
        summary="Channels",
        text="For operators.",
        parameters=(
            Parameter(
                name="status",
                text="Only this state.",
                schema=text_schema(*(state.name.lower() for state in ChannelState)),
            ),
            Parameter(
                name="owner_class",
                text="Only this class.",
                schema=text_schema(*(one.name.lower() for one in OwnerClass)),
            ),
            *PAGE,
        ),
        response=ChannelList,
        refusals=_READING,
    ),
    ("GET", "/v1/channels/directory"): Operation(
        tag=Tag.CHANNELS,
        summary="Channels that a person can choose from",
        text="For everybody: those that are live. May be kept for half a minute.",
        parameters=PAGE,
        response=ChannelDirectory,
        refusals=(Refusal.DUPLICATE_FIELD, Refusal.UNKNOWN_FIELD, Refusal.FIELD_INVALID),
    ),
    ("GET", "/v1/channels/{id}"): Operation(
        tag=Tag.CHANNELS,
        summary="A channel and its history",
        text="For operators and the channel itself.",
        parameters=_ONE,
        response=ChannelView,
        refusals=_READING,
    ),
    ("GET", "/v1/channels/{id}/stops"): Operation(
        tag=Tag.CHANNELS,
        summary="What has stopped a channel",
        text="For operators and the channel itself. Orders of rules have their figures as evidence.",
        parameters=(*_ONE, *PAGE),
        response=StopOrderList,
        refusals=_READING,
    ),
    ("POST", "/v1/channels/{id}/approve"): Operation(
        tag=Tag.CHANNELS,
        summary="Find a channel's tests and papers in order",
        text="For operators; one is enough, since it may still do nothing.",
        parameters=_ONE,
        request=ReasonRequest,
        response=ChannelView,
        refusals=(*_MOVING, Refusal.CHANNEL_TESTS_MISSING),
    ),
    ("POST", "/v1/channels/{id}/go-live"): Operation(
        tag=Tag.CHANNELS,
        summary="Ask for a channel to be opened to the public",
        text=_ASKING,
        parameters=_ONE,
        request=ReasonRequest,
        status=202,
        response=ApprovalView,
        refusals=(*_MOVING, Refusal.CHANNEL_TESTS_MISSING),
    ),
    ("POST", "/v1/channels/{id}/rectify"): Operation(
        tag=Tag.CHANNELS,
        summary="Let a channel take on nobody",
        text="For operators; one is enough. It goes on for the cardholders that it has.",
        parameters=_ONE,
        request=StopRequest,
        response=ChannelView,
        refusals=_MOVING,
    ),
    ("POST", "/v1/channels/{id}/suspend"): Operation(
        tag=Tag.CHANNELS,
        summary="Suspend a channel",
        text=f"{_STOPPING} Once it is answered, nothing is authorized through it.",
        parameters=_ONE,
        request=StopRequest,
        response=ChannelView,
        refusals=_MOVING,
    ),
    ("POST", "/v1/channels/{id}/terminate"): Operation(
        tag=Tag.CHANNELS,
        summary="Terminate a channel",
        text=f"{_STOPPING} It is for good.",
        parameters=_ONE,
        request=StopRequest,
        response=ChannelView,
        refusals=_MOVING,
    ),
    ("POST", "/v1/channels/{id}/resume"): Operation(
        tag=Tag.CHANNELS,
        summary="Ask for a channel to go on",
        text=f"{_ASKING} With the id of an order, for that order to be lifted.",
        parameters=_ONE,
        request=ResumeRequest,
        status=202,
        response=ApprovalView,
        refusals=_MOVING,
    ),
    ("POST", "/v1/channels/{id}/changes"): Operation(
        tag=Tag.CHANNELS,
        summary="Ask for a channel to be different",
        text=f"{_ASKING} All of its terms are given anew.",
        parameters=_ONE,
        request=ChannelTermsRequest,
        status=202,
        response=ApprovalView,
        refusals=_CHANGING,
    ),
    ("GET", "/v1/channels/{id}/keys"): Operation(
        tag=Tag.CHANNELS,
        summary="A channel's keys",
        text="For operators and the channel itself.",
        parameters=_ONE,
        response=KeyList,
        refusals=_READING,
    ),
    ("POST", "/v1/channels/{id}/keys"): Operation(
        tag=Tag.CHANNELS,
        summary="Ask for one more key of a channel",
        text=_ASKING,
        parameters=_ONE,
        request=KeyRequest,
        status=202,
        response=ApprovalView,
        refusals=_CHANGING,
    ),
    ("POST", "/v1/channels/{id}/keys/rotate"): Operation(
        tag=Tag.CHANNELS,
        summary="Ask for a key in place of a channel's others",
        text=f"{_ASKING} The others go on for `overlap_s` seconds.",
        parameters=_ONE,
        request=RotationRequest,
        status=202,
        response=ApprovalView,
        refusals=_CHANGING,
    ),
    ("POST", "/v1/channels/{id}/keys/{keyid}/revoke"): Operation(
        tag=Tag.CHANNELS,
        summary="Take a key from a channel",
        text="For operators; one is enough.",
        parameters=(_CHANNEL_ID, _KEY_ID),
        request=ReasonRequest,
        response=KeyView,
        refusals=_CHANGING,
    ),
    ("POST", "/v1/channels/{id}/conformance"): Operation(
        tag=Tag.CHANNELS,
        summary="Open a run to show that a channel works",
        text=f"{_PLAYING}Passing every case of a part moves it on: `function_tested`, then `security_tested`.",
        parameters=_ONE,
        request=NothingRequest,
        status=201,
        response=ConformanceRunView,
        refusals=(Refusal.NOT_FOUND, *_ONCE, Refusal.CHANNEL_STATE_CONFLICT),
    ),
    ("POST", "/v1/channels/{id}/test-reports"): Operation(
        tag=Tag.CHANNELS,
        summary="Ask for the report of a sandbox's run to count",
        text=f"{_ASKING} Outside of a sandbox only, where there are no runs: who approves it has seen the report.",
        parameters=_ONE,
        request=ConformanceReportRequest,
        status=202,
        response=ApprovalView,
        refusals=_MOVING,
    ),
    ("GET", "/v1/channels/{id}/conformance/{run}"): Operation(
        tag=Tag.CHANNELS,
        summary="What a run has shown",
        text="For operators and the channel itself, in a sandbox.",
        parameters=(_CHANNEL_ID, _RUN_ID),
        response=ConformanceRunView,
        refusals=_READING,
    ),
    ("POST", "/v1/channels/{id}/conformance/{run}/practice"): Operation(
        tag=Tag.CHANNELS,
        summary="Send a practice order",
        text=f"{_PLAYING}It is answered as its case wants it: taken, declined, told to wait, or not at all.",
        parameters=(_CHANNEL_ID, _RUN_ID),
        request=PracticeRequest,
        status=201,
        response=PracticeView,
        refusals=(
            Refusal.NOT_FOUND,
            *_ONCE,
            Refusal.INSUFFICIENT_FUNDS,
            Refusal.OVERLOADED,
            Refusal.TOO_MANY_ATTEMPTS,
        ),
    ),
    ("POST", "/v1/channels/{id}/conformance/{run}/conclusions"): Operation(
        tag=Tag.CHANNELS,
        summary="Tell what became of a practice order",
        text=_PLAYING.strip(),
        parameters=(_CHANNEL_ID, _RUN_ID),
        request=ConclusionRequest,
        response=ConformanceRunView,
        refusals=(Refusal.NOT_FOUND, *_ONCE, Refusal.TOO_MANY_ATTEMPTS),
    ),
    ("POST", "/v1/channels/{id}/conformance/{run}/notifications"): Operation(
        tag=Tag.CHANNELS,
        summary="Have notifications sent, genuine and not",
        text=f"{_PLAYING}It has to take those that are genuine, and to refuse the others.",
        parameters=(_CHANNEL_ID, _RUN_ID),
        request=NothingRequest,
        response=ConformanceRunView,
        refusals=(Refusal.NOT_FOUND, Refusal.IDEMPOTENCY_KEY_MISSING, Refusal.TOO_MANY_ATTEMPTS),
    ),
}
