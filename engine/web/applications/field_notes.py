"""Fields on the wire of applications to offices and banks."""

from typing import Final

from engine.core.ids import IdKind
from engine.web.field_note import BANK_PATTERN, FieldNote, id_note, instant_note

_KIND: Final = FieldNote("Family of applications; `finance` is a bank's affair, all others an agency's.")
_ITEM: Final = FieldNote("What is applied for; `/v1/applications/items` lists everything.")
_REGION: Final = FieldNote("Where it is handled, GB/T 2260.")
_OFFICE_REGION: Final = FieldNote("Region of GB/T 2260 with everything below it; a nearer office goes first.")
_FORM: Final = FieldNote(
    "What is filled in; the item's form says what has to be. Amounts are whole fen, `materials` lists the SHA-256 of"
    " attachments in hexadecimal."
)
_STATUS: Final = FieldNote("Where it stands.")
_CARD: Final = id_note("The applicant's card.", IdKind.CARD)
_WHOSE: Final[dict[str, FieldNote]] = {
    "id": id_note("The application.", IdKind.APPLICATION),
    "kind": _KIND,
    "item": _ITEM,
    "status": _STATUS,
    "card_id": _CARD,
    "region": _REGION,
    "channel_id": id_note("The channel that has made it.", IdKind.CHANNEL),
    "office_id": FieldNote("The agency or the bank that handles it."),
    "created_at": instant_note("When it was drafted, in business time."),
    "changed_at": instant_note("When it was changed last, in business time."),
    "submitted_at": instant_note("When it was first handed in, in business time; null while it is a draft."),
}

APPLICATIONS_NAMES: Final[dict[str, FieldNote]] = {}
"""By field, for every struct."""

APPLICATIONS_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    ("ApplicationRequest", "card_id"): _CARD,
    ("ApplicationRequest", "item"): _ITEM,
    ("ApplicationRequest", "form"): _FORM,
    ("ApplicationRequest", "region"): FieldNote("Where it is to be handled, GB/T 2260; the card's own if not given."),
    ("ApplicationRequest", "bank"): FieldNote(
        "CNAPS number of the bank that is to handle it: required of `finance`, and only there.", None, BANK_PATTERN
    ),
    ("ApplicationFormRequest", "form"): _FORM,
    **{
        (struct, field): FieldNote(text)
        for struct, act in (("SubmissionRequest", "submit"), ("ApplicationWithdrawalRequest", "withdraw"))
        for field, text in (
            (
                "password_block",
                f"The card's password, sealed for the engine (RFC 7516) with the id and `/{act}` as `order_no`.",
            ),
            (
                "passkey",
                f"What a passkey has signed for the act `{act}`, bound to the id, in place of the password.",
            ),
        )
    },
    ("ApplicationWithdrawalRequest", "note"): FieldNote("Why, if the person says so."),
    ("OfficeNoteRequest", "note"): FieldNote(
        "What the applicant is told; required where more is asked for, and of a rejection."
    ),
    ("OfficeRequest", "kind"): _KIND,
    ("OfficeRequest", "region"): _OFFICE_REGION,
    ("OfficeRequest", "office_id"): FieldNote("An agency, registered for the region or above it; of `finance` a bank."),
    **{(struct, field): note for struct in ("ApplicationView", "ApplicationDetails") for field, note in _WHOSE.items()},
    ("ApplicationDetails", "applicant"): FieldNote("Who applies, masked."),
    ("ApplicationDetails", "form"): FieldNote("What is filled in; null for operators."),
    ("ApplicationDetails", "attachments"): FieldNote("Its files, oldest first."),
    ("ApplicationDetails", "steps"): FieldNote("Its course, oldest first."),
    ("ApplicantView", "name"): FieldNote("The first character and a mask."),
    ("ApplicantView", "id_number"): FieldNote("The ends of the ID number and a mask."),
    ("ApplicationStepView", "status"): FieldNote("Where the step has led to."),
    ("ApplicationStepView", "by"): FieldNote("Who has done it: a channel, an agency or a bank."),
    ("ApplicationStepView", "note"): FieldNote("What was said with it; null if nothing, and for operators."),
    ("ApplicationStepView", "act_kind"): FieldNote("How the person has shown that it is wanted; null if need not be."),
    ("AttachmentView", "media_type"): FieldNote("What the file is, by its first bytes."),
    ("AttachmentView", "kept_at"): instant_note("When all of it had come, in business time."),
    ("ApplicationItemView", "item"): FieldNote("Its code."),
    ("ApplicationItemView", "kind"): _KIND,
    ("ApplicationItemView", "form_url"): FieldNote("Path of its form, a JSON Schema."),
    ("OfficeView", "kind"): _KIND,
    ("OfficeView", "region"): _OFFICE_REGION,
    ("OfficeView", "office_id"): FieldNote("The agency or the bank."),
    ("OfficeView", "opened_at"): instant_note("Since when, in business time."),
}
"""By struct and field, where the name alone means another thing."""
