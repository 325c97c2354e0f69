"""`engine bench ledger`: P1 and P1b, with stored payments P7.

What is compared, and how it is kept fair, is in `engine.bench.copy_side` for P1. For P1b, pgbench's TPC-B-like script
has five statements and three updates a transaction, one of them of a hot row, and keeps no idempotency keys, codes,
limits or journal. For P7, the same payments go through the same lanes on a database that holds `stored` payments more.

All sides are databases of one fresh cluster that has `fsync` and `synchronous_commit` on. It is checkpointed once after
everything is loaded and not again: a run pays for its own WAL and for nobody's full-page images but its own.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

import msgspec

from engine.bench.cluster import PGBENCH, PGBENCH_CLIENTS, Cluster
from engine.bench.copy_side import CopySide
from engine.bench.figures import Figure, figure
from engine.bench.lanes_side import LanesSide
from engine.bench.turns import Side, in_turns
from engine.bench.world import Customers, World, new_world, store_world
from engine.codes.pay_code import step_at
from engine.embedded.faults import ServiceMissing
from engine.flows.clock import Clock, IdSource

PGBENCH_SCALE: Final = 50
WARM_UP_PAYMENTS: Final = 5_000
CARDS_PER_SECOND: Final = 20_000  # a card pays once a run: what is faster than this has shorter runs
CARDS_MIN: Final = 1_000
LANES, COPY, STORED = "lanes", "COPY", "lanes on stored payments"


class LedgerResult(msgspec.Struct, frozen=True):
    """What was measured, what was refused (nothing should be), which databases hold books to check."""

    figures: tuple[Figure, ...]
    refusals: Mapping[str, int]
    books: tuple[str, ...]  # addresses
    skipped: tuple[str, ...]


async def measure_ledger(
    cluster: Cluster,
    *,
    seconds: float,
    stored: int,
    turns: int,
    say: Callable[[str], None],
    pgbench_scale: int = PGBENCH_SCALE,
) -> LedgerResult:
    """Measure all sides in turns, each run about *seconds* long.

    Raises:
        ProgramFailed: PostgreSQL's own programs cannot do their part.
        Fault: the database cannot.
    """
    ids, clock = IdSource(), Clock()
    world = new_world(ids, card_count=max(CARDS_MIN, math.ceil(CARDS_PER_SECOND * seconds)))
    first_step = step_at(clock.wall_s())
    skipped = []
    async with AsyncExitStack() as stack:
        say(f"loading {len(world.cards):,} cards")
        lanes = await _open_lanes(cluster, "lanes", world, Customers(world, ids, first_step=first_step), stack)
        await _create_filled(cluster, "copied", world)
        copied = CopySide(cluster.dsn("copied"), world, Customers(world, ids, first_step=first_step), clock)
        stack.push_async_callback(copied.close)
        await copied.open()
        sides: dict[str, Side] = {}
        full = None
        if stored:
            full = await _open_lanes(cluster, "stored", world, Customers(world, ids, first_step=first_step), stack)
            await full.store(stored, progress=lambda done: say(f"stored {done:,} of {stored:,} payments"))
        try:
            await cluster.prepare_pgbench(pgbench_scale)
            sides[PGBENCH] = partial(cluster.run_pgbench, seconds)
        except ServiceMissing as missing:
            skipped.append(f"P1b: {missing}")
        await cluster.checkpoint()

        count = await _warm_up(lanes, copied, full, most=len(world.cards), seconds=seconds, say=say)
        sides = {LANES: partial(lanes.run, count), COPY: partial(_copy_like, lanes, copied, count), **sides}
        if full is not None:
            sides[STORED] = partial(full.run, count)
        measured = await in_turns(sides, turns=turns, say=say)
    refusals = lanes.refusals + (full.refusals if full is not None else Counter())
    books = tuple(cluster.dsn(name) for name in (["lanes", "stored"] if stored else ["lanes"]))
    return LedgerResult(_figures(measured, stored=stored, scale=pgbench_scale), refusals, books, tuple(skipped))


async def _open_lanes(
    cluster: Cluster, database: str, world: World, customers: Customers, stack: AsyncExitStack
) -> LanesSide:
    await _create_filled(cluster, database, world)
    side = LanesSide(cluster.dsn(database), customers)
    await side.open()
    stack.push_async_callback(side.close)
    return side


async def _create_filled(cluster: Cluster, database: str, world: World) -> None:
    await cluster.create_migrated(database)
    async with cluster.connected(database) as connection:
        await store_world(connection, world)


async def _warm_up(
    lanes: LanesSide, copied: CopySide, full: LanesSide | None, *, most: int, seconds: float, say: Callable[[str], None]
) -> int:
    """Run every side once, off the record. Returns how many payments make a run of about *seconds*."""
    count = min(most, WARM_UP_PAYMENTS)
    rate = await lanes.run(count)
    await copied.run(count, batch_size=lanes.batch_median)
    if full is not None:
        await full.run(count)
    run = max(1, min(most, round(rate * seconds)))
    say(f"warm-up {rate:,.0f}/s; {run:,} payments a run")
    return run


async def _copy_like(lanes: LanesSide, copied: CopySide, count: int) -> float:
    return await copied.run(count, batch_size=lanes.batch_median)


def _figures(measured: Mapping[str, list[float]], *, stored: int, scale: int) -> tuple[Figure, ...]:
    lanes = measured[LANES]
    figures = [
        figure(
            "P1",
            "commands through lanes, three postings each",
            "payments/s",
            lanes,
            yardstick="COPY of the same rows",
            yardstick_values=measured[COPY],
        )
    ]
    if PGBENCH in measured:
        figures.append(
            figure(
                "P1b",
                "commands through lanes, three postings each",
                "payments/s",
                lanes,
                yardstick=f"pgbench TPC-B-like, prepared, {PGBENCH_CLIENTS} clients, scale {scale}",
                yardstick_values=measured[PGBENCH],
            )
        )
    if stored:
        figures.append(
            figure(
                "P7",
                f"P1 with {stored:,} payments stored",
                "payments/s",
                measured[STORED],
                yardstick="P1",
                yardstick_values=lanes,
            )
        )
    return tuple(figures)
