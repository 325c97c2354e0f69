"""Orders in the database: what a lane reads of them, and which of two at once is first."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from engine.core.ids import IdKind, OrderId
from engine.core.orders import Claim, OrderItem, ShownOrder
from engine.core.pay_orders import PayOrder
from engine.core.payments import State
from engine.core.refusals import Refusal
from engine.core.scenarios import PHARMACY
from engine.flows.answer_once import NotDone
from engine.flows.clock import IdSource
from engine.flows.place_order import OrderWish, PlacedOrder, place_order
from engine.store.connection import READ_SETTINGS, AnyConnection, connect
from engine.store.orders import (
    closed_orders,
    hold_pay_orders,
    load_claim,
    load_order,
    load_order_by_token,
    settled_payments,
)
from tests.builders import World, a_world, an_id

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'"


def a_wish(*, order_no: str = "A-1", amount: int = 500) -> OrderWish:
    """What a merchant wants to be paid."""
    return OrderWish(
        order_no=order_no,
        amount=amount,
        scenario=PHARMACY,
        terminal_id="T-01",
        description=None,
        items=(OrderItem("a", 1, amount),),
        return_url=None,
        lives_s=900,
    )


async def placed(
    connection: AnyConnection, world: World, *, order_no: str = "A-1", amount: int = 500, merchant: int = 0
) -> ShownOrder:
    """An order that was shown."""
    wish = a_wish(order_no=order_no, amount=amount)
    done = await place_order(connection, world.merchants[merchant], wish, IdSource())
    assert isinstance(done, PlacedOrder)
    return done.order


async def claim(sql: asyncpg.Connection, world: World, order_no: str, *, payment: bytes | None = None) -> None:
    """The number is claimed, as a lane does it."""
    await sql.execute("INSERT INTO order_ref VALUES ($1, $2, $3)", world.merchants[0], order_no, payment)


def read_of(order: ShownOrder) -> PayOrder:
    """What a lane reads of an order."""
    return PayOrder(id=order.id, amount=order.amount, expires_at=order.expires_at)


async def test_order_is_read_back_as_it_was_shown(sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    order = await placed(sql, world)
    for seen in (await load_order(sql, order.id, world.merchants[0]), await load_order_by_token(sql, order.token)):
        assert seen is not None
        assert (seen.order, seen.claim) == (order, None)
    assert await load_order(sql, order.id, world.merchants[1]) is None
    assert await load_order_by_token(sql, bytes(16)) is None


async def test_order_that_was_shown_anew_since_it_was_read_is_not_held(sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    first, other = await placed(sql, world), await placed(sql, world, order_no="A-2")
    assert await hold_pay_orders(sql, [read_of(other), read_of(first)])
    second = await placed(sql, world, amount=600)
    assert not await hold_pay_orders(sql, [read_of(first), read_of(other)])
    assert await hold_pay_orders(sql, [read_of(second), read_of(other)])


async def test_merchant_that_shows_an_order_anew_while_it_is_paid_is_told_so(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    order = await placed(sql, world)
    till = await connect(dsn, READ_SETTINGS, application_name="till")
    lane = sql.transaction()
    await lane.start()
    assert await hold_pay_orders(sql, [read_of(order)])

    async def show_anew() -> PlacedOrder | NotDone:
        async with till.transaction():
            return await place_order(till, world.merchants[0], a_wish(amount=600), IdSource())

    showing = asyncio.create_task(show_anew())
    watcher = await connect(dsn, READ_SETTINGS, application_name="watcher")
    while not await watcher.fetchval(WAITING, "till"):
        assert not showing.done()
    await claim(sql, world, "A-1")
    await lane.commit()
    refused = await showing
    assert isinstance(refused, NotDone)
    assert refused.refusal is Refusal.ORDER_CANCELLED
    await till.close()
    await watcher.close()


async def test_lane_that_pays_an_order_while_it_is_shown_anew_finds_the_new_one(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world = await a_world(sql)
    order = await placed(sql, world)
    lane = await connect(dsn, READ_SETTINGS, application_name="lane")
    showing = sql.transaction()
    await showing.start()
    await placed(sql, world, amount=600)
    holding = asyncio.create_task(hold_pay_orders(lane, [read_of(order)]))
    watcher = await connect(dsn, READ_SETTINGS, application_name="watcher")
    while not await watcher.fetchval(WAITING, "lane"):
        assert not holding.done()
    await showing.commit()
    assert await holding is False
    await lane.close()
    await watcher.close()


async def test_of_many_that_show_one_number_at_once_each_makes_a_version(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    tills = [await connect(dsn, READ_SETTINGS, application_name="till") for _ in range(8)]

    async def show(till: asyncpg.Connection, amount: int) -> ShownOrder:
        async with till.transaction():
            return await placed(till, world, amount=amount)

    shown = await asyncio.gather(*(show(till, 100 + n) for n, till in enumerate(tills)))
    assert sorted(order.version for order in shown) == list(range(1, 9))
    assert len({(order.id, order.token) for order in shown}) == 1
    for till in tills:
        await till.close()


async def test_claim_of_a_number_tells_cancelled_from_paid(sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    assert await load_claim(sql, world.merchants[0], "A-1") is None
    await claim(sql, world, "A-1")
    assert await load_claim(sql, world.merchants[0], "A-1") == Claim(None, None, None)


async def test_orders_are_closed_by_their_time_or_by_what_claims_them(sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    open_one, cancelled = await placed(sql, world), await placed(sql, world, order_no="A-2")
    await claim(sql, world, "A-2")
    ids = [open_one.id, cancelled.id, OrderId(an_id(IdKind.ORDER))]
    assert await closed_orders(sql, ids, now=open_one.expires_at - timedelta(seconds=1)) == [cancelled.id]
    late = await closed_orders(sql, ids, now=open_one.expires_at)
    assert sorted(late) == sorted([open_one.id, cancelled.id])


@pytest.mark.parametrize("state", State)
async def test_payments_are_settled_unless_something_is_on_hold(sql: asyncpg.Connection, state: State) -> None:
    await a_world(sql)
    payment = an_id(IdKind.PAYMENT)
    await sql.execute(
        "INSERT INTO payment (id, region, merchant, payer, order_no, amount, scenario, mode, terminal_id, state,"
        " captured, refunded, tenders, business_date, limit_day, created_at)"
        " VALUES ($1, 110101, $1, $1, 'A', 1, 2, 1, 'T', $2, 0, 0, '', '2026-11-24', '2026-11-24', $3)",
        payment,
        state,
        datetime(2026, 11, 24, tzinfo=UTC),
    )
    settled = await settled_payments(sql, [payment, an_id(IdKind.PAYMENT)])
    assert settled == ([] if state in (State.AUTHORIZED, State.AWAITING_USER) else [payment])
