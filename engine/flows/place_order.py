"""Showing an order: a merchant says what is to be paid, and may say it anew as long as nobody has paid."""

from datetime import timedelta

import msgspec

from engine.core.benefits import MedicalBill
from engine.core.bills import judge_bill
from engine.core.ids import IdKind, MerchantId, OrderId
from engine.core.orders import OrderItem, ShownOrder, judge_claim, says_the_same
from engine.core.participants import WrongField
from engine.core.refusals import Refusal
from engine.core.scenarios import Scenario
from engine.flows.answer_once import NotDone
from engine.flows.clock import IdSource
from engine.store.connection import AnyConnection
from engine.store.orders import (
    OrderMerchant,
    insert_order,
    load_claim,
    load_named_bill,
    load_order_merchant,
    lock_order,
    replace_order,
)
from engine.store.participants import load_clocks


class OrderWish(msgspec.Struct, frozen=True, kw_only=True):
    """What a merchant wants to be paid. Units: fen, seconds."""

    order_no: str
    amount: int
    scenario: Scenario
    terminal_id: str
    description: str | None
    items: tuple[OrderItem, ...]
    return_url: str | None
    bill_no: str | None = None
    bill: MedicalBill | None = None
    lives_s: int


class PlacedOrder(msgspec.Struct, frozen=True):
    """An order that can be paid, and whose it is."""

    order: ShownOrder
    merchant: OrderMerchant


async def place_order(
    connection: AnyConnection, merchant: MerchantId, wish: OrderWish, ids: IdSource
) -> PlacedOrder | NotDone:
    """The order can be paid as *wish* says, and in no earlier version.

    An order that says the same already stays as it is, unless its time is over. Its id and its token are the same in
    all versions, so that what was printed goes on leading to it.

    Locks: the order's row, against another version, and against a lane that pays it: what claims the number is read
    while the row is locked, so a payment that was first is seen, and one that comes later finds this version.
    """
    registered = await load_order_merchant(connection, merchant, terminal_id=wish.terminal_id)
    assert registered is not None, "a merchant's request is verified with a key of that merchant"
    refused = _why_not(registered, wish)
    if refused is not None:
        return refused
    now = (await load_clocks(connection)).business
    if wish.bill_no is not None:
        unpayable = judge_bill(await load_named_bill(connection, wish.bill_no), amount=wish.amount, now=now)
        if unpayable is not None:
            return NotDone(unpayable.refusal, (WrongField(unpayable.field, "not to be paid by this order"),))
    order = ShownOrder(
        id=OrderId(ids.new(IdKind.ORDER, shard=0, region=registered.region)),
        merchant=merchant,
        order_no=wish.order_no,
        token=ids.token(),
        version=1,
        amount=wish.amount,
        scenario=wish.scenario.number,
        terminal_id=wish.terminal_id,
        description=wish.description,
        items=wish.items,
        return_url=wish.return_url,
        bill_no=wish.bill_no,
        bill=wish.bill,
        lives_s=wish.lives_s,
        expires_at=now + timedelta(seconds=wish.lives_s),
        created_at=now,
    )
    if not await insert_order(connection, order):
        earlier = await lock_order(connection, merchant, wish.order_no)
        if says_the_same(earlier, order) and now < earlier.expires_at:
            order = earlier
        else:
            order = msgspec.structs.replace(order, id=earlier.id, token=earlier.token, version=earlier.version + 1)
            await replace_order(connection, order)
    claim = await load_claim(connection, merchant, wish.order_no)
    if claim is not None:
        return NotDone(judge_claim(claim, now=now), (WrongField("order_no", "claimed"),))
    return PlacedOrder(order, registered)


def _why_not(merchant: OrderMerchant, wish: OrderWish) -> NotDone | None:
    """What a payment for the order would be told about its merchant, told before anybody is shown the order."""
    if merchant.is_suspended:
        return NotDone(Refusal.MERCHANT_SUSPENDED)
    if not merchant.has_terminal:
        return NotDone(Refusal.TERMINAL_UNKNOWN)
    if wish.scenario.number not in merchant.scenarios:
        return NotDone(Refusal.SCENARIO_NOT_ENABLED)
    if wish.items and sum(item.amount for item in wish.items) != wish.amount:
        return NotDone(Refusal.AMOUNT_NOT_BALANCED, (WrongField("items", "do not add up to the amount"),))
    if wish.bill is not None and (total := sum(line.amount for line in wish.bill.lines)) != wish.amount:
        return NotDone(Refusal.AMOUNT_NOT_BALANCED, (WrongField("amount", f"the bill comes to {total} fen"),))
    return None
