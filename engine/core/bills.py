"""Bills: what an agency asks for, paid once, in full, before its deadline, for the agency's account."""

import enum
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from engine.core.ids import AgencyId, CardId, PaymentId
from engine.core.payments import Payment, State
from engine.core.refusals import Refusal


class BillState(enum.IntEnum):
    """Where a bill stands in the books. Stored."""

    BILLED = 1
    PAID = 2
    REFUNDED = 3  # all of it was given back; it is over, and the agency may send another
    WITHDRAWN = 4


class BillStatus(enum.StrEnum):
    """Where a bill stands as its readers see it: with the time, and with what the banks have done."""

    BILLED = "billed"
    PAID = "paid"
    REMITTED = "remitted"  # the cycle of its payment is settled: the agency has the money
    REFUNDED = "refunded"
    EXPIRED = "expired"  # its deadline has passed, and nobody has paid
    WITHDRAWN = "withdrawn"


class Bill(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a lane must know of a bill. Units: fen."""

    bill_no: str
    agency: AgencyId
    card: CardId | None  # whose holder has to pay; None: anybody may
    amount: int
    deadline: datetime  # from this instant on it is too late
    state: BillState
    payment: PaymentId | None  # that pays it, or has paid it and was given back


class BillRefusal(NamedTuple):
    """Why a bill is not paid, and the field that is to blame."""

    refusal: Refusal
    field: str


def judge_bill(bill: Bill | None, *, amount: int, now: datetime) -> BillRefusal | None:
    """None if *amount* pays the bill now, whoever pays; else the first rule that forbids it.

    A bill that was withdrawn is as unknown as one that never was.
    """
    if bill is None or bill.state is BillState.WITHDRAWN:
        return BillRefusal(Refusal.NOT_FOUND, BILL_FIELD)
    if bill.state is not BillState.BILLED:
        return BillRefusal(Refusal.BILL_ALREADY_PAID, BILL_FIELD)
    if now >= bill.deadline:
        return BillRefusal(Refusal.BILL_EXPIRED, BILL_FIELD)
    if amount != bill.amount:
        return BillRefusal(Refusal.AMOUNT_MISMATCH, "amount")
    return None


def may_pay(bill: Bill, payer: CardId) -> bool:
    """True if the bill is anybody's, or this cardholder's."""
    return bill.card in (None, payer)


def bill_after(bill: Bill, payment: Payment) -> Bill:
    """The bill once the payment that pays it stands as given. A part that is given back leaves it paid.

    It is nobody else's while its payment waits for the cardholder, and to be paid again when that came to nothing.
    """
    if payment.state in (State.VOIDED, State.EXPIRED):
        return msgspec.structs.replace(bill, state=BillState.BILLED, payment=None)
    state = BillState.REFUNDED if payment.state is State.REFUNDED else BillState.PAID
    return msgspec.structs.replace(bill, state=state, payment=payment.id)


def status_of(state: BillState, *, deadline: datetime, is_settled: bool, now: datetime) -> BillStatus:
    """Where a bill stands for its readers. *is_settled*: the cycle of its payment is."""
    match state:
        case BillState.BILLED:
            return BillStatus.EXPIRED if now >= deadline else BillStatus.BILLED
        case BillState.PAID:
            return BillStatus.REMITTED if is_settled else BillStatus.PAID
        case BillState.REFUNDED:
            return BillStatus.REFUNDED
        case BillState.WITHDRAWN:
            return BillStatus.WITHDRAWN


BILL_FIELD: Final = "bill_no"
