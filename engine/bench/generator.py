"""The load: prepared requests over keep-alive connections, in a closed loop or at a fixed rate of arrivals.

The generator shares the machine with what it measures, so it does as little as it can: the bytes of every request are
there before the clock starts, connections are open, and of an answer it reads the status line and the length.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable
from functools import partial
from typing import Final

import msgspec

from engine.bench.connection import NO_ANSWER, Connection

HOST: Final = "127.0.0.1"
CONNECTIONS: Final = 256
CREATED: Final = 201
GIVE_UP_S: Final = 30.0
TICK_S: Final = 0.001  # the finest that the event loop's timers do; starting that much late counts as latency


class Load(msgspec.Struct, kw_only=True):
    """What became of the requests of one run. Latencies are from the intended start of each request, in seconds."""

    statuses: Counter[int] = msgspec.field(default_factory=Counter)
    latencies_s: list[float] = []
    answer_bytes: int = 0
    took_s: float = 0.0

    @property
    def per_second(self) -> float:
        """Payments made, a second."""
        return self.statuses[CREATED] / self.took_s

    @property
    def failures(self) -> Counter[str]:
        """Everything that was not a payment, by what it was."""
        return self.all_but(CREATED)

    def all_but(self, *expected: int) -> Counter[str]:
        """Every answer of another status than these, by what it was."""
        return Counter(
            {
                "no answer" if status == NO_ANSWER else f"status {status}": count
                for status, count in self.statuses.items()
                if status not in expected
            }
        )


async def run_closed(
    port: int,
    requests: Iterable[bytes],
    *,
    seconds: float,
    connections: int = CONNECTIONS,
    give_up_s: float = GIVE_UP_S,
) -> Load:
    """Each connection sends its next request when its last one is answered, until *seconds* are over.

    It ends early when there are no more requests.
    """
    run = _ClosedRun(requests, seconds)
    await run.connect(port, connections)
    run.send_first()
    return await run.finish(seconds + give_up_s)


async def run_open(
    port: int, requests: Iterable[bytes], *, rate: float, connections: int = CONNECTIONS, give_up_s: float = GIVE_UP_S
) -> Load:
    """The *n*-th request is to start *n* / *rate* seconds after the first, whatever became of those before it.

    If no connection is free it waits for one. That waiting is in its latency, and so is any lateness of our own.
    """
    run = _OpenRun()
    await run.connect(port, connections)
    await run.arrive(requests, rate)
    return await run.finish(give_up_s)


class _Run:
    """What both ways have in common: connections, and the count of what is still to be answered."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.is_sending = True
        self._started = 0.0
        self._unanswered = 0
        self._load = Load()
        self._done = asyncio.Event()

    async def connect(self, port: int, count: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, connection = await loop.create_connection(partial(Connection, self._on_answer), HOST, port)
            self.connections.append(connection)

    def start(self) -> float:
        self._started = time.perf_counter()
        return self._started

    def expect(self) -> None:
        """One more answer is to come."""
        self._unanswered += 1

    def on_free(self, connection: Connection) -> None:
        """Use a connection whose last request was answered."""
        raise NotImplementedError

    async def finish(self, patience_s: float) -> Load:
        """Wait for what is under way; what has no answer by then will have none."""
        self._end_if_done()
        load = self._load
        try:
            async with asyncio.timeout(patience_s):
                await self._done.wait()
        except TimeoutError:
            load.statuses[NO_ANSWER] += self._unanswered
        load.took_s = time.perf_counter() - self._started
        self._load = Load()  # what comes of closing is nobody's answer
        for connection in self.connections:
            connection.close()
        return load

    def _on_answer(self, connection: Connection, intended_at: float, status: int, length: int) -> None:
        load = self._load
        load.statuses[status] += 1
        self._unanswered -= 1
        if status != NO_ANSWER:
            load.answer_bytes = length
            load.latencies_s.append(time.perf_counter() - intended_at)
        if connection.is_open:
            self.on_free(connection)
        elif not any(other.is_open for other in self.connections):
            self.is_sending = False
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._unanswered == 0 and not self.is_sending:
            self._done.set()


class _ClosedRun(_Run):
    """As many requests under way as there are connections."""

    def __init__(self, requests: Iterable[bytes], seconds: float) -> None:
        super().__init__()
        self._requests = iter(requests)
        self._seconds = seconds
        self._until = 0.0

    def send_first(self) -> None:
        self._until = self.start() + self._seconds
        for connection in self.connections:
            self.on_free(connection)

    def on_free(self, connection: Connection) -> None:
        now = time.perf_counter()
        request = next(self._requests, None) if now < self._until else None
        if request is None:
            self.is_sending = False
            return
        self.expect()
        connection.send(request, now)


class _OpenRun(_Run):
    """Requests arrive when they are due; those that find no free connection wait in a line."""

    def __init__(self) -> None:
        super().__init__()
        self._free: deque[Connection] = deque()
        self._waiting: deque[tuple[bytes, float]] = deque()

    async def arrive(self, requests: Iterable[bytes], rate: float) -> None:
        self._free.extend(self.connections)
        started = self.start()
        for n, request in enumerate(requests):
            due = started + n / rate
            while time.perf_counter() < due:  # noqa: ASYNC110  time is what is waited for
                await asyncio.sleep(TICK_S)
            self.expect()
            if self._free:
                self._free.popleft().send(request, due)
            else:
                self._waiting.append((request, due))
        self.is_sending = False

    def on_free(self, connection: Connection) -> None:
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._free.append(connection)
