"""The timetable: what is due is closed and published once, whoever looks."""

import asyncio
from datetime import date, datetime, time, timedelta

import asyncpg
import pytest

from engine.core.calendar import (
    CUT_OVER,
    business_date_at,
    cycle_date,
    cycle_number,
    cycle_sequence,
    settlement_date,
)
from engine.core.ids import IdKind
from engine.core.settlement import Outcome
from engine.core.timetable import Timetable
from engine.flows.publish_cycle import BankMissing
from engine.flows.settle_cycle import answer_settlement
from engine.store.clearing_session import load_clearing_state, open_clearing
from engine.store.connection import open_pool
from engine.store.settlement import load_timetable, set_timetable, set_working_day
from engine.workers.timetable import close_and_publish, close_due_cycles, instruct_by_hand, run_timetable
from tests.builders import World, a_world, an_id
from tests.flows.business_time import a_day_ahead, at_hour, set_now
from tests.flows.busy_books import KEY, a_ledger
from tests.flows.clearing_books import close, pay_and_refund
from tests.flows.settlement_books import UNPOSTED

SEVERAL = Timetable(cut_offs=(time(11), time(17), CUT_OVER))
A_DAY_LATER = "UPDATE control SET sandbox_offset_us = 86400000000"


async def test_nothing_is_closed_before_it_is_due(dsn: str, sql: asyncpg.Connection) -> None:
    before = await load_clearing_state(sql)
    assert await close_due_cycles(dsn, KEY, books=UNPOSTED) == ()
    assert (await load_clearing_state(sql)).control == before.control


async def test_a_cycle_is_due_at_its_cut_off_to_the_instant(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    await sql.execute("UPDATE control SET cutoff_at = clock_timestamp() + interval '1 hour'")
    assert await close_due_cycles(dsn, KEY, books=UNPOSTED) == ()
    await sql.execute("UPDATE control SET cutoff_at = clock_timestamp()")
    assert len(await close_due_cycles(dsn, KEY, books=UNPOSTED)) == 1


async def test_what_is_due_is_closed_and_published(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    open_before = (await load_clearing_state(sql)).control.cycle
    await sql.execute(A_DAY_LATER)
    assert await close_due_cycles(dsn, KEY, books=UNPOSTED) == (open_before,)
    state = await load_clearing_state(sql)
    assert state.control.cycle == cycle_number(business_date_at(state.now), 1)
    assert (state.control.published_cycle, state.unpublished) == (open_before, ())
    assert await close_due_cycles(dsn, KEY, books=UNPOSTED) == ()


async def test_a_cycle_closed_by_hand_is_published(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    cycles = (await close(dsn), await close(dsn))
    assert await close_due_cycles(dsn, KEY, books=UNPOSTED) == cycles


async def test_many_nodes_close_a_due_cycle_once(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    open_before = (await load_clearing_state(sql)).control.cycle
    await sql.execute(A_DAY_LATER)
    published = await asyncio.gather(*(close_due_cycles(dsn, KEY, books=UNPOSTED) for _ in range(4)))
    assert sorted(published) == [(), (), (), (open_before,)]
    assert await sql.fetchval("SELECT count(*) FROM clearing_run") == 1


async def test_closing_by_hand_publishes_too(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    cycle = await close_and_publish(dsn, KEY, books=UNPOSTED)
    state = await load_clearing_state(sql)
    assert (state.control.published_cycle, state.control.cycle) == (cycle, cycle + 1)


async def test_the_loop_closes_what_is_due_and_leaves_the_lock_to_others(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    open_before = (await load_clearing_state(sql)).control.cycle
    await sql.execute(A_DAY_LATER)
    stopping = asyncio.Event()
    loop = asyncio.create_task(run_timetable(dsn, KEY, stopping, books=UNPOSTED))
    while (await load_clearing_state(sql)).control.published_cycle != open_before:
        assert not loop.done()
    async with open_clearing(dsn) as session:
        await session.lock(wait_s=10.0)
    stopping.set()
    await loop


async def test_the_loop_outlives_its_connections(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    stopping = asyncio.Event()
    loop = asyncio.create_task(run_timetable(dsn, KEY, stopping, books=UNPOSTED))
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


async def _due(dsn: str, sql: asyncpg.Connection, at: datetime) -> tuple[int, datetime]:
    """Which cycle of its day is open after what is due at an instant, and when that one is due."""
    await set_now(sql, at)
    await close_due_cycles(dsn, KEY, books=UNPOSTED)
    control = (await load_clearing_state(sql)).control
    assert control.business_date == cycle_date(control.cycle) == business_date_at(at)
    return cycle_sequence(control.cycle), control.cutoff_at


async def test_several_cut_offs_a_day_are_one_sequence_of_cycles(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    await set_timetable(sql, SEVERAL)
    day = a_day_ahead()
    tomorrow = day + timedelta(days=1)
    assert await _due(dsn, sql, at_hour(day, 0, 30)) == (1, at_hour(day, 11))
    assert await _due(dsn, sql, at_hour(day, 10, 59)) == (1, at_hour(day, 11))
    assert await _due(dsn, sql, at_hour(day, 11)) == (2, at_hour(day, 17))
    assert await _due(dsn, sql, at_hour(day, 17)) == (3, at_hour(day, 23))
    assert await _due(dsn, sql, at_hour(day, 22, 59)) == (3, at_hour(day, 23))
    assert await _due(dsn, sql, at_hour(day, 23)) == (1, at_hour(tomorrow, 11))
    closed = await sql.fetch("SELECT cycle FROM clearing_run WHERE published_at IS NOT NULL ORDER BY cycle")
    assert [row["cycle"] for row in closed[-3:]] == [cycle_number(day, sequence) for sequence in (1, 2, 3)]


async def test_a_cut_off_that_nobody_kept_is_not_made_up_for(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    await set_timetable(sql, SEVERAL)
    day = a_day_ahead()
    assert await _due(dsn, sql, at_hour(day, 0, 30)) == (1, at_hour(day, 11))
    assert await _due(dsn, sql, at_hour(day, 18)) == (2, at_hour(day, 23))
    later = day + timedelta(days=40)
    assert await _due(dsn, sql, at_hour(later, 12)) == (1, at_hour(later, 17))
    assert await sql.fetchval("SELECT count(*) FROM clearing_run WHERE cycle > $1", cycle_number(day, 2)) == 0


async def test_payments_say_the_next_cut_off(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    await set_timetable(sql, SEVERAL)
    day = a_day_ahead()
    async with a_ledger(dsn) as ledger:
        for hour, due in ((0, 11), (11, 17), (17, 23)):
            await set_now(sql, at_hour(day, hour))
            await close_due_cycles(dsn, KEY, books=UNPOSTED)
            outcome = await ledger.submit(world.authorize(amount=hour + 1))
            assert outcome.answer.next_cutoff_at == at_hour(day, due)


async def test_a_cycle_closed_by_hand_leaves_its_cut_off_to_the_next(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    await set_timetable(sql, SEVERAL)
    day = a_day_ahead()
    assert await _due(dsn, sql, at_hour(day, 0, 30)) == (1, at_hour(day, 11))
    await close(dsn)
    assert await _due(dsn, sql, at_hour(day, 10)) == (2, at_hour(day, 11))
    assert await _due(dsn, sql, at_hour(day, 11)) == (3, at_hour(day, 17))


async def test_other_cut_offs_hold_from_the_next_cycle(dsn: str, sql: asyncpg.Connection) -> None:
    before = (await load_clearing_state(sql)).control
    await set_timetable(sql, SEVERAL)
    assert (await load_clearing_state(sql)).control == before
    assert await load_timetable(sql) == SEVERAL
    await close(dsn)
    state = await load_clearing_state(sql)
    assert state.control.cutoff_at <= before.cutoff_at
    assert state.control.cutoff_at > state.now


@pytest.mark.parametrize(
    ("month", "day_of_month"),
    [(12, 31), (2, 28), (2, 29)],
)
async def test_the_year_ends_and_leap_days_come(
    dsn: str, sql: asyncpg.Connection, month: int, day_of_month: int
) -> None:
    """Each business date is followed by the next of the calendar, and its partitions are there."""
    world = await a_world(sql)
    day = a_day_ahead()
    year = day.year + 1
    while not (year % 4 == 0 and (year % 100 or year % 400 == 0)):
        year += 1
    day = day.replace(year=year, month=month, day=day_of_month)
    assert await _due(dsn, sql, at_hour(day, 22, 59)) == (1, at_hour(day, 23))
    tomorrow = day + timedelta(days=1)
    assert await _due(dsn, sql, at_hour(day, 23)) == (1, at_hour(tomorrow, 23))
    async with a_ledger(dsn) as ledger:
        outcome = await ledger.submit(world.authorize())
    assert outcome.answer.payment is not None
    assert outcome.answer.payment.business_date == tomorrow


async def test_a_day_without_payments_is_published_and_settles(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    cycle = (await load_clearing_state(sql)).control.cycle
    await sql.execute(A_DAY_LATER)
    assert await close_due_cycles(dsn, KEY, books=UNPOSTED) == (cycle,)
    assert await sql.fetchval("SELECT settled_cycle FROM control") == cycle


async def test_a_whole_day_goes_by_itself(dsn: str, sql: asyncpg.Connection) -> None:
    """Closed and published at the cut-over, instructed at nine of the next working day, settled when the bank says."""
    world, day = await _paid_on_a_day(dsn, sql)
    monday = day + timedelta(days=3)
    for n in (1, 2):
        await set_working_day(sql, day + timedelta(days=n), is_working=False, reason="a weekend")
    await set_working_day(sql, monday, is_working=True, reason="a Monday")
    cycle = (await load_clearing_state(sql)).control.cycle
    await set_now(sql, at_hour(day, 23))
    assert await close_due_cycles(dsn, KEY, books=UNPOSTED) == (cycle,)
    for at in (at_hour(day + timedelta(days=1), 12), at_hour(monday, 8, 59)):
        await set_now(sql, at)
        await close_due_cycles(dsn, KEY, books=UNPOSTED)
        assert await sql.fetchval("SELECT count(*) FROM settlement") == 0
    await set_now(sql, at_hour(monday, 9))
    await close_due_cycles(dsn, KEY, books=UNPOSTED)
    instructed = await sql.fetchrow("SELECT cycle, settlement_date FROM settlement")
    assert instructed is not None
    assert tuple(instructed) == (cycle, monday)
    pool = await open_pool(dsn, size_max=1)
    await answer_settlement(pool, cycle=cycle, outcome=Outcome.CONFIRMED, reference="R", books=UNPOSTED)
    await pool.close()
    assert await sql.fetchval("SELECT settled_cycle FROM control") >= cycle
    assert world.banks


async def test_settlement_by_hand_waits_for_no_day(dsn: str, sql: asyncpg.Connection) -> None:
    await _paid_on_a_day(dsn, sql)
    cycle = await close_and_publish(dsn, KEY, books=UNPOSTED)
    empty = await close_and_publish(dsn, KEY, books=UNPOSTED)
    done = await instruct_by_hand(dsn, books=UNPOSTED)
    assert [(one.cycle, one.outcome is None) for one in done[-2:]] == [(cycle, True), (empty, False)]
    assert await instruct_by_hand(dsn, books=UNPOSTED) == ()
    assert await instruct_by_hand(dsn, cycle=cycle, books=UNPOSTED) == ()
    settled = await sql.fetch("SELECT cycle FROM clearing_run WHERE settled_at IS NOT NULL")
    assert empty in {row["cycle"] for row in settled}


async def test_what_cannot_be_published_keeps_nothing_from_being_closed_and_settled(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world, day = await _paid_on_a_day(dsn, sql)
    first = await close_and_publish(dsn, KEY, books=UNPOSTED)
    async with a_ledger(dsn) as ledger:
        await ledger.submit(world.authorize())
    await sql.execute("UPDATE merchant SET bank = $1", an_id(IdKind.BANK))
    second = await close(dsn)
    await set_now(sql, at_hour(settlement_date(day), 23))
    with pytest.raises(BankMissing):
        await close_due_cycles(dsn, KEY, books=UNPOSTED)
    assert (await load_clearing_state(sql)).control.cycle > second + 1
    assert await sql.fetchval("SELECT cycle FROM settlement") == first


async def _paid_on_a_day(dsn: str, sql: asyncpg.Connection) -> tuple[World, date]:
    world = await a_world(sql)
    day = a_day_ahead()
    await set_now(sql, at_hour(day, 12))
    await close_due_cycles(dsn, KEY, books=UNPOSTED)
    async with a_ledger(dsn) as ledger:
        await pay_and_refund(ledger, world)
    return world, day
