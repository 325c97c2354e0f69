"""The connection is lost anywhere in a batch: what was committed is answered, what was not runs again, all once."""

import asyncio

import asyncpg
import pytest

from engine.ledger import lane
from engine.ledger.queue import Outcome, Overloaded
from engine.ledger.router import WAIT_S
from engine.store.connection import LANE_SETTINGS
from engine.store.faults import Fenced, PoisonedBatch, StoreUnavailable
from engine.store.lane_session import SILENCE_S_MAX
from tests.builders import a_world
from tests.ledger.conftest import LoopClock
from tests.ledger.nodes import a_ledger, a_node, end_backends, refusals, submit_all
from tests.ledger.proof import prove_books
from tests.ledger.wire import Act, Wire

STATEMENTS = ("lock_and_claim", "read_books", "write_books", "commit")

FULL_AT_COMMIT = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$;
CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON order_ref DEFERRABLE INITIALLY DEFERRED
   FOR EACH ROW EXECUTE FUNCTION fail();
"""


@pytest.mark.parametrize("statement", STATEMENTS)
async def test_batch_whose_connection_is_lost_is_posted_once(
    dsn: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    # A session that its client has left would otherwise end by itself, after five seconds.
    monkeypatch.setitem(LANE_SETTINGS, "idle_in_transaction_session_timeout", "0")
    acts = [Act.CUT, Act.ANSWER_LOST, Act.ABANDONED] + [Act.ABANDONED_AFTER] * (statement == "commit")
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        for losses, act in enumerate(acts, 1):
            wire.at(statement, act)
            outcomes = await submit_all(ledger, [world.authorize(card=card) for card in range(4)])
            assert [outcome.is_replay for outcome in outcomes] == [False] * 4
            assert refusals(outcomes) == [None] * 4
            assert wire.delivered["take_lane"] == 1 + losses
    assert await sql.fetchval("SELECT count(*) FROM payment") == 4 * len(acts)
    assert await sql.fetchval("SELECT count(*) FROM batch") == len(acts)
    await prove_books(sql)


async def test_batch_whose_backend_is_terminated_is_posted_once(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        for epoch, statement in enumerate(STATEMENTS, 1):
            gate = wire.hold(statement)
            outcomes = asyncio.gather(*(ledger.submit(world.authorize(card=card)) for card in range(4)))
            await gate.reached.wait()
            await end_backends(sql, f"lane 1/{epoch}")
            gate.open()
            assert refusals(await outcomes) == [None] * 4
    assert await sql.fetchval("SELECT count(*) FROM batch") == len(STATEMENTS)
    await prove_books(sql)


async def test_lane_whose_backend_went_while_it_was_idle_takes_its_lane_again(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world = await a_world(sql)
    async with a_node(dsn) as ledger:
        await end_backends(sql, "lane 1/1")
        assert (await ledger.submit(world.authorize())).answer.refusal is None
    assert [tuple(row) for row in await sql.fetch("SELECT id, epoch, seq FROM lane")] == [(1, 2, 1)]


async def test_only_the_lanes_own_session_in_its_own_database_is_ended(dsn: str, sql: asyncpg.Connection) -> None:
    """Every database of a server has a lane 1, and another lane of the same node goes on."""
    world = await a_world(sql)
    bystanders = [
        await asyncpg.connect(dsn, server_settings={"application_name": "lane 1/2"}),
        await asyncpg.connect(dsn, database="postgres", server_settings={"application_name": "lane 1/1"}),
    ]
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        wire.at("commit", Act.ABANDONED)
        await ledger.submit(world.authorize())
        for bystander in bystanders:
            assert await bystander.fetchval("SELECT 1") == 1
            await bystander.close()


@pytest.mark.parametrize(("act", "batches"), [(Act.CUT, 1), (Act.ANSWER_LOST, 2)])
async def test_callers_are_told_when_the_database_stays_away(
    dsn: str, sql: asyncpg.Connection, clock: LoopClock, act: Act, batches: int
) -> None:
    """What was committed is answered to whoever repeats it; what was not is dropped: nobody waits for it any more."""
    world = await a_world(sql)
    command = world.authorize()
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        wire.at("commit", act)
        wire.is_shut = True
        asked = asyncio.create_task(ledger.submit(command))
        await wire.refused.wait()
        assert not ledger.is_serving
        clock.advance(WAIT_S)
        with pytest.raises(StoreUnavailable):
            await asked
        wire.is_shut = False
        assert (await ledger.submit(world.authorize(card=1))).answer.refusal is None
        assert ledger.is_serving
        assert await sql.fetchval("SELECT count(*) FROM payment") == batches
        assert (await ledger.submit(command)).is_replay == (act is Act.ANSWER_LOST)
    await prove_books(sql)


async def test_silence_of_the_network_ends_the_session_and_not_the_lane(
    dsn: str, sql: asyncpg.Connection, clock: LoopClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither side hears of it: the callers are answered in time, and the lane is taken again in a new session."""
    monkeypatch.setitem(LANE_SETTINGS, "idle_in_transaction_session_timeout", "0")
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        for statement in ("lock_and_claim", "commit"):
            silent = wire.hold(statement, then=Act.SWALLOWED)
            asked = asyncio.create_task(ledger.submit(world.authorize()))
            await silent.reached.wait()
            silent.open()
            clock.advance(SILENCE_S_MAX)
            with pytest.raises(StoreUnavailable):
                await asked
            taking = wire.hold("take_lane", then=Act.SWALLOWED)
            await taking.reached.wait()
            taking.open()
            clock.advance(SILENCE_S_MAX)
            assert (await ledger.submit(world.authorize(card=1))).answer.refusal is None
    assert await sql.fetchval("SELECT count(*) FROM payment") == 2
    await prove_books(sql)


async def test_command_that_loses_every_session_does_not_hold_its_lane_for_ever(
    dsn: str, sql: asyncpg.Connection, clock: LoopClock
) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        for _ in range(3):
            wire.at("write_books", Act.CUT)
        last = wire.hold("write_books", then=Act.CUT)
        asked = asyncio.create_task(ledger.submit(world.authorize()))
        await last.reached.wait()
        clock.advance(WAIT_S)
        with pytest.raises(StoreUnavailable):
            await asked
        last.open()
        assert (await ledger.submit(world.authorize(card=1))).answer.refusal is None
    assert await sql.fetchval("SELECT count(*) FROM payment") == 1
    await prove_books(sql)


async def test_everybody_is_answered_when_the_engine_stops_without_a_database(
    dsn: str, sql: asyncpg.Connection, clock: LoopClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "RECONNECT_S_MIN", 0.001)
    monkeypatch.setattr(lane, "RECONNECT_S_MAX", 0.002)
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire:
        ledger, running = await a_ledger(wire.dsn, batch_max=2)
        wire.at("commit", Act.CUT)
        wire.is_shut = True
        asked = [asyncio.create_task(ledger.submit(world.authorize(card=n % 4))) for n in range(6)]
        await wire.refused.wait()
        ledger.close()
        await running
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(end) for end in ends} == {StoreUnavailable}
        with pytest.raises(Overloaded):
            await ledger.submit(world.authorize())
    assert await sql.fetchval("SELECT count(*) FROM payment") == 0


@pytest.mark.parametrize("act", [Act.CUT, Act.ANSWER_LOST])
async def test_lane_that_another_node_took_meanwhile_is_not_taken_back(
    dsn: str, sql: asyncpg.Connection, act: Act
) -> None:
    """The other node's session is left alone, this node stops, and whoever repeats a key there gets the truth."""
    world = await a_world(sql)
    command = world.authorize()
    async with Wire(dsn).opened() as wire:
        ledger, running = await a_ledger(wire.dsn)
        wire.at("commit", act)
        wire.is_shut = True
        asked = asyncio.create_task(ledger.submit(command))
        await wire.refused.wait()
        async with a_node(dsn) as other:
            await other.submit(world.authorize(card=1))
            wire.is_shut = False
            with pytest.raises(StoreUnavailable):
                await asked
            with pytest.raises(ExceptionGroup) as stopped:
                await running
            assert stopped.group_contains(Fenced)
            assert (await other.submit(command)).is_replay == (act is Act.ANSWER_LOST)
    assert await sql.fetchval("SELECT count(*) FROM payment") == 2
    assert await sql.fetchval("SELECT count(*) FROM lane") == 1
    await prove_books(sql)


async def test_repeat_whose_connection_is_lost_is_answered_as_before(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    command = world.authorize()
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        first = await ledger.submit(command)
        for act in (Act.CUT, Act.ANSWER_LOST):
            wire.at("read_earlier", act)
            repeat = await ledger.submit(command)
            assert (repeat.answer, repeat.is_replay) == (first.answer, True)
    await prove_books(sql)


async def test_command_whose_card_was_busy_is_not_forgotten_with_the_lost_answer(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        wire.at("commit", Act.ANSWER_LOST)
        async with sql.transaction():
            await sql.execute("SELECT FROM payer WHERE id = $1 FOR UPDATE", world.cards[0])
            busy = asyncio.create_task(ledger.submit(world.authorize(card=0)))
            await ledger.submit(world.authorize(card=1))
        assert (await busy).answer.refusal is None
    await prove_books(sql)


async def test_connection_that_is_lost_while_a_poisoned_batch_is_rolled_back(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    commands = [world.authorize(card=card, order_no="A\0" if card == 2 else None) for card in range(4)]
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        wire.at("roll_back", Act.CUT)
        ends = await asyncio.gather(*(ledger.submit(command) for command in commands), return_exceptions=True)
        assert [type(end) for end in ends] == [Outcome, Outcome, PoisonedBatch, Outcome]
    assert await sql.fetchval("SELECT count(*) FROM payment") == 3
    await prove_books(sql)


async def test_commit_that_answers_with_an_error_is_looked_up(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    await sql.execute(FULL_AT_COMMIT)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        taking = wire.hold("take_lane")
        asked = asyncio.create_task(ledger.submit(world.authorize()))
        await taking.reached.wait()
        await sql.execute("DROP TRIGGER fail ON order_ref")
        taking.open()
        assert (await asked).answer.refusal is None
    assert await sql.fetchval("SELECT count(*) FROM batch") == 1
    await prove_books(sql)


async def test_commit_that_answers_rollback_is_no_success(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        wire.at("commit", Act.FAILED_BEFORE)
        outcomes = await submit_all(ledger, [world.authorize(card=card) for card in range(4)])
        assert refusals(outcomes) == [None] * 4
        assert wire.delivered["commit"] == 2
        assert wire.delivered["take_lane"] == 1
    assert await sql.fetchval("SELECT count(*) FROM payment") == 4
    await prove_books(sql)


async def test_commit_with_a_warning_is_not_answered_before_the_lane_is_taken_again(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        wire.at("commit", Act.WARNED)
        taking = wire.hold("take_lane")
        asked = asyncio.create_task(ledger.submit(world.authorize()))
        await taking.reached.wait()
        assert not asked.done()
        taking.open()
        assert (await asked).answer.refusal is None
        assert wire.delivered["take_lane"] == 2
        assert wire.delivered["write_books"] == 1
    await prove_books(sql)
