"""Waiting for an outcome: the moment it is there, across processes, with or without Valkey, and never too many."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
import structlog

from engine.core.ids import IdKind
from engine.core.payments import State
from engine.embedded.valkey import EmbeddedValkey
from engine.flows import await_payment
from engine.flows.await_payment import PaymentWatch, open_payment_watch
from engine.hints.connection import open_valkey
from engine.hints.outcomes import CHANNEL, Outcomes
from engine.ledger.queue import Overloaded
from engine.store.connection import open_pool
from engine.store.faults import Fault
from tests.builders import an_id
from tests.ledger.wire import Wire

LONG_S = 60.0
# What a pool says last to a session that it takes back.
HAS_LOOKED = (
    "SELECT count(*) > 0 FROM pg_stat_activity"
    " WHERE application_name = 'reads' AND state = 'idle' AND query LIKE '%payment%'"
)


@pytest.fixture(scope="module")
def valkey() -> Iterator[EmbeddedValkey]:
    """A Valkey that the tests of this module share."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedValkey(Path(folder) / "data") as server:
        yield server


@asynccontextmanager
async def a_watch(
    dsn: str, *, server: EmbeddedValkey | None = None, stopping: asyncio.Event | None = None
) -> AsyncIterator[PaymentWatch]:
    """The watch of one process; with *server* it has heard that it hears."""
    async with AsyncExitStack() as stack:
        pool = await open_pool(dsn, size_max=4)
        stack.push_async_callback(pool.close)
        client = open_valkey(server.url) if server is not None else None
        if client is not None:
            stack.push_async_callback(client.aclose)
        watch = await stack.enter_async_context(open_payment_watch(pool, Outcomes(client), stopping or asyncio.Event()))
        yield watch


async def hears(server: EmbeddedValkey, *, count: int) -> None:
    """So many processes are listening."""
    client = open_valkey(server.url)
    while dict(await client.pubsub_numsub(CHANNEL))[CHANNEL.encode()] < count:  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0)
    await client.aclose()


@pytest.fixture
def never_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks by himself: what is not announced is not seen."""
    monkeypatch.setattr(await_payment, "LOOK_EVERY_S", 3_600.0)


async def a_payment(sql: asyncpg.Connection, *, state: State = State.AUTHORIZED) -> bytes:
    """A payment in the books."""
    payment = an_id(IdKind.PAYMENT)
    await sql.execute(
        "INSERT INTO payment (id, region, merchant, payer, order_no, amount, scenario, mode, terminal_id, state,"
        " captured, refunded, tenders, business_date, limit_day, created_at)"
        " VALUES ($1, 110101, $1, $1, 'A', 1, 2, 1, 'T', $2, 0, 0, '', '2026-11-24', '2026-11-24', $3)",
        payment,
        state,
        datetime(2026, 11, 24, tzinfo=UTC),
    )
    return payment


async def becomes(sql: asyncpg.Connection, payment: bytes, state: State) -> None:
    """The payment moves on."""
    await sql.execute("UPDATE payment SET state = $2 WHERE id = $1", payment, state)


async def waits(watch: PaymentWatch, *, count: int = 1) -> None:
    """So many are waiting."""
    while watch.waiter_count != count:  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0)


@pytest.mark.parametrize("state", sorted(set(State) - {State.AUTHORIZED, State.AWAITING_USER}))
async def test_final_payment_is_not_waited_for(dsn: str, sql: asyncpg.Connection, state: State) -> None:
    async with a_watch(dsn) as watch:
        assert await watch.wait(await a_payment(sql, state=state), LONG_S)
        assert watch.waiter_count == 0


@pytest.mark.parametrize("state", [State.AUTHORIZED, State.AWAITING_USER])
async def test_time_that_is_over_ends_the_waiting(dsn: str, sql: asyncpg.Connection, state: State) -> None:
    async with a_watch(dsn) as watch:
        assert not await watch.wait(await a_payment(sql, state=state), 0.05)
        assert watch.waiter_count == 0


async def test_announcement_is_heard_at_once(dsn: str, sql: asyncpg.Connection, never_looking: None) -> None:
    payment, other = await a_payment(sql), await a_payment(sql)
    async with a_watch(dsn) as watch:
        waiting = [asyncio.create_task(watch.wait(payment, LONG_S)) for _ in range(3)]
        await waits(watch, count=3)
        await becomes(sql, payment, State.CAPTURED)
        watch.announce(other)
        watch.announce(payment)
        assert await asyncio.gather(*waiting) == [True] * 3


async def test_announcement_of_what_is_not_final_is_only_looked_at(
    dsn: str, sql: asyncpg.Connection, never_looking: None
) -> None:
    payment = await a_payment(sql, state=State.AWAITING_USER)
    async with a_watch(dsn) as watch:
        waiting = asyncio.create_task(watch.wait(payment, LONG_S))
        await waits(watch)
        await becomes(sql, payment, State.AUTHORIZED)
        watch.announce(payment)
        await becomes(sql, payment, State.VOIDED)
        watch.announce(payment)
        assert await waiting


async def test_other_process_hears_it_through_valkey(
    dsn: str, sql: asyncpg.Connection, valkey: EmbeddedValkey, never_looking: None
) -> None:
    payments = [await a_payment(sql) for _ in range(20)]
    async with a_watch(dsn, server=valkey) as here, a_watch(dsn, server=valkey) as there:
        await hears(valkey, count=2)
        waiting = [asyncio.create_task(here.wait(payment, LONG_S)) for payment in payments]
        await waits(here, count=20)
        for payment in payments:
            await becomes(sql, payment, State.DECLINED)
            there.announce(payment)
        assert await asyncio.gather(*waiting) == [True] * 20


async def test_what_nobody_announces_is_seen_without_valkey(dsn: str, sql: asyncpg.Connection) -> None:
    payment = await a_payment(sql)
    async with a_watch(dsn) as watch:
        waiting = asyncio.create_task(watch.wait(payment, LONG_S))
        await waits(watch)
        await becomes(sql, payment, State.EXPIRED)
        assert await waiting


async def test_valkey_that_goes_and_comes_back_is_heard_again(
    dsn: str, sql: asyncpg.Connection, valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.hints.outcomes.AGAIN_S", 0.01)
    payment, later = await a_payment(sql), await a_payment(sql)
    async with a_watch(dsn, server=valkey) as here, a_watch(dsn, server=valkey) as there:
        await hears(valkey, count=2)
        with structlog.testing.capture_logs() as logs:
            os.kill(valkey.pid, signal.SIGKILL)
            while valkey.is_alive():
                pass
            waiting = asyncio.create_task(here.wait(payment, LONG_S))
            await waits(here)
            await becomes(sql, payment, State.CAPTURED)
            there.announce(payment)
            assert await waiting
        assert {line["event"] for line in logs} == {"outcomes.degraded"}
        assert len(logs) <= 2, "once a process"
        valkey.restart()
        await hears(valkey, count=2)
        monkeypatch.setattr(await_payment, "LOOK_EVERY_S", 3_600.0)
        waiting = asyncio.create_task(here.wait(later, LONG_S))
        await waits(here)
        await becomes(sql, later, State.CAPTURED)
        there.announce(later)
        assert await waiting


async def test_crowd_has_an_end_and_whoever_leaves_makes_room(dsn: str, sql: asyncpg.Connection) -> None:
    payment = await a_payment(sql)
    pool = await open_pool(dsn, size_max=4)
    watch = PaymentWatch(pool, Outcomes(None), asyncio.Event(), waiters_max=2)
    waiting = [asyncio.create_task(watch.wait(payment, LONG_S)) for _ in range(2)]
    await waits(watch, count=2)
    with pytest.raises(Overloaded):
        await watch.wait(payment, LONG_S)
    waiting[0].cancel()
    await asyncio.wait([waiting[0]])
    assert watch.waiter_count == 1
    third = asyncio.create_task(watch.wait(payment, LONG_S))
    await waits(watch, count=2)
    await becomes(sql, payment, State.CAPTURED)
    watch.announce(payment)
    assert await asyncio.gather(*waiting[1:], third) == [True, True]
    await pool.close()


async def test_crowd_that_waits_for_one_order_keeps_nobody_else_out(
    dsn: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(await_payment, "WAITERS_OF_ONE_MAX", 2)
    crowded, other = await a_payment(sql), await a_payment(sql)
    async with a_watch(dsn) as watch:
        waiting = [asyncio.create_task(watch.wait(crowded, LONG_S)) for _ in range(2)]
        await waits(watch, count=2)
        with pytest.raises(Overloaded):
            await watch.wait(crowded, LONG_S)
        waiting.append(asyncio.create_task(watch.wait(other, LONG_S)))
        await waits(watch, count=3)
        for payment in (crowded, other):
            await becomes(sql, payment, State.CAPTURED)
            watch.announce(payment)
        assert await asyncio.gather(*waiting) == [True] * 3


async def test_whoever_has_gone_is_not_kept(dsn: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(await_payment, "LOOK_EVERY_S", 0.01)
    payment = await a_payment(sql)
    async with a_watch(dsn) as watch:
        staying = asyncio.create_task(watch.wait(payment, LONG_S))
        await waits(watch)
        assert not await watch.wait(payment, LONG_S, is_gone=lambda: True)
        assert watch.waiter_count == 1
        await becomes(sql, payment, State.CAPTURED)
        assert await staying


async def test_node_that_stops_keeps_nobody_waiting(
    dsn: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(await_payment, "LOOK_EVERY_S", 0.01)
    payment, stopping = await a_payment(sql), asyncio.Event()
    async with a_watch(dsn, stopping=stopping) as watch:
        waiting = asyncio.create_task(watch.wait(payment, LONG_S))
        await waits(watch)
        stopping.set()
        assert not await waiting


async def test_database_that_is_away_is_told_to_who_asks_and_looked_at_again_afterwards(
    dsn: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(await_payment, "LOOK_EVERY_S", 0.01)
    payment = await a_payment(sql)
    async with Wire(dsn).opened() as wire:
        pool = await open_pool(wire.dsn, size_max=4)
        watch = PaymentWatch(pool, Outcomes(None), asyncio.Event())
        waiting = asyncio.create_task(watch.wait(payment, LONG_S))
        while not await sql.fetchval(HAS_LOOKED):
            assert not waiting.done()
        wire.is_shut = True
        await sql.fetch("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'reads'")
        running = asyncio.create_task(watch.run())
        await wire.refused.wait()
        with pytest.raises(Fault):
            await watch.wait(payment, LONG_S)
        wire.is_shut = False
        await becomes(sql, payment, State.CAPTURED)
        assert await waiting
        running.cancel()
        await asyncio.wait([running])
        await pool.close()
