"""What the fields of the register of cards mean."""

from typing import Final

from engine.core.ids import IdKind
from engine.web.field_note import BANK_PATTERN, FieldNote, id_note, instant_note

_REGION: Final = FieldNote("The region that has issued the card, GB/T 2260.", None, "^[0-9]{6}$")
_GIVEN: Final[dict[str, FieldNote]] = {
    "id_number": FieldNote("ID number: eighteen characters, or the fifteen digits of old ones (GB 11643)."),
    "name": FieldNote("The person's name as on the document."),
    "card_no": FieldNote("The number on the physical card."),
}
_PHYSICAL: Final[dict[str, FieldNote]] = {
    "issued_on": FieldNote("When the physical card was issued.", "date"),
    "valid_until": FieldNote("The last day on which the physical card is good.", "date"),
}
_SUMMARY: Final[dict[str, FieldNote]] = {
    "id": id_note("The card.", IdKind.CARD),
    "name": FieldNote("The person's name, masked."),
    "id_number": FieldNote("The person's ID number, masked."),
    "phone": FieldNote("The telephone number that the bank has, masked; null if it has none."),
    "card_no": FieldNote("The number on the physical card in use, masked; null if it is not kept."),
    "region": _REGION,
    "bank": FieldNote("CNAPS number of the bank that has issued it.", None, BANK_PATTERN),
    "bank_account": FieldNote("The bank account, masked; null if it is not activated."),
    "status": FieldNote("The one state of the physical and the electronic card."),
    "issue_level": FieldNote("1: can be queried; 2: can pay."),
    "has_password": FieldNote("Whether the card has a password."),
    "issued_on": FieldNote("When the physical card in use was issued; null if there is none.", "date"),
    "valid_until": FieldNote("The last day on which it is good; null if there is none.", "date"),
    "opened_at": instant_note("When it came into the register, in business time."),
}

CARD_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    **{
        (view, field): note
        for view in ("CardRequest", "CardSearchRequest", "SignRequest", "RelativeRequest")
        for field, note in _GIVEN.items()
    },
    **{(view, field): note for view in ("CardRequest", "ReplacementRequest") for field, note in _PHYSICAL.items()},
    **{(view, field): note for view in ("CardSummary", "CardDetails") for field, note in _SUMMARY.items()},
    ("CardRequest", "phone"): FieldNote("Telephone number that the bank has: eleven digits."),
    ("CardRequest", "region"): _REGION,
    ("CardRequest", "bank"): FieldNote("CNAPS number of the bank that has issued it.", None, BANK_PATTERN),
    ("CardRequest", "bank_account"): FieldNote("The bank account; leave it out while it is not activated."),
    ("CardRequest", "insurance"): FieldNote("310 for employees, 390 for residents; leave it out if there is none."),
    ("CardRequest", "person_type"): FieldNote("Kind of person of the insurance, such as 11 working and 12 retired."),
    ("PaymentEnablingRequest", "bank"): FieldNote("CNAPS number of the account's bank.", None, BANK_PATTERN),
    ("PaymentEnablingRequest", "bank_account"): FieldNote("The card's bank account."),
    ("PaymentEnablingRequest", "phone"): FieldNote("The telephone number that the bank has."),
    ("EndingRequest", "password_block"): FieldNote("The card's password, sealed for the engine (RFC 7516)."),
    ("EndingRequest", "reason"): FieldNote("Why; of operators, and stays on record."),
    ("ReplacementRequest", "card_no"): FieldNote("The number on the new physical card."),
    ("ReplacementRequest", "reason"): FieldNote("Why; stays on record."),
    ("RelativeRequest", "relation"): FieldNote("What the relative is to the cardholder."),
    ("RelativeRequest", "proof"): FieldNote(
        "What shows it: a kind of document and the SHA-256 of its image, as in `household_register:5f70…`."
    ),
    ("RelativeRequest", "expires_on"): FieldNote("The last day of the link.", "date"),
    ("CardDetails", "signs"): FieldNote("What channels have issued of it; a channel sees its own."),
    ("CardDetails", "history"): FieldNote("What happened to it, newest first, at most fifty lines."),
    ("CardChangeView", "at"): instant_note("When it happened, in business time."),
    ("CardChangeView", "status"): FieldNote("The state from then on."),
    ("CardChangeView", "issue_level"): FieldNote("The issue level from then on."),
    ("SignView", "sign_no"): id_note("What the channel has issued.", IdKind.SIGN),
    ("SignView", "card_id"): id_note("The card.", IdKind.CARD),
    ("SignView", "channel_id"): id_note("The channel.", IdKind.CHANNEL),
    ("SignView", "sign_level"): FieldNote("1: can be queried; 2: this channel has let it pay."),
    ("SignView", "status"): FieldNote("The state of the card."),
    ("SignView", "linked_at"): instant_note("When it was issued, in business time."),
    ("SignView", "valid_until"): instant_note("When it ends by itself, in business time."),
    ("SignView", "unlinked_at"): instant_note("When it was ended, in business time; null if it was not."),
    ("NewDeviceView", "device_no"): FieldNote("The phone's number, which is in its codes."),
    ("NewDeviceView", "key_id"): FieldNote("Names the engine's key that the phone's own follows from."),
    ("NewDeviceView", "totp_key"): FieldNote("The phone's key, Base64. It is kept nowhere."),
    ("NewDeviceView", "registered_at"): instant_note("When it was registered, in business time."),
    ("DeviceView", "device_no"): FieldNote("The phone's number, which is in its codes."),
    ("DeviceView", "status"): FieldNote("Whether its codes pay."),
    ("DeviceView", "registered_at"): instant_note("When it was registered; null if it came with the sandbox."),
    ("DeviceView", "revoked_at"): instant_note("When it was revoked; null if it was not."),
    ("DeviceList", "items"): FieldNote("All of them, in order of their numbers."),
    ("RelativeView", "id"): id_note("The link.", IdKind.RELATIVE),
    ("RelativeView", "card_id"): id_note("The card whose personal account helps.", IdKind.CARD),
    ("RelativeView", "relative_card_id"): id_note("The relative's card.", IdKind.CARD),
    ("RelativeView", "name"): FieldNote("The relative's name, masked."),
    ("RelativeView", "relation"): FieldNote("What the relative is to the cardholder."),
    ("RelativeView", "proof"): FieldNote("What shows it: a kind of document and the SHA-256 of its image."),
    ("RelativeView", "linked_at"): instant_note("When it was linked, in business time."),
    ("RelativeView", "expires_on"): FieldNote("The last day of the link.", "date"),
    ("RelativeView", "ended_at"): instant_note("When it ended, in business time; null if it has not."),
    ("RelativeList", "items"): FieldNote("All of them, newest first."),
    ("CardImportView", "sha256"): FieldNote("SHA-256 of the file, in hexadecimal.", None, "^[0-9a-f]{64}$"),
    ("CardImportView", "lines"): FieldNote("How many cards the file names."),
    ("CardImportView", "fresh"): FieldNote("How many have come into the register."),
    ("CardImportView", "unchanged"): FieldNote("How many were in it already, as the file says."),
    ("CardImportView", "faulty"): FieldNote("How many lines are wrong."),
    ("CardImportView", "faults"): FieldNote("What is wrong, the first hundred faults in order of lines."),
    ("CardLineFault", "line"): FieldNote("Line of the file; the first names the columns."),
    ("CardLineFault", "field"): FieldNote("The column; `record` if it is the line."),
    ("CardLineFault", "reason"): FieldNote("What is wrong; the value is not repeated."),
}
