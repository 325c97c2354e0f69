"""An idempotency key is decided once, however often and wherever it is sent."""

import asyncio

import asyncpg
import msgspec
import pytest

from engine.core.refusals import Refusal
from engine.ledger.router import SAME_KEY_WAIT_S, WAIT_S, KeyInProgress
from engine.store.faults import StoreUnavailable
from tests.builders import a_world
from tests.ledger.conftest import LoopClock
from tests.ledger.nodes import a_node, submit_all, through_shard
from tests.ledger.proof import prove_books
from tests.ledger.wire import Wire


async def test_50_authorizations_under_one_key_at_once_are_one_payment_and_50_equal_answers(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world = await a_world(sql)
    command = world.authorize()
    async with a_node(dsn, lane_count=2) as ledger:
        outcomes = await submit_all(ledger, [through_shard(command, n) for n in range(50)])
    assert {outcome.answer for outcome in outcomes} == {outcomes[0].answer}
    assert sorted(outcome.is_replay for outcome in outcomes) == [False] + [True] * 49
    assert await sql.fetchval("SELECT count(*) FROM payment") == 1
    await prove_books(sql)


async def test_same_key_on_two_nodes_at_once_is_one_payment(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_node(dsn) as first, a_node(dsn) as second:
        for _ in range(10):
            command = world.authorize()
            outcomes = await asyncio.gather(first.submit(command), second.submit(through_shard(command, 0)))
            assert outcomes[0].answer == outcomes[1].answer
            assert sorted(outcome.is_replay for outcome in outcomes) == [False, True]
    assert await sql.fetchval("SELECT count(*) FROM payment") == 10
    await prove_books(sql)


async def test_key_that_was_answered_while_its_repeat_waited_for_the_lock_is_replayed(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world = await a_world(sql)
    command = world.authorize()
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as first, a_node(dsn) as second:
        gate = wire.hold("lock_and_claim")
        late = asyncio.create_task(first.submit(command))
        await gate.reached.wait()
        early = await second.submit(through_shard(command, 0))
        gate.open()
        assert (await late).answer == early.answer
        assert (await late).is_replay
    await prove_books(sql)


async def test_key_of_another_card_in_two_lanes_waits_for_the_first_and_rolls_nothing_back(
    dsn: str, sql: asyncpg.Connection
) -> None:
    """Keys are claimed before anything is decided, so a duplicate never aborts the batch that it is in."""
    world = await a_world(sql)
    async with (
        Wire(dsn).opened() as wire,
        Wire(dsn).opened() as other_wire,
        a_node(wire.dsn) as first,
        a_node(other_wire.dsn) as second,
    ):
        claimed = wire.hold("read_books")
        early = asyncio.create_task(first.submit(world.authorize(card=0, key="K")))
        await claimed.reached.wait()
        late = asyncio.gather(*(second.submit(world.authorize(card=n, key="K" if n == 1 else None)) for n in (1, 2, 3)))
        while not await sql.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            continue
        claimed.open()
        assert (await early).answer.refusal is None
        reused, *neighbours = await late
        assert reused.answer.refusal == Refusal.IDEMPOTENCY_KEY_REUSED.value
        assert reused.answer.field == "pay_code"
        assert not reused.is_replay
        assert [neighbour.answer.refusal for neighbour in neighbours] == [None, None]
        assert other_wire.delivered["roll_back"] == 0
        assert other_wire.delivered["commit"] == 1
    await prove_books(sql)


async def test_same_key_twice_in_the_queue_is_in_one_batch_once(dsn: str, sql: asyncpg.Connection) -> None:
    """A caller that goes away frees its key, while what it asked for is still in the queue."""
    world = await a_world(sql)
    command = world.authorize()
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        gate = wire.hold("lock_and_claim")
        running = asyncio.create_task(ledger.submit(world.authorize(card=1)))
        await gate.reached.wait()
        gone = asyncio.create_task(ledger.submit(command))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait((gone,))
        repeat = asyncio.create_task(ledger.submit(command))
        await asyncio.sleep(0)
        assert ledger.queued_count == 2
        gate.open()
        await running
        assert (await repeat).is_replay
    assert await sql.fetchval("SELECT count(*) FROM payment WHERE payer = $1", world.cards[0]) == 1
    await prove_books(sql)


async def test_caller_that_goes_away_neither_undoes_nor_disturbs_its_batch(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    command = world.authorize()
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        gate = wire.hold("commit")
        gone = asyncio.create_task(ledger.submit(command))
        neighbour = asyncio.create_task(ledger.submit(world.authorize(card=1)))
        await gate.reached.wait()
        gone.cancel()
        await asyncio.wait((gone,))
        gate.open()
        assert (await neighbour).answer.refusal is None
        assert (await ledger.submit(command)).is_replay
        assert wire.delivered["roll_back"] == 0
    await prove_books(sql)


async def test_second_caller_decides_when_the_first_goes_away(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    command = world.authorize()
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        gate = wire.hold("lock_and_claim")
        running = asyncio.create_task(ledger.submit(world.authorize(card=1)))
        await gate.reached.wait()
        first = asyncio.create_task(ledger.submit(command))
        second = asyncio.create_task(ledger.submit(command))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait((first,))
        gate.open()
        await running
        assert (await second).answer.refusal is None
    assert await sql.fetchval("SELECT count(*) FROM payment WHERE payer = $1", world.cards[0]) == 1
    await prove_books(sql)


async def test_second_caller_is_told_when_the_first_takes_too_long(
    dsn: str, sql: asyncpg.Connection, clock: LoopClock
) -> None:
    world = await a_world(sql)
    command = world.authorize()
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        gate = wire.hold("commit")
        first = asyncio.create_task(ledger.submit(command))
        await gate.reached.wait()
        second = asyncio.create_task(ledger.submit(command))
        await asyncio.sleep(0)
        clock.advance(SAME_KEY_WAIT_S)
        with pytest.raises(KeyInProgress):
            await second
        gate.open()
        assert not (await first).is_replay
        assert (await ledger.submit(command)).is_replay
    await prove_books(sql)


async def test_second_caller_asks_again_when_the_first_got_no_answer(
    dsn: str, sql: asyncpg.Connection, clock: LoopClock
) -> None:
    world = await a_world(sql)
    command = world.authorize()
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        gate = wire.hold("commit")
        first = asyncio.create_task(ledger.submit(command))
        await gate.reached.wait()
        clock.advance(WAIT_S)
        second = asyncio.create_task(ledger.submit(command))
        with pytest.raises(StoreUnavailable):
            await first
        gate.open()
        assert (await second).is_replay
    await prove_books(sql)


async def test_repeat_that_differs_names_the_first_field_and_changes_nothing(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    command = world.authorize()
    async with a_node(dsn) as ledger:
        await ledger.submit(command)
        other = msgspec.structs.replace(command, amount=command.amount + 1, scenario=2)
        outcome = await ledger.submit(other)
    assert (outcome.answer.refusal, outcome.answer.field) == (Refusal.IDEMPOTENCY_KEY_REUSED.value, "amount")
    assert await sql.fetchval("SELECT count(*) FROM event") == 1
    assert await sql.fetchval("SELECT count(*) FROM batch") == 2, "a batch of repeats is a commit as well"
    await prove_books(sql)
