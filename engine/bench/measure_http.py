"""`engine bench http`: P2, P2m, P3, P4, P8, P9 and P12.

* P2: a closed loop over `CONNECTIONS` connections, payments evenly over the merchants. The echo is driven by the same
  generator with the very bytes of the run before it, again and again, since an echo does not mind.
* P2m: the same with a medical bill of four lines in each payment, of which the insurance pays its part.
* P3: the same against a second node on the same database, whose batches hold one command.
* P8: the same against the first node, half of all payments to one hospital.
* P4: an open model against the first node: requests arrive at a fixed rate whatever became of those before, and
  latencies count from the intended starts.
* P12: the same at half the rate, without and with a storm of reads beside it, in turns: `STORM_CONNECTIONS` connections
  of one merchant that ask for how payments stand, each again as soon as it is answered, up to `READS` times a payment.
  What is above the merchant's limit is answered with 429.
* P9: from starting `engine serve` on the data folder until it has answered a payment with 201.

The generator runs on the same cores as what it measures, on both sides of each ratio. The node that is not measured is
idle: its lanes wait, its workers look around once a second.
"""

import asyncio
import itertools
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import msgspec

from engine.bench import echo, node
from engine.bench.children import ChildFailed, running, serving
from engine.bench.figures import Figure, figure, percentile
from engine.bench.generator import CONNECTIONS, CREATED, HOST, Load, run_closed, run_open
from engine.bench.signed_payments import LINES, SignedPayments, phones_of, tills_of
from engine.bench.turns import in_turns
from engine.flows.clock import Clock, IdSource
from engine.heap import settle_heap
from engine.sandbox.city import sample_city
from engine.sandbox.guide import read_guide

WARM_UP_PAYMENTS: Final = 4_000
WARM_UP_ALONE_PAYMENTS: Final = 500  # with batches of one, which are several times slower
SPARE: Final = 1.3  # so many times what the last run answered is prepared for the next one
LIMITS_S: Final = {50.0: 0.005, 99.0: 0.025, 99.9: 0.1}  # P4: percentile, latency
OPEN_SECONDS_MAX: Final = 20.0  # a code lives half a minute at least, and is made before the run
START_LIMIT_S: Final = 3.0
START_PATIENCE_S: Final = 60.0
RETRY_S: Final = 0.005
STORM_CONNECTIONS: Final = 64
READS: Final = 20  # of a payment
READ_STATUSES: Final = (200, 429)
STORM_PERCENT: Final = 99.0
_P2, _P2M, _ECHO, _P8, _P3 = (
    "payments",
    "payments with a medical bill",
    "echo",
    "payments, half to one hospital",
    "payments in batches of one",
)


class HttpResult(msgspec.Struct, frozen=True):
    """What was measured, and every answer that was not a payment (there should be none)."""

    figures: tuple[Figure, ...]
    failures: Mapping[str, int]


class NothingPaid(Exception):
    """Not one request of a run was answered with a payment; the message says with what instead."""


async def measure_http(
    data_dir: Path, *, rate: float, seconds: float, turns: int, say: Callable[[str], None]
) -> HttpResult:
    """Measure everything on the new folder *data_dir*; closed runs take about *seconds*, open ones twice that.

    Raises:
        ChildFailed: a process that is to be measured does not run.
        NothingPaid: or answers nothing.
        CardsUsedUp: the sample city has not enough money for runs so long.
    """
    log = data_dir / "bench.log"
    async with AsyncExitStack() as stack:
        say("starting the nodes and loading the sample city")
        ports = {
            _P2: await stack.enter_async_context(serving(node, "--data-dir", str(data_dir), log=log)),
            _P3: await stack.enter_async_context(
                serving(node, "--data-dir", str(data_dir), "--batch-max", "1", log=log)
            ),
        }
        bench = _HttpBench(signed_payments(data_dir), ports, seconds=seconds, say=say)
        await bench.warm_up()
        async with serving(echo, "--answer-bytes", str(bench.answer_bytes), log=log) as echo_port:
            measured = await in_turns(
                {
                    _P2: lambda: bench.pay(_P2),
                    _P2M: lambda: bench.pay(_P2M, has_bill=True),
                    _ECHO: lambda: bench.echo(echo_port),
                    _P8: lambda: bench.pay(_P8, is_hot=True),
                    _P3: lambda: bench.pay(_P3),
                },
                turns=turns,
                say=say,
            )
        latencies = [await bench.latencies_s(rate) for _ in range(turns)]
        storms = [await bench.storm(rate / 2) for _ in range(turns)]
    starts = [await bench.start_s(data_dir, log) for _ in range(turns)]
    return HttpResult(
        (
            *_rate_figures(measured),
            *_latency_figures(latencies, rate=rate),
            _storm_figure(storms, rate=rate / 2),
            _start_figure(starts),
        ),
        bench.failures,
    )


def signed_payments(data_dir: Path) -> SignedPayments:
    """Payments in the sample city of the node that runs on *data_dir*."""
    guide = read_guide(data_dir)
    assert guide is not None, "a sandbox node writes its guide before it is ready"
    city = sample_city()
    return SignedPayments(phones_of(guide, city), tills_of(guide, city), Clock(), IdSource())


class _HttpBench:
    """The runs, and what carries over from one to the next."""

    def __init__(
        self, payments: SignedPayments, ports: Mapping[str, int], *, seconds: float, say: Callable[[str], None]
    ) -> None:
        self._payments = payments
        self._ports = {**ports, _P8: ports[_P2], _P2M: ports[_P2]}
        self._seconds = seconds
        self._say = say
        self._rates: dict[str, float] = {}
        self._last: Sequence[bytes] = ()
        self.answer_bytes = 0
        self.failures: Counter[str] = Counter()

    async def warm_up(self) -> None:
        """The first requests fill caches and tell about how many to prepare; then a whole run off the record."""
        for side, count in ((_P3, WARM_UP_ALONE_PAYMENTS), (_P2, WARM_UP_PAYMENTS)):
            load = await self._run_closed(side, await self._payments.make(count))
            self.answer_bytes = load.answer_bytes
        await self.pay(_P2)
        self._rates[_P8] = self._rates[_P2M] = self._rates[_P2]

    async def pay(self, side: str, *, is_hot: bool = False, has_bill: bool = False) -> float:
        """Payments a second."""
        count = round(self._rates[side] * self._seconds * SPARE)
        requests = await self._payments.make(count, is_hot=is_hot, has_bill=has_bill)
        if side == _P2:
            self._last = requests
        return (await self._run_closed(side, requests)).per_second

    async def echo(self, port: int) -> float:
        """Echoes a second, of the last run's requests."""
        load = await self._driven(run_closed(port, itertools.cycle(self._last), seconds=self._seconds))
        return load.per_second

    async def latencies_s(self, rate: float) -> list[float]:
        """The latencies of an open run."""
        seconds = min(self._seconds * 2, OPEN_SECONDS_MAX)
        requests = await self._payments.make(max(1, round(rate * seconds)))
        load = await self._driven(run_open(self._ports[_P2], requests, rate=rate))
        worst = percentile(load.latencies_s, 99.9)
        self._say(f"{len(requests):,} payments at {rate:g}/s: 99.9 % within {worst * 1000:.1f} ms")
        return load.latencies_s

    async def storm(self, rate: float) -> tuple[float, float]:
        """Seconds within which nearly all payments of an open run are answered: without, and with a storm of reads."""
        seconds = min(self._seconds * 2, OPEN_SECONDS_MAX)
        count = max(1, round(rate * seconds))
        calm = await self._driven(run_open(self._ports[_P2], await self._payments.make(count), rate=rate))
        requests = await self._payments.make(count)
        reads = await self._payments.reads(self._ports[_P2], count * READS)
        settle_heap()
        async with asyncio.TaskGroup() as tasks:
            storm = run_closed(self._ports[_P2], reads, seconds=seconds, connections=STORM_CONNECTIONS)
            reading = tasks.create_task(storm)
            stormy = await self._driven(run_open(self._ports[_P2], requests, rate=rate))
        read = reading.result()
        self.failures += read.all_but(*READ_STATUSES)
        p99 = [percentile(load.latencies_s, STORM_PERCENT) for load in (calm, stormy)]
        told = ", ".join(f"{read.statuses[status] / read.took_s:,.0f}/s {status}" for status in READ_STATUSES)
        self._say(
            f"{count:,} payments at {rate:g}/s: {STORM_PERCENT:g} % within {p99[0] * 1000:.1f} ms,"
            f" beside reads ({told}) within {p99[1] * 1000:.1f} ms"
        )
        return p99[0], p99[1]

    async def start_s(self, data_dir: Path, log: Path) -> float:
        """Seconds from starting a node on *data_dir* to its first payment.

        Raises:
            ChildFailed: it does not come up.
        NothingPaid: it makes none in time.
        """
        (request,) = await self._payments.make(1)
        port = _free_port()
        started = time.perf_counter()
        async with running("-m", "engine", "serve", "--data-dir", str(data_dir), "--port", str(port), log=log):
            await _until_listening(port)
            load = await run_closed(port, [request], seconds=START_PATIENCE_S, connections=1)
            took_s = time.perf_counter() - started
        self._count(load)
        self._say(f"engine serve to its first payment: {took_s:.2f} s")
        return took_s

    async def _run_closed(self, side: str, requests: Iterable[bytes]) -> Load:
        load = await self._driven(run_closed(self._ports[side], requests, seconds=self._seconds))
        self._rates[side] = load.per_second
        return load

    async def _driven(self, run: Awaitable[Load]) -> Load:
        settle_heap()
        load = await run
        self._count(load)
        return load

    def _count(self, load: Load) -> None:
        self.failures += load.failures
        if not load.statuses[CREATED]:
            raise NothingPaid(", ".join(f"{count} x {what}" for what, count in load.failures.items()))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


async def _until_listening(port: int) -> None:
    try:
        async with asyncio.timeout(START_PATIENCE_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection(HOST, port)
                except ConnectionRefusedError:
                    await asyncio.sleep(RETRY_S)
                else:
                    writer.close()
                    return
    except TimeoutError as error:
        raise ChildFailed(f"engine serve does not listen after {START_PATIENCE_S:.0f} s") from error


def _rate_figures(measured: Mapping[str, Sequence[float]]) -> tuple[Figure, ...]:
    payments = measured[_P2]
    return (
        figure(
            "P2",
            f"signed show-code payments over HTTP, {CONNECTIONS} connections",
            "payments/s",
            payments,
            yardstick="bare aiohttp echo of the same bodies",
            yardstick_values=measured[_ECHO],
        ),
        figure(
            "P2m",
            f"P2 with a medical bill of {LINES} lines in each payment",
            "payments/s",
            measured[_P2M],
            yardstick="P2",
            yardstick_values=payments,
        ),
        figure(
            "P3",
            "P2 with batches limited to one",
            "payments/s",
            measured[_P3],
            yardstick="P2",
            yardstick_values=payments,
            is_inverted=True,
        ),
        figure(
            "P8",
            "P2 with half of all payments to one hospital",
            "payments/s",
            measured[_P8],
            yardstick="P2",
            yardstick_values=payments,
        ),
    )


def _latency_figures(runs: Sequence[Sequence[float]], *, rate: float) -> tuple[Figure, ...]:
    return tuple(
        figure(
            f"P4.p{percent:g}",
            f"{percent:g} % of payments arriving at {rate:g}/s are answered within",
            "ms",
            [percentile(run, percent) * 1000 for run in runs],
            yardstick="limit",
            yardstick_values=[limit_s * 1000],
        )
        for percent, limit_s in LIMITS_S.items()
    )


def _storm_figure(storms: Sequence[tuple[float, float]], *, rate: float) -> Figure:
    return figure(
        "P12",
        f"{STORM_PERCENT:g} % of payments arriving at {rate:g}/s beside a storm of reads are answered within",
        "ms",
        [stormy * 1000 for _, stormy in storms],
        yardstick="without the reads",
        yardstick_values=[calm * 1000 for calm, _ in storms],
    )


def _start_figure(starts: Sequence[float]) -> Figure:
    return figure(
        "P9",
        "engine serve on an existing data folder, to its first payment",
        "s",
        starts,
        yardstick="limit",
        yardstick_values=[START_LIMIT_S],
    )
