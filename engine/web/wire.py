"""What goes over the wire: the requests that are read and the answers that are written. OpenAPI is made from these."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from engine.core.money import AMOUNT_FEN_MAX, AMOUNT_FEN_MIN
from engine.core.payments import Mode, State, TenderKind
from engine.core.scenarios import SCENARIOS
from engine.web.passkeys.credential import PasskeyAssertion
from engine.web.wire_medical import MedicalBillRequest, SplitView

Amount = Annotated[int, Meta(ge=AMOUNT_FEN_MIN, le=AMOUNT_FEN_MAX, description="fen")]
OrderNo = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_-]{1,64}\Z")]
BillNo = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_-]{1,64}\Z")]
TerminalId = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_.:-]{1,32}\Z")]
# Any text but control characters: a NUL cannot be stored, and a line break would end a line of a bank's file.
Text = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]*\Z", max_length=200)]
PayCodeText = Annotated[str, Meta(min_length=1, max_length=1024)]
QuoteIdText = Annotated[str, Meta(pattern=r"^quo_[0-9a-hjkmnp-tv-z]{26}\Z")]
CardNo = Annotated[str, Meta(pattern=r"^[0-9A-Z]{8,20}\Z")]
PasswordBlockText = Annotated[str, Meta(min_length=1, max_length=2048, pattern=r"^[0-9A-Za-z_.-]+\Z")]
HoldSeconds = Annotated[int, Meta(ge=1, le=30 * 86_400)]
ScenarioName = Annotated[str, Meta(pattern=rf"^({'|'.join(scenario.name for scenario in SCENARIOS)})\Z")]


class PaymentRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pay or reserve the amount of one scanned code."""

    pay_code: PayCodeText | None = None
    order_no: OrderNo
    amount: Amount
    scenario: ScenarioName
    terminal_id: TerminalId
    capture: bool = True
    hold_s: HoldSeconds | None = None
    description: Text | None = None
    bill_no: BillNo | None = None
    bill: MedicalBillRequest | None = None
    quote_id: QuoteIdText | None = None
    card_no: CardNo | None = None
    password_block: PasswordBlockText | None = None
    ride_no: OrderNo | None = None


class CaptureRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take what is on hold; all of it when no amount is given. The rest is released when final."""

    amount: Amount | None = None
    final: bool = True
    bill: MedicalBillRequest | None = None


class RaiseRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Put more on hold for a deposit, by another code of the same cardholder."""

    pay_code: PayCodeText
    amount: Amount


class ConfirmationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Agree to a payment that waits for its cardholder."""

    password_block: PasswordBlockText | None = None
    passkey: PasskeyAssertion | None = None


class RefundRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give back some of what was captured."""

    refund_no: OrderNo
    amount: Amount
    reason: Text | None = None


class CancelRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make sure that an order is not paid."""

    order_no: OrderNo


class NothingRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request whose path says it all; its body is empty, or an empty object."""


class ClockRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Move the sandbox's business time forward. Units: seconds."""

    advance_s: Annotated[int, Meta(ge=1, le=366 * 86_400)]


class TenderView(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a payment or refund. Units: fen."""

    kind: Literal["pool_fund", "personal_account", "family_account", "bank_card"]
    fund_pay_type: str | UnsetType = UNSET
    amount: int


class CashierText(msgspec.Struct, frozen=True):
    """What the cashier is shown."""

    zh: str
    en: str


class PaymentView(msgspec.Struct, frozen=True, kw_only=True):
    """A payment. Units: fen."""

    id: str
    status: Literal[
        "awaiting_user",
        "authorized",
        "captured",
        "partially_refunded",
        "refunded",
        "voided",
        "expired",
        "declined",
    ]
    order_no: str
    amount: int
    currency: Literal["CNY"]
    scenario: str
    mode: Literal["show_code", "scan_order", "cashier", "card_read"]
    tenders: tuple[TenderView, ...]
    captured_amount: int
    refunded_amount: int
    merchant_id: str
    terminal_id: str
    region: str
    business_date: date
    cycle: str | None
    next_cutoff: datetime
    clearing_status: Literal["uncleared", "batched", "published", "settled", "returned"]
    expires_at: datetime | None
    created_at: datetime
    cashier_text: CashierText
    description: str | None
    declined_code: str | None
    bill_no: str | UnsetType = UNSET
    resolve_by: datetime | UnsetType = UNSET
    medical: SplitView | UnsetType = UNSET


class RefundView(msgspec.Struct, frozen=True, kw_only=True):
    """A refund. Units: fen."""

    id: str
    payment_id: str
    refund_no: str
    amount: int
    tenders: tuple[TenderView, ...]
    status: Literal["refunded"]
    reason: str | None
    business_date: date
    created_at: datetime


class CancelView(msgspec.Struct, frozen=True, kw_only=True):
    """What cancelling an order did."""

    order_no: str
    outcome: Literal["voided", "refunded", "nothing_to_cancel"]
    payment: PaymentView | UnsetType = UNSET


class CardView(msgspec.Struct, frozen=True, kw_only=True):
    """A card's state."""

    id: str
    status: Literal["active", "lost", "suspended", "cancelled", "expired"]
    issue_level: int
    at: datetime


class ClockView(msgspec.Struct, frozen=True, kw_only=True):
    """The sandbox's business time."""

    now: datetime
    business_date: date


class PaymentList(msgspec.Struct, frozen=True, kw_only=True):
    """Payments, newest first."""

    items: tuple[PaymentView, ...]
    next_cursor: str | None


class RefundList(msgspec.Struct, frozen=True, kw_only=True):
    """Refunds, newest first."""

    items: tuple[RefundView, ...]
    next_cursor: str | None


class FileTotals(msgspec.Struct, frozen=True):
    """Control totals of a file. Units: fen."""

    debit: int
    credit: int


class FileRange(msgspec.Struct, frozen=True):
    """Where in the journal a file's items begin and end."""

    from_: str = msgspec.field(name="from")
    to: str


class ManifestView(msgspec.Struct, frozen=True, kw_only=True):
    """What a bank checks a clearing file against."""

    name: str
    kind: Literal["COLLECT", "CREDIT", "NET", "ADVICE"]
    form: Literal["flat", "xml"]
    version: int
    business_date: date
    cycle: str
    first_cycle: str
    count: int
    totals: FileTotals
    size: int
    sha256: str
    range: FileRange
    root: str
    key_id: str
    signature: str
    replaces: str | None
    replaced_by: str | None
    published_at: datetime
    status: Literal["published", "acknowledged", "part", "rejected"]


class ManifestList(msgspec.Struct, frozen=True, kw_only=True):
    """Manifests, newest first."""

    items: tuple[ManifestView, ...]
    next_cursor: str | None


class PositionView(msgspec.Struct, frozen=True, kw_only=True):
    """What a bank pays and gets in one cycle. Units: fen; `net` is credits less debits."""

    business_date: date
    cycle: str
    debits: int
    credits: int
    net: int


class PositionList(msgspec.Struct, frozen=True, kw_only=True):
    """Net positions, newest first."""

    items: tuple[PositionView, ...]
    next_cursor: str | None


STATUS_NAMES = {state: state.name.lower() for state in State}
MODE_NAMES = {mode: mode.name.lower() for mode in Mode}
TENDER_NAMES = {kind: kind.name.lower() for kind in TenderKind}
