"""What the contract says of applications to offices and banks."""

from collections.abc import Mapping
from typing import Final

from engine.core.applications import ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX
from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.web.applications.wire import (
    KINDS,
    OFFICE_MOVE_NAMES,
    STATES,
    ApplicationDetails,
    ApplicationFormRequest,
    ApplicationItemList,
    ApplicationList,
    ApplicationRequest,
    ApplicationView,
    ApplicationWithdrawalRequest,
    AttachmentView,
    OfficeList,
    OfficeNoteRequest,
    OfficeRequest,
    SubmissionRequest,
)
from engine.web.field_note import id_pattern
from engine.web.operation import PAGE, Operation, Parameter, Tag, text_schema
from engine.web.wire_participants import ApprovalView

_ID: Final = Parameter(
    name="id",
    text="The application.",
    schema={"type": "string", "pattern": id_pattern(IdKind.APPLICATION)},
    place="path",
)
_ITEM: Final = Parameter(
    name="item", text="The item.", schema={"type": "string", "pattern": "^[a-z_]{1,64}$"}, place="path"
)
_MOVE: Final = Parameter(name="move", text="What is done.", schema=text_schema(*OFFICE_MOVE_NAMES), place="path")
_DIGEST: Final = Parameter(
    name="digest",
    text="SHA-256 of the file, in hexadecimal.",
    schema={"type": "string", "pattern": "^[0-9a-f]{64}$"},
    place="path",
)
_CHANGING: Final = (Refusal.NOT_FOUND, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS, Refusal.APPLICATION_STATE_CONFLICT)
_AS_CHANNEL: Final = (Refusal.CHANNEL_SUSPENDED, Refusal.CHANNEL_NOT_AUTHORIZED)
_OF_CARD: Final = (Refusal.CARD_REPORTED_LOST, Refusal.CARD_NOT_USABLE)
_BY_PERSON: Final = (
    Refusal.REAUTHENTICATION_REQUIRED,
    Refusal.PASSKEY_INVALID,
    Refusal.PASSWORD_BLOCK_INVALID,
    Refusal.PASSWORD_BLOCK_EXPIRED,
    Refusal.PASSWORD_LOCKED,
    Refusal.PASSWORD_INCORRECT,
    Refusal.TOO_MANY_ATTEMPTS,
    Refusal.CARD_REPORTED_LOST,
    Refusal.CARD_NOT_USABLE,
    Refusal.OVERLOADED,
)
_AS_OPERATOR: Final = (Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED, Refusal.REGION_NOT_PERMITTED)

APPLICATIONS_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/v1/applications/items"): Operation(
        tag=Tag.APPLICATIONS,
        summary="What can be applied for",
        response=ApplicationItemList,
    ),
    ("GET", "/v1/applications/items/{item}"): Operation(
        tag=Tag.APPLICATIONS,
        summary="The form of an item",
        text="JSON Schema, draft 2020-12.",
        parameters=(_ITEM,),
        response={"type": "object"},
        media_types=("application/schema+json",),
        refusals=(Refusal.NOT_FOUND,),
    ),
    ("GET", "/v1/applications/offices"): Operation(
        tag=Tag.APPLICATIONS,
        summary="Who takes applications",
        text="By kind and region. Of several above an applicant's region the nearest one is handed the application.",
        parameters=(Parameter(name="kind", text="Only of this family.", schema=text_schema(*KINDS)),),
        response=OfficeList,
    ),
    ("POST", "/v1/applications/offices"): Operation(
        tag=Tag.APPLICATIONS,
        summary="Ask for an office to be handed applications",
        text="For operators; another one has to approve it. An agency takes them in its own region or below it, and is"
        " the only one there for a kind; banks take those of `finance`, and each is asked by its number.",
        request=OfficeRequest,
        status=202,
        response=ApprovalView,
        refusals=(
            *_AS_OPERATOR,
            Refusal.IDEMPOTENCY_KEY_IN_PROGRESS,
            Refusal.REGION_UNKNOWN,
            Refusal.PARTICIPANT_STATE_CONFLICT,
        ),
    ),
    ("POST", "/v1/applications/offices/close"): Operation(
        tag=Tag.APPLICATIONS,
        summary="Hand an office no more applications",
        text="For operators: one is enough. What it has it goes on with. Answered with the offices that are left.",
        request=OfficeRequest,
        response=OfficeList,
        refusals=(*_AS_OPERATOR, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS),
    ),
    ("POST", "/v1/applications"): Operation(
        tag=Tag.APPLICATIONS,
        summary="Draft an application",
        text="For channels, for a card that they have issued. The form has to fit at once; the files that it names may"
        " come later, before it is handed in. A person has one open application for an item, whichever channel has made"
        " it; a draft that nobody touches for 30 days makes room.",
        request=ApplicationRequest,
        status=201,
        response=ApplicationView,
        refusals=(
            Refusal.NOT_FOUND,
            Refusal.IDEMPOTENCY_KEY_IN_PROGRESS,
            *_AS_CHANNEL,
            *_OF_CARD,
            Refusal.REGION_UNKNOWN,
            Refusal.REGION_NOT_SERVED,
            Refusal.FORM_INVALID,
            Refusal.APPLICATION_DUPLICATE,
        ),
    ),
    ("GET", "/v1/applications"): Operation(
        tag=Tag.APPLICATIONS,
        summary="Applications",
        text="A channel's own, of cards that it is linked to; what an agency or a bank was handed; an operator's"
        " region. Drafts are seen by their channel only. With `card_id` and `purpose` a channel sees what the person"
        " has handed in through others as well: for that the person's consent, a department's grant and the channel's,"
        " all of the scope `applications`, have to be there.",
        parameters=(
            Parameter(name="status", text="Only with this status.", schema=text_schema(*STATES)),
            Parameter(name="item", text="Only of this item.", schema=text_schema()),
            Parameter(
                name="card_id",
                text="For channels: what the person of this card has handed in.",
                schema={"type": "string", "pattern": id_pattern(IdKind.CARD)},
            ),
            Parameter(name="purpose", text="What it is for, as it was agreed to.", schema=text_schema()),
            *PAGE,
        ),
        response=ApplicationList,
        refusals=(
            Refusal.NOT_FOUND,
            Refusal.SCOPE_NOT_AUTHORIZED,
            *_AS_CHANNEL,
            Refusal.PURPOSE_REQUIRED,
            Refusal.CONSENT_REQUIRED,
            Refusal.DEPARTMENT_NOT_AUTHORIZED,
        ),
    ),
    ("GET", "/v1/applications/{id}"): Operation(
        tag=Tag.APPLICATIONS,
        summary="One application",
        text="Each look is written down. Operators are shown neither form nor notes.",
        parameters=(_ID,),
        response=ApplicationDetails,
        refusals=(*_AS_OPERATOR, *_AS_CHANNEL),
    ),
    ("POST", "/v1/applications/{id}/form"): Operation(
        tag=Tag.APPLICATIONS,
        summary="Fill in the form anew",
        text="For the channel that has made it; of a draft, or of an application that more is asked for.",
        parameters=(_ID,),
        request=ApplicationFormRequest,
        response=ApplicationView,
        refusals=(*_CHANGING, *_AS_CHANNEL, Refusal.FORM_INVALID),
    ),
    ("POST", "/v1/applications/{id}/attachments"): Operation(
        tag=Tag.APPLICATIONS,
        summary="Send a file",
        text=f"For the channel that has made it: PDF, JPEG or PNG, up to {ATTACHMENT_BYTES_MAX >> 20} MiB, read as it"
        f" comes; at most {ATTACHMENTS_MAX} an application. A file that is there already is answered with itself.",
        parameters=(_ID,),
        upload_media_types=("application/pdf", "image/jpeg", "image/png"),
        status=201,
        response=AttachmentView,
        refusals=(*_CHANGING, *_AS_CHANNEL, Refusal.FILE_MALFORMED, Refusal.FORM_INVALID),
    ),
    ("GET", "/v1/applications/{id}/attachments/{digest}"): Operation(
        tag=Tag.APPLICATIONS,
        summary="One file",
        text="For its channel and its office, byte by byte as it was sent. Each look is written down.",
        parameters=(_ID, _DIGEST),
        media_types=("application/pdf", "image/jpeg", "image/png"),
        refusals=(*_AS_OPERATOR, *_AS_CHANNEL),
    ),
    ("POST", "/v1/applications/{id}/submit"): Operation(
        tag=Tag.APPLICATIONS,
        summary="Hand an application in",
        text="For the channel that has made it, by the person's own act, bound to the application's id. Every file that"
        " the form names has to be there. The office of the region has it from then on; one that more was asked for"
        " goes back to the office that asked.",
        parameters=(_ID,),
        request=SubmissionRequest,
        response=ApplicationView,
        refusals=(*_CHANGING, *_AS_CHANNEL, *_BY_PERSON, Refusal.REGION_NOT_SERVED, Refusal.FORM_INVALID),
    ),
    ("POST", "/v1/applications/{id}/withdraw"): Operation(
        tag=Tag.APPLICATIONS,
        summary="Take an application back",
        text="For the channel that has made it, while nobody has decided on it. What was handed in needs the person's"
        " own act, `withdraw`; a draft does not.",
        parameters=(_ID,),
        request=ApplicationWithdrawalRequest,
        response=ApplicationView,
        refusals=(*_CHANGING, *_AS_CHANNEL, *_BY_PERSON),
    ),
    ("POST", "/v1/applications/{id}/{move:accept|review|need-more-info|approve|reject|archive}"): Operation(
        tag=Tag.APPLICATIONS,
        summary="Go on with an application",
        text="For the agency or the bank that was handed it: `submitted` -accept-> `accepted` -review-> `in_review`"
        " -need-more-info-> `need_more_info`, or -approve-> `approved`, or -reject-> `rejected`; these two -archive->"
        " `archived`.",
        parameters=(_ID, _MOVE),
        request=OfficeNoteRequest,
        response=ApplicationView,
        refusals=_CHANGING,
    ),
}
