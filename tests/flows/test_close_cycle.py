"""Closing: one cycle at a time, nothing added afterwards, and payments never wait."""

import asyncio
import random
import secrets
import sys
import time
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from engine.core.accounts import owner_of
from engine.core.books import Books
from engine.core.calendar import (
    CycleNumber,
    business_date_at,
    cut_over_of,
    cycle_date,
    cycle_number,
    cycle_sequence,
    settlement_date,
)
from engine.core.clearing import LaneEnd, seal_root
from engine.core.clearing_lines import FileKind, ItemType
from engine.core.commands import AnyCommand
from engine.core.ids import PaymentId, id_text
from engine.core.payments import Payment
from engine.flows.close_cycle import NoCycleLeft, close_cycle
from engine.flows.publish_cycle import publish_cycle
from engine.ledger.batch import claim_rows, decide_all, seen_of, sort_claims, wanted_by, write_of
from engine.ledger.queue import Entry
from engine.ledger.router import Ledger
from engine.store.clearing_session import ClearingBusy, load_clearing_state, open_clearing
from engine.store.clearing_store import open_next_cycle
from engine.store.faults import Fault
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
        await open_next_cycle(
            session,
            cycle=closed,
            following=following,
            cutoff_at=state.control.cutoff_at,
            closed_at=state.now,
            settlement_date=settlement_date(cycle_date(closed)),
        )
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


async def test_a_closer_that_is_killed_at_the_barrier_is_followed_up(dsn: str, sql: asyncpg.Connection) -> None:
    """It ends while it waits for a batch; whoever closes again waits for the same batch, and seals the same cycle."""
    world = await a_world(sql)
    command = world.authorize()
    session = await LaneSessions(dsn, node="test").open_any()
    write = await _decided(session, command)
    closing = asyncio.create_task(close(dsn))
    while not await _is_closer_waiting(sql):
        assert not closing.done(), "the closer did not wait for the batch"
    await sql.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name LIKE 'clearing%' AND datname = current_database()"
    )
    with pytest.raises(Fault):
        await closing
    again = asyncio.create_task(close(dsn, write.cycle))
    while not await _is_closer_waiting(sql):
        assert not again.done(), "the second closer did not wait for the batch"
    await session.write_books(write)
    await session.commit(write.hash)
    assert await again == write.cycle
    assert await _open_cycle(sql) == write.cycle + 1
    assert await sql.fetchval("SELECT count(*) FROM seal WHERE cycle = $1", write.cycle) == 1
    await publish(dsn, write.cycle)
    items = all_items(await read_files(sql, write.cycle), FileKind.COLLECT)
    assert [item.payment_id for item in items] == [id_text(command.payment)]
    await session.leave()


@pytest.mark.timeout(1_200)
async def test_under_load_every_capture_is_in_exactly_one_cycle(
    dsn: str, sql: asyncpg.Connection, request: pytest.FixtureRequest, is_full: bool
) -> None:
    """Closed again and again while payments come in, at instants that nobody chose; now and then a day goes by."""
    seed = request.config.getoption("--seed") or secrets.randbits(32)
    sys.stdout.write(f"--seed {seed}\n")
    chance = random.Random(seed)
    world = await a_world(sql, card_count=24, merchant_count=3, bank_allowance=10**12)
    tally = Tally()
    cycles = []
    async with (
        a_ledger(dsn, lane_count=4) as ledger,
        open_clearing(dsn) as session,
        asyncio.TaskGroup() as tasks,
    ):
        for card in range(24):
            tasks.create_task(_pay_until_over(tally, ledger, world, card))
        for n in range(1_000 if is_full else 100):
            await tally.reach(len(tally.captured) + chance.randrange(1, 9))
            if n % 60 == 59:
                await sql.execute("UPDATE control SET sandbox_offset_us = sandbox_offset_us + 86400000000")
            for _ in range(chance.randrange(20)):
                await asyncio.sleep(0)
            cycles.append(await close_cycle(session, signing_key=KEY))
            if chance.random() < 0.5:  # at once: what comes late would be missing
                await publish_cycle(session, cycle=cycles[-1], signing_key=KEY)
        tally.end()
    cycles.append(await close(dsn))
    await publish(dsn, cycles[-1])
    assert len(set(cycles)) == len(cycles)
    await _check_cycles(sql, cycles, tally)
    await _check_balances(sql, cycles)


async def _check_cycles(sql: asyncpg.Connection, cycles: list[CycleNumber], tally: "Tally") -> None:
    """Each cycle's files list what was stamped with it, and add up to its postings."""
    expected: dict[CycleNumber, list[str]] = {cycle: [] for cycle in cycles}
    for payment, stamped in tally.captured.items():
        expected[stamped].append(id_text(payment))
    for cycle in cycles:
        files = await read_files(sql, cycle)
        collected, credited = (all_items(files, kind) for kind in (FileKind.COLLECT, FileKind.CREDIT))
        assert collected == credited
        paid = [item.payment_id for item in collected if item.type is ItemType.PAY]
        assert sorted(paid) == sorted(expected[cycle])
        posted = await sql.fetchval(
            "SELECT coalesce(sum(amount), 0) FROM posting WHERE cycle = $1 AND phase = 3 AND kind IN (1, 2)", cycle
        )
        assert sum(item.amount for item in collected) == posted


async def _check_balances(sql: asyncpg.Connection, cycles: list[CycleNumber]) -> None:
    """All cycles' positions together are how the balances of the banks' and the merchants' accounts have changed."""
    moved = await sql.fetchrow("SELECT sum(debits) AS debits, sum(credits) AS credits FROM net_position")
    balances = await sql.fetchrow("SELECT sum(debits_posted) AS debits, sum(credits_posted) AS credits FROM balance")
    assert moved is not None
    assert balances is not None
    assert tuple(moved) == tuple(balances)
    by_bank = await sql.fetch(
        "SELECT b.id, (SELECT sum(p.credits - p.debits) FROM net_position p WHERE p.bank = b.id) AS net FROM bank b"
    )
    routes = {row["id"]: row["bank"] for row in await sql.fetch("SELECT id, bank FROM merchant")}
    nets = dict.fromkeys((row["id"] for row in by_bank), 0)
    for row in await sql.fetch(
        "SELECT account, sum(credits_posted - debits_posted) AS net FROM balance GROUP BY account"
    ):
        owner = owner_of(row["account"])
        nets[routes.get(owner, owner)] += row["net"]
    assert {row["id"]: row["net"] for row in by_bank} == nets
    assert await sql.fetchval("SELECT count(DISTINCT cycle) FROM net_position") == len(cycles)


AHEAD = 16  # captures that go on while a cycle is closed


class Tally:
    """What was captured, with the cycle that each answer named."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.is_over = False
        self.captured: dict[PaymentId, CycleNumber] = {}
        self._wanted = 0
        self._reached = asyncio.Event()
        self._may_pay = asyncio.Event()

    async def reach(self, count: int) -> None:
        """Wait until that many payments are captured; some more may follow."""
        self._wanted = count
        self._reached.clear()
        self._may_pay.set()
        if len(self.captured) < count:
            await self._reached.wait()

    async def may_pay(self) -> bool:
        """Wait for one's turn; False when it is over."""
        if not self.is_over and len(self.captured) >= self._wanted + AHEAD:
            self._may_pay.clear()
        await self._may_pay.wait()
        return not self.is_over

    def note(self, payment: Payment) -> None:
        """Count a captured payment."""
        assert payment.cycle is not None
        self.captured[payment.id] = payment.cycle
        if len(self.captured) >= self._wanted:
            self._reached.set()

    def end(self) -> None:
        """Nobody pays any more."""
        self.is_over = True
        self._may_pay.set()


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
    """Pay with one card, at once or in two steps; sometimes a part is given back."""
    merchant, turn, first_step = card % 3, 0, int(time.time()) // 30
    while await tally.may_pay():
        turn += 1
        command = world.authorize(
            card=card,
            merchant=merchant,
            amount=100 + turn,
            capture=turn % 3 > 0,
            hold_s=3 * 86_400,
            step=first_step + turn % 5_000,
            refresh=turn // 5_000,
        )
        payment = await _done(ledger, command)
        if turn % 3 == 0:
            payment = await _done(ledger, world.capture(command.payment, merchant=merchant))
        tally.note(payment)
        if turn % 4 == 0:
            await _done(ledger, world.refund(command.payment, amount=turn, merchant=merchant))


async def _done(ledger: Ledger, command: AnyCommand) -> Payment:
    """The payment of a command that must not be refused."""
    answer = (await ledger.submit(command)).answer
    assert answer.refusal is None, answer.refusal
    assert answer.payment is not None
    return answer.payment
