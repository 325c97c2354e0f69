"""Fields on the wire of the audit trail, and the keys of personal data."""

from typing import Final

from engine.core.ids import IdKind
from engine.web.field_note import FieldNote, id_note, instant_note

AUDIT_NAMES: Final[dict[str, FieldNote]] = {}
"""By field, for every struct."""

AUDIT_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    ("AuditEntryView", "at"): instant_note("When it was looked at, in business time."),
    ("AuditEntryView", "caller"): FieldNote("Who has looked, by id."),
    ("AuditEntryView", "channel"): id_note("Channel that it went through; null if none.", IdKind.CHANNEL),
    ("AuditEntryView", "card"): id_note("Card that was looked at; null if none.", IdKind.CARD),
    ("AuditEntryView", "payment"): id_note("Payment that was looked at; null if none.", IdKind.PAYMENT),
    ("AuditEntryView", "region"): FieldNote(
        "Region of whom it is about, or else of who has looked, GB/T 2260.", None, "^[0-9]{6}$"
    ),
    ("AuditEntryView", "action"): FieldNote("What was done, such as `card.read`."),
    ("AuditEntryView", "purpose"): FieldNote("What it was wanted for; null if it did not have to be said."),
    ("AuditEntryView", "object"): FieldNote("What of it, by ids and names of things; null if all that the action has."),
    ("AuditEntryView", "result"): FieldNote("`allowed`, or the code of the refusal."),
    ("AuditEntryView", "trace_id"): FieldNote("Of the request that has looked (W3C Trace Context)."),
    ("AuditEntryView", "chain"): FieldNote("Which of the chains of hashes it is a link of."),
    ("AuditEntryView", "n"): FieldNote("Its place in that chain, from 1."),
    ("AuditEntryView", "hash"): FieldNote(
        "Hash of this entry and the one before it in the chain, in hexadecimal.", None, "^[0-9a-f]{64}$"
    ),
    ("PersonalDataView", "card"): id_note("The card.", IdKind.CARD),
    ("PersonalDataView", "name"): FieldNote("The person's name as on the document; `erased` if nobody can read it."),
    ("PersonalDataView", "id_number"): FieldNote("The person's ID number; `erased` if nobody can read it."),
    ("PersonalDataView", "phone"): FieldNote("The telephone number that the bank has; null if it has none."),
    ("PersonalDataView", "card_no"): FieldNote("The number on the physical card in use; null if it is not kept."),
    ("PersonalDataView", "bank_account"): FieldNote("Bank account of the card; null if it is not activated."),
}
"""By struct and field, where the name alone means another thing."""
