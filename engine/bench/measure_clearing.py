"""`engine bench clearing`: P5, a cycle of a million captured payments from its close to its published files.

Every payment is captured at once, by cards of ten banks at merchants of ten banks, and has one posting: a line in the
debtor's files and one in the creditor's. The payments are made by lanes before the clock starts. On the clock are the
close with its barrier and seal, netting, every file of every bank with its digest and its signed manifest, and the
instant in which they are published; each time is one of a process that does nothing else. The yardstick is COPY of the
columns that the lines are made of, by whatever plan PostgreSQL likes best, to a reader that drops them.

The cycle is opened again before each run, and the database checkpointed: no run pays for what another one wrote.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from engine.bench import clearing_side
from engine.bench.children import ChildFailed, running
from engine.bench.clearing_side import ClearingTook
from engine.bench.cluster import Cluster
from engine.bench.figures import Figure, figure
from engine.bench.lanes_side import LanesSide
from engine.bench.world import BANK_COUNT, Customers, new_world, store_world
from engine.codes.pay_code import step_at
from engine.core.commands import Authorize
from engine.core.postings import Phase, PostingKind
from engine.flows.clock import Clock, IdSource
from engine.formats import bank_file_formats
from engine.store.connection import READ_SETTINGS, connect
from engine.store.sql import load_queries, with_integers

TURNS: Final = 3
LIMIT_S: Final = 60.0  # of a million payments in all forms
LIMIT_ROWS: Final = 1_000_000
LIMIT_MB: Final = 300.0
PAYMENTS_A_CARD: Final = 10
CARDS_MIN: Final = 100
DATABASE: Final = "clearing"
_FLAT: Final = ("flat",)
_NUMBERS: Final = {"phase_post": Phase.POST, "kind_pay": PostingKind.PAY, "kind_refund": PostingKind.REFUND}


class ClearingResult(msgspec.Struct, frozen=True):
    """What was measured, what was refused (nothing should be), and whose books to check."""

    figures: tuple[Figure, ...]
    failures: Mapping[str, int]
    books: str  # address


class CardCustomers(Customers):
    """They pay all of it by bank card: one posting a payment."""

    def payments(self, count: int) -> list[Authorize]:
        """The next *count* payments, of no fund."""
        return [self._payment(is_insured=False) for _ in range(count)]


async def measure_clearing(
    cluster: Cluster, folder: Path, *, rows: int, turns: int = TURNS, say: Callable[[str], None]
) -> ClearingResult:
    """Close a cycle of *rows* payments *turns* times in each way; the last one stays published.

    Raises:
        ChildFailed: a process that was measured has failed.
        ProgramFailed: PostgreSQL's own programs cannot do their part.
        Fault: the database cannot.
    """
    refusals = await _fill(cluster, rows, say)
    copies: list[float] = []
    flat: list[ClearingTook] = []
    both: list[ClearingTook] = []
    for turn in range(1, turns + 1):
        copies.append(await _copied(cluster.dsn(DATABASE)))
        flat.append(await _closed(cluster, folder, _FLAT))
        both.append(await _closed(cluster, folder, tuple(bank_file_formats()), is_last=turn == turns))
        say(
            f"turn {turn} of {turns}: COPY {copies[-1]:.2f} s, flat {flat[-1].took_s:.2f} s, "
            f"all forms {both[-1].took_s:.1f} s, {both[-1].files} files, {both[-1].size_mb:,.0f} MB, "
            f"peaks {flat[-1].peak_mb:.0f} and {both[-1].peak_mb:.0f} MB"
        )
    return ClearingResult(_figures(copies, flat, both, rows), refusals, cluster.dsn(DATABASE))


async def _fill(cluster: Cluster, rows: int, say: Callable[[str], None]) -> Counter[str]:
    """The open cycle has so many captured payments. Returns what was refused."""
    say(f"making {rows:,} payments")
    ids = IdSource()
    world = new_world(ids, card_count=max(CARDS_MIN, math.ceil(rows / PAYMENTS_A_CARD)))
    await cluster.create_migrated(DATABASE)
    async with cluster.connected(DATABASE) as connection:
        await store_world(connection, world)
    customers = CardCustomers(world, ids, first_step=step_at(Clock().wall_s()))
    lanes = LanesSide(cluster.dsn(DATABASE), customers)
    await lanes.open()
    try:
        await lanes.store(rows, progress=lambda done: say(f"made {done:,} of {rows:,} payments"))
    finally:
        await lanes.close()
    async with cluster.connected(DATABASE) as connection:
        await connection.execute("ANALYZE")
    await cluster.checkpoint()
    return lanes.refusals


async def _copied(dsn: str) -> float:
    """Seconds that COPY takes to hand the columns over."""
    query = with_integers(load_queries("bench_clearing")["same_columns"], **_NUMBERS)
    settings = READ_SETTINGS | {"statement_timeout": "0"}
    connection = await connect(dsn, settings, application_name="bench")
    try:
        started = time.perf_counter()
        await connection.copy_from_query(query, output=_drop)
        return time.perf_counter() - started
    finally:
        await connection.close()


async def _drop(_data: bytes) -> None:
    """Only the time counts."""


async def _closed(cluster: Cluster, folder: Path, forms: Sequence[str], *, is_last: bool = False) -> ClearingTook:
    """What it takes to close the open cycle, which is open again afterwards, but for the last time."""
    async with cluster.connected(DATABASE) as connection:
        opened = await _open_cycle(connection)
        took = await _measured(cluster.dsn(DATABASE), folder, forms)
        if not is_last:
            queries = load_queries("bench_clearing")
            await connection.execute(queries["forget_clearing"])
            await connection.execute(queries["reopen_cycle"], *opened)
    await cluster.checkpoint()
    return took


async def _open_cycle(connection: asyncpg.Connection) -> tuple[object, ...]:
    row = await connection.fetchrow(load_queries("clearing")["clearing_state"])
    assert row is not None, "the books are set up"
    return (row["business_date"], row["cycle"], row["cutoff_at"])


async def _measured(dsn: str, folder: Path, forms: Sequence[str]) -> ClearingTook:
    arguments = ["--dsn", dsn, *(part for form in forms for part in ("--form", form))]
    async with running("-m", clearing_side.__name__, *arguments, log=folder / "clearing.log") as process:
        assert process.stdout is not None
        told = await process.stdout.read()
        await process.wait()
    try:
        return msgspec.json.decode(told, type=ClearingTook)
    except msgspec.DecodeError as error:
        raise ChildFailed("the closer told nothing") from error


def _figures(
    copies: Sequence[float], flat: Sequence[ClearingTook], both: Sequence[ClearingTook], rows: int
) -> tuple[Figure, ...]:
    what = f"close a cycle of {rows:,} captured payments over {BANK_COUNT} banks"
    return (
        figure(
            "P5",
            f"{what}, flat form",
            "s",
            [took.took_s for took in flat],
            yardstick="COPY of the same columns",
            yardstick_values=copies,
        ),
        figure(
            "P5.both",
            f"{what}, both forms",
            "s",
            [took.took_s for took in both],
            yardstick="limit",
            yardstick_values=[LIMIT_S * rows / LIMIT_ROWS],
        ),
        figure(
            "P5.memory",
            f"peak memory of the closer, {rows:,} payments, both forms",
            "MB",
            [took.peak_mb for took in both],
            yardstick="limit",
            yardstick_values=[LIMIT_MB],
        ),
    )
