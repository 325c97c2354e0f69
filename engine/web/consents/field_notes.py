"""Fields on the wire of consents of persons and grants of departments and channels."""

from typing import Final

from engine.core.ids import IdKind
from engine.web.field_note import FieldNote, id_note, instant_note

_REGION: Final = FieldNote("Whose persons it is about, with all below it, GB/T 2260; 000000: all.", None, "^[0-9]{6}$")
_PURPOSE: Final = FieldNote("What for: a word of up to 64 characters that names no person, such as `job_application`.")
_HOLDER: Final = FieldNote("A department (`agc_`) or a channel (`chan_`).")
_UNTIL: Final = FieldNote("The last day on which it holds.", "date")
_STATUS: Final = FieldNote("`expired` once its last day is over.")
_DEPARTMENT: Final = id_note("For whom it is looked at; null: for the person alone.", IdKind.AGENCY)

CONSENTS_NAMES: Final[dict[str, FieldNote]] = {}
"""By field, for every struct."""

CONSENTS_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    ("ConsentRequest", "password_block"): FieldNote(
        "The card's password, sealed for the engine (RFC 7516). Its `order_no` is `/consent` behind the SHA-256, in"
        " hex, of six lines"
        " joined by line feeds: `card_id`, the channel's id, `department_id` or nothing, the scopes in order of the"
        " alphabet with commas between them, `purpose`, `valid_until`."
    ),
    ("ConsentRequest", "passkey"): FieldNote(
        "What a passkey of the card has signed for the act `consent`, bound to the same digest, in place of the"
        " password."
    ),
    ("ConsentRequest", "card_id"): id_note("Whose data it is about.", IdKind.CARD),
    ("ConsentRequest", "scopes"): FieldNote("What may be looked at, each once. Each becomes a consent."),
    ("ConsentRequest", "purpose"): _PURPOSE,
    ("ConsentRequest", "department_id"): _DEPARTMENT,
    ("ConsentRequest", "valid_until"): FieldNote("The last day, a year from now at most.", "date"),
    ("ConsentView", "id"): id_note("The consent.", IdKind.CONSENT),
    ("ConsentView", "card_id"): id_note("Whose data it is about.", IdKind.CARD),
    ("ConsentView", "channel_id"): FieldNote("Who may look: a channel (`chan_`), or the client of a login (`cli_`)."),
    ("ConsentView", "department_id"): _DEPARTMENT,
    ("ConsentView", "scope"): FieldNote("What may be looked at."),
    ("ConsentView", "purpose"): _PURPOSE,
    ("ConsentView", "valid_from"): FieldNote("The first day on which it holds.", "date"),
    ("ConsentView", "valid_until"): _UNTIL,
    ("ConsentView", "version"): FieldNote("Counts how often this was agreed to; each ends the one before."),
    ("ConsentView", "status"): _STATUS,
    ("ConsentView", "evidence_kind"): FieldNote("What shows that the person has agreed."),
    ("ConsentView", "evidence_digest"): FieldNote("SHA-256 of it, in hexadecimal.", None, "^[0-9a-f]{64}$"),
    ("ConsentView", "given_at"): instant_note("When it was agreed to, in business time."),
    ("ConsentView", "revoked_at"): instant_note("When it was withdrawn or agreed to anew; null if it was not."),
    ("GrantRequest", "holder"): _HOLDER,
    ("GrantRequest", "scopes"): FieldNote("What may be looked at, each once. Each becomes a grant."),
    ("GrantRequest", "purpose"): _PURPOSE,
    ("GrantRequest", "region"): _REGION,
    ("GrantRequest", "valid_from"): FieldNote("The first day on which it holds.", "date"),
    ("GrantRequest", "valid_until"): _UNTIL,
    ("GrantRequest", "reason"): FieldNote("Why; stays on record."),
    ("GrantView", "id"): id_note("The grant.", IdKind.GRANT),
    ("GrantView", "holder"): _HOLDER,
    ("GrantView", "scope"): FieldNote("What may be looked at."),
    ("GrantView", "purpose"): _PURPOSE,
    ("GrantView", "region"): _REGION,
    ("GrantView", "valid_from"): FieldNote("The first day on which it holds.", "date"),
    ("GrantView", "valid_until"): _UNTIL,
    ("GrantView", "version"): FieldNote("Counts how often the same was granted."),
    ("GrantView", "status"): _STATUS,
    ("GrantView", "granted_at"): instant_note("When it was approved, in business time."),
    ("GrantView", "revoked_at"): instant_note("When it was revoked, in business time; null if it was not."),
    ("GrantView", "revoked_reason"): FieldNote("Why it was revoked; null if it was not."),
}
"""By struct and field, where the name alone means another thing."""
