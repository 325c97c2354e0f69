"""Following the lanes: their chains are checked and their postings added up, from where the last time ended."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

import msgspec

from engine.core.chain_audit import START, BatchRow, Link, after, batch_violation
from engine.core.journal import EventRow, PostingRow
from engine.core.violations import Violation, ViolationKind, Where
from engine.store.verify_store import LaneHead, Stretch, VerifyStore

EVENTS_PER_STRETCH: Final = 4_096
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
        stretches: asyncio.Queue[Stretch | None] = asyncio.Queue(STRETCHES_AHEAD)
        async with asyncio.TaskGroup() as tasks:
            # The database adds up one stretch while the rows of the next are hashed here.
            tasks.create_task(self._fold(stretches))
            violation = await self._follow_all(heads, stretches)
            await stretches.put(None)
        self._progress("journal", self._counts.batches, sum(head.seq for head in heads))
        return violation

    async def _fold(self, stretches: "asyncio.Queue[Stretch | None]") -> None:
        while (stretch := await stretches.get()) is not None:
            await self._store.fold(stretch)
            self.folded[stretch.lane] = stretch.last_seq

    async def _follow_all(
        self, heads: Sequence[LaneHead], stretches: "asyncio.Queue[Stretch | None]"
    ) -> Violation | None:
        total = sum(head.seq for head in heads)
        for head in heads:
            if head.last_seq != head.seq:
                return _truncated(head, f"batch {head.seq} as the last", f"batch {head.last_seq}")
            link = self._links.get(head.lane, START)
            while link.seq < head.seq:
                batches = await self._store.batches(head.lane, link.seq, head.seq)
                for part in _stretches(batches):
                    violation = await self._check(link, part)
                    if violation is not None:
                        return violation
                    await stretches.put(Stretch(head.lane, link.seq, part[-1].seq, part[0].cycle))
                    link = self._links[head.lane] = after(part[-1])
                    self._progress("journal", self._counts.batches, total)
            if link.seq != head.seq:
                return _truncated(head, f"batch {link.seq} or a later one as the last", f"batch {head.seq}")
            if link.hash != head.head:
                where = Where(table="lane", lane=head.lane, seq=head.seq)
                return Violation(ViolationKind.CHAIN_LINK_BROKEN, where, link.hash.hex(), head.head.hex())
        return None

    async def _check(self, link: Link, batches: Sequence[BatchRow]) -> Violation | None:
        stretch = Stretch(batches[0].lane, link.seq, batches[-1].seq, batches[0].cycle)
        postings = await self._store.postings(stretch)
        events = await self._store.events(stretch)
        postings_of: dict[int, list[PostingRow]] = {seq: list(rows) for seq, rows in groupby(postings, _seq)}
        events_of: dict[int, list[EventRow]] = {seq: list(rows) for seq, rows in groupby(events, _seq)}
        for batch in batches:
            violation = batch_violation(link, batch, postings_of.get(batch.seq, ()), events_of.get(batch.seq, ()))
            if violation is not None:
                return violation
            link = after(batch)
        self._counts.batches += len(batches)
        self._counts.events += len(events)
        self._counts.postings += len(postings)
        return None


def _stretches(batches: Sequence[BatchRow]) -> Iterator[list[BatchRow]]:
    """Cut a lane's batches where the cycle changes, and so that the rows of a stretch fit into memory."""
    part: list[BatchRow] = []
    event_count = 0
    for batch in batches:
        if part and (event_count + batch.n > EVENTS_PER_STRETCH or batch.cycle != part[0].cycle):
            yield part
            part, event_count = [], 0
        part.append(batch)
        event_count += batch.n
    if part:
        yield part


def _truncated(head: LaneHead, expected: str, actual: str) -> Violation:
    return Violation(ViolationKind.CHAIN_TRUNCATED, Where(lane=head.lane, seq=head.last_seq), expected, actual)
