"""Two lanes want the same payment, code, order or card: whatever the interleaving, the rules hold."""

import asyncio

import asyncpg

from engine.core.answers import CancelOutcome
from engine.core.payments import State
from engine.core.refusals import Refusal
from engine.ledger.router import Ledger
from tests.builders import World, a_world
from tests.ledger.nodes import a_node, a_step, paid, refusals, through_shard
from tests.ledger.proof import prove_books
from tests.ledger.wire import Wire

STATEMENTS = ("lock_and_claim", "read_books", "write_books", "commit")
AFTER_THE_LOCK = STATEMENTS[1:]
BEFORE_THE_WRITE = STATEMENTS[:3]


async def test_refund_that_waited_before_its_lock_sees_the_refund_that_overtook_it(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(dsn) as first, a_node(wire.dsn) as second:
        payment = await paid(first, world, amount=100)
        gate = wire.hold("lock_and_claim")
        late = asyncio.create_task(second.submit(world.refund(payment, amount=60)))
        await gate.reached.wait()
        early = await first.submit(world.refund(payment, amount=60))
        gate.open()
        assert refusals([early, await late]) == [None, Refusal.REFUND_EXCEEDS_PAYMENT.value]
        assert early.answer.refusal is None
    await prove_books(sql)


async def test_refund_that_finds_its_payer_locked_waits_and_sees_the_other(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with (
        Wire(dsn).opened() as wire,
        Wire(dsn).opened() as other_wire,
        a_node(wire.dsn) as first,
        a_node(other_wire.dsn) as second,
    ):
        for statement in AFTER_THE_LOCK:
            payment = await paid(first, world, amount=100)
            gate = wire.hold(statement)
            early = asyncio.create_task(first.submit(world.refund(payment, amount=60)))
            await gate.reached.wait()
            has_found_it_busy = other_wire.hold("roll_back")
            late = asyncio.create_task(second.submit(world.refund(payment, amount=60)))
            await has_found_it_busy.reached.wait()
            gate.open()
            has_found_it_busy.open()
            assert (await early).answer.refusal is None
            assert (await late).answer.refusal == Refusal.REFUND_EXCEEDS_PAYMENT.value
    await prove_books(sql)


async def test_of_64_refunds_at_once_as_many_win_as_the_payment_can_bear(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_node(dsn, lane_count=2) as first, a_node(dsn, lane_count=2) as second:
        payment = await paid(first, world, amount=100)
        outcomes = await asyncio.gather(
            *(ledger.submit(world.refund(payment, amount=7)) for _ in range(32) for ledger in (first, second))
        )
    assert refusals(outcomes) == [None] * 14 + [Refusal.REFUND_EXCEEDS_PAYMENT.value] * 50
    assert await sql.fetchval("SELECT refunded FROM payment") == 14 * 7
    await prove_books(sql)


async def test_code_pays_once_at_merchants_of_two_regions(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    await sql.execute("UPDATE merchant SET region = 310101 WHERE id = $1", world.merchants[1])
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as first, a_node(dsn) as second:
        for refresh, statement in enumerate(STATEMENTS):
            step = a_step()
            gate = wire.hold(statement)
            held = asyncio.create_task(first.submit(world.authorize(step=step, refresh=refresh)))
            await gate.reached.wait()
            other = asyncio.create_task(second.submit(world.authorize(step=step, refresh=refresh, merchant=1)))
            if statement not in AFTER_THE_LOCK:
                await other
            gate.open()
            assert refusals([await held, await other]) == [None, Refusal.PAY_CODE_USED.value]
    assert await sql.fetchval("SELECT count(*) FROM code_use") == len(STATEMENTS)
    await prove_books(sql)


async def test_code_that_was_used_behind_the_lock_is_caught_by_its_unique_key(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        step = a_step()
        gate = wire.hold("write_books")
        command = world.authorize(step=step)
        held = asyncio.create_task(ledger.submit(command))
        neighbour = asyncio.create_task(ledger.submit(world.authorize(card=1)))
        await gate.reached.wait()
        await sql.execute("INSERT INTO code_use VALUES ($1, $2, 0)", step, world.device_no(0))
        gate.open()
        assert (await held).answer.refusal == Refusal.PAY_CODE_USED.value
        assert (await neighbour).answer.refusal is None


async def test_order_is_paid_once_by_two_cards_under_two_keys(dsn: str, sql: asyncpg.Connection) -> None:
    """Nothing but the order's unique key stands between them, so the late one runs again, its neighbours with it."""
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as first, a_node(dsn) as second:
        for statement in BEFORE_THE_WRITE:
            gate = wire.hold(statement)
            late = asyncio.create_task(first.submit(world.authorize(card=0, order_no=statement)))
            neighbour = asyncio.create_task(first.submit(world.authorize(card=2)))
            await gate.reached.wait()
            early = await second.submit(world.authorize(card=1, order_no=statement))
            gate.open()
            assert (early.answer.refusal, (await late).answer.refusal) == (None, Refusal.ORDER_ALREADY_PAID.value)
            assert (await neighbour).answer.refusal is None
    await prove_books(sql)


async def test_two_payments_of_one_order_at_once_through_two_nodes(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_node(dsn) as first, a_node(dsn) as second:
        outcomes = await asyncio.gather(
            first.submit(world.authorize(card=0, order_no="A1")), second.submit(world.authorize(card=1, order_no="A1"))
        )
    assert refusals(outcomes) == [None, Refusal.ORDER_ALREADY_PAID.value]
    await prove_books(sql)


async def test_cancellation_that_a_late_payment_overtakes_gives_the_money_back(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as first, a_node(dsn) as second:
        for statement in BEFORE_THE_WRITE:
            gate = wire.hold(statement)
            cancelling = asyncio.create_task(first.submit(world.cancel(statement)))
            await gate.reached.wait()
            paying = await second.submit(world.authorize(order_no=statement, amount=500))
            gate.open()
            assert paying.answer.refusal is None
            assert (await cancelling).answer.cancelled is CancelOutcome.REFUNDED
    assert await sql.fetchval("SELECT sum(refunded)::bigint FROM payment") == 500 * len(BEFORE_THE_WRITE)
    await prove_books(sql)


async def test_late_payment_that_a_cancellation_overtakes_is_refused(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as first, a_node(dsn) as second:
        for statement in BEFORE_THE_WRITE:
            gate = wire.hold(statement)
            paying = asyncio.create_task(first.submit(world.authorize(order_no=statement)))
            await gate.reached.wait()
            cancelling = await second.submit(world.cancel(statement))
            gate.open()
            assert cancelling.answer.cancelled is CancelOutcome.NOTHING_TO_CANCEL
            assert (await paying).answer.refusal == Refusal.ORDER_CANCELLED.value
    assert await sql.fetchval("SELECT count(*) FROM order_ref WHERE payment IS NULL") == len(BEFORE_THE_WRITE)
    await prove_books(sql)


async def test_no_authorization_of_a_card_is_granted_after_its_loss_report(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_node(dsn, lane_count=2) as first, a_node(dsn, lane_count=2) as second:
        racing = [asyncio.create_task(_spread(world, n, first if n % 2 else second)) for n in range(50)]
        await racing[0]
        report = await first.submit(world.report_loss())
        afterwards = [asyncio.create_task(_spread(world, n, first if n % 2 else second)) for n in range(50)]
        await asyncio.gather(*racing)
        assert {await task for task in afterwards} == {Refusal.CARD_REPORTED_LOST.value}
    assert report.answer.card is not None
    granted_at = await sql.fetchval("SELECT max(created_at) FROM payment WHERE state = $1", State.CAPTURED)
    refused_at = await sql.fetchval("SELECT min(created_at) FROM payment WHERE state = $1", State.DECLINED)
    assert granted_at <= report.answer.card.at <= refused_at
    await prove_books(sql)


async def _spread(world: World, n: int, ledger: Ledger) -> str | None:
    """What an authorization of the first card is refused for, through the *n*-th lane."""
    return (await ledger.submit(through_shard(world.authorize(amount=1), n))).answer.refusal
