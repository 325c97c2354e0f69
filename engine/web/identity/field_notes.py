"""Fields on the wire of verification, admission by a shown code, and certification of eligibility."""

from typing import Final

from engine.core.admission import SCENES
from engine.core.ids import IdKind
from engine.web.field_note import FieldNote, id_note, instant_note

_ID_NUMBER: Final = FieldNote("ID number, eighteen characters or the fifteen of an old one (GB 11643).")
_PURPOSE: Final = FieldNote("What it is asked for: a word or reference, without a person's numbers. Always needed.")
_FACE: Final = FieldNote("An image of the face, Base64. It is compared and kept nowhere.")
_CARD: Final = id_note("The card.", IdKind.CARD)
_BENEFIT_REGION: Final = FieldNote(
    "Where the benefit is paid, GB/T 2260; by default where the card is.", None, "^[0-9]{6}$"
)
_METHOD: Final = FieldNote("How it was shown: `self`, `relative`, `offline` or `data_match`.")
_RESULT: Final = FieldNote("`certified`, or `pending`: nobody could say, and nothing is certified.")
_EVIDENCE: Final = FieldNote("What shows it: a kind, a colon, and a SHA-256 in hex. What was shown itself is not kept.")
_CERTIFIED_ON: Final = FieldNote("The business date on which it was shown; by default today.", "date")


def _benefit_notes(view: str) -> dict[tuple[str, str], FieldNote]:
    return {
        (view, "id"): id_note("The benefit of this person.", IdKind.CERTIFICATION),
        (view, "card_id"): _CARD,
        (view, "region"): _BENEFIT_REGION,
        (view, "status"): FieldNote(
            "`not_due`, `due` (for thirty days), `certified`, `overdue` (held), `suspended` (held, after sixty days),"
            " `restored` (certified after a suspension; what was held is paid)."
        ),
        (view, "is_pending"): FieldNote("Whether at the last attempt nobody could say."),
        (view, "cycle_months"): FieldNote("Months from one certification to the next."),
        (view, "due_on"): FieldNote("Last day on which it can be shown in time.", "date"),
        (view, "last_certified_on"): FieldNote("When it was shown last; null if never.", "date"),
        (view, "registered_at"): instant_note("When its agency has registered it, in business time."),
    }


IDENTITY_NAMES: Final[dict[str, FieldNote]] = {}
"""By field, for every struct."""

IDENTITY_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    ("VerificationRequest", "id_number"): _ID_NUMBER,
    ("VerificationRequest", "name"): FieldNote("Name, exactly as in the register."),
    ("VerificationRequest", "card_no"): FieldNote("Number of the physical card in use."),
    ("VerificationRequest", "phone"): FieldNote("Telephone number, as the bank has it."),
    ("VerificationRequest", "bank_account"): FieldNote("The card's bank account; a fourth factor."),
    ("VerificationRequest", "request_no"): FieldNote("The caller's own number of the request."),
    ("VerificationRequest", "purpose"): _PURPOSE,
    ("VerificationView", "id"): id_note("The verification.", IdKind.VERIFICATION),
    ("VerificationView", "result"): FieldNote("`match` if every factor is the same person's, else `mismatch`."),
    ("VerificationView", "factors"): FieldNote("How many factors were given."),
    ("VerificationView", "request_no"): FieldNote("The caller's own number of the request."),
    ("VerificationView", "purpose"): _PURPOSE,
    ("AdmissionRequest", "card_no"): FieldNote("Number of the physical card that a terminal has read."),
    ("AdmissionRequest", "scenario"): FieldNote(f"Where: {', '.join(SCENES)}. Others take codes for money only."),
    ("AdmissionRequest", "terminal_id"): FieldNote("The gate or counter; of a merchant, one that it has registered."),
    ("AdmissionRequest", "purpose"): _PURPOSE,
    ("AdmissionRequest", "face"): _FACE,
    ("AdmissionView", "id"): id_note("The admission.", IdKind.ADMISSION),
    ("AdmissionView", "status"): FieldNote("`admitted`; whoever is refused gets a problem document."),
    ("AdmissionView", "scenario"): FieldNote("Where."),
    ("AdmissionView", "terminal_id"): FieldNote("The gate or counter."),
    ("AdmissionView", "purpose"): _PURPOSE,
    ("AdmissionView", "person"): FieldNote("Who was let in, masked."),
    ("AdmissionView", "entitlement"): FieldNote("What to pay at the gate by age and home: `full`, `half` or `free`."),
    ("AdmissionView", "has_face"): FieldNote("Whether the face was compared, and fits."),
    ("AdmittedPerson", "name"): FieldNote("Name, masked."),
    ("AdmittedPerson", "id_number"): FieldNote("ID number, masked."),
    ("AdmittedPerson", "region"): FieldNote("Region that has issued the card, GB/T 2260.", None, "^[0-9]{6}$"),
    ("BeneficiaryRequest", "card_id"): _CARD,
    ("BeneficiaryRequest", "region"): _BENEFIT_REGION,
    ("BeneficiaryRequest", "cycle_months"): FieldNote("Months from one certification to the next; 6 for survivors."),
    ("BeneficiaryRequest", "last_certified_on"): FieldNote("When it was shown last, as the agency knows.", "date"),
    ("BeneficiaryRequest", "due_on"): FieldNote(
        "Last day on which to show it in time; by default a cycle after the last time, or after today.", "date"
    ),
    ("CertificationRequest", "card_id"): _CARD,
    ("CertificationRequest", "benefit_code"): FieldNote("Only this benefit; by default every one of the card."),
    ("CertificationRequest", "method"): FieldNote("How it is shown: `self`, `relative` or `offline`."),
    ("CertificationRequest", "face"): _FACE,
    ("CertificationRequest", "password_block"): FieldNote(
        "The card's password, sealed for the engine (RFC 7516) with `card_id` and `/certify` as `order_no`."
    ),
    ("CertificationRequest", "passkey"): FieldNote(
        "What the person's passkey, or the relative's, answers for the act `certify` bound to `card_id`."
    ),
    ("CertificationRequest", "relative_card_id"): id_note("The relative's card.", IdKind.CARD),
    ("CertificationRequest", "certified_on"): _CERTIFIED_ON,
    ("CertificationRequest", "evidence"): _EVIDENCE,
    ("MatchesRequest", "certification_ids"): FieldNote("Ids of benefits, as in their list."),
    ("MatchesRequest", "certified_on"): FieldNote("The business date as of which it is known.", "date"),
    ("MatchesRequest", "evidence"): _EVIDENCE,
    ("MatchesView", "certified"): FieldNote("How many were certified."),
    ("MatchesView", "unknown"): FieldNote("Those that are not there, or not in the operator's region."),
    **_benefit_notes("BeneficiaryView"),
    **_benefit_notes("BeneficiaryDetails"),
    ("BeneficiaryDetails", "history"): FieldNote("Every time that it was shown, newest first; the last fifty."),
    ("CertificationView", "method"): _METHOD,
    ("CertificationView", "result"): _RESULT,
    ("CertificationView", "certified_on"): FieldNote("The business date on which it was shown.", "date"),
    ("CertificationView", "certified_by"): FieldNote("Id of the channel, agency or operator that has told it."),
    ("CertificationView", "evidence"): _EVIDENCE,
    ("CertificationView", "at"): instant_note("When it was told, in business time."),
    ("CertifiedView", "method"): _METHOD,
    ("CertifiedView", "result"): _RESULT,
    ("CertifiedView", "certified_on"): FieldNote("The business date on which it was shown.", "date"),
    ("CertifiedView", "items"): FieldNote("The benefits that it was about, as they stand now."),
}
