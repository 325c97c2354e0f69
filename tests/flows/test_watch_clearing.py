"""Alarms and caps: who is late, how much of a cap is used, and that nothing is published beyond one."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from engine.core.calendar import CycleNumber, next_cycle
from engine.core.ids import BankId
from engine.core.settlement import Alarm, AlarmKind, Outcome
from engine.core.timetable import Timetable
from engine.flows.settle_cycle import answer_settlement, instruct_cycle
from engine.flows.watch_clearing import AlarmChanges, CapExceeded, LiveNets, require_caps, watch_clearing
from engine.store.clearing_session import load_clearing_state, open_clearing
from engine.store.connection import open_pool
from engine.store.settlement import insert_cap, load_alarms, note_acknowledged, note_pulled, set_timetable
from engine.workers.timetable import close_and_publish, close_due_cycles, run_timetable
from tests.builders import World, a_world
from tests.flows.business_time import a_day_ahead, at_hour, set_now
from tests.flows.busy_books import KEY, a_ledger
from tests.flows.clearing_books import close, pay_and_refund, publish
from tests.flows.settlement_books import UNPOSTED

PULL_BY, ACKNOWLEDGE_BY = 6, 8


async def look(dsn: str, live: LiveNets | None = None, *, held: CapExceeded | None = None) -> AlarmChanges:
    """One look at everything."""
    async with open_clearing(dsn) as session:
        await session.lock(wait_s=0.0)
        return await watch_clearing(session, live or LiveNets(), held=held)


async def cap(sql: asyncpg.Connection, bank: BankId, amount: int | None, *, approval: str = "apr_1") -> None:
    """Give a bank a cap."""
    now = (await load_clearing_state(sql)).now
    await insert_cap(sql, bank, cap=amount, approval=approval, at=now)


async def used(sql: asyncpg.Connection) -> dict[bytes, int]:
    """What the last look has kept of each bank that has a cap."""
    return {row["bank"]: row["used"] for row in await sql.fetch("SELECT bank, used FROM liquidity")}


async def is_published(sql: asyncpg.Connection, cycle: CycleNumber) -> bool:
    """Whether a cycle's files are out."""
    return cycle <= (await load_clearing_state(sql)).control.published_cycle


async def published_at_night(dsn: str, sql: asyncpg.Connection) -> tuple[World, CycleNumber]:
    """A cycle that is published shortly after midnight, some days ahead; that day's six o'clock has still to come."""
    world = await a_world(sql)
    await set_now(sql, at_hour(a_day_ahead(), 0, 30))
    cycle = await close(dsn)
    await publish(dsn, cycle)
    return world, cycle


async def files_of(sql: asyncpg.Connection, bank: BankId, cycle: CycleNumber) -> list[str]:
    """The names of a bank's files."""
    rows = await sql.fetch("SELECT name FROM clearing_file WHERE bank = $1 AND cycle = $2 ORDER BY name", bank, cycle)
    return [row["name"] for row in rows]


async def test_banks_that_never_pull_raise_an_alarm_once_and_the_cycle_stays_published(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world, cycle = await published_at_night(dsn, sql)
    assert (await look(dsn)).on == frozenset()
    (name, *_) = await files_of(sql, world.banks[0], cycle)
    now = (await load_clearing_state(sql)).now
    await note_pulled(sql, name, at=now)
    await set_now(sql, at_hour(a_day_ahead(), PULL_BY))
    late = frozenset(Alarm(cycle, bank, AlarmKind.NOT_PULLED) for bank in world.banks[1:])
    assert (await look(dsn)).raised == late
    again = await look(dsn)
    assert (again.raised, again.on) == (frozenset(), late)
    assert await is_published(sql, cycle)

    (name, *_) = await files_of(sql, world.banks[1], cycle)
    await note_pulled(sql, name, at=now)
    assert (await look(dsn)).ended == {Alarm(cycle, world.banks[1], AlarmKind.NOT_PULLED)}
    assert await load_alarms(sql) == {Alarm(cycle, world.banks[2], AlarmKind.NOT_PULLED)}


async def test_every_file_that_was_pulled_is_to_be_acknowledged(dsn: str, sql: asyncpg.Connection) -> None:
    world, cycle = await published_at_night(dsn, sql)
    now = (await load_clearing_state(sql)).now
    for bank in world.banks:
        for name in (await files_of(sql, bank, cycle))[:2]:
            await note_pulled(sql, name, at=now)
    first, second = (await files_of(sql, world.banks[0], cycle))[:2]
    await note_acknowledged(sql, first, at=now)
    await set_now(sql, at_hour(a_day_ahead(), ACKNOWLEDGE_BY))
    late = {Alarm(cycle, bank, AlarmKind.NOT_ACKNOWLEDGED) for bank in world.banks}
    assert (await look(dsn)).on == late
    await note_acknowledged(sql, second, at=now)
    assert (await look(dsn)).on == late - {Alarm(cycle, world.banks[0], AlarmKind.NOT_ACKNOWLEDGED)}


async def test_a_file_that_was_replaced_need_not_be_acknowledged(dsn: str, sql: asyncpg.Connection) -> None:
    world, cycle = await published_at_night(dsn, sql)
    now = (await load_clearing_state(sql)).now
    old, new = (await files_of(sql, world.banks[0], cycle))[:2]
    for name in (old, new):
        await note_pulled(sql, name, at=now)
    await note_acknowledged(sql, new, at=now)
    await set_now(sql, at_hour(a_day_ahead(), ACKNOWLEDGE_BY))
    alarm = Alarm(cycle, world.banks[0], AlarmKind.NOT_ACKNOWLEDGED)
    assert alarm in (await look(dsn)).on
    await sql.execute("UPDATE clearing_file SET replaces = $1 WHERE name = $2", old, new)
    assert alarm in (await look(dsn)).ended


async def test_the_first_time_of_a_receipt_stays(dsn: str, sql: asyncpg.Connection) -> None:
    world, cycle = await published_at_night(dsn, sql)
    (name, *_) = await files_of(sql, world.banks[0], cycle)
    first = (await load_clearing_state(sql)).now
    await note_acknowledged(sql, name, at=first)
    await note_pulled(sql, name, at=first)
    for note in (note_pulled, note_acknowledged):
        await note(sql, name, at=(await load_clearing_state(sql)).now)
    row = await sql.fetchrow("SELECT pulled_at, acknowledged_at FROM file_receipt")
    assert row is not None
    assert tuple(row) == (first, first)


async def test_a_settlement_that_failed_is_an_alarm_until_it_is_instructed_again(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world, cycle = await _with_payments(dsn, sql)
    pool = await open_pool(dsn, size_max=1)
    for outcome, reference, kinds in (
        (Outcome.FAILED, "F-1", {AlarmKind.SETTLEMENT_FAILED}),
        (Outcome.CONFIRMED, "C-1", set()),
    ):
        async with open_clearing(dsn) as session:
            await session.lock(wait_s=0.0)
            assert await instruct_cycle(session, cycle) is not None
        assert (await look(dsn)).on == frozenset()
        await answer_settlement(pool, cycle=cycle, outcome=outcome, reference=reference, books=UNPOSTED)
        assert (await look(dsn)).on == {Alarm(cycle, world.banks[-1], kind) for kind in kinds}
    await pool.close()


async def test_the_open_cycle_counts_for_the_cap_as_payments_come_in(dsn: str, sql: asyncpg.Connection) -> None:
    """Exactly what netting finds afterwards, personal accounts and refunds included, and nothing is blocked."""
    world = await a_world(sql)
    live = LiveNets()
    for n, bank in enumerate(world.banks):
        await cap(sql, bank, 10**9, approval=f"apr_{n}")
    async with a_ledger(dsn) as ledger:
        await look(dsn, live)
        assert set((await used(sql)).values()) == {0}
        await pay_and_refund(ledger, world)
        await look(dsn, live)
        first = await used(sql)
        await ledger.submit(world.authorize(card=1, amount=60))
        await look(dsn, live)
    second = await used(sql)
    assert second[world.banks[1]] - first[world.banks[1]] in range(61)
    assert second != first
    cycle = await close(dsn)
    await look(dsn, live)
    assert await used(sql) == second  # closed and not netted
    await publish(dsn, cycle)
    nets = await sql.fetch("SELECT bank, credits - debits AS net FROM net_position WHERE cycle = $1", cycle)
    assert second == {row["bank"]: max(0, -row["net"]) for row in nets}
    await look(dsn, live)
    assert await used(sql) == second
    await look(dsn)  # and whoever begins anew finds the same
    assert await used(sql) == second


async def test_a_look_reads_only_what_is_new(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    live = LiveNets()
    cycle = (await load_clearing_state(sql)).control.cycle
    async with a_ledger(dsn) as ledger, open_clearing(dsn) as session:
        await ledger.submit(world.authorize(card=1, amount=11))
        await live.look(session, [cycle])
        await sql.execute("DELETE FROM posting")  # read once is enough
        await ledger.submit(world.authorize(card=1, amount=13))
        nets = await live.look(session, [cycle])
    assert {position.bank: position.net for position in nets[cycle]} == {
        world.banks[0]: 24,
        world.banks[1]: -24,
        world.banks[2]: 0,
    }


async def test_a_merchant_without_a_bank_stops_no_look(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    await cap(sql, world.banks[1], 100)
    await sql.execute("UPDATE merchant SET bank = $1", bytes(16))
    async with a_ledger(dsn) as ledger:
        await ledger.submit(world.authorize(card=1, amount=50))
    await look(dsn)
    assert await used(sql) == {world.banks[1]: 0}


async def test_most_of_a_cap_is_an_alarm_and_stops_no_payment(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    bank = world.banks[1]
    await cap(sql, bank, 1_000)
    async with a_ledger(dsn) as ledger:
        await ledger.submit(world.authorize(card=1, amount=799))
        assert (await look(dsn)).on == frozenset()
        await ledger.submit(world.authorize(card=1, amount=1))
        open_cycle = (await load_clearing_state(sql)).control.cycle
        assert (await look(dsn)).on == {Alarm(open_cycle, bank, AlarmKind.LIQUIDITY)}
        outcome = await ledger.submit(world.authorize(card=1, amount=5_000))
        assert outcome.answer.refusal is None
    await cap(sql, bank, 100_000, approval="apr_2")
    assert (await look(dsn)).ended == {Alarm(open_cycle, bank, AlarmKind.LIQUIDITY)}
    await cap(sql, bank, None, approval="apr_3")
    await look(dsn)
    assert await used(sql) == {}


async def test_an_approval_changes_a_cap_once(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    for amount in (100, 200):
        await cap(sql, world.banks[0], amount, approval="apr_same")
    assert [row["cap"] for row in await sql.fetch("SELECT cap FROM net_debit_cap")] == [100]


async def test_no_cycle_is_published_while_a_bank_would_exceed_its_cap(dsn: str, sql: asyncpg.Connection) -> None:
    """Payments go on, later cycles wait behind it, and once the cap is raised all of them come out by themselves."""
    world = await a_world(sql)
    bank = world.banks[1]
    await cap(sql, bank, 1_000)
    async with a_ledger(dsn) as ledger:
        await ledger.submit(world.authorize(card=1, amount=1_001))
        with pytest.raises(CapExceeded, match="1 banks") as caught:
            await close_and_publish(dsn, KEY, books=UNPOSTED)
        held = caught.value.cycle
        assert [(one.bank, one.cap, one.used) for one in caught.value.exceeded] == [(bank, 1_000, 1_001)]
        outcome = await ledger.submit(world.authorize(card=1, amount=5))
        assert outcome.answer.payment is not None
        assert outcome.answer.payment.cycle == held + 1
    assert await close_due_cycles(dsn, KEY, books=UNPOSTED) == ()
    assert await load_alarms(sql) >= {Alarm(held, bank, AlarmKind.CAP_EXCEEDED)}
    second = await close(dsn)
    assert await close_due_cycles(dsn, KEY, books=UNPOSTED) == ()
    assert not await is_published(sql, held)
    assert await sql.fetchval("SELECT count(*) FROM clearing_file") == 0

    await cap(sql, bank, 1_006, approval="apr_2")
    assert await close_due_cycles(dsn, KEY, books=UNPOSTED) == (held, second)
    assert Alarm(held, bank, AlarmKind.CAP_EXCEEDED) not in await load_alarms(sql)


async def test_what_is_settled_no_longer_counts_for_a_cap(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    bank = world.banks[1]
    await cap(sql, bank, 1_000)
    async with a_ledger(dsn) as ledger:
        await ledger.submit(world.authorize(card=1, amount=900))
        first = await close_and_publish(dsn, KEY, books=UNPOSTED)
        await ledger.submit(world.authorize(card=1, amount=900))
        second = await close(dsn)
    assert await close_due_cycles(dsn, KEY, books=UNPOSTED) == ()
    async with open_clearing(dsn) as session:
        await session.lock(wait_s=0.0)
        await instruct_cycle(session, first)
    pool = await open_pool(dsn, size_max=1)
    await answer_settlement(pool, cycle=first, outcome=Outcome.CONFIRMED, reference="R", books=UNPOSTED)
    await pool.close()
    assert await close_due_cycles(dsn, KEY, books=UNPOSTED) == (second,)


async def test_a_cap_is_judged_over_everything_that_is_not_settled(dsn: str, sql: asyncpg.Connection) -> None:
    """What a bank gets in one cycle counts against what it owes in another."""
    world = await a_world(sql)
    await cap(sql, world.banks[1], 500)
    async with a_ledger(dsn) as ledger:
        await ledger.submit(world.authorize(card=0, merchant=1, amount=400))  # bank 1 gets
        await close_and_publish(dsn, KEY, books=UNPOSTED)
        await ledger.submit(world.authorize(card=1, amount=900))
        cycle = await close_and_publish(dsn, KEY, books=UNPOSTED)
        async with open_clearing(dsn) as session:
            await require_caps(session, cycle)
        await ledger.submit(world.authorize(card=1, amount=1))
        with pytest.raises(CapExceeded):
            await close_and_publish(dsn, KEY, books=UNPOSTED)


async def test_steps_wait_for_their_times(dsn: str, sql: asyncpg.Connection) -> None:
    """23:30 and 00:30: closed at the cut-over, netted half an hour later, published after another hour."""
    await a_world(sql)
    await set_timetable(sql, Timetable(net_after_s=1_800, publish_after_s=5_400))
    day = a_day_ahead()
    await set_now(sql, at_hour(day, 12))
    await close(dsn)
    cycle = (await load_clearing_state(sql)).control.cycle
    states = []
    for days, hour, minute in ((0, 22, 59), (0, 23, 1), (0, 23, 35), (1, 0, 25), (1, 0, 35)):
        await set_now(sql, at_hour(day + timedelta(days=days), hour, minute))
        await close_due_cycles(dsn, KEY, books=UNPOSTED)
        run = await sql.fetchrow("SELECT netted_at, published_at FROM clearing_run WHERE cycle = $1", cycle)
        states.append(None if run is None else tuple(step is not None for step in run))
    assert states == [None, (False, False), (True, False), (True, False), (True, True)]


async def test_the_loop_counts_alarms(dsn: str, sql: asyncpg.Connection) -> None:
    world, cycle = await published_at_night(dsn, sql)
    await set_now(sql, at_hour(a_day_ahead(), PULL_BY))
    counts: list[dict[AlarmKind, int]] = []
    stopping = asyncio.Event()

    def seen(on: object) -> None:
        assert isinstance(on, dict)
        counts.append(on)
        stopping.set()

    await run_timetable(dsn, KEY, stopping, books=UNPOSTED, on_alarms=seen)
    assert counts == [dict.fromkeys(AlarmKind, 0) | {AlarmKind.NOT_PULLED: len(world.banks)}]
    assert next_cycle(cycle, (await load_clearing_state(sql)).now) > cycle


async def _with_payments(dsn: str, sql: asyncpg.Connection) -> tuple[World, CycleNumber]:
    world = await a_world(sql)
    async with a_ledger(dsn) as ledger:
        await pay_and_refund(ledger, world)
    cycle = await close(dsn)
    await publish(dsn, cycle)
    return world, cycle
