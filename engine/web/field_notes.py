"""What each field on the wire means, beyond its type: units, formats and who decides it. The contract shows these."""

from typing import Final, Literal

import msgspec

from engine.core.ids import PREFIXES, IdKind
from engine.core.money import AMOUNT_FEN_MAX


class FieldNote(msgspec.Struct, frozen=True):
    """One field. `pattern` is an ECMA-262 regular expression, as JSON Schema wants it."""

    text: str
    format: Literal["date", "date-time"] | None = None
    pattern: str | None = None


CYCLE_PATTERN: Final = "^[0-9]{8}-[0-9]{2}$"
FILE_NAME_PATTERN: Final = r"^SSC_[0-9]{12}_[0-9]{8}_[0-9]{2}_[A-Z]+_v[1-9][0-9]?\.[a-z]+$"


def id_pattern(kind: IdKind) -> str:
    """The pattern of an id: its prefix and 26 characters of lower-case Crockford base32, 128 bits in all."""
    return f"^{PREFIXES[kind]}[0-7][0-9a-hjkmnp-tv-z]{{25}}$"


def _id_note(text: str, kind: IdKind) -> FieldNote:
    return FieldNote(f"{text} Prefix `{PREFIXES[kind]}` and 26 characters of Crockford base32.", None, id_pattern(kind))


def _instant(text: str) -> FieldNote:
    return FieldNote(f"{text} RFC 3339, UTC.", "date-time")


_AMOUNT: Final = FieldNote(f"Fen (one hundredth of a yuan), a whole number up to {AMOUNT_FEN_MAX}.")
_BUSINESS_DATE: Final = FieldNote("Business date of Asia/Shanghai; it ends at 23:00.", "date")
_CYCLE: Final = FieldNote("Clearing cycle: business date and number within it.", None, CYCLE_PATTERN)
_SHA256: Final = "^[0-9a-f]{64}$"

NOTES: Final[dict[str, FieldNote]] = {
    "advance_s": FieldNote("Seconds by which business time moves forward."),
    "amount": _AMOUNT,
    "at": _instant("When the state was reached, in business time."),
    "business_date": _BUSINESS_DATE,
    "capture": FieldNote("`true` takes the money at once; `false` holds it until captured, voided or expired."),
    "captured_amount": FieldNote("Fen taken so far."),
    "cashier_text": FieldNote("Words for the cashier's screen."),
    "clearing_status": FieldNote("How far the banks' side is."),
    "code": FieldNote("The refusal's slug: stable, and what programs should look at."),
    "count": FieldNote("Number of detail records in the file."),
    "created_at": _instant("When it was decided, in business time."),
    "credit": FieldNote("Fen credited by all records."),
    "credits": FieldNote("Fen that the bank receives."),
    "currency": FieldNote("ISO 4217 code; all amounts are in its hundredth part, the fen."),
    "cycle": _CYCLE,
    "debit": FieldNote("Fen debited by all records."),
    "debits": FieldNote("Fen that the bank pays."),
    "declined_code": FieldNote("Why the attempt was declined, as a problem's `code`; null if it was not."),
    "description": FieldNote("The merchant's own words; no control characters."),
    "detail": FieldNote("What to do about it, in the language of `Accept-Language`."),
    "en": FieldNote("In English."),
    "errors": FieldNote("The fields that are to blame."),
    "expires_at": _instant("When the hold ends, in business time; null without a hold."),
    "final": FieldNote("`true` releases what is not captured; `false` keeps it on hold for a later capture."),
    "form": FieldNote("How the file is written."),
    "from": FieldNote("Journal place (`lane.seq.n`) of the first item; empty if the file has none."),
    "fund_pay_type": FieldNote("Code of the insurance fund that pays this part; only with `pool_fund`."),
    "hold_s": FieldNote("Seconds that a hold lasts; the scenario's own default if not given."),
    "instance": FieldNote("Path of the request."),
    "issue_level": FieldNote("1: can be queried; 2: can pay."),
    "items": FieldNote("At most `limit` of them, newest first."),
    "key_id": FieldNote("`kid` of the engine's key at `/v1/keys`."),
    "kind": FieldNote("Which account or instrument this part is paid from."),
    "merchant_id": _id_note("The merchant.", IdKind.MERCHANT),
    "mode": FieldNote("How the code was presented."),
    "name": FieldNote("Name of the file.", None, FILE_NAME_PATTERN),
    "net": FieldNote("Fen: credits less debits; negative if the bank pays."),
    "next_cursor": FieldNote("Give it as `cursor` to get the next page; null on the last one."),
    "next_cutoff": _instant("When the open business date ends."),
    "now": _instant("Business time."),
    "order_no": FieldNote("The merchant's order number: claimed for ever by a payment that is not declined."),
    "outcome": FieldNote("What had to be done so that the order is not paid."),
    "pay_code": FieldNote("What the scanner read: the 24 digits, or the Base64 text of the QR code."),
    "payment": FieldNote("The payment as it is now; absent if the order had none."),
    "payment_id": _id_note("The payment; in a problem, the declined attempt that was stored.", IdKind.PAYMENT),
    "pointer": FieldNote("JSON pointer (RFC 6901) of the field, parameter or header."),
    "published_at": _instant("When the file was published; it never changes afterwards."),
    "range": FieldNote("Which journal entries the file was made from."),
    "reason": FieldNote("Why."),
    "refund_no": FieldNote("The merchant's refund number, unique within the payment."),
    "refunded_amount": FieldNote("Fen given back so far."),
    "region": FieldNote("Region of the merchant, GB/T 2260.", None, "^[0-9]{6}$"),
    "replaced_by": FieldNote("Name of the file that corrects this one; null if none does.", None, FILE_NAME_PATTERN),
    "replaces": FieldNote("Name of the file that this one corrects; null if none.", None, FILE_NAME_PATTERN),
    "retryable": FieldNote("True if the same request with the same key may succeed."),
    "root": FieldNote("Root of the cycle's seal over the journal, SHA-256 in hexadecimal.", None, _SHA256),
    "scenario": FieldNote("What the payment is for."),
    "sha256": FieldNote("SHA-256 of the file, in hexadecimal.", None, _SHA256),
    "signature": FieldNote("Base64 of the Ed25519 signature over the 32 bytes of the file's SHA-256."),
    "size": FieldNote("Bytes."),
    "status": FieldNote("The state now."),
    "tenders": FieldNote(
        "The parts: they sum to `amount` until captured, to `captured_amount` then. None if declined."
    ),
    "terminal_id": FieldNote("A terminal that the merchant has registered."),
    "title": FieldNote("What went wrong, in the language of `Accept-Language`."),
    "to": FieldNote("Journal place of the last item."),
    "totals": FieldNote("Control totals, in fen."),
    "trace_id": FieldNote("Trace id of the request that was refused first (W3C Trace Context); quote it when asking."),
    "type": FieldNote("`/problems/{code}`, a page that explains it; `about:blank` if HTTP's own words are enough."),
    "version": FieldNote("1, and one more for each correction."),
    "zh": FieldNote("In Chinese."),
}
"""By the name of the field."""

SPECIAL_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    ("PaymentView", "id"): _id_note("The payment.", IdKind.PAYMENT),
    ("RefundView", "id"): _id_note("The refund.", IdKind.REFUND),
    ("CardView", "id"): _id_note("The card.", IdKind.CARD),
    ("CaptureRequest", "amount"): FieldNote("Fen to take of what is on hold; all of it if not given."),
    ("ProblemDocument", "status"): FieldNote("The HTTP status."),
    ("ManifestView", "kind"): FieldNote(
        "`COLLECT`: taken from the bank, for its cardholders and funds; `CREDIT`: given to it, for its merchants and"
        " refunds; `NET`: what moves between it and the settlement bank."
    ),
    ("RefundView", "tenders"): FieldNote("Where the money goes back to; the parts sum to `amount`."),
    ("FieldError", "reason"): FieldNote("What is wrong with it."),
}
"""By struct and field, where the name alone means another thing."""
