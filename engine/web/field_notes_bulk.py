"""What the fields of gates' keys and tickets mean."""

from typing import Final

from engine.core.ids import IdKind
from engine.web.field_note import FieldNote, id_note, instant_note

BULK_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    ("TicketLine", "line"): FieldNote("Which line of the upload this is about, counted from 1."),
    ("TicketLine", "final"): FieldNote(
        "`true`: the ticket's number is taken, and the answer stays. `false`: the line may be brought in again."
    ),
    ("TicketLine", "terminal_id"): FieldNote("The ticket's terminal; absent if the line is no ticket."),
    ("TicketLine", "sequence"): FieldNote("The ticket's number; absent if the line is no ticket."),
    ("TicketLine", "ticket_id"): FieldNote(
        "SHA-256 of what the ticket's signature covers; absent if the line is no ticket.", None, "^[0-9a-f]{64}$"
    ),
    ("TicketLine", "status"): FieldNote("The payment's status; absent if the ride is not paid."),
    ("TicketLine", "code"): FieldNote("Why the ride is not paid: the slug of a refusal; absent if it is."),
    ("TicketLine", "payment_id"): id_note(
        "The payment, or the declined attempt; absent if none was stored.", IdKind.PAYMENT
    ),
    ("TicketLine", "errors"): FieldNote("The fields of the ticket that are to blame; absent if there are none."),
    ("TerminalKeyRequest", "public_key"): FieldNote(
        "The terminal's public Ed25519 key: PEM (SubjectPublicKeyInfo), or a JWK (RFC 7517)."
    ),
    ("GateView", "terminal_id"): FieldNote("The terminal."),
    ("GateView", "last_sequence"): FieldNote("The number up to which its tickets have come in; 0 if none has."),
    ("GateView", "keys"): FieldNote("Every key that it has or had, the oldest first."),
    ("TerminalKeyView", "valid_from"): instant_note("From when on it counts, in business time."),
    ("TerminalKeyView", "retired_at"): instant_note("Until when it counts, in business time; null if it is in use."),
}
