"""A COMMIT that waits for a standby is waited for, whatever happens to the session; nothing is told before."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from engine.ledger.router import WAIT_S
from engine.store.connection import LANE_SETTINGS
from engine.store.faults import StoreUnavailable
from tests.builders import a_world
from tests.ledger.conftest import LoopClock
from tests.ledger.nodes import a_node
from tests.ledger.proof import prove_books
from tests.ledger.wire import Act, Wire

WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name LIKE $1"

OVERDUE = "SELECT query_start < clock_timestamp() - interval '100 ms' FROM pg_stat_activity WHERE pid = $1"


class MissingStandby:
    """A server that wants a standby's confirmation for each commit, and has none."""

    def __init__(self, sql: asyncpg.Connection) -> None:
        """Said over a connection that commits nothing, or only locally."""
        self._sql = sql

    async def demand(self) -> None:
        """From now on commits wait."""
        await self._set("ALTER SYSTEM SET synchronous_standby_names = 'missing'", "missing")

    async def release(self) -> None:
        """The standby is not wanted any more: everything that waits is done."""
        await self._set("ALTER SYSTEM RESET synchronous_standby_names", "")

    async def waiter(self, name: str) -> int:
        """The backend of the session of that name, once its commit waits."""
        pid: int | None = None
        while pid is None:
            pid = await self._sql.fetchval(WAITING, name)
        return pid

    async def _set(self, change: str, expected: str) -> None:
        await self._sql.execute(change)
        await self._sql.execute("SELECT pg_reload_conf()")
        while await self._sql.fetchval("SHOW synchronous_standby_names") != expected:
            continue


@pytest.fixture
async def standby(dsn: str, sql: asyncpg.Connection) -> AsyncIterator[MissingStandby]:
    """A standby that a test can miss. Whatever becomes of the test, the server is as before afterwards."""
    await sql.execute("SET synchronous_commit = local")
    connection = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "local"})
    standby = MissingStandby(connection)
    yield standby
    connection.terminate()
    connection = await asyncpg.connect(dsn)
    await MissingStandby(connection).release()
    await connection.close()


async def test_commit_waits_for_the_standby_longer_than_a_statement_may_take(
    dsn: str, sql: asyncpg.Connection, standby: MissingStandby, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that timed out would be visible here and missing there."""
    monkeypatch.setitem(LANE_SETTINGS, "statement_timeout", "50")
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        await standby.demand()
        asked = asyncio.create_task(ledger.submit(world.authorize()))
        pid = await standby.waiter("lane 1/1")
        while not await sql.fetchval(
            "SELECT query_start < clock_timestamp() - interval '100 ms' FROM pg_stat_activity WHERE pid = $1", pid
        ):
            continue
        assert await standby.waiter("lane 1/%") == pid
        assert not asked.done()
        await standby.release()
        assert (await asked).answer.refusal is None
        assert wire.delivered["take_lane"] == 1
    await prove_books(sql)


@pytest.mark.parametrize("end", ["pg_cancel_backend", "pg_terminate_backend"])
async def test_commit_that_the_standby_did_not_confirm_is_not_answered_until_it_does(
    dsn: str, sql: asyncpg.Connection, standby: MissingStandby, clock: LoopClock, end: str
) -> None:
    """A cancelled wait commits locally, visibly, and even with success; the lane serves nothing until it is taken
    again, and taking it waits for everything before it. Meanwhile its callers are told that there is no answer."""
    world = await a_world(sql)
    first, second = world.authorize(), world.authorize(card=1)
    async with a_node(dsn) as ledger:
        await standby.demand()
        asked = asyncio.create_task(ledger.submit(first))
        pid = await standby.waiter("lane 1/1")
        await sql.execute(f"SELECT {end}($1)", pid)
        await standby.waiter("lane 1/2")
        assert await sql.fetchval("SELECT count(*) FROM payment") == 1
        queued = asyncio.create_task(ledger.submit(second))
        await asyncio.sleep(0)
        assert not asked.done()
        clock.advance(WAIT_S)
        with pytest.raises(StoreUnavailable):
            await asked
        with pytest.raises(StoreUnavailable):
            await queued
        await standby.release()
        assert (await ledger.submit(first)).is_replay
        assert not (await ledger.submit(second)).is_replay
    assert await sql.fetchval("SELECT count(*) FROM payment") == 2
    await prove_books(sql)


async def test_taking_a_lane_is_not_done_when_its_own_commit_is_not_confirmed(
    dsn: str, sql: asyncpg.Connection, standby: MissingStandby
) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        await standby.demand()
        asked = asyncio.create_task(ledger.submit(world.authorize()))
        for name in ("lane 1/1", "lane 1/2", "lane 1/3"):
            await sql.execute("SELECT pg_cancel_backend($1)", await standby.waiter(name))
        await standby.waiter("lane 1/4")
        assert not asked.done()
        assert not ledger.is_serving
        await standby.release()
        assert (await asked).answer.refusal is None
        assert wire.delivered["write_books"] == 1
    await prove_books(sql)


async def test_session_whose_commit_waits_for_the_standby_is_never_ended_by_the_next(
    dsn: str, sql: asyncpg.Connection, standby: MissingStandby
) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        await standby.demand()
        wire.at("commit", Act.ABANDONED_AFTER)
        asked = asyncio.create_task(ledger.submit(world.authorize()))
        zombie = await standby.waiter("lane 1/1")
        for _ in range(3):
            tried = wire.hold("try_lock")
            await tried.reached.wait()
            tried.open()
        assert await standby.waiter("lane 1/%") == zombie
        assert not asked.done()
        await standby.release()
        assert (await asked).answer.refusal is None
        assert wire.delivered["write_books"] == 1
    await prove_books(sql)
