"""Following the lanes: their chains are checked and their postings added up, from where the last time ended."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from engine.core.answers import EventKind
from engine.core.chain_audit import START, BatchRow, Link, after, batch_violation
from engine.core.journal import EventRow, PostingRow
from engine.core.violations import Violation, ViolationKind, Where
from engine.store.verify_rows import LaneHead, Stretch
from engine.store.verify_store import VerifyStore

STRETCHES_AHEAD: Final = 2

Progress = Callable[[str, int, int], None]
"""Told the name of a step, how much of it is done, and about how much there is."""

_seq: Final = attrgetter("seq")


class Counts(msgspec.Struct):
    """How much was checked."""

    lanes: int = 0
    batches: int = 0
    events: int = 0
    postings: int = 0
    seals: int = 0
    balances: int = 0
    payers: int = 0
    payments: int = 0
    cycles: int = 0  # that have net positions
    answers: int = 0
    orders: int = 0
    holds: int = 0
    refunds: int = 0
    files: int = 0
    bookings: int = 0  # what no payment's own life makes
    returns: int = 0
    resolutions: int = 0
    bills: int = 0
    accesses: int = 0  # in the audit trail


class Read(NamedTuple):
    """A stretch as it was read, and the link that it follows."""

    link: Link
    batches: Sequence[BatchRow]
    postings: Sequence[PostingRow]
    events: Sequence[EventRow]
    stretch: Stretch


class Judged(NamedTuple):
    """A stretch that was found right, and where its bookings are: lane, seq and n of their events."""

    stretch: Stretch
    booked: Sequence[tuple[int, int, int]]


Stretches = asyncio.Queue[Judged | None]
"""Stretches to fold; None is the end."""


class Judging:
    """Judges what was read last while the next is read: one judgement at a time."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        """Run judgements in *tasks*."""
        self._tasks = tasks
        self._running: asyncio.Task[Violation | None] | None = None

    def start(self, judgement: Coroutine[None, None, Violation | None]) -> None:
        """Begin a judgement; `verdict` has been asked for the one before."""
        self._running = self._tasks.create_task(judgement)

    async def verdict(self) -> Violation | None:
        """What the judgement that was started last found."""
        return await self._running if self._running is not None else None


class JournalFollower:
    """Knows how far each lane has been followed. What lies before that is immutable, so it is read once.

    Lanes go on committing meanwhile: each `advance` takes their heads as they are then and ends there.
    """

    def __init__(self, store: VerifyStore, counts: Counts, progress: Progress) -> None:
        """Nothing has been followed yet."""
        self._store = store
        self._counts = counts
        self._progress = progress
        self._links: dict[int, Link] = {}
        self.folded: dict[int, int] = {}
        """Up to which batch each lane is in the folds."""

    async def advance(self) -> Violation | None:
        """Follow every lane to its head; with no violation, the folds hold all of it."""
        heads = await self._store.lane_heads()
        self._counts.lanes = len(heads)
        total = sum(head.seq for head in heads)
        judged: Stretches = asyncio.Queue(STRETCHES_AHEAD)
        async with asyncio.TaskGroup() as tasks:
            # The database adds up what was judged, and sends what will be, while rows are hashed here.
            tasks.create_task(self._fold(judged))
            judging = Judging(tasks)
            violation = None
            for head in heads:
                violation = await self._follow(head, judging, judged, total)
                if violation is not None:
                    break
            violation = await judging.verdict() or violation
            await judged.put(None)
        self._progress("journal", self._counts.batches, total)
        return violation

    async def _fold(self, judged: Stretches) -> None:
        while (next_one := await judged.get()) is not None:
            stretch, booked = next_one
            await self._store.fold(stretch)
            if booked:
                await self._store.keep_booked(booked)
            self.folded[stretch.lane] = stretch.last_seq

    async def _follow(self, head: LaneHead, judging: Judging, judged: Stretches, total: int) -> Violation | None:
        if head.last_seq != head.seq:
            return _truncated(head, f"batch {head.seq} as the last", f"batch {head.last_seq}")
        link = self._links.get(head.lane, START)
        while link.seq < head.seq and (rows := await self._store.batches(head.lane, link.seq, head.seq)):
            for batches in _stretches(rows, event_count_max=self._store.slice_rows):
                stretch = Stretch(head.lane, link.seq, batches[-1].seq, batches[0].cycle)
                postings = await self._store.postings(stretch)
                read = Read(link, batches, postings, await self._store.events(stretch), stretch)
                violation = await judging.verdict()
                if violation is not None:
                    return violation
                judging.start(self._judge(read, judged))
                link = self._links[head.lane] = after(batches[-1])
                self._progress("journal", self._counts.batches, total)
        if link.seq != head.seq:
            return _truncated(head, f"batch {link.seq} or a later one as the last", f"batch {head.seq}")
        if link.hash != head.head:
            where = Where(table="lane", lane=head.lane, seq=head.seq)
            return Violation(ViolationKind.CHAIN_LINK_BROKEN, where, link.hash.hex(), head.head.hex())
        return None

    async def _judge(self, read: Read, judged: Stretches) -> Violation | None:
        postings: dict[int, list[PostingRow]] = {seq: list(rows) for seq, rows in groupby(read.postings, _seq)}
        events: dict[int, list[EventRow]] = {seq: list(rows) for seq, rows in groupby(read.events, _seq)}
        link = read.link
        for batch in read.batches:
            violation = batch_violation(link, batch, postings.get(batch.seq, ()), events.get(batch.seq, ()))
            if violation is not None:
                return violation
            link = after(batch)
            await asyncio.sleep(0)  # let the sessions send what is asked next, so that the database is not idle
        self._counts.batches += len(read.batches)
        self._counts.events += len(read.events)
        self._counts.postings += len(read.postings)
        booked = [(event.lane, event.seq, event.n) for event in read.events if event.kind == EventKind.BOOKED]
        await judged.put(Judged(read.stretch, booked))
        return None


def _stretches(batches: Sequence[BatchRow], *, event_count_max: int) -> Iterator[list[BatchRow]]:
    """Cut a lane's batches where the cycle changes, and so that the rows of a stretch fit into memory."""
    part: list[BatchRow] = []
    event_count = 0
    for batch in batches:
        if part and (event_count + batch.n > event_count_max or batch.cycle != part[0].cycle):
            yield part
            part, event_count = [], 0
        part.append(batch)
        event_count += batch.n
    if part:
        yield part


def _truncated(head: LaneHead, expected: str, actual: str) -> Violation:
    return Violation(ViolationKind.CHAIN_TRUNCATED, Where(lane=head.lane, seq=head.last_seq), expected, actual)
