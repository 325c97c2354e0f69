"""P10 of `engine bench clearing`: payments over HTTP while the cycle that they are in is closed under them.

The open model of P4, at 80 % of what a closed loop reaches on the same node, with and without a close, in turns. The
close is the node's own: a quarter into the run the cut-off is brought forward, so that its timetable closes, seals,
nets and publishes the cycle in the process that answers payments. The cycle holds what was paid since the one before.
"""

import asyncio
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from engine.bench import node
from engine.bench.children import ChildFailed, serving
from engine.bench.figures import Figure, percentile
from engine.bench.generator import CREATED, Load, run_closed, run_open
from engine.bench.measure_http import OPEN_SECONDS_MAX, SPARE, WARM_UP_PAYMENTS, NothingPaid, signed_payments
from engine.bench.signed_payments import SignedPayments
from engine.embedded.postgres import EmbeddedPostgres
from engine.heap import settle_heap
from engine.store.connection import READ_SETTINGS, connect
from engine.store.sql import load_queries

LOAD: Final = 0.8  # of what the node can do
PERCENT: Final = 99.0
CLOSE_AFTER: Final = 0.25  # of a run
PATIENCE_S: Final = 120.0
POLL_S: Final = 0.05


class CloseResult(msgspec.Struct, frozen=True):
    """What was measured, and every answer that was not a payment (there should be none)."""

    figures: tuple[Figure, ...]
    failures: Mapping[str, int]


async def measure_close(data_dir: Path, *, seconds: float, turns: int, say: Callable[[str], None]) -> CloseResult:
    """Measure on the new folder *data_dir*; a closed run takes about *seconds*, open ones twice that.

    Raises:
        ChildFailed: the node does not run, or does not publish the cycle.
        NothingPaid: it answers nothing.
        CardsUsedUp: the sample city has not enough money for runs so long.
    """
    say("starting a node and loading the sample city")
    calm: list[float] = []
    closing: list[float] = []
    async with serving(node, "--data-dir", str(data_dir), log=data_dir / "bench.log") as port:
        with _database_of(data_dir) as dsn:
            connection = await connect(dsn, READ_SETTINGS, application_name="bench")
            try:
                bench = _CloseBench(port, signed_payments(data_dir), connection, seconds=seconds)
                rate = LOAD * await bench.capacity()
                for turn in range(1, turns + 1):
                    calm.append(await bench.latency_ms(rate))
                    latency_ms, published_s = await bench.latency_ms_of_a_close(rate)
                    closing.append(latency_ms)
                    say(
                        f"turn {turn} of {turns}: {PERCENT:g} % at {rate:,.0f}/s within {calm[-1]:.1f} ms, with a close"
                        f" {latency_ms:.1f} ms; published after {published_s:.1f} s"
                    )
            finally:
                await connection.close()
    return CloseResult((_rise_figure(calm, closing, rate),), bench.failures)


class _CloseBench:
    """The runs against one node, beside a session of its database."""

    def __init__(self, port: int, payments: SignedPayments, connection: asyncpg.Connection, *, seconds: float) -> None:
        self._port = port
        self._payments = payments
        self._connection = connection
        self._seconds = seconds
        self._queries = load_queries("bench_clearing")
        self.failures: Counter[str] = Counter()

    async def capacity(self) -> float:
        """Payments a second of a closed loop, once everything is warm."""
        rate = (await self._closed(WARM_UP_PAYMENTS)).per_second
        return (await self._closed(round(rate * self._seconds * SPARE))).per_second

    async def latency_ms(self, rate: float) -> float:
        """Milliseconds within which nearly all payments that arrive at *rate* are answered."""
        load = await self._open(rate, await self._due(rate))
        return percentile(load.latencies_s, PERCENT) * 1_000

    async def latency_ms_of_a_close(self, rate: float) -> tuple[float, float]:
        """The same while a cycle is closed, and the seconds from its cut-off until its files are out.

        Raises:
            ChildFailed: they do not come out.
        """
        requests = await self._due(rate)
        async with asyncio.TaskGroup() as tasks:
            closing = tasks.create_task(self._close(after_s=CLOSE_AFTER * len(requests) / rate))
            load = await self._open(rate, requests)
        return percentile(load.latencies_s, PERCENT) * 1_000, closing.result()

    async def _close(self, *, after_s: float) -> float:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(after_s)
        started = loop.time()
        cycle = await self._connection.fetchval(self._queries["bring_cutoff_forward"])
        while await self._connection.fetchval(self._queries["published_cycle"]) < cycle:
            if loop.time() - started > PATIENCE_S:
                raise ChildFailed(f"cycle {cycle} is not published after {PATIENCE_S:.0f} s")
            await asyncio.sleep(POLL_S)
        return loop.time() - started

    async def _due(self, rate: float) -> Sequence[bytes]:
        seconds = min(self._seconds * 2, OPEN_SECONDS_MAX)
        return await self._payments.make(max(1, round(rate * seconds)))

    async def _open(self, rate: float, requests: Sequence[bytes]) -> Load:
        settle_heap()
        return self._counted(await run_open(self._port, requests, rate=rate))

    async def _closed(self, count: int) -> Load:
        requests = await self._payments.make(count)
        settle_heap()
        return self._counted(await run_closed(self._port, requests, seconds=self._seconds))

    def _counted(self, load: Load) -> Load:
        self.failures += load.failures
        if not load.statuses[CREATED]:
            raise NothingPaid(", ".join(f"{count} x {what}" for what, count in load.failures.items()))
        return load


@contextmanager
def _database_of(data_dir: Path) -> Iterator[str]:
    """The address of the database of the node that runs on *data_dir*."""
    server = EmbeddedPostgres(data_dir)
    server.attach_or_start()
    try:
        yield server.dsn
    finally:
        server.stop()


def _rise_figure(calm: Sequence[float], closing: Sequence[float], rate: float) -> Figure:
    value, other = statistics.median(closing), statistics.median(calm)
    return Figure(
        id="P10",
        what=f"{PERCENT:g} % of payments arriving at {rate:,.0f}/s, {LOAD:.0%} of the load that the node bears, are"
        " answered within, while a cycle is closed; the ratio is by how many ms that is more",
        unit="ms",
        value=value,
        yardstick="the same load without the close",
        yardstick_value=other,
        ratio=value - other,
        runs=len(closing),
        spread=(min(closing), max(closing)),
    )
