"""A batch that cannot be written: the culprit fails alone, whoever lost a race runs again, the rest goes on."""

import asyncio
from collections.abc import Callable

import asyncpg
import msgspec
import pytest

from engine.core.commands import Authorize
from engine.core.ids import CallerId, MerchantId
from engine.ledger.lane import REQUEUE_FOR_S, RUNS_TOGETHER_MAX, BatchDone
from engine.store.connection import LANE_SETTINGS
from engine.store.faults import PoisonedBatch, StoreUnavailable
from tests.builders import a_world
from tests.ledger.conftest import LoopClock
from tests.ledger.nodes import a_node, refusals, submit_all
from tests.ledger.proof import prove_books
from tests.ledger.wire import Wire

Poison = Callable[[Authorize], Authorize]

# Raises an error of the kind that the order number names.
FAILING_ORDERS = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.order_no LIKE 'fail-%' THEN
        RAISE EXCEPTION 'as the order says' USING ERRCODE = substr(NEW.order_no, 6);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fail BEFORE INSERT ON order_ref FOR EACH ROW EXECUTE FUNCTION fail();
"""


def nul_in_the_order(command: Authorize) -> Authorize:
    """PostgreSQL's texts have no NUL."""
    return msgspec.structs.replace(command, order_no="A\0")


def half_a_character_in_the_key(command: Authorize) -> Authorize:
    """A lone surrogate has no UTF-8."""
    return msgspec.structs.replace(command, key="\ud800")


def more_than_64_bits(command: Authorize) -> Authorize:
    """No column holds it."""
    assert command.code is not None
    return msgspec.structs.replace(command, code=msgspec.structs.replace(command.code, step=2**63))


def key_that_fits_no_index(command: Authorize) -> Authorize:
    """An index entry has at most a third of a page, even compressed."""
    return msgspec.structs.replace(command, key="".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(4000)))


def merchant_that_does_not_exist(command: Authorize) -> Authorize:
    """A request is verified with its merchant's key, so deciding trips over this."""
    return msgspec.structs.replace(command, caller=CallerId(bytes(16)), merchant=MerchantId(bytes(16)))


@pytest.mark.parametrize(
    ("poison", "error"),
    [
        (nul_in_the_order, PoisonedBatch),
        (half_a_character_in_the_key, PoisonedBatch),
        (more_than_64_bits, PoisonedBatch),
        (key_that_fits_no_index, asyncpg.PostgresError),
        (merchant_that_does_not_exist, AssertionError),
    ],
)
async def test_one_command_that_cannot_be_written_fails_alone(
    dsn: str, sql: asyncpg.Connection, poison: Poison, error: type[Exception]
) -> None:
    world = await a_world(sql)
    commands = [world.authorize(card=n % 4) for n in range(64)]
    commands[40] = poison(commands[40])
    async with a_node(dsn) as ledger:
        ends = await asyncio.gather(*(ledger.submit(command) for command in commands), return_exceptions=True)
        failed = [end for end in ends if isinstance(end, BaseException)]
        assert len(failed) == 1
        assert isinstance(failed[0], error)
        assert failed[0] is ends[40]
    assert await sql.fetchval("SELECT count(*) FROM payment") == 63
    await prove_books(sql)


async def test_lost_race_runs_again_together_then_alone_and_is_given_up_in_time(
    dsn: str, sql: asyncpg.Connection, clock: LoopClock
) -> None:
    world = await a_world(sql)
    await sql.execute(FAILING_ORDERS)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        loser = asyncio.create_task(ledger.submit(world.authorize(order_no="fail-40001")))
        neighbours = await submit_all(ledger, [world.authorize(card=card) for card in (1, 2, 3)])
        assert refusals(neighbours) == [None] * 3
        assert wire.delivered["roll_back"] >= RUNS_TOGETHER_MAX
        clock.advance(REQUEUE_FOR_S)
        with pytest.raises(StoreUnavailable):
            await loser
    assert await sql.fetchval("SELECT count(*) FROM batch") == 3, "after three runs together each runs alone"
    await prove_books(sql)


@pytest.mark.parametrize("state", ["57014", "53100"])
async def test_time_out_or_full_disk_fails_the_batch_once_and_not_the_next(
    dsn: str, sql: asyncpg.Connection, state: str
) -> None:
    world = await a_world(sql)
    await sql.execute(FAILING_ORDERS)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        commands = [world.authorize(order_no=f"fail-{state}"), world.authorize(card=1)]
        ends = await asyncio.gather(*(ledger.submit(command) for command in commands), return_exceptions=True)
        assert [type(end) for end in ends] == [StoreUnavailable, StoreUnavailable]
        assert wire.delivered["write_books"] == 1
        assert not (await ledger.submit(commands[1])).is_replay
    await prove_books(sql)


async def test_server_that_became_read_only_is_left(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    await sql.execute(FAILING_ORDERS)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        taking = wire.hold("take_lane")
        asked = asyncio.create_task(ledger.submit(world.authorize(order_no="fail-25006")))
        await taking.reached.wait()
        await sql.execute("DROP TRIGGER fail ON order_ref")
        taking.open()
        assert (await asked).answer.refusal is None
    await prove_books(sql)


async def test_lane_whose_row_was_held_too_long_goes_on(
    dsn: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LANE_SETTINGS, "lock_timeout", "20")
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        timed_out = wire.hold("roll_back")
        async with sql.transaction():
            await sql.execute("SELECT FROM lane FOR NO KEY UPDATE")
            asked = asyncio.create_task(ledger.submit(world.authorize()))
            await timed_out.reached.wait()
        timed_out.open()
        assert (await asked).answer.refusal is None
    await prove_books(sql)


async def test_watcher_that_fails_makes_nothing_run_twice(dsn: str, sql: asyncpg.Connection) -> None:
    seen = []

    def watch(done: BatchDone) -> None:
        seen.append(done.command_count)
        raise RuntimeError("a broken gauge")

    world = await a_world(sql)
    async with a_node(dsn, on_batch=watch) as ledger:
        await submit_all(ledger, [world.open_account(card=card, amount=100) for card in range(2)])
        await ledger.submit(world.open_account(amount=100))
    assert seen == [2, 1]
    assert await sql.fetchval("SELECT sum(credits_posted)::bigint FROM payer") == 300
    await prove_books(sql)


async def test_business_date_that_changed_since_the_last_batch_is_used_at_once(
    dsn: str, sql: asyncpg.Connection
) -> None:
    """Answers point to events of their own business date, so a claim with yesterday's is made again."""
    world = await a_world(sql)
    command = world.authorize()
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        await ledger.submit(world.authorize())
        await sql.execute("UPDATE control SET business_date = business_date + 1, cycle = cycle + 100")
        outcomes = await submit_all(ledger, [command, world.authorize(card=1)])
        assert refusals(outcomes) == [None, None]
        assert wire.delivered["roll_back"] == 1
        assert (await ledger.submit(command)).answer == outcomes[0].answer
    await prove_books(sql)


async def test_business_time_of_a_lane_never_goes_back(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_node(dsn) as ledger:
        for offset_us in (3_600_000_000, 0):
            await sql.execute("UPDATE control SET sandbox_offset_us = $1", offset_us)
            await ledger.submit(world.authorize())
    first, second = await sql.fetch("SELECT at FROM batch ORDER BY seq")
    assert first["at"] <= second["at"]
    await prove_books(sql)
