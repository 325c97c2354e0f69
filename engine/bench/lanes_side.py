"""The engine's side of `engine bench ledger`: commands through lanes, from many submitters at once."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from engine.bench.world import Customers
from engine.core.commands import AnyCommand
from engine.heap import settle_heap
from engine.ledger.lane import BatchDone
from engine.ledger.router import Ledger
from engine.settings import CROWD, LANE_COUNT
from engine.store.lane_session import LaneSessions

SUBMITTERS: Final = 512
STORED_AT_ONCE: Final = 50_000


class LanesSide:
    """A ledger on one database, and what it refused: a benchmark that is refused something measures nothing."""

    def __init__(self, dsn: str, customers: Customers) -> None:
        """A side that is not open yet."""
        self._customers = customers
        self._batch_sizes: list[int] = []
        self._ledger = Ledger(
            LaneSessions(dsn, node="bench"), lane_count=LANE_COUNT, crowd=CROWD, on_batch=self._on_batch
        )
        self._running: asyncio.Task[None] | None = None
        self.refusals: Counter[str] = Counter()
        self.batch_median = 1

    async def open(self) -> None:
        """Take the lanes."""
        await self._ledger.open()
        self._running = asyncio.create_task(self._ledger.run())

    async def close(self) -> None:
        """Leave the lanes."""
        assert self._running is not None, "open comes first"
        self._ledger.close()
        await self._running

    async def run(self, count: int) -> float:
        """Make *count* payments. Returns payments a second; the commands are there before the clock starts."""
        await self._submit_all(self._customers.openings(count))
        commands = self._customers.payments(count)
        self._batch_sizes.clear()
        settle_heap()
        took_s = await self._submit_all(commands)
        self.batch_median = round(statistics.median(self._batch_sizes))
        return count / took_s

    async def store(self, count: int, *, progress: Callable[[int], None]) -> None:
        """Fill the books with *count* payments of cards whose personal account is empty, as fast as it goes."""
        for done in range(0, count, STORED_AT_ONCE):
            await self._submit_all(self._customers.payments(min(STORED_AT_ONCE, count - done)))
            progress(min(count, done + STORED_AT_ONCE))

    async def _submit_all(self, commands: Sequence[AnyCommand]) -> float:
        turn = iter(commands)

        async def submit_on() -> None:
            for command in turn:
                outcome = await self._ledger.submit(command)
                if outcome.answer.refusal is not None:
                    self.refusals[outcome.answer.refusal] += 1

        started = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(SUBMITTERS):
                tasks.create_task(submit_on())
        return time.perf_counter() - started

    def _on_batch(self, batch: BatchDone) -> None:
        self._batch_sizes.append(batch.command_count)
