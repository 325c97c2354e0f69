"""What goes over the wire about bills: requests, answers, and one from the other."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.core.bills import status_of
from engine.core.ids import id_text
from engine.core.money import CURRENCY
from engine.flows.bills import BillNow
from engine.web.wire import Amount, BillNo, Text

BilledItem = Literal["premium", "exam_fee", "training_fee"]
BillStatusName = Literal["billed", "paid", "remitted", "refunded", "expired", "withdrawn"]
CardIdText = Annotated[str, Meta(min_length=1, max_length=31)]
Instant = Annotated[datetime, Meta(tz=True)]


class BillRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a premium or a fee, of one cardholder or of anybody. Units: fen."""

    bill_no: BillNo
    item: BilledItem
    amount: Amount
    deadline: Instant
    card_id: CardIdText | None = None
    description: Text | None = None


class BillView(msgspec.Struct, frozen=True, kw_only=True):
    """A bill. Units: fen."""

    id: str
    bill_no: str
    agency_id: str
    item: str
    card_id: str | None
    amount: int
    currency: Literal["CNY"]
    deadline: datetime
    description: str | None
    status: BillStatusName
    payment_id: str | None
    created_at: datetime


class BillList(msgspec.Struct, frozen=True, kw_only=True):
    """Bills, newest first."""

    items: tuple[BillView, ...]
    next_cursor: str | None


def bill_view(seen: BillNow) -> BillView:
    """A bill as the wire shows it."""
    record, bill = seen.record, seen.record.bill
    status = status_of(bill.state, deadline=bill.deadline, is_settled=record.is_settled, now=seen.now)
    return BillView(
        id=id_text(record.id),
        bill_no=bill.bill_no,
        agency_id=id_text(bill.agency),
        item=record.item.name.lower(),
        card_id=id_text(bill.card) if bill.card is not None else None,
        amount=bill.amount,
        currency=CURRENCY,
        deadline=bill.deadline,
        description=record.description,
        status=status.value,
        payment_id=id_text(bill.payment) if bill.payment is not None else None,
        created_at=record.created_at,
    )
