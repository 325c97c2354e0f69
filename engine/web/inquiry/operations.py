"""What the contract says of inquiry: the seven topics, and where they come from."""

from collections.abc import Mapping
from typing import Final

from engine.core.ids import IdKind
from engine.core.inquiry import TOPICS, Topic
from engine.core.refusals import Refusal
from engine.web.consents.operations import CARD_OF_QUERY
from engine.web.field_note import id_pattern
from engine.web.inquiry.wire import (
    LISTS,
    RecordsReportView,
    SourceList,
    SourceRequest,
    SourceStopped,
    SourceStopRequest,
)
from engine.web.operation import PAGE, Operation, Parameter, Tag, text_schema
from engine.web.wire_participants import ApprovalView

_TOPIC: Final = Parameter(name="topic", text="The topic.", schema=text_schema(*TOPICS), place="path")
_PURPOSE: Final = Parameter(
    name="purpose", text="What for, as the person has agreed and the grants say.", schema=text_schema()
)
_DEPARTMENT: Final = Parameter(
    name="department_id",
    text="For whom; without it, for the person alone: then a department of the region has to have opened the topic.",
    schema={"type": "string", "pattern": id_pattern(IdKind.AGENCY)},
)
_BY_OPERATORS: Final = (
    Refusal.NOT_FOUND,
    Refusal.SCOPE_NOT_AUTHORIZED,
    Refusal.REGION_NOT_PERMITTED,
    Refusal.IDEMPOTENCY_KEY_MISSING,
)
_ONCE: Final = (*_BY_OPERATORS, Refusal.IDEMPOTENCY_KEY_REUSED, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS)


def _inquiry(topic: Topic) -> Operation:
    return Operation(
        tag=Tag.INQUIRY,
        summary=f"What is known of a person: {topic.name.replace('_', ' ')}",
        text="For channels that have issued the card. The person has to have agreed to this scope and purpose, a"
        " department and the channel have to be granted it; the refusal names the first of the three that is missing."
        " All three are judged anew for each page, and each look is kept in the audit trail. Nothing known is an empty"
        " list.",
        parameters=(CARD_OF_QUERY, _PURPOSE, _DEPARTMENT, *PAGE),
        response=LISTS[topic.scope],
        refusals=(
            Refusal.NOT_FOUND,
            Refusal.PURPOSE_REQUIRED,
            Refusal.CARD_REPORTED_LOST,
            Refusal.CARD_NOT_USABLE,
            Refusal.CONSENT_REQUIRED,
            Refusal.DEPARTMENT_NOT_AUTHORIZED,
            Refusal.CHANNEL_NOT_AUTHORIZED,
            Refusal.UPSTREAM_UNAVAILABLE,
        ),
    )


INQUIRY_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    **{("GET", f"/v1/inquiry/{topic.name}"): _inquiry(topic) for topic in TOPICS.values()},
    ("POST", "/v1/inquiry/{topic}/import"): Operation(
        tag=Tag.INQUIRY,
        summary="Bring in a file of records",
        text="For operators, of their region. CSV: `id_number` and the fields of the topic. Every line that is right"
        " comes in, a page at a time; what is wrong with the others is told by line and field, the first hundred. A"
        " record that is there already is as the file says it now. The same bytes as a file that came to its end are"
        " answered as it was.",
        parameters=(_TOPIC,),
        upload_media_types=("text/csv",),
        response=RecordsReportView,
        refusals=(*_BY_OPERATORS, Refusal.BODY_TOO_LARGE),
    ),
    ("GET", "/v1/inquiry/{topic}/sources"): Operation(
        tag=Tag.INQUIRY,
        summary="Regions that are asked themselves",
        text="For operators, of their region.",
        parameters=(_TOPIC, *PAGE),
        response=SourceList,
        refusals=(Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED),
    ),
    ("POST", "/v1/inquiry/{topic}/sources"): Operation(
        tag=Tag.INQUIRY,
        summary="Ask for a region to be asked itself",
        text="For operators. Another operator has to approve it: persons' ID numbers are sent there.",
        parameters=(_TOPIC,),
        request=SourceRequest,
        status=202,
        response=ApprovalView,
        refusals=(*_ONCE, Refusal.REGION_UNKNOWN, Refusal.CALLBACK_URL_NOT_ALLOWED),
    ),
    ("POST", "/v1/inquiry/{topic}/sources/stop"): Operation(
        tag=Tag.INQUIRY,
        summary="Ask a region no more",
        text="For operators. One is enough. What the region has sent in counts from the answer on.",
        parameters=(_TOPIC,),
        request=SourceStopRequest,
        response=SourceStopped,
        refusals=_ONCE,
    ),
}
