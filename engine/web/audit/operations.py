"""What the contract says of the audit trail, and the keys of personal data."""

from collections.abc import Mapping
from typing import Final

from engine.core.audit import PURPOSE_CHARS_MAX
from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.web.audit.wire import AuditList, PersonalDataView
from engine.web.field_note import id_pattern
from engine.web.operation import PAGE, Operation, Parameter, Tag
from engine.web.operations_cards import CARD_ID
from engine.web.wire_participants import ApprovalView, ReasonRequest

PURPOSE: Final = Parameter(
    name="purpose",
    text="What the data are wanted for: a word or a reference, such as `complaint C-17`; without it, 403"
    " `purpose-required`. It is kept in the audit trail, so it names nobody.",
    schema={"type": "string", "minLength": 1, "maxLength": PURPOSE_CHARS_MAX},
)
_READING: Final = (Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED)
_INSTANT: Final = {"type": "string", "format": "date-time"}

AUDIT_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/v1/audit"): Operation(
        tag=Tag.AUDIT,
        summary="The audit trail",
        text="Every look at personal data and every refusal of one, of the operator's region and all below it. Reading"
        " it is a look of its own, and the next page another.",
        parameters=(
            PURPOSE,
            Parameter(
                name="card",
                text="Only looks at this card.",
                schema={"type": "string", "pattern": id_pattern(IdKind.CARD)},
            ),
            Parameter(
                name="payment",
                text="Only looks at this payment.",
                schema={"type": "string", "pattern": id_pattern(IdKind.PAYMENT)},
            ),
            Parameter(
                name="channel",
                text="Only what went through this channel.",
                schema={"type": "string", "pattern": id_pattern(IdKind.CHANNEL)},
            ),
            Parameter(
                name="trace_id",
                text="Only what this request has looked at.",
                schema={"type": "string", "pattern": "^[0-9a-f]{32}$"},
            ),
            Parameter(name="since", text="Only looks of this instant or later, in business time.", schema=_INSTANT),
            Parameter(name="until", text="Only looks before this instant, in business time.", schema=_INSTANT),
            *PAGE,
        ),
        response=AuditList,
        refusals=(*_READING, Refusal.PURPOSE_REQUIRED),
    ),
    ("GET", "/v1/cards/{id}/personal-data"): Operation(
        tag=Tag.AUDIT,
        summary="A person's data, not masked",
        text="For operators who may decide. Each look is in the audit trail with its purpose, and so is each refusal.",
        parameters=(CARD_ID, PURPOSE),
        response=PersonalDataView,
        refusals=(*_READING, Refusal.REGION_NOT_PERMITTED, Refusal.PURPOSE_REQUIRED),
    ),
    ("POST", "/v1/cards/{id}/erase"): Operation(
        tag=Tag.AUDIT,
        summary="Erase a person",
        text="For operators. Another operator has to approve it. Every card of the person is cancelled, and the time"
        " for which data are kept, ten years, is over. The person's own key is destroyed: name, numbers and forms are"
        " unreadable for good, while payments, journal and audit trail stay as they are.",
        parameters=(CARD_ID,),
        request=ReasonRequest,
        status=202,
        response=ApprovalView,
        refusals=(
            *_READING,
            Refusal.REGION_NOT_PERMITTED,
            Refusal.ERASURE_NOT_DUE,
            Refusal.IDEMPOTENCY_KEY_IN_PROGRESS,
        ),
    ),
}
