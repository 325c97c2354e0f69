"""The timetable: what is due is closed and published once, whoever looks."""

import asyncio

import asyncpg

from engine.core.calendar import business_date_at, cycle_number
from engine.store.clearing_session import load_clearing_state, open_clearing
from engine.workers.timetable import close_and_publish, close_due_cycles, run_timetable
from tests.builders import a_world
from tests.flows.busy_books import KEY
from tests.flows.clearing_books import close

A_DAY_LATER = "UPDATE control SET sandbox_offset_us = 86400000000"


async def test_nothing_is_closed_before_it_is_due(dsn: str, sql: asyncpg.Connection) -> None:
    before = await load_clearing_state(sql)
    assert await close_due_cycles(dsn, KEY) == ()
    assert (await load_clearing_state(sql)).control == before.control


async def test_a_cycle_is_due_at_its_cut_off_to_the_instant(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    await sql.execute("UPDATE control SET cutoff_at = clock_timestamp() + interval '1 hour'")
    assert await close_due_cycles(dsn, KEY) == ()
    await sql.execute("UPDATE control SET cutoff_at = clock_timestamp()")
    assert len(await close_due_cycles(dsn, KEY)) == 1


async def test_what_is_due_is_closed_and_published(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    open_before = (await load_clearing_state(sql)).control.cycle
    await sql.execute(A_DAY_LATER)
    assert await close_due_cycles(dsn, KEY) == (open_before,)
    state = await load_clearing_state(sql)
    assert state.control.cycle == cycle_number(business_date_at(state.now), 1)
    assert (state.control.published_cycle, state.unpublished) == (open_before, ())
    assert await close_due_cycles(dsn, KEY) == ()


async def test_a_cycle_closed_by_hand_is_published(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    cycles = (await close(dsn), await close(dsn))
    assert await close_due_cycles(dsn, KEY) == cycles


async def test_many_nodes_close_a_due_cycle_once(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    open_before = (await load_clearing_state(sql)).control.cycle
    await sql.execute(A_DAY_LATER)
    published = await asyncio.gather(*(close_due_cycles(dsn, KEY) for _ in range(4)))
    assert sorted(published) == [(), (), (), (open_before,)]
    assert await sql.fetchval("SELECT count(*) FROM clearing_run") == 1


async def test_closing_by_hand_publishes_too(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    cycle = await close_and_publish(dsn, KEY)
    state = await load_clearing_state(sql)
    assert (state.control.published_cycle, state.control.cycle) == (cycle, cycle + 1)


async def test_the_loop_closes_what_is_due_and_leaves_the_lock_to_others(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    open_before = (await load_clearing_state(sql)).control.cycle
    await sql.execute(A_DAY_LATER)
    stopping = asyncio.Event()
    loop = asyncio.create_task(run_timetable(dsn, KEY, stopping))
    while (await load_clearing_state(sql)).control.published_cycle != open_before:
        assert not loop.done()
    async with open_clearing(dsn) as session:
        await session.lock(wait_s=10.0)
    stopping.set()
    await loop


async def test_the_loop_outlives_its_connections(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    stopping = asyncio.Event()
    loop = asyncio.create_task(run_timetable(dsn, KEY, stopping))
    ended = 0
    while ended == 0:
        ended = await sql.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE application_name LIKE 'clearing%' AND datname = current_database()"
        )
    open_before = (await load_clearing_state(sql)).control.cycle
    await sql.execute(A_DAY_LATER)
    while (await load_clearing_state(sql)).control.published_cycle != open_before:
        assert not loop.done()
    stopping.set()
    await loop
