"""What the fields of medical bills, confirmations and dry runs mean."""

from typing import Final

from engine.core.ids import IdKind
from engine.web.field_note import FieldNote, id_note, instant_note

PAYING_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    ("BillLineRequest", "item"): FieldNote("Code of the item in the plan's catalogue."),
    ("BillLineRequest", "quantity"): FieldNote("A decimal number with at most four decimals, as text."),
    ("BillLineRequest", "price"): FieldNote("Yuan a unit, a decimal number with at most six decimals, as text."),
    ("BillLineRequest", "amount"): FieldNote(
        "Fen. If it is given it has to be quantity times price, rounded half up to the fen."
    ),
    ("MedicalBillRequest", "lines"): FieldNote("What was done and sold; together they are the payment's `amount`."),
    ("QuoteView", "id"): id_note("The pre-settlement: `quote_id` of the payment that pays it.", IdKind.QUOTE),
    ("QuoteView", "amount"): FieldNote("Fen that the bill comes to."),
    ("QuoteView", "tenders"): FieldNote("What would pay it now; of the bank card, whether or not it has so much."),
    ("QuoteView", "expires_at"): instant_note("From this instant on it cannot be paid, in business time."),
    ("QuoteView", "created_at"): instant_note("When it was made, in business time."),
    ("QuoteRequest", "pay_code"): FieldNote("The cardholder's code; it stays good for the payment."),
    ("SplitView", "plan"): FieldNote("The benefit plan that decided."),
    ("SplitView", "total"): FieldNote("Fen of the whole bill."),
    ("CardPreview", "code"): FieldNote("Slug of the refusal; null if it would be paid."),
    ("CardPreview", "medical"): FieldNote("What the insurance would make of the bill; absent if it pays none."),
    ("CardPreview", "tenders"): FieldNote("The parts; they sum to the order's amount. Empty if it would be refused."),
    ("OrderView", "bill"): FieldNote("The medical bill that it pays; absent if it pays none."),
    ("OrderView", "bill_no"): FieldNote("The agency's bill that it pays; absent if it pays none."),
    ("OrderPreview", "bill_no"): FieldNote("The agency's bill that it pays; absent if it pays none."),
    ("DryRunView", "code"): FieldNote("Slug of the refusal; null if it would be paid."),
    ("DryRunView", "payment"): FieldNote("The payment as it would be; null if none would be stored."),
    ("DryRunView", "cycle"): FieldNote("The cycle that is open."),
    ("PostingView", "debit"): FieldNote("The account that would be debited."),
    ("PostingView", "credit"): FieldNote("The account that would be credited."),
    ("PostingView", "amount"): FieldNote("Fen."),
    ("BalanceView", "account"): FieldNote("The cardholder's source."),
    ("PasswordRequest", "password_block"): FieldNote(
        "The old password, sealed to the engine and bound to the card (`card_id`). Channels leave it out only for a"
        " card that has none; operators need none."
    ),
    ("PaymentView", "medical"): FieldNote("What the insurance made of the bill; absent if it pays none."),
}

PAYING_NAMES: Final[dict[str, FieldNote]] = {
    "available": FieldNote("Fen that would be left."),
    "balances": FieldNote("What would be left of the cardholder's sources that pay; shown for a code only."),
    "bill": FieldNote("A medical bill, of which the insurance pays its part."),
    "by_card": FieldNote("What paying it by the card that was asked about would come to now; absent if none was."),
    "card_no": FieldNote("Number of the physical card that a terminal has read. It comes with a password."),
    "deductible": FieldNote("Fen of the year's deductible that this bill uses."),
    "fund": FieldNote("Fen of this bill that count against the year's cap."),
    "in_scope": FieldNote("Fen that the insurance shares in."),
    "level": FieldNote(
        "Grade of a hospital, 1 to 3, which decides what the funds pay; 0: none. Null if it is no merchant."
    ),
    "must_confirm": FieldNote("Whether the cardholder would have to confirm it with the password."),
    "new_password_block": FieldNote("The new password, sealed to the engine and bound to the card (`card_id`)."),
    "no_password_up_to": FieldNote(
        "Fen that one payment may take without the password; the scenario has such a figure too, and the lower counts."
        " Left out, it stays."
    ),
    "over_limit": FieldNote("Fen above price limits."),
    "own_pay": FieldNote("Fen of what is not insured."),
    "password_block": FieldNote("The password, sealed to the engine: a JWE, `ECDH-ES` with `A256GCM`, compact."),
    "phase": FieldNote("`post`, or `hold` of what is reserved."),
    "postings": FieldNote("What would be posted."),
    "pre_self": FieldNote("Fen that the person pays ahead of items of class B."),
    "quote_id": id_note("The pre-settlement that is paid as it was shown.", IdKind.QUOTE),
    "ride_no": FieldNote("Order number of an unpaid ride that this pays, where that one cannot be used again."),
    "resolve_by": instant_note("When it resolves itself at the latest; absent if it is final."),
    "split": FieldNote("What the insurance makes of the bill."),
    "tender_order": FieldNote("What pays first, of what the insurance does not. Left out, it stays."),
    "visit_no": FieldNote("The hospital's number of the visit or stay."),
    "would_be_refused": FieldNote("Whether the payment would be refused."),
}
