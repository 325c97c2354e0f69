"""A lane has one holder. Who lost it notices before anything is written, stops, and leaves nobody waiting."""

import asyncio

import asyncpg
import pytest

from engine.ledger import lane
from engine.ledger.queue import Overloaded
from engine.ledger.router import Ledger
from engine.store.faults import Fenced, StoreUnavailable
from engine.store.lane_session import LaneSessions
from tests.builders import a_world
from tests.ledger.nodes import a_ledger, a_node, submit_all, through_shard
from tests.ledger.proof import prove_books
from tests.ledger.wire import Wire


async def test_nodes_hold_lanes_of_their_own_and_a_lane_that_is_free_is_used_again(
    dsn: str, sql: asyncpg.Connection
) -> None:
    async with a_node(dsn, lane_count=2), a_node(dsn):
        held = "SELECT objid::int FROM pg_locks WHERE locktype = 'advisory' AND database = $1 ORDER BY 1"
        database = await sql.fetchval("SELECT oid FROM pg_database WHERE datname = current_database()")
        assert [row[0] for row in await sql.fetch(held, database)] == [1, 2, 3]
    async with a_node(dsn):
        assert await sql.fetchval("SELECT epoch FROM lane WHERE id = 1") == 2
    assert await sql.fetchval("SELECT count(*) FROM lane") == 3


async def test_node_that_gets_no_second_lane_gives_the_first_one_back(
    dsn: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.store.lane_session.LANE_ID_MAX", 1)
    with pytest.raises(StoreUnavailable):
        await Ledger(LaneSessions(dsn, node="greedy"), lane_count=2).open()
    async with a_node(dsn) as ledger:
        assert ledger.is_serving


async def test_lane_whose_epoch_moved_posts_nothing_and_stops_its_node(dsn: str, sql: asyncpg.Connection) -> None:
    """What its other lane was doing is finished, what was queued is answered, and nothing new is taken."""
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire:
        ledger, running = await a_ledger(wire.dsn, lane_count=2, batch_max=2)
        committing = wire.hold("commit")
        other_lanes = asyncio.create_task(ledger.submit(through_shard(world.authorize(card=1), 1)))
        await committing.reached.wait()
        await sql.execute("UPDATE lane SET epoch = epoch + 1 WHERE id = 1")
        fenced = [asyncio.create_task(ledger.submit(through_shard(world.authorize(card=n % 4), 0))) for n in range(6)]
        ends = await asyncio.gather(*fenced, return_exceptions=True)
        assert {type(end) for end in ends} == {StoreUnavailable}
        assert not ledger.is_serving
        with pytest.raises(Overloaded):
            await ledger.submit(world.authorize())
        committing.open()
        assert (await other_lanes).answer.refusal is None
        with pytest.raises(ExceptionGroup) as stopped:
            await running
        assert stopped.group_contains(Fenced)
    assert await sql.fetchval("SELECT count(*) FROM payment") == 1
    await prove_books(sql)


async def test_lane_that_is_cancelled_leaves_nobody_waiting(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire:
        ledger, running = await a_ledger(wire.dsn, batch_max=2)
        gate = wire.hold("write_books")
        async with sql.transaction():
            await sql.execute("SELECT FROM payer WHERE id = $1 FOR UPDATE", world.cards[0])
            asked = [asyncio.create_task(ledger.submit(world.authorize(card=n))) for n in (0, 1, 2, 3)]
            await gate.reached.wait()
            running.cancel()
            ends = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(end) for end in ends} == {StoreUnavailable}
        with pytest.raises(asyncio.CancelledError):
            await running
    async with a_node(dsn) as ledger:
        await submit_all(ledger, [world.authorize(card=n) for n in (0, 1, 2, 3)])
    assert await sql.fetchval("SELECT count(*) FROM payment") == 4
    await prove_books(sql)


async def test_command_that_was_put_off_is_answered_when_the_lane_ends(
    dsn: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "REQUEUE_S", 3600.0)
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, sql.transaction():
        await sql.execute("SELECT FROM payer WHERE id = $1 FOR UPDATE", world.cards[0])
        ledger, running = await a_ledger(wire.dsn)
        met = wire.hold("roll_back")
        busy = asyncio.create_task(ledger.submit(world.authorize(card=0)))
        await met.reached.wait()
        met.open()
        await ledger.submit(world.authorize(card=1))
        running.cancel()
        with pytest.raises(StoreUnavailable):
            await busy
