"""What goes over the wire about applications: requests, answers, and one from the other."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.core.applications import (
    OFFICE_MOVES,
    Application,
    ApplicationKind,
    ApplicationMove,
    ApplicationState,
    Attachment,
    Office,
)
from engine.core.ids import id_text
from engine.core.masking import masked_id_number, masked_name
from engine.core.personal_acts import ActKind
from engine.flows.applications.forms import FilledForm, Form
from engine.flows.card_register import Holder
from engine.web.wire import Text
from engine.web.wire_cards import AgreementRequest
from engine.web.wire_participants import BankNumber, Reason, RegionCode

KindName = Literal[
    "employment_entrepreneurship", "social_security", "labor_relations", "talent", "mediation_arbitration", "finance"
]
StateName = Literal[
    "draft",
    "submitted",
    "accepted",
    "in_review",
    "need_more_info",
    "approved",
    "rejected",
    "archived",
    "withdrawn",
]
MoveName = Literal["draft", "submit", "accept", "review", "need_more_info", "approve", "reject", "archive", "withdraw"]
ItemCode = Annotated[str, Meta(pattern=r"^[a-z_]{1,64}\Z")]
IdText = Annotated[str, Meta(min_length=1, max_length=31)]
KINDS = {kind.name.lower(): kind for kind in ApplicationKind}
STATES = {state.name.lower(): state for state in ApplicationState}
OFFICE_MOVE_NAMES = {move.name.lower().replace("_", "-"): move for move in ApplicationMove if move in OFFICE_MOVES}


class ApplicationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Draft an application for the person of a card that the channel has issued."""

    card_id: IdText
    item: ItemCode
    form: FilledForm
    region: RegionCode | None = None
    bank: BankNumber | None = None


class ApplicationFormRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fill in the form anew."""

    form: FilledForm


class SubmissionRequest(AgreementRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hand the application in; the person's own act is bound to its id."""


class ApplicationWithdrawalRequest(AgreementRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take the application back; one that was handed in by the person's own act, bound to its id and `/withdraw`."""

    note: Text | None = None


class OfficeNoteRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an office does with an application."""

    note: Annotated[str, Meta(min_length=1, max_length=1_000, pattern=r"^[^\x00-\x09\x0b-\x1f\x7f]*\Z")] | None = None


class OfficeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is to take applications of a kind in a region; or is not to any more."""

    kind: KindName
    region: RegionCode
    office_id: IdText
    reason: Reason


class ApplicationView(msgspec.Struct, frozen=True, kw_only=True):
    """An application, without personal data."""

    id: str
    kind: KindName
    item: str
    status: StateName
    card_id: str
    region: str
    channel_id: str
    office_id: str
    created_at: datetime
    changed_at: datetime
    submitted_at: datetime | None


class ApplicationList(msgspec.Struct, frozen=True, kw_only=True):
    """Applications, newest first."""

    items: tuple[ApplicationView, ...]
    next_cursor: str | None


class ApplicationStepView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an application's course."""

    at: datetime
    move: MoveName
    status: StateName
    by: str
    note: str | None
    act_kind: ActKind | None


class AttachmentView(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an application. Units: bytes."""

    sha256: str
    media_type: str
    size: int
    kept_at: datetime


class ApplicantView(msgspec.Struct, frozen=True, kw_only=True):
    """Who applies, masked."""

    name: str
    id_number: str


class ApplicationDetails(ApplicationView, frozen=True, kw_only=True):
    """An application with its form, files and course. Operators are not shown what the person has written."""

    applicant: ApplicantView
    form: FilledForm | None
    attachments: tuple[AttachmentView, ...]
    steps: tuple[ApplicationStepView, ...]


class ApplicationItemView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be applied for."""

    item: str
    kind: KindName
    name_zh: str
    name_en: str
    form_url: str


class ApplicationItemList(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be applied for."""

    items: tuple[ApplicationItemView, ...]
    next_cursor: None = None


class OfficeView(msgspec.Struct, frozen=True, kw_only=True):
    """Who takes applications of a kind in a region and below it."""

    kind: KindName
    region: str
    office_id: str
    opened_at: datetime


class OfficeList(msgspec.Struct, frozen=True, kw_only=True):
    """Offices, by kind and region."""

    items: tuple[OfficeView, ...]
    next_cursor: None = None


def application_view(seen: Application) -> ApplicationView:
    """An application as the wire shows it."""
    return ApplicationView(
        id=id_text(seen.id),
        kind=kind_name(seen.kind),
        item=seen.item,
        status=state_name(seen.state),
        card_id=id_text(seen.card),
        region=f"{seen.region:06d}",
        channel_id=id_text(seen.channel),
        office_id=id_text(seen.office),
        created_at=seen.created_at,
        changed_at=seen.changed_at,
        submitted_at=seen.submitted_at,
    )


def application_details(
    seen: Application,
    *,
    holder: Holder,
    form: FilledForm | None,
    attachments: Sequence[Attachment],
    steps: Sequence[ApplicationStepView],
) -> ApplicationDetails:
    """An application with everything about it."""
    return ApplicationDetails(
        **msgspec.structs.asdict(application_view(seen)),
        applicant=ApplicantView(name=masked_name(holder.name), id_number=masked_id_number(holder.id_number)),
        form=form,
        attachments=tuple(attachment_view(one) for one in attachments),
        steps=tuple(steps),
    )


def attachment_view(attachment: Attachment) -> AttachmentView:
    """A file as the wire shows it."""
    return AttachmentView(
        sha256=attachment.sha256.hex(),
        media_type=attachment.media_type,
        size=attachment.size,
        kept_at=attachment.kept_at,
    )


def item_view(form: Form) -> ApplicationItemView:
    """An item as the wire shows it."""
    return ApplicationItemView(
        item=form.item,
        kind=kind_name(form.kind),
        name_zh=form.name_zh,
        name_en=form.name_en,
        form_url=f"/v1/applications/items/{form.item}",
    )


def office_view(office: Office) -> OfficeView:
    """An office as the wire shows it."""
    return OfficeView(
        kind=kind_name(office.kind),
        region=f"{office.region:06d}",
        office_id=id_text(office.office),
        opened_at=office.opened_at,
    )


def kind_name(kind: ApplicationKind) -> KindName:
    """A kind's name."""
    return kind.name.lower()  # type: ignore[return-value]  # a Literal out of an enum


def state_name(state: ApplicationState) -> StateName:
    """A state's name."""
    return state.name.lower()  # type: ignore[return-value]  # a Literal out of an enum


def move_name(move: ApplicationMove) -> MoveName:
    """A move's name."""
    return move.name.lower()  # type: ignore[return-value]  # a Literal out of an enum
