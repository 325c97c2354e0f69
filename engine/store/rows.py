"""Rows and our types, both ways. A row is a tuple in the order of its table's columns."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec

from engine.core.accounts import AccountId
from engine.core.answers import Remembered
from engine.core.bills import Bill, BillState
from engine.core.books import CodeUse, Control, Device, Hold, Merchant, Order, OrderKey, RideKey
from engine.core.calendar import CycleNumber
from engine.core.ids import AgencyId, BankId, CardId, MerchantId, PaymentId, RefundId
from engine.core.pay_orders import PayOrder
from engine.core.payer import CardStatus, IssueLevel, LimitClass, Payer, TenderOrder
from engine.core.payments import Details, Mode, Payment, Refund, State, Tender
from engine.core.postings import Totals
from engine.core.visits import Settlement, VisitKey

Row = tuple[Any, ...]

_encode: Final = msgspec.msgpack.Encoder().encode
_tenders: Final = msgspec.msgpack.Decoder(tuple[Tender, ...]).decode
_details: Final = msgspec.msgpack.Decoder(Details).decode
_remembered: Final = msgspec.msgpack.Decoder(Remembered).decode

_STATUS: Final = {int(member): member for member in CardStatus}
_LEVEL: Final = {int(member): member for member in IssueLevel}
_ORDER: Final = {int(member): member for member in TenderOrder}
_STATE: Final = {int(member): member for member in State}
_LIMIT: Final = {int(member): member for member in LimitClass}
_MODE: Final = {int(member): member for member in Mode}


def payer_row(payer: Payer) -> Row:
    """`payer`, column by column."""
    return (
        payer.id,
        payer.status,
        payer.issue_level,
        payer.bank,
        payer.bank_allowance,
        payer.tender_order,
        payer.debits_pending,
        payer.debits_posted,
        payer.credits_pending,
        payer.credits_posted,
        payer.limit_day,
        payer.spent,
        payer.spent_unconfirmed,
        payer.spent_offline,
        payer.limit_a_day,
        payer.limit_unconfirmed,
        payer.limit_offline,
        payer.no_password_up_to,
        payer.password_version,
        payer.password_tries,
        payer.insured_region,
        payer.insurance,
        payer.person_type,
        payer.benefit_year,
        payer.deductible_used,
        payer.fund_paid,
        payer.family,
        payer.blocked_scenarios,
    )


def changed_payer_row(payer: Payer) -> Row:
    """`changed_payer`: what a batch can change of a payer."""
    return (
        payer.id,
        payer.status,
        payer.debits_pending,
        payer.debits_posted,
        payer.credits_pending,
        payer.credits_posted,
        payer.limit_day,
        payer.spent,
        payer.spent_unconfirmed,
        payer.spent_offline,
        payer.tender_order,
        payer.no_password_up_to,
        payer.password_version,
        payer.password_tries,
        payer.benefit_year,
        payer.deductible_used,
        payer.fund_paid,
        payer.blocked_scenarios,
        payer.issue_level,
        payer.family,
    )


def payer_of(row: asyncpg.Record) -> Payer:
    """The payer of a `payer` row."""
    return Payer(
        id=CardId(row[0]),
        status=_STATUS[row[1]],
        issue_level=_LEVEL[row[2]],
        bank=BankId(row[3]),
        bank_allowance=row[4],
        tender_order=_ORDER[row[5]],
        debits_pending=row[6],
        debits_posted=row[7],
        credits_pending=row[8],
        credits_posted=row[9],
        limit_day=row[10],
        spent=row[11],
        spent_unconfirmed=row[12],
        spent_offline=row[13],
        limit_a_day=row[14],
        limit_unconfirmed=row[15],
        limit_offline=row[16],
        no_password_up_to=row[17],
        password_version=row[18],
        password_tries=row[19],
        insured_region=row[20],
        insurance=row[21],
        person_type=row[22],
        benefit_year=row[23],
        deductible_used=row[24],
        fund_paid=row[25],
        family=row[26],
        blocked_scenarios=row[27],
    )


def payment_row(payment: Payment) -> Row:
    """`payment`, column by column."""
    return (
        *_payment_head(payment),
        payment.business_date,
        payment.cycle,
        payment.limit_day,
        payment.created_at,
        payment.expires_at,
        payment.captured_at,
        payment.bill_no,
        payment.sequence,
        payment.limit,
        _details_bytes(payment),
        payment.family,
    )


def new_payment_row(payment: Payment) -> Row:
    """`new_payment`: a payment that is stored by the batch that made it, whose date and instant are its own."""
    return (
        *_payment_head(payment),
        payment.cycle,
        payment.expires_at,
        payment.bill_no,
        payment.limit,
        _details_bytes(payment),
        payment.family,
        payment.sequence,
    )


def _details_bytes(payment: Payment) -> bytes | None:
    return _encode(payment.details) if payment.details is not None else None


def _payment_head(payment: Payment) -> Row:
    """The columns that `payment` and `new_payment` begin with."""
    return (
        payment.id,
        payment.region,
        payment.merchant,
        payment.payer,
        payment.order_no,
        payment.amount,
        payment.scenario,
        payment.mode,
        payment.terminal_id,
        payment.description,
        payment.state,
        payment.refusal,
        payment.captured_amount,
        payment.refunded_amount,
        _encode(payment.tenders),
    )


def payment_of(row: asyncpg.Record) -> Payment:
    """The payment of a `payment` row."""
    return Payment(
        id=PaymentId(row[0]),
        region=row[1],
        merchant=MerchantId(row[2]),
        payer=CardId(row[3]),
        order_no=row[4],
        amount=row[5],
        scenario=row[6],
        mode=_MODE[row[7]],
        terminal_id=row[8],
        description=row[9],
        state=_STATE[row[10]],
        refusal=row[11],
        tenders=_tenders(row[14]),
        business_date=row[15],
        cycle=CycleNumber(row[16]) if row[16] is not None else None,
        limit_day=row[17],
        created_at=row[18],
        expires_at=row[19],
        captured_at=row[20],
        bill_no=row[21],
        sequence=row[22],
        limit=_LIMIT[row[23]],
        details=_details(row[24]) if row[24] is not None else None,
        family=row[25],
    )


def bill_of(row: asyncpg.Record) -> Bill:
    """The bill of a row of `read_bills`."""
    return Bill(
        bill_no=row["bill_no"],
        agency=AgencyId(row["agency"]),
        card=CardId(row["card"]) if row["card"] is not None else None,
        amount=row["amount"],
        deadline=row["deadline"],
        state=BillState(row["state"]),
        payment=PaymentId(row["payment"]) if row["payment"] is not None else None,
    )


def bill_rows(bills: Iterable[tuple[Bill, BillState]]) -> list[Row]:
    """`changed_bill` rows in key order: bills as they are to be, each with the state in which it was read."""
    return sorted((bill.bill_no, bill.state, bill.payment, before) for bill, before in bills)


def refund_row(refund: Refund) -> Row:
    """`refund`, column by column."""
    return (
        refund.payment,
        refund.refund_no,
        refund.id,
        refund.amount,
        _encode(refund.tenders),
        refund.reason,
        refund.business_date,
        refund.cycle,
        refund.created_at,
    )


def refund_of(row: asyncpg.Record) -> Refund:
    """The refund of a `refund` row."""
    return Refund(
        payment=PaymentId(row[0]),
        refund_no=row[1],
        id=RefundId(row[2]),
        amount=row[3],
        tenders=_tenders(row[4]),
        reason=row[5],
        business_date=row[6],
        cycle=CycleNumber(row[7]),
        created_at=row[8],
    )


def balance_rows(changes: dict[AccountId, Totals]) -> list[Row]:
    """`added_balance` rows that add *changes*, by account."""
    return [
        (account, totals.debits_pending, totals.debits_posted, totals.credits_pending, totals.credits_posted)
        for account, totals in sorted(changes.items())
    ]


def order_rows(orders: dict[OrderKey, Order]) -> list[Row]:
    """`order_ref` rows in key order: unsorted unique inserts deadlock."""
    return sorted((merchant, order_no, order.payment) for (merchant, order_no), order in orders.items())


def hold_rows(holds: Iterable[Hold]) -> list[Hold]:
    """`hold` rows in key order."""
    return sorted(holds)


def code_rows(codes: Sequence[CodeUse]) -> list[CodeUse]:
    """`code_use` rows in key order."""
    return sorted(codes)


def control_of(row: asyncpg.Record) -> Control:
    """The control row, from the first six columns."""
    return Control(
        business_date=row[0],
        cycle=CycleNumber(row[1]),
        cutoff_at=row[2],
        published_cycle=CycleNumber(row[3]),
        settled_cycle=CycleNumber(row[4]),
        rules_version=row[5],
    )


def merchants_of(rows: Iterable[asyncpg.Record]) -> dict[MerchantId, Merchant]:
    """Merchants by id, from `merchant_state`."""
    return {
        MerchantId(row[0]): Merchant(
            id=MerchantId(row[0]), region=row[1], is_suspended=row[2], scenarios=tuple(row[3]), level=row[4]
        )
        for row in rows
    }


def devices_of(rows: Iterable[asyncpg.Record]) -> dict[int, Device]:
    """Devices by number, from `device`."""
    return {row[0]: Device(CardId(row[1]), row[3]) for row in rows}


def ride_rows(rides: Iterable[RideKey]) -> list[Row]:
    """`unpaid_ride` rows in key order."""
    return sorted((card, scenario, *order) for card, scenario, order in rides)


def pay_orders_of(rows: Iterable[asyncpg.Record]) -> dict[OrderKey, PayOrder]:
    """Orders that were shown, from `read_orders`."""
    return {
        (MerchantId(row["merchant"]), row["order_no"]): PayOrder(
            id=row["id"], amount=row["amount"], expires_at=row["expires_at"]
        )
        for row in rows
    }


def unpaid_rides_of(rows: Iterable[asyncpg.Record]) -> dict[tuple[CardId, int], set[OrderKey]]:
    """Rides that are due, from `read_rides`, by card and scenario."""
    due: dict[tuple[CardId, int], set[OrderKey]] = {}
    for row in rows:
        due.setdefault((CardId(row["card"]), row["scenario"]), set()).add(
            (MerchantId(row["merchant"]), row["order_no"])
        )
    return due


def visit_rows(settlements: Iterable[Settlement]) -> list[Row]:
    """`visit_settlement` rows in key order."""
    return sorted((*visit, number, payment) for visit, number, payment in settlements)


def visits_of(rows: Iterable[asyncpg.Record]) -> dict[VisitKey, list[Settlement]]:
    """What is settled of each visit, from `read_visits`, the oldest first."""
    live: dict[VisitKey, list[Settlement]] = {}
    for row in rows:
        visit = (CardId(row["payer"]), MerchantId(row["merchant"]), row["visit_no"])
        live.setdefault(visit, []).append(Settlement(visit, row["number"], PaymentId(row["payment"])))
    return live


def remembered_of(body: bytes) -> Remembered:
    """What an event's body remembers."""
    return _remembered(body)


def instant(clock: datetime, offset_us: int) -> datetime:
    """Business time: the database's clock and what the sandbox adds."""
    return clock + timedelta(microseconds=offset_us)
