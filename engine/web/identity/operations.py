"""What the contract says of verification, admission by a shown code, and certification of eligibility."""

from collections.abc import Mapping
from typing import Final

from engine.core.certification import State
from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.web.field_notes import id_pattern
from engine.web.identity.wire import (
    AdmissionRequest,
    AdmissionView,
    BeneficiaryDetails,
    BeneficiaryList,
    BeneficiaryRequest,
    BeneficiaryView,
    CertificationRequest,
    CertifiedView,
    MatchesRequest,
    MatchesView,
    VerificationRequest,
    VerificationView,
)
from engine.web.operation import PAGE, Operation, Parameter, Tag, text_schema

_CERTIFICATION_ID: Final = Parameter(
    name="id",
    text="The benefit.",
    schema={"type": "string", "pattern": id_pattern(IdKind.CERTIFICATION)},
    place="path",
)
_CARD_ID: Final = Parameter(
    name="card_id",
    text="Only the benefits of this card. A channel has to say which, and it must have issued it.",
    schema={"type": "string", "pattern": id_pattern(IdKind.CARD)},
)
_STATUS: Final = Parameter(
    name="status",
    text="Only benefits that are in this state on the open business date.",
    schema=text_schema(*State),
)
_ONCE: Final = (
    Refusal.NOT_FOUND,
    Refusal.IDEMPOTENCY_KEY_MISSING,
    Refusal.IDEMPOTENCY_KEY_REUSED,
    Refusal.IDEMPOTENCY_KEY_IN_PROGRESS,
)
_SCOPED: Final = (Refusal.SCOPE_NOT_AUTHORIZED, Refusal.REGION_NOT_PERMITTED)
_BY_FACE: Final = (Refusal.BIOMETRIC_REJECTED, Refusal.UPSTREAM_UNAVAILABLE)

IDENTITY_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/identity/verifications"): Operation(
        tag=Tag.IDENTITY,
        summary="Verify two, three or four factors",
        text="For channels and agencies. Name and ID number; with a third, the number of the physical card or of the"
        " phone that the bank knows; with a fourth, the bank account. The answer is one for all of them: which does not"
        " fit is never said, nor whether there is such a person. A card out of use proves nothing. After five"
        " mismatches of one ID number within an hour, whoever has tried, nothing is told for a while.",
        request=VerificationRequest,
        status=201,
        response=VerificationView,
        refusals=(
            *_ONCE,
            Refusal.PURPOSE_REQUIRED,
            Refusal.SCOPE_NOT_AUTHORIZED,
            Refusal.ID_NUMBER_INVALID,
            Refusal.TOO_MANY_ATTEMPTS,
        ),
    ),
    ("POST", "/v1/identity/admissions"): Operation(
        tag=Tag.IDENTITY,
        summary="Let somebody in by a shown code or a card",
        text="For merchants, with the scenarios that they have, and for agencies with a grant for"
        " `profile`, and for `biometric` if they send a face. Nothing is posted, and yet a code is good"
        " for one payment or one admission. `face` is compared with the person's where the place looks at faces; it is"
        " kept nowhere, and what nobody can compare lets nobody in. Everybody who is let in is shown masked.",
        request=AdmissionRequest,
        status=201,
        response=AdmissionView,
        refusals=(
            *_ONCE,
            *_BY_FACE,
            Refusal.PURPOSE_REQUIRED,
            Refusal.SCOPE_NOT_AUTHORIZED,
            Refusal.DEPARTMENT_NOT_AUTHORIZED,
            Refusal.MERCHANT_SUSPENDED,
            Refusal.TERMINAL_UNKNOWN,
            Refusal.SCENARIO_NOT_ENABLED,
            Refusal.CODE_SCENE_NOT_ALLOWED,
            Refusal.PAY_CODE_MALFORMED,
            Refusal.PAY_CODE_FOREIGN,
            Refusal.PAY_CODE_WRONG,
            Refusal.PAY_CODE_EXPIRED,
            Refusal.PAY_CODE_USED,
            Refusal.DEVICE_REVOKED,
            Refusal.CARD_REPORTED_LOST,
            Refusal.CARD_NOT_USABLE,
            Refusal.TOO_MANY_ATTEMPTS,
        ),
    ),
    ("POST", "/v1/identity/beneficiaries"): Operation(
        tag=Tag.IDENTITY,
        summary="Register a benefit that has to be certified",
        text="For agencies, in their region. From then on lines of disbursements with this card and benefit are held"
        " while its certification is overdue. A benefit that nobody has registered is paid without.",
        request=BeneficiaryRequest,
        status=201,
        response=BeneficiaryView,
        refusals=(*_ONCE, *_SCOPED, Refusal.BENEFIT_REGISTERED),
    ),
    ("GET", "/v1/identity/certifications"): Operation(
        tag=Tag.IDENTITY,
        summary="Benefits and where they stand",
        text="For agencies their own, for operators those of their region, for channels those of a card.",
        parameters=(*PAGE, _CARD_ID, _STATUS),
        response=BeneficiaryList,
        refusals=(Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED),
    ),
    ("POST", "/v1/identity/certifications"): Operation(
        tag=Tag.IDENTITY,
        summary="Show that benefits are still due",
        text="`self`: in a channel's app, by a passkey or the face; the card's password alone does not show that"
        " somebody is alive. `relative`: by the act of a linked relative, with `relative_card_id`; the password is"
        " sealed for `card_id`. `offline`: by an agency, of its own benefits, or an operator of the region, with the"
        " digest of what was seen. May be repeated at any time: the latest day counts. If nobody could say whether the"
        " face is the person's the result is `pending`, which certifies nothing: it has to be shown again.",
        request=CertificationRequest,
        status=201,
        response=CertifiedView,
        refusals=(
            *_ONCE,
            *_SCOPED,
            *_BY_FACE,
            Refusal.NO_BENEFIT_TO_CERTIFY,
            Refusal.RELATIVE_NOT_LINKED,
            Refusal.REAUTHENTICATION_REQUIRED,
            Refusal.PASSWORD_BLOCK_INVALID,
            Refusal.PASSWORD_BLOCK_EXPIRED,
            Refusal.PASSWORD_INCORRECT,
            Refusal.PASSWORD_LOCKED,
            Refusal.TOO_MANY_ATTEMPTS,
        ),
    ),
    ("POST", "/v1/identity/certifications/matches"): Operation(
        tag=Tag.IDENTITY,
        summary="Certify what another register has told",
        text="For operators, of their region. Benefits of other regions are not there for them.",
        request=MatchesRequest,
        response=MatchesView,
        refusals=(*_ONCE, Refusal.SCOPE_NOT_AUTHORIZED),
    ),
    ("GET", "/v1/identity/certifications/{id}"): Operation(
        tag=Tag.IDENTITY,
        summary="One benefit and its history",
        text="For its agency, operators of its region, and channels that have issued the card.",
        parameters=(_CERTIFICATION_ID,),
        response=BeneficiaryDetails,
        refusals=(Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED),
    ),
}
