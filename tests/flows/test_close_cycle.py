"""Closing: one cycle at a time, nothing added afterwards, and payments never wait."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from engine.core.books import Books
from engine.core.calendar import CycleNumber, business_date_at, cut_over_of, cycle_date, cycle_number, cycle_sequence
from engine.core.clearing import LaneEnd, seal_root
from engine.core.clearing_lines import FileKind
from engine.core.commands import AnyCommand
from engine.core.ids import PaymentId, id_text
from engine.core.payments import Payment
from engine.flows.close_cycle import NoCycleLeft, close_cycle
from engine.ledger.batch import claim_rows, decide_all, seen_of, sort_claims, wanted_by, write_of
from engine.ledger.queue import Entry
from engine.ledger.router import Ledger
from engine.store.clearing_session import ClearingBusy, load_clearing_state, open_clearing
from engine.store.clearing_store import open_next_cycle
from engine.store.lane_session import LaneSession, LaneSessions, LaneWrite
from tests.builders import World, a_world
from tests.flows.busy_books import KEY, a_ledger
from tests.flows.clearing_books import all_items, close, publish, read_files


async def _open_cycle(sql: asyncpg.Connection) -> CycleNumber:
    return (await load_clearing_state(sql)).control.cycle


async def test_closing_opens_the_days_next_cycle(dsn: str, sql: asyncpg.Connection) -> None:
    before = (await load_clearing_state(sql)).control
    closed = await close(dsn)
    after = await load_clearing_state(sql)
    assert closed == before.cycle
    assert after.control.cycle == cycle_number(before.business_date, cycle_sequence(before.cycle) + 1)
    assert (after.control.business_date, after.control.cutoff_at) == (before.business_date, before.cutoff_at)
    assert after.unpublished == (closed,)


async def test_closing_after_the_cut_over_opens_the_day_that_was_reached(dsn: str, sql: asyncpg.Connection) -> None:
    """Further ahead than partitions are made: they are there before the day is opened."""
    world = await a_world(sql)
    await sql.execute("UPDATE control SET sandbox_offset_us = $1", 40 * 86_400 * 1_000_000)
    reached = business_date_at((await load_clearing_state(sql)).now)
    await close(dsn)
    control = (await load_clearing_state(sql)).control
    assert (control.business_date, control.cycle) == (reached, cycle_number(reached, 1))
    assert control.cutoff_at == cut_over_of(reached)
    async with a_ledger(dsn) as ledger:
        outcome = await ledger.submit(world.authorize())
    assert outcome.answer.payment is not None
    assert outcome.answer.payment.cycle == control.cycle


async def test_closing_a_closed_cycle_again_changes_nothing(dsn: str, sql: asyncpg.Connection) -> None:
    closed = await close(dsn)
    following = await _open_cycle(sql)
    seal = await sql.fetchrow("SELECT * FROM seal WHERE cycle = $1", closed)
    run = await sql.fetchrow("SELECT * FROM clearing_run WHERE cycle = $1", closed)
    assert await close(dsn, closed) == closed
    assert await _open_cycle(sql) == following
    assert await sql.fetchrow("SELECT * FROM seal WHERE cycle = $1", closed) == seal
    assert await sql.fetchrow("SELECT * FROM clearing_run WHERE cycle = $1", closed) == run


async def test_two_that_close_at_once_close_one_cycle(dsn: str, sql: asyncpg.Connection) -> None:
    open_before = await _open_cycle(sql)
    async with open_clearing(dsn) as blocker:
        await blocker.lock(wait_s=0.0)
        closers = asyncio.gather(*(close(dsn) for _ in range(4)))
        asked = 0
        while asked < 4:  # all four have read which cycle is open
            assert not closers.done(), "two closers were at work at once"
            asked = (
                await sql.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'clearing' "
                    "AND datname = current_database() AND query LIKE '%pg_try_advisory_lock%' AND state = 'idle'"
                )
                - 1
            )
    assert await closers == [open_before] * 4
    assert cycle_sequence(await _open_cycle(sql)) == cycle_sequence(open_before) + 1


async def test_a_second_closer_that_does_not_wait_is_told_so(dsn: str) -> None:
    async with open_clearing(dsn) as first, open_clearing(dsn) as second:
        await first.lock(wait_s=0.0)
        with pytest.raises(ClearingBusy):
            await close_cycle(second, signing_key=KEY, lock_wait_s=0.0)


async def test_the_lock_is_free_when_the_closer_is_gone(dsn: str) -> None:
    async with open_clearing(dsn) as first:
        await first.lock(wait_s=0.0)
    async with open_clearing(dsn) as second:
        await second.lock(wait_s=0.0)


async def test_a_day_has_at_most_ninety_nine_cycles(dsn: str, sql: asyncpg.Connection) -> None:
    today = (await load_clearing_state(sql)).control.business_date
    last = cycle_number(today, 99)
    await sql.execute("UPDATE control SET cycle = $1", last)
    with pytest.raises(NoCycleLeft):
        await close(dsn)
    assert await _open_cycle(sql) == last
    await sql.execute("UPDATE control SET sandbox_offset_us = $1", 86_400 * 1_000_000)
    await close(dsn)
    assert cycle_date(await _open_cycle(sql)) == today + timedelta(days=1)


async def test_the_seal_is_signed_and_ends_each_lane_where_the_cycle_did(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_ledger(dsn, lane_count=2) as ledger:
        for card in range(4):
            await ledger.submit(world.authorize(card=card))
        closed = await close(dsn)
        await ledger.submit(world.authorize(card=0))
        await publish(dsn, closed)
    seal = await sql.fetchrow("SELECT lanes, root, signature FROM seal WHERE cycle = $1", closed)
    assert seal is not None
    ends = msgspec.msgpack.decode(seal["lanes"], type=tuple[LaneEnd, ...])
    expected = await sql.fetch(
        "SELECT DISTINCT ON (lane) lane, seq, hash FROM batch WHERE cycle <= $1 ORDER BY lane, seq DESC", closed
    )
    assert [tuple(end) for end in ends] == [tuple(row) for row in expected]
    assert seal["root"] == seal_root(ends)
    Ed25519PublicKey.from_public_bytes(KEY.public_bytes).verify(seal["signature"], seal["root"])
    assert await sql.fetchval("SELECT bool_and(root = $1) FROM clearing_file", seal["root"])


async def test_a_closer_that_stopped_before_the_barrier_is_followed_up(dsn: str, sql: asyncpg.Connection) -> None:
    async with open_clearing(dsn) as session:
        await session.lock(wait_s=0.0)
        state = await session.load_state()
        closed = state.control.cycle
        following = CycleNumber(closed + 1)
        await open_next_cycle(session, cycle=closed, following=following, closed_at=state.now)
    assert await sql.fetchval("SELECT sealed_at FROM clearing_run WHERE cycle = $1", closed) is None
    assert await close(dsn, closed) == closed
    assert await _open_cycle(sql) == following
    assert await sql.fetchval("SELECT count(*) FROM seal WHERE cycle = $1", closed) == 1


async def test_what_was_under_way_when_a_cycle_closed_is_in_it(dsn: str, sql: asyncpg.Connection) -> None:
    """The barrier: a batch that read the old cycle commits after it was closed, and is waited for."""
    world = await a_world(sql)
    command = world.authorize()
    session = await LaneSessions(dsn, node="test").open_any()
    write = await _decided(session, command)
    closing = asyncio.create_task(close(dsn))
    while not closing.done() and not await _is_closer_waiting(sql):
        pass
    assert not closing.done(), "the closer did not wait for the batch"
    assert await _open_cycle(sql) == write.cycle + 1
    await session.write_books(write)
    await session.commit(write.hash)
    closed = await closing
    assert closed == write.cycle
    await publish(dsn, closed)
    items = all_items(await read_files(sql, closed), FileKind.COLLECT)
    assert [item.payment_id for item in items] == [id_text(command.payment)]
    await session.leave()


async def test_a_lane_that_stands_still_between_batches_delays_nobody(dsn: str, sql: asyncpg.Connection) -> None:
    session = await LaneSessions(dsn, node="test").open_any()
    await close(dsn)
    await session.leave()


async def test_under_load_every_capture_is_in_exactly_one_cycle(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql, card_count=24, merchant_count=3, bank_allowance=10**9)
    tally = Tally((200, 500, 800))
    cycles = []
    async with a_ledger(dsn, lane_count=4) as ledger, asyncio.TaskGroup() as tasks:
        for card in range(24):
            tasks.create_task(_pay_until_over(tally, ledger, world, card))
        for milestone in tally.milestones.values():
            await milestone.wait()
            cycles.append(await close(dsn))
            assert await publish(dsn, cycles[-1]) == (cycles[-1],)  # at once: what comes late would be missing
        tally.is_over = True
    cycles.append(await close(dsn))
    await publish(dsn, cycles[-1])

    seen: list[str] = []
    for cycle in cycles:
        files = await read_files(sql, cycle)
        collected, credited = (all_items(files, kind) for kind in (FileKind.COLLECT, FileKind.CREDIT))
        assert collected == credited
        expected = sorted(id_text(payment) for payment, stamped in tally.captured.items() if stamped == cycle)
        assert sorted(item.payment_id for item in collected) == expected
        seen += expected
    assert len(seen) == len(set(seen)) == len(tally.captured)
    assert await sql.fetchval("SELECT count(DISTINCT cycle) FROM posting WHERE phase = 3 AND kind = 1") >= 3


class Tally:
    """What was captured, with the cycle that each answer named."""

    def __init__(self, milestones: tuple[int, ...]) -> None:
        """*milestones* are counts of captures to wait for."""
        self.is_over = False
        self.captured: dict[PaymentId, CycleNumber] = {}
        self.milestones = {count: asyncio.Event() for count in milestones}

    def note(self, payment: Payment) -> None:
        """Count a captured payment."""
        assert payment.cycle is not None
        self.captured[payment.id] = payment.cycle
        if len(self.captured) in self.milestones:
            self.milestones[len(self.captured)].set()


async def _decided(session: LaneSession, command: AnyCommand) -> LaneWrite:
    """Take a batch of one command as far as the moment before it is written: it has read the open cycle."""
    entry = Entry(command, asyncio.get_running_loop().create_future(), now=0.0, wait_s=5.0)
    claims, _ = sort_claims([entry], await session.lock_and_claim(claim_rows([entry])))
    row = await session.read_books(wanted_by(claims))
    books = Books(seen_of(claims, row, [], last_now=datetime.min.replace(tzinfo=UTC)))
    decide_all(claims, books)
    return write_of(books, lane=session.lane, seq=session.seq + 1, prev=session.head)


async def _is_closer_waiting(sql: asyncpg.Connection) -> bool:
    waiting: bool = await sql.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'clearing' "
        "AND datname = current_database() AND wait_event_type = 'Lock')"
    )
    return waiting


async def _pay_until_over(tally: Tally, ledger: Ledger, world: World, card: int) -> None:
    """Pay with one card, at once or in two steps."""
    turn = 0
    while not tally.is_over:
        turn += 1
        command = world.authorize(card=card, merchant=card % 3, amount=100 + turn, capture=turn % 3 > 0)
        payment = (await ledger.submit(command)).answer.payment
        if turn % 3 == 0:
            payment = (await ledger.submit(world.capture(command.payment, merchant=card % 3))).answer.payment
        assert payment is not None
        tally.note(payment)
