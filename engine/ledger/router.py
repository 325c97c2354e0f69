"""The ledger as the rest of the engine sees it: submit a command, get its outcome."""

import asyncio
from collections.abc import Callable
from typing import Final

from engine.core.books import AnswerKey
from engine.core.commands import AnyCommand
from engine.ledger.batch import answer_key
from engine.ledger.lane import BATCH_COMMANDS_MAX, BatchDone, Lane, SessionSource
from engine.ledger.queue import Entry, LaneQueue, Outcome
from engine.store.faults import StoreUnavailable

QUEUE_MAX: Final = 1_024  # a lane commits several thousand commands a second: a full queue is a few tenths of a second
WAIT_S: Final = 5.0
SAME_KEY_WAIT_S: Final = 2.0
WATCH_S: Final = 0.1


class KeyInProgress(Exception):
    """The same idempotency key is being decided, and the wait for it is over."""


class Ledger:
    """The lanes of one node. Which lane a command takes is a matter of speed; that it is right is not."""

    def __init__(
        self,
        sessions: SessionSource,
        *,
        lane_count: int,
        crowd: int = 0,
        queue_max: int = QUEUE_MAX,
        batch_max: int = BATCH_COMMANDS_MAX,
        wait_s: float = WAIT_S,
        on_batch: Callable[[BatchDone], None] = lambda _: None,
    ) -> None:
        """A ledger that has not started.

        It uses one lane, and one more for each *crowd* of commands that wait; all of them always when that is 0.
        """
        self._crowd = crowd
        self._queues = [LaneQueue(size_max=queue_max) for _ in range(lane_count)]
        self._lanes = [Lane(queue, sessions, batch_max=batch_max, on_batch=on_batch) for queue in self._queues]
        self._wait_s = wait_s
        self._deciding: dict[AnswerKey, asyncio.Future[Outcome]] = {}
        self._waiting: dict[Entry, None] = {}

    async def open(self) -> None:
        """Take the lanes; all, or none.

        Raises:
            Fault: the database cannot be reached.
        """
        try:
            for lane in self._lanes:
                await lane.open()
        except BaseException:
            for lane in self._lanes:
                await lane.leave()
            raise

    async def run(self) -> None:
        """Serve until `close`, then finish what is queued. When one lane cannot go on, the others finish as well.

        Raises:
            ExceptionGroup: of what ended a lane, such as Fenced: this node must stop.
        """
        watch = asyncio.create_task(self._watch())
        try:
            # Not a TaskGroup: it would cancel the other lanes in the middle of a COMMIT.
            ends = await asyncio.gather(*(self._serve(lane) for lane in self._lanes), return_exceptions=True)
        finally:
            watch.cancel()
        errors = [end for end in ends if isinstance(end, Exception)]
        if errors:
            raise ExceptionGroup("a lane cannot go on", errors)

    async def _serve(self, lane: Lane) -> None:
        try:
            await lane.run()
        finally:
            self.close()

    def close(self) -> None:
        """Take nothing new."""
        for queue in self._queues:
            queue.close()

    @property
    def is_serving(self) -> bool:
        """True while every lane holds its session."""
        return all(lane.is_serving for lane in self._lanes)

    @property
    def queued_count(self) -> int:
        """How many commands wait for a batch."""
        return sum(len(queue) for queue in self._queues)

    async def submit(self, command: AnyCommand) -> Outcome:
        """Decide a command, durably and once. A caller that goes away does not undo it.

        Raises:
            Overloaded: the lane's queue is full; nothing was decided.
            KeyInProgress: the same key is still being decided after two seconds.
            StoreUnavailable: no answer in time; the same request with the same key gets it later.
        """
        key = answer_key(command)
        if key is not None and key in self._deciding:
            await self._wait_for_same(key)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        entry = Entry(command, future, now=loop.time(), wait_s=self._wait_s)
        self._queues[command.shard % self._lanes_in_use].put(entry)
        self._waiting[entry] = None
        if key is not None:
            self._deciding[key] = future
        try:
            return await future
        finally:
            del self._waiting[entry]
            if key is not None and self._deciding.get(key) is future:
                del self._deciding[key]

    @property
    def _lanes_in_use(self) -> int:
        """Few commands in one lane are one batch; in several they are several, each with a batch's own costs."""
        count = len(self._queues)
        return min(count, 1 + len(self._waiting) // self._crowd) if self._crowd else count

    async def _watch(self) -> None:
        """Tell callers whose time is over; what they asked for goes on.

        Entries stand in the order of their deadlines, so only those that are overdue are looked at.
        """
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            for entry in self._waiting:
                if entry.deadline_at > now:
                    break
                entry.fail(StoreUnavailable("no answer in time"))
            await asyncio.sleep(WATCH_S)

    async def _wait_for_same(self, key: AnswerKey) -> None:
        """Wait until nobody here is deciding *key*; then the books know its answer."""
        loop = asyncio.get_running_loop()
        until = loop.time() + SAME_KEY_WAIT_S
        while (earlier := self._deciding.get(key)) is not None:
            await asyncio.wait((earlier,), timeout=max(0.0, until - loop.time()))
            if not earlier.done():
                raise KeyInProgress
            if self._deciding.get(key) is earlier:
                await asyncio.sleep(0)  # whoever asked first takes its answer, and then the key is free
