"""Billing: an agency sends a bill, looks at it, and takes it back while nobody has paid it."""

from datetime import datetime

import msgspec

from engine.core.bills import Bill, BillState
from engine.core.ids import AgencyId, CardId, IdKind
from engine.core.participants import AgencyItem, WrongField
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.clock import IdSource
from engine.store.bills import BillRecord, has_card, insert_bill, load_agency, load_bill, withdraw_bill
from engine.store.connection import AnyConnection
from engine.store.participants import load_clocks


class BillWish(msgspec.Struct, frozen=True, kw_only=True):
    """What an agency wants to be paid. Units: fen."""

    bill_no: str
    item: AgencyItem
    card: CardId | None
    amount: int
    deadline: datetime
    description: str | None


class BillNow(msgspec.Struct, frozen=True):
    """A bill, and the business time at which it was looked at."""

    record: BillRecord
    now: datetime


async def send_bill(connection: AnyConnection, agency: bytes, wish: BillWish, ids: IdSource) -> BillNow | NotDone:
    """The bill can be paid from now on."""
    registered = await load_agency(connection, agency)
    if registered is None:
        return NotDone(Refusal.SCOPE_NOT_AUTHORIZED)
    if wish.item is not registered.item:
        return NotDone(Refusal.FIELD_INVALID, (WrongField("item", "not what the agency is registered for"),))
    now = (await load_clocks(connection)).business
    if wish.deadline <= now:
        return NotDone(Refusal.FIELD_INVALID, (WrongField("deadline", "has passed"),))
    if wish.card is not None and not await has_card(connection, wish.card):
        return NotDone(Refusal.FIELD_INVALID, (WrongField("card_id", "no such card"),))
    record = BillRecord(
        id=ids.new(IdKind.BILL, shard=0, region=registered.region),
        bill=Bill(
            bill_no=wish.bill_no,
            agency=registered.id,
            card=wish.card,
            amount=wish.amount,
            deadline=wish.deadline,
            state=BillState.BILLED,
            payment=None,
        ),
        item=wish.item,
        description=wish.description,
        created_at=now,
    )
    if not await insert_bill(connection, record):
        return NotDone(Refusal.BILL_NUMBER_USED, (WrongField("bill_no", "used before"),))
    return BillNow(record, now)


async def take_back_bill(connection: AnyConnection, agency: AgencyId, bill_no: str) -> BillNow | NotDone:
    """Nobody can pay the bill any more. Doing it twice is no mistake.

    Locks: the bill's row, against a payment that is being decided: whichever commits first is what happened.
    """
    await withdraw_bill(connection, agency, bill_no)
    record = await load_bill(connection, agency, bill_no)
    if record is None:
        return NotDone(Refusal.NOT_FOUND)
    if record.bill.state is not BillState.WITHDRAWN:
        return NotDone(Refusal.BILL_ALREADY_PAID)
    return BillNow(record, (await load_clocks(connection)).business)
