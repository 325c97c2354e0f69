"""What each field on the wire means, beyond its type: units, formats and who decides it. The contract shows these."""

from typing import Final

from engine.core.ids import IdKind
from engine.core.money import AMOUNT_FEN_MAX
from engine.web.field_note import BANK_PATTERN, CYCLE_PATTERN, FILE_NAME_PATTERN, FieldNote, id_pattern
from engine.web.field_note import id_note as _id_note
from engine.web.field_note import instant_note as _instant
from engine.web.field_notes_bulk import BULK_NOTES
from engine.web.field_notes_cards import CARD_NOTES
from engine.web.field_notes_clearing import CLEARING_NOTES
from engine.web.field_notes_paying import PAYING_NAMES, PAYING_NOTES
from engine.web.field_notes_platform import PLATFORM_NAMES, PLATFORM_NOTES
from engine.web.field_notes_risk import RISK_NOTES
from engine.web.field_notes_webhooks import WEBHOOK_NOTES

__all__ = ["BANK_PATTERN", "CYCLE_PATTERN", "FILE_NAME_PATTERN", "NOTES", "SPECIAL_NOTES", "FieldNote", "id_pattern"]

_AMOUNT: Final = FieldNote(f"Fen (one hundredth of a yuan), a whole number up to {AMOUNT_FEN_MAX}.")
_BUSINESS_DATE: Final = FieldNote("Business date of Asia/Shanghai; it ends at 23:00.", "date")
_CYCLE: Final = FieldNote("Clearing cycle: business date and number within it.", None, CYCLE_PATTERN)
_SHA256: Final = "^[0-9a-f]{64}$"

NOTES: Final[dict[str, FieldNote]] = {
    **PAYING_NAMES,
    **PLATFORM_NAMES,
    "account": FieldNote(
        "Token of the account at the bank, as clearing files have it; null if neither side tells one."
    ),
    "acknowledged_at": _instant("When the bank first acknowledged it, in business time; null if it has not."),
    "added_at": _instant("When the key was given; null if it came with the sandbox."),
    "advance_s": FieldNote("Seconds by which business time moves forward."),
    "age_days": FieldNote("Business days since it was first seen, until it was settled."),
    "agency_id": _id_note("The agency.", IdKind.AGENCY),
    "alarms": FieldNote("What a person has to look at, and had to; a bank sees its own."),
    "alg": FieldNote("Signature algorithm (RFC 9421, section 6.2.2)."),
    "amount": _AMOUNT,
    "amount_diff": FieldNote("Both have it, with different amounts."),
    "answered_at": _instant("When the settlement bank answered, in business time."),
    "approval_id": _id_note("The approval that it waits for, or has got; null if none was asked for.", IdKind.APPROVAL),
    "approved_at": _instant("When it was let go, in business time; null if it was not."),
    "at": _instant("When the state was reached, in business time."),
    "attempt": FieldNote("1, and one more for each instruction after one that failed."),
    "bank": FieldNote("CNAPS number of the bank that keeps the account.", None, BANK_PATTERN),
    "bank_ref": FieldNote("The bank's own reference."),
    "batch_no": FieldNote("The agency's own number of the batch, or one made of its content."),
    "benefit_code": FieldNote("The agency's name of the benefit."),
    "bill_no": FieldNote("The agency's number of the bill: good once, for ever, whoever's it is."),
    "booked_on": FieldNote("When the bank has booked it.", "date"),
    "business_date": _BUSINESS_DATE,
    "cap": FieldNote("Fen that the bank may owe over everything that is not settled; null for no limit."),
    "capture": FieldNote("`true` takes the money at once; `false` holds it until captured, voided or expired."),
    "capture_rule": FieldNote(
        "`at_once`: nothing is held; `may_hold`: an amount may be reserved first; `deferred`: that, and gates without a"
        " network let people in."
    ),
    "captured_amount": FieldNote("Fen taken so far."),
    "card_id": _id_note("The card; of a bill, null if anybody may pay it.", IdKind.CARD),
    "cashier_text": FieldNote("Words for the cashier's screen."),
    "cashier_url": FieldNote("The page on which whoever has this link can pay the order."),
    "cause": FieldNote("Why it probably came about: stable, for programs."),
    "cause_text": FieldNote("The cause, for a person."),
    "changed_at": _instant("When it was changed last, in business time; null if never."),
    "class": FieldNote("What kind of difference it is."),
    "clearing_status": FieldNote("How far the banks' side is."),
    "closed_at": _instant("When the cycle was closed, in business time; null while it is open."),
    "code": FieldNote("The refusal's slug: stable, and what programs should look at."),
    "count": FieldNote("Number of detail records in the file."),
    "counts": FieldNote("How much there is of each class; `matched` is what agrees in everything."),
    "created_at": _instant("When it was decided, in business time."),
    "credit": FieldNote("Fen credited by all records."),
    "credits": FieldNote("Fen that the bank receives."),
    "crv": FieldNote("Curve: `Ed25519` or `P-256`."),
    "currency": FieldNote("ISO 4217 code; all amounts are in its hundredth part, the fen."),
    "cutoff_at": _instant("When the open cycle is due to be closed; null for a closed one."),
    "cycle": _CYCLE,
    "cycles": FieldNote("Cycle by cycle, those without lines left out."),
    "d": FieldNote("Of a private key: refused, and not secret any more once it was sent."),
    "date_diff": FieldNote("Both have it, on different dates or in different statements."),
    "deadline": _instant("From this instant on it is too late, in business time."),
    "debit": FieldNote("Fen debited by all records."),
    "debits": FieldNote("Fen that the bank pays."),
    "decided_at": _instant("When it was decided, in business time; null while it waits."),
    "decided_by": _id_note("Who has decided; null while it waits.", IdKind.OPERATOR),
    "declined_code": FieldNote("Why the attempt was declined, as a problem's `code`; null if it was not."),
    "default_handling": FieldNote("What is done about it unless a person knows better."),
    "delivery": FieldNote(
        "Places in the day of the cycles at whose end the bank gets its files; empty for every cycle."
    ),
    "description": FieldNote("The merchant's own words; no control characters."),
    "detail": FieldNote("What to do about it, in the language of `Accept-Language`."),
    "direction": FieldNote("`debit`: the bank takes from an account that it keeps; `credit`: it gives to one."),
    "direction_diff": FieldNote("One side debits what the other credits."),
    "duplicate": FieldNote("The bank has it once more."),
    "effect": FieldNote("Whether the bank has booked more (`long`) or less (`short`), `both` or `none`."),
    "en": FieldNote("In English."),
    "ended_at": _instant("When its reason was gone, in business time; null while it is on."),
    "errors": FieldNote("The fields that are to blame."),
    "events": FieldNote("Everything that happened to it, oldest first; where a single one is shown."),
    "expires_at": _instant("When the hold ends, in business time; null without a hold."),
    "expires_in_s": FieldNote("Seconds for which it can be paid."),
    "file": FieldNote(
        "Name of the clearing file; null if it is of no file that was compared.", None, FILE_NAME_PATTERN
    ),
    "file_id": FieldNote("The bank's own id of the file, good once."),
    "files": FieldNote("The published files, by bank and name; a bank sees its own."),
    "final": FieldNote("`true` releases what is not captured; `false` keeps it on hold for a later capture."),
    "first_cycle": FieldNote("First of the clearing cycles that the file covers.", None, CYCLE_PATTERN),
    "first_seen_at": _instant("When it was first found, in business time."),
    "form": FieldNote("How the file is written: `flat`, lines of text, or `xml`, a message of ISO 20022."),
    "from": FieldNote("Journal place (`lane.seq.n`) of the first item; empty if the file has none."),
    "fund_pay_type": FieldNote("Code of the insurance fund that pays this part; only with `pool_fund`."),
    "gross": FieldNote("Fen captured for the merchant."),
    "funds": FieldNote("What it takes from which fund: what is approved."),
    "handling": FieldNote("What two persons have done about it; null if nothing."),
    "held": FieldNote("Lines whose payees are late with showing that the benefit is due."),
    "hold_s": FieldNote("Seconds that a hold lasts; the scenario's own default if not given."),
    "ids": FieldNote("What it is about, by names of ours and of the banks; which there are depends on `kind`."),
    "instance": FieldNote("Path of the request."),
    "instructed_at": _instant("When the settlement bank was told, in business time."),
    "is_final": FieldNote("`true` once nothing can be added to the date any more."),
    "issue_level": FieldNote("1: can be queried; 2: can pay."),
    "item": FieldNote("What an agency collects or pays."),
    "item_id": FieldNote("Journal place (`lane.seq.n`) of the item as it was presented first; null for a file."),
    "items": FieldNote("At most `limit` of them, newest first."),
    "key": FieldNote("Base64 of the secret. Keep it: it is never shown again."),
    "key_id": FieldNote("`kid` of the engine's key at `/v1/keys`."),
    "keyid": FieldNote("Name of the key, the `keyid` of signatures; never given twice."),
    "kid": FieldNote("Not used: the engine names keys itself."),
    "kind": FieldNote("Which account or instrument this part is paid from."),
    "kty": FieldNote("Kind of key: `OKP` or `EC`."),
    "leg": FieldNote("`BANK`, or the fund pay type, as in the clearing file; null if only the bank has it."),
    "line": FieldNote("Line of the file."),
    "line_no": FieldNote("The agency's own reference of the line."),
    "lines": FieldNote("How many lines are where; those included that were issued again."),
    "liquidity": FieldNote("How much of its cap each bank has used; only with the open cycle."),
    "long": FieldNote("The bank has it, we do not (长款)."),
    "matched": FieldNote("Items that agree in id, amount, direction and date."),
    "merchant_id": _id_note("The merchant.", IdKind.MERCHANT),
    "mode": FieldNote("How the code was presented."),
    "move": FieldNote("What was done."),
    "n": FieldNote("Its number within the reconciliation."),
    "name": FieldNote("Name of the file.", None, FILE_NAME_PATTERN),
    "name_en": FieldNote("Name in English."),
    "name_zh": FieldNote("Name in Chinese."),
    "net": FieldNote("Fen: credits less debits; negative if the bank pays."),
    "netted_at": _instant("When the net positions were worked out, in business time."),
    "next_cursor": FieldNote("Give it as `cursor` to get the next page; null on the last one."),
    "next_cutoff": _instant("When the open cycle is due to be closed; the last one of a day ends its business date."),
    "no_password_up_to": FieldNote(
        "Fen that one payment may take without the cardholder's password; 0 if it always has to be entered."
    ),
    "note": FieldNote("What the operator who decided had to say; null if nothing."),
    "now": _instant("Business time."),
    "occurred_at": _instant("When it was decided, in business time."),
    "operator_id": _id_note("Who did it; null if the engine did.", IdKind.OPERATOR),
    "order_no": FieldNote("The merchant's order number: claimed for ever by a payment that is not declined."),
    "ours": FieldNote("What the bank's clearing files say; null if they say nothing."),
    "outcome": FieldNote("What had to be done so that the order is not paid."),
    "overlap_s": FieldNote("Seconds for which the other keys go on working."),
    "owner": FieldNote("Who sees to it; null if nobody does."),
    "paid": FieldNote("Lines whose cycle is settled."),
    "password_block": FieldNote("The password that the cardholder has entered, sealed for the engine (RFC 7516)."),
    "pay_code": FieldNote("What the scanner read: the 24 digits, or the Base64 text of the QR code."),
    "payload": FieldNote("What is to be done, in full; it never changes."),
    "payload_sha256": FieldNote("SHA-256 of the payload's canonical JSON, in hexadecimal.", None, _SHA256),
    "payment": FieldNote("The payment as it is now; absent if the order had none."),
    "payment_count": FieldNote(
        "Number of captures; one of several tenders counts once in each of them, and once in all."
    ),
    "payment_id": _id_note("The payment; in a problem, the declined attempt that was stored.", IdKind.PAYMENT),
    "pending": FieldNote("Lines that are to be sent."),
    "period": FieldNote("The month that the benefit is for.", None, "^[0-9]{6}$"),
    "pointer": FieldNote("JSON pointer (RFC 6901) of the field, parameter or header."),
    "positions": FieldNote("Net positions as published; a bank sees its own. They sum to zero."),
    "public_key": FieldNote("PEM (SubjectPublicKeyInfo), or a JWK (RFC 7517); absent where the engine makes a secret."),
    "published_at": _instant("When the file was published; it never changes afterwards."),
    "pulled_at": _instant("When the bank first pulled it to its end, in business time; null if it has not."),
    "qr_svg": FieldNote("Address of the code as a picture."),
    "qr_text": FieldNote("What to show as a QR code: EMV merchant-presented, with a CRC."),
    "quantity": FieldNote("How many pieces."),
    "raised_at": _instant("When the alarm was raised, in business time."),
    "range": FieldNote("Which journal entries the file was made from."),
    "reason": FieldNote("Why."),
    "reasons": FieldNote("The lines that are not taken, and why; for `RJCT` why the file is not."),
    "received_at": _instant("When the statement was accepted, in business time."),
    "reconciled_at": _instant("When the comparison was done, in business time; null while it is pending."),
    "reconciliation_id": _id_note("The reconciliation.", IdKind.RECONCILIATION),
    "refund_count": FieldNote("Number of refunds, counted in the same way."),
    "refund_id": FieldNote("The refund; null for a payment."),
    "refund_no": FieldNote("The merchant's refund number, unique within the payment."),
    "refund_window_days": FieldNote("For so many days from the capture it can be given back."),
    "refunded_amount": FieldNote("Fen given back so far."),
    "refunds": FieldNote("Fen that the merchant has given back."),
    "region": FieldNote("Region of the merchant, GB/T 2260.", None, "^[0-9]{6}$"),
    "registered_at": _instant("When it was brought in, in business time; null if it came with the sandbox."),
    "reissued": FieldNote("Lines that came back, and in whose place there is another."),
    "replaced_by": FieldNote("Name of the file that corrects this one; null if none does.", None, FILE_NAME_PATTERN),
    "replaces": FieldNote("Name of the file that this one corrects; null if none.", None, FILE_NAME_PATTERN),
    "requested_at": _instant("When it was asked for, in business time."),
    "requested_by": _id_note("Who has asked for it, and cannot approve it.", IdKind.OPERATOR),
    "resolution": FieldNote("The approval by which it was settled; null if none."),
    "result": FieldNote("What came of it; null while nothing has."),
    "retires_at": _instant("When it ends, because another has taken its place; null if it does not."),
    "retryable": FieldNote("True if the same request with the same key may succeed."),
    "return_url": FieldNote("Where the order's page leads back to; `https`."),
    "returned": FieldNote("Lines that their banks have given back."),
    "revoked_at": _instant("When it was taken away; null if it was not."),
    "role": FieldNote("What an operator is there for: `operations` ask and decide, `review` decide, `audit` read."),
    "root": FieldNote("Root of the cycle's seal over the journal, SHA-256 in hexadecimal.", None, _SHA256),
    "scenario": FieldNote("What the payment is for."),
    "scenarios": FieldNote("What a merchant may be paid for."),
    "secret": FieldNote("The secret that was just made: in this answer and its replays only."),
    "sent": FieldNote("Lines that are with their banks, and not settled."),
    "settled_at": _instant("When settlement became final, in business time."),
    "settlement_bank": FieldNote("`true` for the one bank at which net positions are settled."),
    "settlement_date": FieldNote(
        "The first working day after the business date, or the day of an instruction.", "date"
    ),
    "settlement_positions": FieldNote("What the latest instruction moves: the positions without what has dropped out."),
    "settlements": FieldNote("The instructions to the settlement bank, oldest first."),
    "sha256": FieldNote("SHA-256 of the file, in hexadecimal.", None, _SHA256),
    "short": FieldNote("We have it, the bank does not (短款)."),
    "signature": FieldNote("Base64 of the Ed25519 signature over the 32 bytes of the file's SHA-256."),
    "size": FieldNote("Bytes."),
    "status": FieldNote("The state now."),
    "status_diff": FieldNote("One side has undone it, or never did it, and the other has it."),
    "switched_at": _instant("When that was decided, in business time; null if never."),
    "switched_by": _id_note(
        "Who switched it off, or asked for it to be on; null if nobody, and for merchants.", IdKind.OPERATOR
    ),
    "switched_in": FieldNote(
        "The region where that was decided: this one or one above it; null if nobody has decided anything.",
        None,
        "^[0-9]{6}$",
    ),
    "subject": FieldNote("What it is about: an id, or the name of a thing without one."),
    "suggested": FieldNote("What may be its other side, for a person to look at; never matched by itself."),
    "superseded_by": _id_note("The later statement of the same files; null if this one stands.", IdKind.RECONCILIATION),
    "suspended_reason": FieldNote("Why it is suspended; null if it is not."),
    "tenders": FieldNote(
        "The parts: they sum to `amount` until captured, to `captured_amount` then. None if declined."
    ),
    "terminal_id": FieldNote("A terminal that the merchant has registered."),
    "terminal_ids": FieldNote("Names of tills, as payments give them in `terminal_id`."),
    "terminals": FieldNote("Names of tills that a merchant begins with."),
    "text": FieldNote("What happened, for a person, in the language of `Accept-Language`."),
    "theirs": FieldNote("What the bank's statement says; null if it says nothing."),
    "tied_to": FieldNote("The difference of another statement that is its other side; null if there is none."),
    "title": FieldNote("What went wrong, in the language of `Accept-Language`."),
    "to": FieldNote("Journal place of the last item."),
    "token": FieldNote("What the order is found by: 128 random bits, base64url.", None, "^[0-9A-Za-z_-]{22}$"),
    "totals": FieldNote("Control totals, in fen."),
    "trace_id": FieldNote("Trace id of the request that was refused first (W3C Trace Context); quote it when asking."),
    "type": FieldNote("`/problems/{code}`, a page that explains it; `about:blank` if HTTP's own words are enough."),
    "unsettled": FieldNote("Differences that are open or in suspense."),
    "use": FieldNote("Not used."),
    "used": FieldNote("Fen that the bank owes over everything that is not settled, the open cycle included."),
    "version": FieldNote("1, and one more for each correction."),
    "x": FieldNote("First coordinate, Base64url without padding (RFC 7518, RFC 8037)."),
    "y": FieldNote("Second coordinate, Base64url without padding; only of `EC`."),
    "zh": FieldNote("In Chinese."),
}
"""By the name of the field."""

_CODE: Final = FieldNote(
    "Unique within its kind: a merchant's H, P or C and eleven digits, a bank's CNAPS number, another's own name."
)
_REGION: Final = FieldNote("Region, GB/T 2260; for an operator all that lies in it. 000000: all.", None, "^[0-9]{6}$")
_POOLING_AREA: Final = FieldNote("Pooling area, GB/T 2260: its last two digits are zero.", None, "^[0-9]{6}$")
_PAY_TYPE: Final = FieldNote("Code of the fund; 310200 are the personal accounts.", None, "^[0-9]{6}$")

SPECIAL_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    **WEBHOOK_NOTES,
    **RISK_NOTES,
    **PAYING_NOTES,
    **BULK_NOTES,
    ("BillView", "id"): _id_note("The bill.", IdKind.BILL),
    ("OrderView", "id"): _id_note("The order, in all its versions.", IdKind.ORDER),
    ("OrderView", "created_at"): _instant("When this version was shown, in business time."),
    ("OrderView", "payment"): FieldNote("The payment that has claimed its number; absent if none has."),
    **{
        (view, field): note
        for view in ("OrderView", "OrderPreview")
        for field, note in (
            ("version", FieldNote("1, and one more each time it was shown with something else in it.")),
            ("expires_at", _instant("From this instant on it cannot be paid, in business time.")),
            (
                "status",
                FieldNote(
                    "`paid` once money is held or taken for it; `cancelled` once nothing is kept for it and nothing can"
                    " be; `expired` if nobody has paid in time; else `open`."
                ),
            ),
        )
    },
    **{
        (view, "items"): FieldNote("Lines to be shown; if there are any, they add up to `amount`.")
        for view in ("OrderRequest", "OrderView", "OrderPreview")
    },
    ("OrderItemView", "name"): FieldNote("What it is."),
    ("OrderItemView", "amount"): FieldNote("Fen, for all pieces."),
    ("OrderPaymentRequest", "amount"): FieldNote("Fen that the app has shown; refused if the order has changed."),
    ("OrderPaymentRequest", "card_id"): _id_note("The card that pays.", IdKind.CARD),
    **{(view, "item"): FieldNote("What is collected.") for view in ("BillView", "BillRequest")},
    **{(view, "description"): FieldNote("The agency's own words.") for view in ("BillView", "BillRequest")},
    ("BillView", "status"): FieldNote("`remitted` once the payment's cycle is settled, and the agency has the money."),
    ("BillView", "payment_id"): _id_note("What pays it, or has paid it and was given back; else null.", IdKind.PAYMENT),
    ("DisbursementView", "id"): _id_note("The batch.", IdKind.DISBURSEMENT),
    ("DisbursementView", "count"): FieldNote("Number of lines as they were sent in."),
    ("DisbursementView", "status"): FieldNote("`completed` once every line is paid, or another one in its place."),
    ("DisbursementFund", "region"): FieldNote("Pooling area, GB/T 2260.", None, "^[0-9]{6}$"),
    **{
        (view, "fund_pay_type"): FieldNote("Code of the fund.", None, "^[0-9]{6}$")
        for view in ("DisbursementFund", "PayoutView")
    },
    ("DisbursementFund", "count"): FieldNote("Number of lines."),
    ("PayoutView", "id"): _id_note("The line.", IdKind.DISBURSEMENT_LINE),
    ("PayoutView", "n"): FieldNote("Its place in the batch."),
    ("PayoutView", "reason"): FieldNote("Why it is held, or was returned (ExternalReturnReason1Code); else null."),
    ("PayoutView", "cycle"): FieldNote("The cycle in which it was sent; null if it was not.", None, CYCLE_PATTERN),
    ("PayoutView", "replaces"): _id_note("The line in whose place it is; else null.", IdKind.DISBURSEMENT_LINE),
    ("PostingRequest", "debit"): FieldNote("The account to debit, such as `suspense:long:bank_…`."),
    ("PostingRequest", "credit"): FieldNote("The account to credit."),
    ("ResolutionRequest", "handling"): FieldNote("What to do; suspending and writing off are posted."),
    ("ParticipantView", "id"): FieldNote("The participant: `mer_`, `bank_`, `agc_` or `opr_` and 26 characters."),
    ("ParticipantView", "code"): _CODE,
    ("ParticipantRequest", "code"): _CODE,
    ("ParticipantView", "kind"): FieldNote("What takes part."),
    ("ParticipantRequest", "kind"): FieldNote("What is to take part."),
    ("RegionScenarioView", "region"): FieldNote("The region, GB/T 2260; 000000: all.", None, "^[0-9]{6}$"),
    ("RegionScenarioView", "status"): FieldNote("Whether it may be paid for there."),
    ("RegionScenarioView", "reason"): FieldNote("Why that was decided; null if nobody did, and for merchants."),
    ("RegionScenarioView", "tenders"): FieldNote("What may pay it."),
    ("ParticipantView", "region"): _REGION,
    ("ParticipantRequest", "region"): _REGION,
    ("ParticipantRequest", "key"): FieldNote("What it will sign with; keys may also be given later."),
    ("ParticipantView", "version"): FieldNote("Counts its changes."),
    ("FundView", "region"): _POOLING_AREA,
    ("FundRequest", "region"): _POOLING_AREA,
    ("FundView", "fund_pay_type"): _PAY_TYPE,
    ("FundRequest", "fund_pay_type"): _PAY_TYPE,
    ("FundView", "bank"): FieldNote("CNAPS number of the bank that holds it.", None, BANK_PATTERN),
    ("FundRequest", "bank"): FieldNote("CNAPS number of the bank that is to hold it.", None, BANK_PATTERN),
    ("ApprovalView", "id"): _id_note("The approval.", IdKind.APPROVAL),
    ("ApprovalView", "kind"): FieldNote("What is asked for."),
    ("ApprovalView", "region"): FieldNote(
        "Where it takes effect, GB/T 2260; its operators decide.", None, "^[0-9]{6}$"
    ),
    ("ApprovalView", "expires_at"): _instant("When it is too late to decide, in business time."),
    ("ApprovalView", "outcome"): FieldNote("What became of it once approved; null if it was not."),
    ("ApprovalEventView", "at"): _instant("When it was done, in business time."),
    ("ApprovalEventView", "note"): FieldNote("What was said about it; null if nothing."),
    ("DecisionRequest", "note"): FieldNote("What there is to say about the decision."),
    ("Jwk", "alg"): FieldNote("Not used: curve and kind say it."),
    ("PaymentView", "id"): _id_note("The payment.", IdKind.PAYMENT),
    ("RefundView", "id"): _id_note("The refund.", IdKind.REFUND),
    ("CardView", "id"): _id_note("The card.", IdKind.CARD),
    ("CaptureRequest", "amount"): FieldNote("Fen to take of what is on hold; all of it if not given."),
    ("ReconciliationView", "id"): _id_note("The reconciliation.", IdKind.RECONCILIATION),
    ("ReconciliationView", "bank"): _id_note("The bank.", IdKind.BANK),
    ("ReconciliationView", "cycle"): FieldNote(
        "The cycle at whose end the files were given; null if it is about the whole day.", None, CYCLE_PATTERN
    ),
    ("StatementReceiptView", "cycle"): FieldNote(
        "The cycle that the statement is about; null if it is about the whole day.", None, CYCLE_PATTERN
    ),
    ("ReconciliationView", "form"): FieldNote("How the statement is written."),
    ("StatementReceiptView", "form"): FieldNote("How the statement is written."),
    ("StatementReceiptView", "count"): FieldNote("Number of lines."),
    ("ReconciliationView", "files"): FieldNote("Names of the clearing files that it is compared with."),
    ("ReconciliationView", "state"): FieldNote(
        "`pending` until it is compared; `different` while something is not settled; `superseded` by a later statement."
    ),
    ("SideTotals", "count"): FieldNote("Number of lines."),
    ("DifferenceView", "payment_id"): FieldNote("The payment, as the bank wrote it if only it has it; null if none."),
    **{
        (view, "net"): FieldNote("Fen: `gross` less `refunds`; negative if more was given back than captured.")
        for view in ("StatementTotalsView", "SourceTurnoverView", "CycleTurnoverView")
    },
    ("TimelineStepView", "kind"): FieldNote("What happened."),
    ("TimelineStepView", "at"): _instant("When it happened, in business time."),
    ("TimelineStepView", "amount"): FieldNote("Fen that moved; null if none did."),
    ("TimelineView", "items"): FieldNote("In order of time."),
    ("MerchantStatementView", "totals"): FieldNote("What the whole date adds up to; null on later pages."),
    ("MerchantStatementView", "items"): FieldNote(
        "At most `limit` of them: payments captured at once in order of their ids, then captures of holds, refunds and"
        " cancellations in order of the journal."
    ),
    ("StatementTotalsView", "tenders"): FieldNote("Tender kind by tender kind, funds by their pay type."),
    ("StatementLineView", "tenders"): FieldNote("The parts; they sum to `amount`."),
    ("StatementLineView", "type"): FieldNote("`payment` for a capture, `refund` for what was given back."),
    ("StatementLineView", "refund_no"): FieldNote(
        "The merchant's refund number; `$cancel` if an order was cancelled, null for a payment."
    ),
    ("CycleTurnoverView", "settlement_date"): FieldNote(
        "The first working day after the business date, on which it is settled; null while the cycle is open.", "date"
    ),
    ("DifferenceView", "order_no"): FieldNote("The merchant's order number; null if only the bank has it."),
    ("DifferenceView", "state"): FieldNote("How far it has come."),
    ("DifferenceView", "settled_at"): _instant("When it was settled, in business time; null if it is not."),
    ("ProblemDocument", "status"): FieldNote("The HTTP status."),
    ("ManifestView", "kind"): FieldNote(
        "`COLLECT`: taken from the bank, for its cardholders and funds; `CREDIT`: given to it, for its merchants and"
        " refunds; `NET`: what moves between it and the settlement bank; `ADVICE`: both of the first two, as entries on"
        " its account."
    ),
    ("ManifestView", "cycle"): FieldNote("Clearing cycle at whose end the bank gets the file.", None, CYCLE_PATTERN),
    ("ManifestView", "status"): FieldNote("What the bank has said of the file; `published` if nothing yet."),
    ("RefundView", "tenders"): FieldNote("Where the money goes back to; the parts sum to `amount`."),
    ("FieldError", "reason"): FieldNote("What is wrong with it."),
    **CLEARING_NOTES,
    **CARD_NOTES,
    **PLATFORM_NOTES,
}
"""By struct and field, where the name alone means another thing."""
