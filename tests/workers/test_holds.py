"""The sweeper lets go of every hold whose time is over, and of no other."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import structlog

from engine.core.ids import PaymentId
from engine.ledger.queue import Overloaded
from engine.ledger.router import Ledger
from engine.store.connection import open_pool
from engine.store.reads import Reads
from engine.workers import holds
from engine.workers.holds import run_hold_sweeper, sweep_holds
from tests.builders import World, a_world
from tests.ledger.nodes import a_node

MOVE_ON = "UPDATE control SET sandbox_offset_us = sandbox_offset_us + 60000000"
PENDING = "SELECT sum(debits_pending) FROM payer"


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """What the sweeper reads through."""
    async with await open_pool(dsn, size_max=2) as opened:
        yield opened


async def held(ledger: Ledger, world: World, *, count: int, hold_s: int) -> list[PaymentId]:
    """So many holds of one fen."""
    commands = (world.authorize(card=n % 4, amount=1, capture=False, hold_s=hold_s) for n in range(count))
    outcomes = await asyncio.gather(*(ledger.submit(command) for command in commands))
    return [outcome.answer.payment.id for outcome in outcomes if outcome.answer.payment is not None]


async def rich_world(ledger: Ledger, sql: asyncpg.Connection) -> World:
    """A world in which every card has money."""
    world = await a_world(sql)
    for card in range(4):
        await ledger.submit(world.open_account(card=card, amount=10_000))
    return world


async def test_holds_that_are_due_are_let_go_and_no_others(
    dsn: str, sql: asyncpg.Connection, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "PAGE", 4)
    reads = Reads(pool)
    async with a_node(dsn) as ledger:
        world = await rich_world(ledger, sql)
        due = await held(ledger, world, count=10, hold_s=60)
        later = await held(ledger, world, count=3, hold_s=61 + 60)
        assert await sweep_holds(ledger, reads) == 0
        await sql.execute(MOVE_ON)
        assert await sweep_holds(ledger, reads) == 10
        assert await sweep_holds(ledger, reads) == 0
    states = {row["id"]: row["state"] for row in await sql.fetch("SELECT id, state FROM payment")}
    assert {states[payment] for payment in due} == {6}
    assert {states[payment] for payment in later} == {1}
    assert await sql.fetchval(PENDING) == 3


async def test_two_sweepers_let_go_once(dsn: str, sql: asyncpg.Connection, pool: asyncpg.Pool) -> None:
    reads = Reads(pool)
    async with a_node(dsn) as one, a_node(dsn) as another:
        world = await rich_world(one, sql)
        await held(one, world, count=20, hold_s=60)
        await sql.execute(MOVE_ON)
        await asyncio.gather(*(sweep_holds(ledger, reads) for ledger in (one, another, one)))
    assert await sql.fetchval(PENDING) == 0
    assert await sql.fetchval("SELECT count(*) FROM hold") == 0


async def test_holds_that_cannot_be_let_go_are_not_asked_for_ever(
    dsn: str, sql: asyncpg.Connection, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "PAGE", 2)
    async with a_node(dsn) as ledger:
        world = await rich_world(ledger, sql)
        await held(ledger, world, count=4, hold_s=60)
        await sql.execute("UPDATE payment SET state = 5")  # a damaged row: nothing is left to let go
        await sql.execute(MOVE_ON)
        assert await sweep_holds(ledger, Reads(pool)) == 2


async def test_full_ledger_is_tried_again_after_a_pause(
    dsn: str, sql: asyncpg.Connection, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "PAUSE_S", 0.001)
    reads, stopping = Reads(pool), asyncio.Event()
    async with a_node(dsn) as roomy, a_node(dsn, queue_max=1) as small:
        world = await rich_world(roomy, sql)
        await held(roomy, world, count=8, hold_s=60)
        await sql.execute(MOVE_ON)
        with pytest.raises(Overloaded):
            await sweep_holds(small, reads)
        with structlog.testing.capture_logs() as logs:
            sweeping = asyncio.create_task(run_hold_sweeper(small, reads, stopping))
            while await sql.fetchval(PENDING):
                pass
            stopping.set()
            await sweeping
    assert {line["log_level"] for line in logs} <= {"warning"}
