"""A payment: its record, its states and the table of moves between them."""

import enum
from datetime import date, datetime
from typing import Final

import msgspec

from engine.core.accounts import AccountId, bank_payable, owner_of
from engine.core.calendar import CycleNumber
from engine.core.ids import BankId, CardId, MerchantId, PaymentId, RefundId


class State(enum.IntEnum):
    """Where a payment is in its life. The name in lower case is the wire's `status`."""

    AUTHORIZED = 1
    CAPTURED = 2
    PARTIALLY_REFUNDED = 3
    REFUNDED = 4
    VOIDED = 5
    EXPIRED = 6
    DECLINED = 7


class Move(enum.Enum):
    """What can happen to a payment."""

    CAPTURE_PART = "capture_part"  # some is captured, the rest stays on hold
    CAPTURE_FINAL = "capture_final"  # some or all is captured, the rest is released
    VOID = "void"
    LAPSE = "lapse"
    RELEASE_REST = "release_rest"  # void or lapse after a part was captured
    REFUND_PART = "refund_part"
    REFUND_REST = "refund_rest"


TRANSITIONS: Final = {
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


class TenderKind(enum.IntEnum):
    """What a part of a payment is paid from. The name in lower case is the wire's `kind`."""

    POOL_FUND = 1
    PERSONAL_ACCOUNT = 2
    BANK_CARD = 3


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
        if self.state is not State.AUTHORIZED:
            return 0
        return self.amount - self.captured_amount


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
