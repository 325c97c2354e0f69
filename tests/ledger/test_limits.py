"""What a lane does when there is too much to do, too late, or for a card that somebody else holds."""

import asyncio

import asyncpg
import msgspec
import pytest

from engine.core.ids import CallerId
from engine.ledger.lane import REQUEUE_FOR_S
from engine.ledger.queue import Overloaded
from engine.ledger.router import WAIT_S
from engine.store.faults import StoreUnavailable
from tests.builders import a_world
from tests.ledger.conftest import LoopClock
from tests.ledger.nodes import a_node, submit_all
from tests.ledger.proof import prove_books
from tests.ledger.wire import Wire


async def test_full_queue_refuses_at_once_and_decides_nothing(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn, queue_max=3) as ledger:
        gate = wire.hold("lock_and_claim")
        running = asyncio.create_task(ledger.submit(world.authorize()))
        await gate.reached.wait()
        queued = [asyncio.create_task(ledger.submit(world.authorize())) for _ in range(3)]
        await asyncio.sleep(0)
        refused = world.authorize()
        with pytest.raises(Overloaded):
            await ledger.submit(refused)
        gate.open()
        await asyncio.gather(running, *queued)
        assert not (await ledger.submit(refused)).is_replay
    assert await sql.fetchval("SELECT count(*) FROM payment") == 5
    await prove_books(sql)


async def test_command_past_its_deadline_is_not_executed(dsn: str, sql: asyncpg.Connection, clock: LoopClock) -> None:
    world = await a_world(sql)
    late = world.authorize(card=1)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        gate = wire.hold("lock_and_claim")
        running = asyncio.create_task(ledger.submit(world.authorize()))
        await gate.reached.wait()
        queued = asyncio.create_task(ledger.submit(late))
        await asyncio.sleep(0)
        clock.advance(WAIT_S)
        ends = await asyncio.gather(running, queued, return_exceptions=True)
        assert [type(end) for end in ends] == [StoreUnavailable, StoreUnavailable]
        gate.open()
        await ledger.submit(world.authorize(card=2))
        assert not (await ledger.submit(late)).is_replay
    assert await sql.fetchval("SELECT count(*) FROM payment") == 3
    await prove_books(sql)


async def test_one_callers_many_do_not_delay_another_callers_one(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn, batch_max=2) as ledger:
        gate = wire.hold("lock_and_claim")
        running = asyncio.create_task(ledger.submit(world.authorize()))
        await gate.reached.wait()
        many = [asyncio.create_task(ledger.submit(world.authorize(merchant=0))) for _ in range(10)]
        one = asyncio.create_task(ledger.submit(world.authorize(merchant=1, key="one")))
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(running, one, *many)
    assert await sql.fetchval("SELECT seq FROM answer WHERE key = 'one'") == 2


async def test_busy_card_does_not_hold_up_its_lane_and_is_given_up_in_time(
    dsn: str, sql: asyncpg.Connection, clock: LoopClock
) -> None:
    """A foreign transaction holds the payer's row: more commands for it than a batch takes, and others go on."""
    world = await a_world(sql)
    async with a_node(dsn, batch_max=4) as ledger:
        async with sql.transaction():
            await sql.execute("SELECT FROM payer WHERE id = $1 FOR UPDATE", world.cards[0])
            stuck = [asyncio.create_task(ledger.submit(world.authorize(card=0))) for _ in range(8)]
            await asyncio.sleep(0)
            await submit_all(ledger, [world.authorize(card=n % 3 + 1) for n in range(12)])
            assert not any(task.done() for task in stuck)
            clock.advance(REQUEUE_FOR_S)
            ends = await asyncio.gather(*stuck, return_exceptions=True)
            assert {str(end) for end in ends} == {"not executed: the card was busy"}
            assert {type(end) for end in ends} == {StoreUnavailable}
        assert (await ledger.submit(world.authorize(card=0))).answer.refusal is None
    assert await sql.fetchval("SELECT count(*) FROM payment") == 13
    await prove_books(sql)


async def test_busy_card_is_paid_with_as_soon_as_it_is_free(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        async with sql.transaction():
            await sql.execute("SELECT FROM payer WHERE id = $1 FOR UPDATE", world.cards[0])
            met = wire.hold("roll_back")
            stuck = asyncio.create_task(ledger.submit(world.authorize(card=0)))
            await met.reached.wait()
            met.open()
        assert (await stuck).answer.refusal is None
    assert await sql.fetchval("SELECT count(*) FROM batch") == 1
    await prove_books(sql)


async def test_part_of_a_batch_that_is_busy_leaves_the_rest_in_it(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        gate = wire.hold("commit")
        async with sql.transaction():
            await sql.execute("SELECT FROM payer WHERE id = $1 FOR UPDATE", world.cards[0])
            tasks = [asyncio.create_task(ledger.submit(world.authorize(card=card))) for card in range(4)]
            await gate.reached.wait()
            gate.open()
            await asyncio.gather(*tasks[1:])
            assert not tasks[0].done()
        assert (await tasks[0]).answer.refusal is None
    assert await sql.fetchval("SELECT n FROM batch WHERE seq = 1") == 3
    await prove_books(sql)


async def test_closing_finishes_what_was_accepted_and_takes_nothing_new(dsn: str, sql: asyncpg.Connection) -> None:
    """Repeats of a queued key, a busy card and a full queue included."""
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn, batch_max=8) as ledger:
        async with sql.transaction():
            await sql.execute("SELECT FROM payer WHERE id = $1 FOR UPDATE", world.cards[0])
            met = wire.hold("roll_back")
            busy = asyncio.create_task(ledger.submit(world.authorize(card=0)))
            await met.reached.wait()
            accepted = [asyncio.create_task(ledger.submit(world.authorize(card=n % 3 + 1))) for n in range(200)]
            await asyncio.sleep(0)
            ledger.close()
            with pytest.raises(Overloaded):
                await ledger.submit(world.authorize())
            met.open()
            outcomes = await asyncio.gather(*accepted)
        assert {outcome.answer.refusal for outcome in outcomes} == {None}
        assert (await busy).answer.refusal is None
    assert await sql.fetchval("SELECT count(*) FROM payment") == 201
    await prove_books(sql)


async def test_commands_without_a_key_are_never_the_same(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_node(dsn) as ledger:
        await submit_all(ledger, [world.open_account(amount=100) for _ in range(3)])
        await ledger.submit(msgspec.structs.replace(world.open_account(amount=100), caller=CallerId(bytes(16))))
    assert await sql.fetchval("SELECT credits_posted FROM payer WHERE id = $1", world.cards[0]) == 400
    await prove_books(sql)
