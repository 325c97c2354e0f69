"""A payment: its record, its states and the table of moves between them."""

import enum
from datetime import date, datetime
from typing import Final

import msgspec

from engine.core.accounts import AccountId, bank_payable, owner_of
from engine.core.calendar import CycleNumber
from engine.core.ids import BankId, CallerId, CardId, MerchantId, PaymentId, RefundId
from engine.core.payer import LimitClass


class State(enum.IntEnum):
    """Where a payment is in its life. The name in lower case is the wire's `status`."""

    AUTHORIZED = 1
    CAPTURED = 2
    PARTIALLY_REFUNDED = 3
    REFUNDED = 4
    VOIDED = 5
    EXPIRED = 6
    DECLINED = 7
    AWAITING_USER = 8  # held until the cardholder confirms it, or a person has reviewed it


HELD: Final = frozenset({State.AUTHORIZED, State.AWAITING_USER})
"""The states in which a payment has something on hold, and a time at which that ends."""


class Move(enum.Enum):
    """What can happen to a payment."""

    CAPTURE_PART = "capture_part"  # some is captured, the rest stays on hold
    CAPTURE_FINAL = "capture_final"  # some or all is captured, the rest is released
    VOID = "void"
    LAPSE = "lapse"
    RELEASE_REST = "release_rest"  # void or lapse after a part was captured
    CONFIRM = "confirm"  # the cardholder agrees to a hold; to a payment at once agrees its final capture
    RAISE = "raise"  # more is put on hold
    REFUND_PART = "refund_part"
    REFUND_REST = "refund_rest"


TRANSITIONS: Final = {
    (State.AWAITING_USER, Move.CONFIRM): State.AUTHORIZED,
    (State.AWAITING_USER, Move.CAPTURE_FINAL): State.CAPTURED,
    (State.AWAITING_USER, Move.VOID): State.VOIDED,
    (State.AWAITING_USER, Move.LAPSE): State.VOIDED,
    (State.AUTHORIZED, Move.RAISE): State.AUTHORIZED,
    (State.AUTHORIZED, Move.CAPTURE_PART): State.AUTHORIZED,
    (State.AUTHORIZED, Move.CAPTURE_FINAL): State.CAPTURED,
    (State.AUTHORIZED, Move.VOID): State.VOIDED,
    (State.AUTHORIZED, Move.LAPSE): State.EXPIRED,
    (State.AUTHORIZED, Move.RELEASE_REST): State.CAPTURED,
    (State.CAPTURED, Move.REFUND_PART): State.PARTIALLY_REFUNDED,
    (State.CAPTURED, Move.REFUND_REST): State.REFUNDED,
    (State.PARTIALLY_REFUNDED, Move.REFUND_PART): State.PARTIALLY_REFUNDED,
    (State.PARTIALLY_REFUNDED, Move.REFUND_REST): State.REFUNDED,
}
"""A pair that is not listed is not allowed. The diagram in engine/README.md is compared with this by a test."""

TERMINAL: Final = frozenset(State) - {state for state, _ in TRANSITIONS}


class Mode(enum.IntEnum):
    """How a payment was presented. The name in lower case is the wire's `mode`."""

    SHOW_CODE = 1
    SCAN_ORDER = 2  # the cardholder's app scanned the merchant's code
    CASHIER = 3  # the order's page in a browser
    CARD_READ = 4  # the physical card at a terminal


class TenderKind(enum.IntEnum):
    """What a part of a payment is paid from. The name in lower case is the wire's `kind`."""

    POOL_FUND = 1
    PERSONAL_ACCOUNT = 2
    BANK_CARD = 3
    FAMILY_ACCOUNT = 4  # the personal account of a relative


class Tender(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One part of a payment. Units: fen."""

    kind: TenderKind
    source: AccountId  # debited when the tender pays
    amount: int  # authorized
    captured: int
    refunded: int
    fund_pay_type: int = 0  # of a pooled fund

    @property
    def refund_account(self) -> AccountId:
        """Credited when the tender is given back: banks have a second account for that, the others do not."""
        if self.kind is TenderKind.BANK_CARD:
            return bank_payable(BankId(owner_of(self.source)))
        return self.source


class Claim(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the insurance made of a payment's medical bill. Stored, so fields are only ever added at the end.

    Units: fen. `total` = `own_pay` + `over_limit` + `pre_self` + `in_scope`.
    """

    plan: str
    year: int  # whose deductible and cap it used
    total: int
    own_pay: int
    over_limit: int
    pre_self: int
    in_scope: int
    deductible: int
    pool: int  # what counts against the year's cap
    visit_no: str | None = None


class Awaiting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What becomes of a payment once it is confirmed."""

    capture: bool
    hold_s: int
    is_review: bool  # confirmed by an operator in place of the cardholder


class Details(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What most payments do not have. Stored, so fields are only ever added at the end."""

    claim: Claim | None = None
    awaiting: Awaiting | None = None  # stays after the confirmation
    quote: bytes | None = None  # the pre-settlement that it pays
    pay_order: bytes | None = None  # the order that it pays
    channel: CallerId | None = None  # the app in which it was confirmed
    raised: int = 0  # fen put on hold after the authorization
    ticket: str | None = None  # of the ride that a gate took for it
    ride_no: str | None = None  # the order of the ride that it pays, which was due


class Payment(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A payment as it stands. Stored in every answer, so fields are only ever added at the end.

    Units: fen. `business_date` is that of the authorization until the first capture fixes it, with `cycle`.
    """

    id: PaymentId
    region: int  # where the merchant is
    merchant: MerchantId
    payer: CardId
    order_no: str
    amount: int
    scenario: int
    mode: Mode
    terminal_id: str
    description: str | None
    state: State
    refusal: str | None
    tenders: tuple[Tender, ...]
    business_date: date
    cycle: CycleNumber | None
    limit_day: date
    created_at: datetime
    expires_at: datetime | None
    captured_at: datetime | None
    bill_no: str | None = None  # what it pays, for the account of the agency that has billed it
    sequence: int = 1  # grows with each event about it
    limit: LimitClass = LimitClass.UNCONFIRMED  # what its bank card part counts against, for the limit's day
    details: Details | None = None
    family: CardId | None = None  # the relative whose personal account helps; fixed when it is made

    @property
    def captured_amount(self) -> int:
        """Fen captured so far."""
        total = 0
        for tender in self.tenders:
            total += tender.captured
        return total

    @property
    def refunded_amount(self) -> int:
        """Fen given back so far."""
        total = 0
        for tender in self.tenders:
            total += tender.refunded
        return total

    @property
    def held_amount(self) -> int:
        """Fen still on hold."""
        if self.state not in HELD:
            return 0
        return self.amount - self.captured_amount

    @property
    def claim(self) -> Claim | None:
        """What the insurance made of its bill, if it pays one."""
        return self.details.claim if self.details is not None else None

    @property
    def ride(self) -> tuple[MerchantId, str]:
        """The order of the ride that it pays, if it pays one that was due."""
        ride_no = self.details.ride_no if self.details is not None else None
        return (self.merchant, ride_no if ride_no is not None else self.order_no)

    @property
    def awaiting(self) -> Awaiting | None:
        """What becomes, or became, of it once it is confirmed."""
        return self.details.awaiting if self.details is not None else None


class Refund(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One refund of one payment. Units: fen."""

    id: RefundId
    payment: PaymentId
    refund_no: str
    amount: int
    tenders: tuple[Tender, ...]  # `amount` and `refunded` are this refund's share
    reason: str | None
    business_date: date
    cycle: CycleNumber
    created_at: datetime
