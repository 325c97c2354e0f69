"""A lane's queue: bounded, and fair to every caller."""

import asyncio
from collections import OrderedDict, deque

import msgspec

from engine.core.answers import Answer
from engine.core.commands import AnyCommand


class Overloaded(Exception):
    """The queue is full: nothing was decided, and the caller may try again soon."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of a command."""

    answer: Answer
    is_replay: bool


class Entry:
    """A command that waits for its outcome. Times are of the event loop's clock, in seconds."""

    __slots__ = ("command", "deadline_at", "future", "submitted_at")

    def __init__(self, command: AnyCommand, future: "asyncio.Future[Outcome]", *, now: float, wait_s: float) -> None:
        """A command submitted at *now*, which nobody waits for after *wait_s*."""
        self.command = command
        self.future = future
        self.submitted_at = now
        self.deadline_at = now + wait_s

    def succeed(self, outcome: Outcome) -> None:
        """Hand out the outcome, unless the caller has gone."""
        if not self.future.done():
            self.future.set_result(outcome)

    def fail(self, fault: Exception) -> None:
        """Hand out a fault, unless the caller has gone."""
        if not self.future.done():
            self.future.set_exception(fault)


class LaneQueue:
    """Entries by caller, taken in turns, so that one caller's many do not delay another's one."""

    def __init__(self, *, size_max: int) -> None:
        """Hold at most *size_max* entries."""
        self._size_max = size_max
        self._size = 0
        self._by_caller: OrderedDict[bytes, deque[Entry]] = OrderedDict()
        self._again: deque[Entry] = deque()
        self._filled = asyncio.Event()
        self.is_closed = False

    def __len__(self) -> int:
        """How many wait."""
        return self._size

    def put(self, entry: Entry) -> None:
        """Add an entry at its caller's end.

        Raises:
            Overloaded: the queue is full or closed.
        """
        if self._size >= self._size_max or self.is_closed:
            raise Overloaded
        callers = self._by_caller
        waiting = callers.get(entry.command.caller)
        if waiting is None:
            waiting = callers[entry.command.caller] = deque()
        waiting.append(entry)
        self._size += 1
        self._filled.set()

    def put_again(self, entries: list[Entry]) -> None:
        """Give back entries that were taken: they are never too many."""
        self._again.extend(entries)
        self._size += len(entries)
        if entries:
            self._filled.set()

    def take(self, count_max: int) -> list[Entry]:
        """Up to *count_max* entries, one caller after the other.

        What was given back goes first, but takes no more than half the room while others wait: it may come back again
        and again, for a card that stays busy.
        """
        taken: list[Entry] = []
        callers = self._by_caller
        again_max = (count_max + 1) // 2 if callers else count_max
        while self._again and len(taken) < again_max:
            taken.append(self._again.popleft())
        while callers and len(taken) < count_max:
            caller, waiting = callers.popitem(last=False)
            taken.append(waiting.popleft())
            if waiting:
                callers[caller] = waiting
        self._size -= len(taken)
        if self._size == 0:
            self._filled.clear()
        return taken

    def close(self) -> None:
        """Take nothing new; what is in it is still taken out."""
        self.is_closed = True
        self._filled.set()

    @property
    def is_finished(self) -> bool:
        """True once it is closed and empty."""
        return self.is_closed and self._size == 0

    async def wait_filled(self) -> None:
        """Return when there is something to take, or nothing will come any more."""
        if self._size == 0 and not self.is_closed:
            self._filled.clear()
            await self._filled.wait()
