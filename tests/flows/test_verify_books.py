"""The books check on books that are right, while they lie still and while lanes commit."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from engine.core.accounts import bank_receivable, suspense_short
from engine.core.commands import Entry
from engine.core.ids import NO_ID, PaymentId
from engine.core.postings import PostingKind
from engine.flows.book import occasion
from engine.flows.verify_books import verify_books
from engine.ledger.router import Ledger
from engine.store.connection import READ_SETTINGS, connect
from engine.store.faults import Fault
from engine.store.lane_session import LaneSessions
from engine.store.verify_store import VERIFY_SETTINGS
from tests.builders import World, a_world
from tests.flows.busy_books import PUBLIC_KEYS, a_ledger, busy_books, publish

COMMITS_PER_STEP = 25
STEPS = {
    *("journal", "seals", "balances", "payers", "payments", "answers", "orders", "holds", "refunds", "files"),
    *("bookings", "bills", "files made again"),
}

RunElsewhere = Callable[[Coroutine[None, None, None]], None]


async def test_busy_books_are_right(dsn: str, sql: asyncpg.Connection) -> None:
    await busy_books(dsn, sql)
    report = await verify_books(dsn, public_keys=PUBLIC_KEYS, progress=lambda *_: None)
    assert report.violation is None, report.violation.text
    counts = report.counts
    for table in ("batch", "event", "posting", "seal", "balance", "payer", "payment", "answer", "hold", "refund"):
        found = getattr(counts, f"{table}es" if table == "batch" else f"{table}s")
        assert found == await sql.fetchval(f"SELECT count(*) FROM {table}"), table  # noqa: S608  # names from above
    assert (await sql.fetchval("SELECT count(*) FROM order_ref"), 2, 2) == (counts.orders, counts.cycles, counts.lanes)
    assert 0 < counts.files == await sql.fetchval("SELECT count(*) FROM clearing_file")


async def test_empty_books_are_right(dsn: str) -> None:
    report = await verify_books(dsn, public_keys=PUBLIC_KEYS, progress=lambda *_: None)
    assert report.violation is None


async def test_lanes_may_commit_between_any_two_steps(dsn: str, sql: asyncpg.Connection) -> None:
    """Another thread's ledger commits whenever the check tells how far it is, and the check waits for that."""
    books = await busy_books(dsn, sql)
    traffic = Traffic(books.world, dsn)
    committed: Counter[str] = Counter()
    with another_thread() as run_there:
        run_there(traffic.open())

        def progress(step: str, _done: int, _about: int) -> None:
            if committed[step] < COMMITS_PER_STEP:
                run_there(traffic.go_on())
                committed[step] += 1

        report = await verify_books(dsn, public_keys=PUBLIC_KEYS, progress=progress, slice_rows=8)
        run_there(traffic.close())
    assert report.violation is None, report.violation.text
    assert committed.keys() == STEPS
    assert report.counts.payments > 50


async def test_a_cycle_may_close_behind_the_payments(dsn: str, sql: asyncpg.Connection) -> None:
    """Its net positions are there when the check comes to them, and its last postings must be known by then."""
    world = await a_world(sql)

    async def pay_and_publish() -> None:
        async with a_ledger(dsn) as ledger:
            await ledger.submit(world.authorize())
        await publish(dsn)

    with another_thread() as run_there:
        report = await verify_books(
            dsn,
            public_keys=PUBLIC_KEYS,
            progress=lambda step, *_: run_there(pay_and_publish()) if step == "payments" else None,
        )
    assert report.violation is None, report.violation.text
    assert report.counts.cycles == 1


async def test_lanes_may_commit_all_the_time(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql, card_count=40)
    done = asyncio.Event()

    async def pay(ledger: Ledger, card: int) -> None:
        while not done.is_set():
            payment = await ledger.submit(world.authorize(card=card, amount=10, capture=False))
            assert payment.answer.payment is not None
            await ledger.submit(world.capture(payment.answer.payment.id, amount=7))
            await ledger.submit(world.refund(payment.answer.payment.id, amount=2))

    async with a_ledger(dsn, lane_count=3) as ledger, asyncio.TaskGroup() as tasks:
        for card in range(40):
            await ledger.submit(world.open_account(card=card, amount=100))
            tasks.create_task(pay(ledger, card))
        reports = [
            await verify_books(dsn, public_keys=None, progress=lambda *_: None, slice_rows=100) for _ in range(3)
        ]
        done.set()
    assert [report.violation for report in reports] == [None] * 3
    assert reports[0].counts.payments < reports[-1].counts.payments


async def test_a_lost_session_is_a_fault_and_not_a_verdict(dsn: str, sql: asyncpg.Connection) -> None:
    await busy_books(dsn, sql)

    async def end_session() -> None:
        other = await connect(dsn, READ_SETTINGS, application_name="test")
        await other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'verify folds'"
        )
        await other.close()

    with another_thread() as run_there, pytest.raises(Fault):
        await verify_books(
            dsn,
            public_keys=None,
            progress=lambda step, *_: run_there(end_session()) if step == "balances" else None,
        )


async def test_nothing_is_left_behind(dsn: str, sql: asyncpg.Connection) -> None:
    await verify_books(dsn, public_keys=None, progress=lambda *_: None)
    assert await sql.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'verify%'") == 0
    assert await sql.fetchval("SELECT count(*) FROM pg_class WHERE relname LIKE '%fold' AND relpersistence = 't'") == 0


def test_no_statement_may_strangle_the_lanes() -> None:
    assert int(VERIFY_SETTINGS["statement_timeout"]) <= 10_000


class Traffic:
    """A ledger that does a little of everything each time, and closes a cycle now and then."""

    def __init__(self, world: World, dsn: str) -> None:
        self._world = world
        self._dsn = dsn
        self._ledger = Ledger(LaneSessions(dsn, node="traffic"), lane_count=2)
        self._turn = 0
        self._held: list[PaymentId] = []

    async def open(self) -> None:
        """Begin to serve, on the running loop."""
        await self._ledger.open()
        self._serving = asyncio.create_task(self._ledger.run())

    async def close(self) -> None:
        """Finish what is queued."""
        self._ledger.close()
        await self._serving

    async def go_on(self) -> None:
        """Pay, hold, capture, void, give back, book; each in batches of its own."""
        self._turn += 1
        world, submit = self._world, self._ledger.submit
        paid = await submit(world.authorize(card=self._turn % 2, amount=self._turn))
        assert paid.answer.payment is not None
        held = await submit(world.authorize(card=2, amount=20, capture=False))
        assert held.answer.payment is not None
        self._held.append(held.answer.payment.id)
        if self._turn % 3 == 0:
            await submit(world.capture(self._held.pop(0), amount=5))
            await submit(world.capture(self._held[0], amount=5, final=False))
        if self._turn % 4 == 0:
            await submit(world.void(self._held.pop(0)))
            await submit(world.refund(paid.answer.payment.id, amount=1))
        bank = world.banks[0]
        correction = Entry(suspense_short(bank), bank_receivable(bank), self._turn)
        await submit(occasion(f"turn/{self._turn}", about=NO_ID, kind=PostingKind.ADJUST, entries=[correction]))
        if self._turn % 40 == 0:
            await publish(self._dsn)


@contextmanager
def another_thread() -> Iterator[RunElsewhere]:
    """A thread with an event loop: what is given to it has ended when the call returns."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
