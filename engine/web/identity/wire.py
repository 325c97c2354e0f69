"""What goes over the wire about who somebody is: requests, answers, and one from the other. Persons go masked."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.core.admission import SCENES
from engine.core.certification import CYCLE_MONTHS_MAX, State, state_on
from engine.core.ids import id_text
from engine.core.masking import masked_id_number, masked_name
from engine.core.scenarios import BY_NAME
from engine.flows.identity.admit import Admitted, entitlement_name
from engine.store.certifications import Beneficiary, Certification
from engine.store.verifications import Verification
from engine.web.wire import PayCodeText, TerminalId
from engine.web.wire_cards import AgreementRequest, NumberText, PersonName
from engine.web.wire_participants import RegionCode

FACE_CHARS_MAX = 200_000
MATCHES_MAX = 500
_SCENE_NAMES = tuple(dict.fromkeys((*SCENES, *BY_NAME)))
SceneName = Annotated[str, Meta(pattern=rf"^({'|'.join(_SCENE_NAMES)})\Z")]
Face = Annotated[str, Meta(min_length=4, max_length=FACE_CHARS_MAX, pattern=r"^[0-9A-Za-z+/]+={0,2}\Z")]
Purpose = Annotated[str, Meta(pattern=r"^[0-9A-Za-z][0-9A-Za-z _.:/-]{0,63}\Z")]
RequestNo = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_-]{1,64}\Z")]
BenefitCode = Annotated[str, Meta(pattern=r"^[0-9A-Z_-]{1,32}\Z")]
CardIdText = Annotated[str, Meta(pattern=r"^card_[0-7][0-9a-hjkmnp-tv-z]{25}\Z")]
CertificationIdText = Annotated[str, Meta(pattern=r"^crt_[0-7][0-9a-hjkmnp-tv-z]{25}\Z")]
Evidence = Annotated[str, Meta(pattern=r"^[a-z_]{1,32}:[0-9a-f]{64}\Z")]
CycleMonths = Annotated[int, Meta(ge=1, le=CYCLE_MONTHS_MAX)]
EntitlementName = Literal["full", "half", "free"]
MethodName = Literal["self", "relative", "offline", "data_match"]


class VerificationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask whether all of this is one person's."""

    id_number: NumberText
    name: PersonName
    card_no: NumberText | None = None
    phone: NumberText | None = None
    bank_account: NumberText | None = None
    request_no: RequestNo
    purpose: Purpose | None = None


class VerificationView(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a verification. Which factor does not fit is not said, nor whether there is such a person."""

    id: str
    result: Literal["match", "mismatch"]
    factors: int
    request_no: str
    purpose: str
    created_at: datetime


class AdmissionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let somebody in, who shows a code or whose card a terminal has read."""

    pay_code: PayCodeText | None = None
    card_no: NumberText | None = None
    scenario: SceneName
    terminal_id: TerminalId
    purpose: Purpose | None = None
    face: Face | None = None


class AdmittedPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Who was let in, masked."""

    name: str
    id_number: str
    region: str


class AdmissionView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who was let in. Nothing was posted, and the code is used."""

    id: str
    status: Literal["admitted"]
    scenario: str
    terminal_id: str
    purpose: str
    person: AdmittedPerson
    entitlement: EntitlementName
    has_face: bool
    created_at: datetime


class BeneficiaryRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Register a benefit, which is then only paid while it is shown to be due."""

    card_id: CardIdText
    benefit_code: BenefitCode
    region: RegionCode | None = None
    cycle_months: CycleMonths = 12
    last_certified_on: date | None = None
    due_on: date | None = None


class CertificationRequest(AgreementRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Show that benefits are still due."""

    card_id: CardIdText
    benefit_code: BenefitCode | None = None
    method: Literal["self", "relative", "offline"]
    face: Face | None = None
    relative_card_id: CardIdText | None = None
    certified_on: date | None = None
    evidence: Evidence | None = None


class MatchesRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Certify what another register has told."""

    certification_ids: Annotated[tuple[CertificationIdText, ...], Meta(min_length=1, max_length=MATCHES_MAX)]
    certified_on: date
    evidence: Evidence


class BeneficiaryView(msgspec.Struct, frozen=True, kw_only=True):
    """One benefit of one person, and where it stands on the open business date."""

    id: str
    card_id: str
    benefit_code: str
    agency_id: str
    region: str
    status: State
    is_pending: bool
    cycle_months: int
    due_on: date
    last_certified_on: date | None
    registered_at: datetime


class CertificationView(msgspec.Struct, frozen=True, kw_only=True):
    """One time that it was shown."""

    method: MethodName
    result: Literal["certified", "pending"]
    certified_on: date
    certified_by: str
    evidence: str
    at: datetime


class BeneficiaryDetails(BeneficiaryView, frozen=True, kw_only=True):
    """One benefit of one person, with every time that it was shown, the last fifty of them."""

    history: tuple[CertificationView, ...]


class BeneficiaryList(msgspec.Struct, frozen=True, kw_only=True):
    """Benefits, newest first."""

    items: tuple[BeneficiaryView, ...]
    next_cursor: str | None


class CertifiedView(msgspec.Struct, frozen=True, kw_only=True):
    """What came of showing it, and where the benefits stand now."""

    result: Literal["certified", "pending"]
    method: MethodName
    certified_on: date
    items: tuple[BeneficiaryView, ...]
    next_cursor: None = None


class MatchesView(msgspec.Struct, frozen=True, kw_only=True):
    """How many were certified; the others are not there, or not in the operator's region."""

    certified: int
    unknown: tuple[str, ...]


def verification_view(kept: Verification) -> VerificationView:
    """A verification as the wire shows it."""
    return VerificationView(
        id=id_text(kept.id),
        result="match" if kept.is_match else "mismatch",
        factors=kept.factors,
        request_no=kept.request_no,
        purpose=kept.purpose,
        created_at=kept.at,
    )


def admission_view(admitted: Admitted) -> AdmissionView:
    """An admission as the wire shows it."""
    kept, holder = admitted.admission, admitted.holder
    return AdmissionView(
        id=id_text(kept.id),
        status="admitted",
        scenario=kept.scenario,
        terminal_id=kept.terminal_id,
        purpose=kept.purpose,
        person=AdmittedPerson(
            name=masked_name(holder.name),
            id_number=masked_id_number(holder.id_number),
            region=f"{admitted.card_region:06d}",
        ),
        entitlement=entitlement_name(kept),  # type: ignore[arg-type]  # a Literal from an enum
        has_face=kept.has_face,
        created_at=kept.at,
    )


def beneficiary_view(one: Beneficiary, *, today: date) -> BeneficiaryView:
    """A benefit as the wire shows it on a business date."""
    return BeneficiaryView(
        id=id_text(one.id),
        card_id=id_text(one.card),
        benefit_code=one.benefit_code,
        agency_id=id_text(one.agency),
        region=f"{one.region:06d}",
        status=state_on(one.standing, today),
        is_pending=one.is_pending,
        cycle_months=one.standing.cycle_months,
        due_on=one.standing.due_on,
        last_certified_on=one.standing.last_certified_on,
        registered_at=one.registered_at,
    )


def beneficiary_details(one: Beneficiary, certifications: list[Certification], *, today: date) -> BeneficiaryDetails:
    """A benefit with its history."""
    history = tuple(
        CertificationView(
            method=shown.method.name.lower(),  # type: ignore[arg-type]  # a Literal from an enum
            result="pending" if shown.is_pending else "certified",
            certified_on=shown.certified_on,
            certified_by=id_text(shown.certified_by),
            evidence=shown.evidence,
            at=shown.at,
        )
        for shown in certifications
    )
    return BeneficiaryDetails(**msgspec.structs.asdict(beneficiary_view(one, today=today)), history=history)
