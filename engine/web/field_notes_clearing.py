"""What the fields of cases, cycles, acknowledgements and settlements mean."""

from typing import Final

from engine.core.ids import IdKind
from engine.web.field_note import FieldNote
from engine.web.field_note import id_note as _id_note
from engine.web.field_note import instant_note as _instant

CLEARING_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    ("AlarmView", "kind"): FieldNote(
        "`not_pulled`, `not_acknowledged`: the bank is late; `liquidity`: it has used most of its cap; `cap_exceeded`:"
        " the cycle is not published because of it; `settlement_failed`, `settlement_late`: of the settlement bank."
    ),
    ("CaseView", "id"): FieldNote("The case: its kind, and the file or the item with its direction."),
    ("CaseView", "kind"): FieldNote("Why there is one: a file was rejected, or an item waits for a person."),
    ("CaseView", "bank"): _id_note("The bank.", IdKind.BANK),
    ("CaseView", "file"): FieldNote("The file that was rejected; else null."),
    ("CaseView", "payment_id"): _id_note("The payment that the item is about; else null.", IdKind.PAYMENT),
    ("CaseView", "amount"): FieldNote("Fen, of the item or of the whole file."),
    ("CaseView", "direction"): FieldNote("Of the item, as its bank sees it; null for a file."),
    ("CaseView", "opened_at"): _instant("When it came up, in business time."),
    ("CaseView", "reason"): FieldNote("What the bank has said (ExternalReturnReason1Code)."),
    ("AssignmentRequest", "owner"): _id_note("Who is to see to it; whoever asks, if not given.", IdKind.OPERATOR),
    ("AssignmentView", "owner"): _id_note("Who sees to it.", IdKind.OPERATOR),
    ("AlarmView", "bank"): _id_note("The bank.", IdKind.BANK),
    ("CapRequest", "bank"): _id_note("The bank.", IdKind.BANK),
    ("CycleFileView", "bank"): _id_note("The bank.", IdKind.BANK),
    ("CyclePositionView", "bank"): _id_note("The bank.", IdKind.BANK),
    ("LiquidityView", "bank"): _id_note("The bank.", IdKind.BANK),
    ("CycleView", "state"): FieldNote("How far the cycle is."),
    ("CycleDetailView", "state"): FieldNote("How far the cycle is."),
    ("SettlementRequest", "reference"): FieldNote("The settlement bank's own reference, good for one answer."),
    ("SettlementView", "reference"): FieldNote("The settlement bank's own reference; null until it has answered."),
    ("CycleView", "published_at"): _instant("When its files came out, in business time."),
    ("CycleDetailView", "published_at"): _instant("When its files came out, in business time."),
    ("LiquidityView", "at"): _instant("When it was looked at, in business time."),
    ("AcknowledgementRequest", "status"): FieldNote(
        "`ACTC` takes the file, `PART` all but the lines that are named, `RJCT` none of it."
    ),
    ("AcknowledgementRequest", "count"): FieldNote("Number of detail records that were found."),
    ("AcknowledgementRequest", "total"): FieldNote("What their amounts add up to, in fen."),
    ("AcknowledgementView", "status"): FieldNote("What the bank has said of the file."),
    ("RejectionReason", "line"): FieldNote("Place of the line in the file, from one; 0 is the whole file."),
    ("RejectionReason", "code"): FieldNote("ISO 20022 return reason, such as `AC04`."),
    ("ReturnReceiptView", "form"): FieldNote("How the file of returns is written."),
    ("ReturnReceiptView", "count"): FieldNote("Number of items that are given back."),
    ("ReturnReceiptView", "received_at"): _instant("When the file was accepted, in business time."),
    ("SettlementRequest", "status"): FieldNote("`confirmed` if everything was moved, `failed` if nothing was."),
    ("SettlementView", "status"): FieldNote("`instructed` until the settlement bank has answered."),
}
