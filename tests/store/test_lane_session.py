"""Taking a lane, holding it and giving it back; and which fault each error of the database is."""

import asyncio

import asyncpg
import pytest

from engine.core.ids import NO_ID
from engine.core.journal import GENESIS
from engine.core.payer import CardStatus
from engine.ledger.batch import claim_rows
from engine.ledger.queue import Entry
from engine.store.connection import LANE_SETTINGS
from engine.store.faults import (
    ConnectionLost,
    Fault,
    Fenced,
    PoisonedBatch,
    RunAgain,
    StoreUnavailable,
    translated,
)
from engine.store.lane_session import LANE_LOCK_CLASS, LaneSessions
from engine.store.rows import payer_of
from tests.builders import a_world

HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1"
# A schema before the server's own: what the server says of itself is what a test says.
PRETEND = """
CREATE SCHEMA pretend;
CREATE TABLE pretend.state (is_standby boolean, file text);
INSERT INTO pretend.state VALUES (false, '000000020000000000000001');
CREATE FUNCTION pretend.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT is_standby FROM pretend.state';
CREATE FUNCTION pretend.pg_walfile_name(pg_lsn) RETURNS text LANGUAGE sql AS 'SELECT file FROM pretend.state';
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = pretend, public, pg_catalog', current_database());
END $$;
"""

WAITING = """
SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
                WHERE NOT granted AND datname = current_database())
"""
STATE = "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'lane 1/1'"
# A claim of the engine's own, about nobody: it locks the lane's row and nothing else.
NOBODY = [(0, NO_ID, 8, None, None, None, None, None, None, False)]


async def test_lane_that_nobody_had_starts_at_the_beginning(dsn: str, sql: asyncpg.Connection) -> None:
    session = await LaneSessions(dsn, node="a").open_any()
    assert (session.lane, session.epoch, session.seq, session.head) == (1, 1, 0, GENESIS)
    assert session.business_date == await sql.fetchval("SELECT business_date FROM control")
    assert await sql.fetchval("SELECT node FROM lane") == "a"
    names = await sql.fetch("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'lane %'")
    assert [row[0] for row in names] == ["lane 1/1"]
    await session.leave()


async def test_each_session_that_takes_a_lane_raises_its_epoch(dsn: str, sql: asyncpg.Connection) -> None:
    sessions = LaneSessions(dsn, node="a")
    for epoch in (1, 2, 3):
        session = await sessions.open_any()
        assert (session.lane, session.epoch) == (1, epoch)
        await session.leave()


async def test_lane_that_is_held_is_passed_over(dsn: str, sql: asyncpg.Connection) -> None:
    await sql.execute("SELECT pg_advisory_lock($1, 1)", LANE_LOCK_CLASS)
    session = await LaneSessions(dsn, node="a").open_any()
    assert session.lane == 2
    await session.leave()


async def test_lane_is_taken_again_from_a_session_that_still_lives(dsn: str, sql: asyncpg.Connection) -> None:
    sessions = LaneSessions(dsn, node="a")
    before = await sessions.open_any()
    await before.lock_and_claim(NOBODY)
    after = None
    while after is None:
        try:
            after = await sessions.open_same(1)
        except StoreUnavailable:  # its backend is about to end
            continue
    assert (after.lane, after.epoch, after.seq) == (1, 2, 0)
    with pytest.raises(ConnectionLost):
        await before.commit(GENESIS)
    await after.lock_and_claim(NOBODY)
    await after.roll_back()
    await after.leave()
    before.close()


async def test_lane_whose_lock_is_still_held_is_not_taken(dsn: str, sql: asyncpg.Connection) -> None:
    sessions = LaneSessions(dsn, node="a")
    await (await sessions.open_any()).leave()
    await sql.execute("SELECT pg_advisory_lock($1, 1)", LANE_LOCK_CLASS)
    with pytest.raises(StoreUnavailable, match="not over"):
        await sessions.open_same(1)
    assert await sql.fetchval("SELECT epoch FROM lane") == 1


async def test_lane_of_another_node_is_neither_taken_nor_disturbed(dsn: str, sql: asyncpg.Connection) -> None:
    sessions = LaneSessions(dsn, node="a")
    (await sessions.open_any()).close()
    while await sql.fetchval(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1", LANE_LOCK_CLASS
    ):
        continue
    other = await LaneSessions(dsn, node="b").open_any()
    with pytest.raises(Fenced):
        await sessions.open_same(1)
    await other.lock_and_claim(NOBODY)
    await other.roll_back()
    await other.leave()


@pytest.mark.parametrize("change", ["UPDATE lane SET epoch = epoch + 1", "UPDATE lane SET seq = seq + 1"])
async def test_session_whose_row_moved_is_fenced(dsn: str, sql: asyncpg.Connection, change: str) -> None:
    session = await LaneSessions(dsn, node="a").open_any()
    await sql.execute(change)
    with pytest.raises(Fenced):
        await session.lock_and_claim(NOBODY)
    session.close()


async def test_payer_is_as_new_as_its_lock_and_not_as_old_as_the_statement(dsn: str, sql: asyncpg.Connection) -> None:
    """The statement has its snapshot and waits for the lane; meanwhile the payer changes."""
    world = await a_world(sql)
    command = world.authorize()
    entry = Entry(command, asyncio.get_running_loop().create_future(), now=0.0, wait_s=5.0)
    session = await LaneSessions(dsn, node="a").open_any()
    await sql.execute("BEGIN; SELECT FROM lane FOR UPDATE")
    claiming = asyncio.create_task(session.lock_and_claim(claim_rows([entry])))
    other = await asyncpg.connect(dsn)
    while not await other.fetchval(WAITING):
        continue
    await other.execute("UPDATE payer SET status = 2")
    await other.close()
    await sql.execute("COMMIT")
    ((is_locked, is_claimed, payer, _),) = await claiming
    assert (is_locked, is_claimed) == (True, True)
    assert payer_of(payer).status is CardStatus.LOST
    await session.leave()


async def test_session_that_rests_has_no_transaction_and_goes_on(dsn: str, sql: asyncpg.Connection) -> None:
    session = await LaneSessions(dsn, node="a").open_any()
    for _ in range(2):
        await session.rest()
        assert await sql.fetchval(STATE) == "idle"
        await session.lock_and_claim(NOBODY)
        assert await sql.fetchval(STATE) == "idle in transaction"
        await session.roll_back()
    await session.leave()


async def test_standby_is_refused_and_so_is_a_server_behind_what_was_seen(dsn: str, sql: asyncpg.Connection) -> None:
    """An old primary that returns knows nothing of what was answered since."""
    await sql.execute(PRETEND)
    sessions = LaneSessions(dsn, node="a")
    await (await sessions.open_any()).leave()
    await sql.execute("UPDATE pretend.state SET file = '000000010000000000000009'")
    with pytest.raises(StoreUnavailable, match="newest timeline"):
        await sessions.open_same(1)
    await sql.execute("UPDATE pretend.state SET file = '0000000A0000000000000001', is_standby = true")
    for any_sessions in (sessions, LaneSessions(dsn, node="b")):
        with pytest.raises(StoreUnavailable, match="newest timeline"):
            await any_sessions.open_any()
    assert await sql.fetchval("SELECT epoch FROM lane") == 1
    await sql.execute("UPDATE pretend.state SET is_standby = false")
    await (await sessions.open_same(1)).leave()
    assert await sql.fetchval("SELECT epoch FROM lane") == 2


async def test_database_that_takes_no_writes_is_a_fault(dsn: str, sql: asyncpg.Connection) -> None:
    name = await sql.fetchval("SELECT current_database()")
    await sql.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(ConnectionLost):
        await LaneSessions(dsn, node="a").open_any()


async def test_frozen_session_is_ended_by_the_server_and_its_rows_are_free(
    dsn: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LANE_SETTINGS, "idle_in_transaction_session_timeout", "20")
    session = await LaneSessions(dsn, node="a").open_any()
    await session.lock_and_claim(NOBODY)
    await sql.execute("SELECT FROM lane FOR UPDATE")
    with pytest.raises(ConnectionLost):
        await session.commit(GENESIS)
    session.close()


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        ("40001", RunAgain),
        ("40P01", RunAgain),
        ("55P03", RunAgain),
        ("22021", PoisonedBatch),
        ("23505", PoisonedBatch),
        ("08006", ConnectionLost),
        ("25006", ConnectionLost),
        ("25P02", ConnectionLost),
        ("25P03", ConnectionLost),
        ("57P01", ConnectionLost),
        ("57P03", ConnectionLost),
        ("28P01", StoreUnavailable),
        ("3D000", StoreUnavailable),
        ("53100", StoreUnavailable),
        ("53300", StoreUnavailable),
        ("57014", StoreUnavailable),
        ("58030", StoreUnavailable),
    ],
)
def test_fault_is_named_by_what_has_to_be_done(state: str, fault: type[Fault]) -> None:
    error = asyncpg.PostgresError.new({"C": state, "M": "as the test says"})
    with pytest.raises(fault) as raised, translated():
        raise error
    assert type(raised.value) is fault
    assert raised.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        TimeoutError(),
        asyncpg.InterfaceError("the connection is closed"),
        asyncpg.TargetServerAttributeNotMatched("no primary"),
    ],
)
def test_trouble_on_the_way_to_the_database_is_a_lost_connection(error: Exception) -> None:
    with pytest.raises(ConnectionLost), translated():
        raise error


@pytest.mark.parametrize("state", ["42P01", "XX000"])
def test_error_that_nobody_has_thought_of_stays_what_it_is(state: str) -> None:
    error = asyncpg.PostgresError.new({"C": state, "M": "as the test says"})
    with pytest.raises(asyncpg.PostgresError) as raised, translated():
        raise error
    assert raised.value is error


def test_cancellation_is_no_fault() -> None:
    with pytest.raises(asyncio.CancelledError), translated():
        raise asyncio.CancelledError
