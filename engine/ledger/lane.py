"""The lane: load, decide, commit, for a whole batch at a time. The only way to move money."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec
import structlog

from engine.core.books import Books
from engine.ledger.batch import (
    Claimed,
    answer_key,
    claim_rows,
    decide_all,
    ended_by,
    seen_of,
    sort_claims,
    stray_entries,
    wanted_by,
    write_of,
)
from engine.ledger.queue import Entry, LaneQueue, Outcome
from engine.ledger.reading import read_more
from engine.store.faults import (
    ConnectionLost,
    Fault,
    Fenced,
    RunAgain,
    StoreUnavailable,
)
from engine.store.lane_session import SILENCE_S_MAX, LaneSession
from engine.store.rules import RulesShelf

BATCH_COMMANDS_MAX: Final = 128
RUNS_TOGETHER_MAX: Final = 3
REQUEUE_S: Final = 0.001  # a payer that another lane holds is free after about one commit
REQUEUE_FOR_S: Final = 2.0
REST_AFTER_S: Final = 1.0  # well below the server's patience with a transaction that does nothing
RECONNECT_S_MIN: Final = 0.05
RECONNECT_S_MAX: Final = 1.0

log = structlog.get_logger("engine.lane")


class SessionSource(Protocol):
    """Opens sessions: any free lane, or one lane again."""

    async def open_any(self) -> LaneSession:
        """Take the lowest lane that is free."""

    async def open_same(self, lane: int) -> LaneSession:
        """Take one lane again; its earlier session is over once this returns."""


class InDoubt(msgspec.Struct, frozen=True):
    """A batch whose COMMIT was not answered yet: kept until it is, or until the books say what became of it."""

    seq: int
    head: bytes
    outcomes: list[tuple[Entry, Outcome]]
    ended: tuple[bytes, ...]


class BatchDone(msgspec.Struct, frozen=True):
    """What a batch did, for whoever watches. Units: seconds of the event loop's clock."""

    lane: int
    command_count: int
    took_s: float
    commit_s: float
    business_offset_s: float
    ended: tuple[bytes, ...] = ()  # payments made before it that hold nothing any more, and orders that are paid


class Lane:
    """One task with one database session; it takes everything that queued while the last batch was committing."""

    def __init__(
        self,
        queue: LaneQueue,
        sessions: SessionSource,
        *,
        batch_max: int = BATCH_COMMANDS_MAX,
        on_batch: Callable[[BatchDone], None] = lambda _: None,
    ) -> None:
        """A lane that has not started."""
        self._queue = queue
        self._sessions = sessions
        self._batch_max = batch_max
        self._on_batch = on_batch
        self._session: LaneSession | None = None
        self._in_doubt: InDoubt | None = None
        self._now = datetime.min.replace(tzinfo=UTC)
        self._shelf = RulesShelf()
        self._delayed: set[Entry] = set()
        self.is_serving = False

    async def open(self) -> None:
        """Take a lane.

        Raises:
            Fault: the database cannot be reached.
        """
        self._session = await self._sessions.open_any()
        self.is_serving = True

    async def run(self) -> None:
        """Serve until the queue is closed and empty. However it ends, nothing that was submitted is left unanswered.

        Raises:
            Fenced: another session took this lane; this node must stop.
        """
        assert self._session is not None, "open comes first"
        entries: list[Entry] = []
        try:
            while not (self._queue.is_finished and not self._delayed):
                await self._wait_filled()
                entries = self._take()
                if entries:
                    await self._post(entries)
                elif self._delayed:
                    await asyncio.sleep(REQUEUE_S)
            await self._session.leave()
        except StoreUnavailable as fault:
            log.warning("lane.given_up", lane=self._session.lane, fault=str(fault))
        finally:
            self.is_serving = False
            self._session.close()
            self._queue.close()
            for left in (entries, self._delayed, self._queue.take(len(self._queue))):
                _fail(left, "the engine has stopped")
            self._delayed.clear()

    async def leave(self) -> None:
        """Give the lane back without having run."""
        if self._session is not None:
            await self._session.leave()
        self.is_serving = False

    async def _wait_filled(self) -> None:
        """Wait for something to do. A session that waits for long has no transaction open meanwhile."""
        assert self._session is not None
        try:
            async with asyncio.timeout(REST_AFTER_S):
                await self._queue.wait_filled()
        except TimeoutError:
            try:
                await self._session.rest()
            except ConnectionLost:
                await self._recover([])
            await self._queue.wait_filled()

    def _take(self) -> list[Entry]:
        """The next batch. A key is in a batch once; a command that nobody waits for any more is not started."""
        now = asyncio.get_running_loop().time()
        taken: list[Entry] = []
        again: list[Entry] = []
        keys = set()
        for entry in self._queue.take(self._batch_max):
            key = answer_key(entry.command)
            if now >= entry.deadline_at:
                entry.fail(StoreUnavailable("not executed: its time was over before its turn"))
            elif key is not None and key in keys:
                again.append(entry)
            else:
                taken.append(entry)
                keys.add(key)
        self._queue.put_again(again)
        return taken

    async def _post(self, entries: list[Entry]) -> None:
        """Run a batch until each of its commands has an outcome, a fault, or is queued again.

        Raises:
            Fenced: another session took this lane.
            StoreUnavailable: the engine is stopping and the database does not come back.
        """
        groups = [entries]
        runs = 0
        while groups:
            group = groups.pop()
            if not group:
                continue
            runs += 1
            try:
                groups.append(await self._run_watched(group))
            except RunAgain:
                if len(group) == 1:
                    self._later(group)
                else:
                    groups.extend([[entry] for entry in group] if runs >= RUNS_TOGETHER_MAX else [group])
            except ConnectionLost:
                await self._recover(group)
            except StoreUnavailable as fault:
                _fail(group, str(fault))
            except Fenced:
                raise
            except Exception as error:  # a value that cannot be written, or a bug: the culprit's neighbours go on
                if len(group) == 1:
                    self._report(group[0], error)
                    group[0].fail(error)
                else:
                    groups.extend([entry] for entry in group)

    async def _run_watched(self, entries: list[Entry]) -> list[Entry]:
        """Run a batch, and end its session when the server has been silent for too long.

        Nothing is cancelled by that, a COMMIT least of all: what became of it is asked in the next session.
        """
        assert self._session is not None
        silence = asyncio.get_running_loop().call_later(SILENCE_S_MAX, self._session.close)
        try:
            return await self._run_once(entries)
        finally:
            silence.cancel()

    async def _run_once(self, entries: list[Entry]) -> list[Entry]:
        """One transaction. Returns what is left to run at once: nothing, or the batch without its strays.

        Raises:
            Fault: nothing was committed; unless the connection was lost, the transaction is over.
        """
        session = self._session
        assert session is not None
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        self._in_doubt = None
        try:
            rows = await session.lock_and_claim(claim_rows(entries))
            claims, waiting = sort_claims(entries, rows)
            if not claims:
                await session.roll_back()
                self._later(waiting)
                return []
            wanted = wanted_by(claims)
            row = await session.read_books(wanted)
            earlier = await session.read_earlier(wanted.lost_claims) if wanted.lost_claims else []
            seen = seen_of(claims, row, earlier, last_now=self._now)
            if seen.control.business_date != session.business_date:
                session.business_date = seen.control.business_date
                await session.roll_back()
                return entries
            await read_more(session, wanted, claims, seen, self._shelf)
            strays = stray_entries(claims, seen)
            if strays:
                await session.roll_back()
                self._later(strays)
                return [entry for entry in entries if entry not in strays]
            batch = await self._decide_and_write(session, claims, Books(seen))
        except ConnectionLost:
            raise
        except Exception:
            await session.roll_back()
            raise
        commit_at = loop.time()
        self._in_doubt = batch
        await session.commit(batch.head)
        self._now = seen.now
        for entry, outcome in batch.outcomes:
            entry.succeed(outcome)
        self._later(waiting)
        done_at = loop.time()
        self._tell(
            BatchDone(
                session.lane,
                len(claims),
                took_s=done_at - started_at,
                commit_s=done_at - commit_at,
                business_offset_s=row["sandbox_offset_us"] / 1e6,
                ended=batch.ended,
            )
        )
        return []

    async def _decide_and_write(self, session: LaneSession, claims: list[Claimed], books: Books) -> InDoubt:
        outcomes = decide_all(claims, books)
        if books.pay_orders_paid:
            await session.hold_orders(books.pay_orders_paid)
        write = write_of(books, lane=session.lane, seq=session.seq + 1, prev=session.head)
        await session.write_books(write)
        ended = tuple(ended_by(books))
        return InDoubt(session.seq + 1, write.hash, outcomes, ended)

    def _tell(self, done: BatchDone) -> None:
        try:
            self._on_batch(done)
        except Exception:  # the batch is committed: whoever watches must not make it run again
            log.exception("lane.watcher_failed", lane=done.lane)

    def _report(self, entry: Entry, error: Exception) -> None:
        """A value that the database refuses is told by its SQLSTATE alone: the driver's error quotes the row."""
        is_fault = isinstance(error, Fault)
        log.error(
            "lane.command_failed",
            operation=entry.command.operation.name,
            fault=str(error) if is_fault else type(error).__name__,
            exc_info=not is_fault,
        )

    async def _recover(self, entries: list[Entry]) -> None:
        """Take the lane again after its session was lost, and settle the batch whose COMMIT was not answered.

        Nothing new is taken meanwhile. What has to run again goes through the queue, where a command that nobody waits
        for any more is dropped; its caller has been told, and may repeat it with the same key.

        Raises:
            Fenced: the lane's row is neither as before the batch nor as after it, or another node's.
            StoreUnavailable: the engine is stopping and the database does not come back.
        """
        before, doubt = self._session, self._in_doubt
        assert before is not None
        before.close()
        self.is_serving = False
        session = await self._reconnect(before.lane)
        self._session = session
        at = (session.seq, session.head)
        if doubt is not None and at == (doubt.seq, doubt.head):
            log.info("lane.batch_was_committed", lane=session.lane, seq=doubt.seq)
            for entry, outcome in doubt.outcomes:
                entry.succeed(outcome)
            answered = {entry for entry, _ in doubt.outcomes}
            entries = [entry for entry in entries if entry not in answered]
        elif at != (before.seq, before.head):
            raise Fenced(f"lane {session.lane} moved while it was held")
        self._queue.put_again(entries)
        self.is_serving = True

    async def _reconnect(self, lane: int) -> LaneSession:
        wait_s = RECONNECT_S_MIN
        while True:
            try:
                return await self._sessions.open_same(lane)
            except Fenced:
                raise
            except Fault as fault:
                log.warning("lane.reconnect_failed", lane=lane, fault=str(fault))
                if self._queue.is_closed and wait_s >= RECONNECT_S_MAX:
                    raise StoreUnavailable("stopping without a database") from fault
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RECONNECT_S_MAX)

    def _later(self, entries: list[Entry]) -> None:
        """Queue entries again after a moment, unless they have waited too long already."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        again = []
        for entry in entries:
            if now - entry.submitted_at >= REQUEUE_FOR_S:
                entry.fail(StoreUnavailable("not executed: the card was busy"))
            else:
                again.append(entry)
        if again:
            self._delayed.update(again)
            loop.call_later(REQUEUE_S, self._put_again, again)

    def _put_again(self, entries: list[Entry]) -> None:
        self._queue.put_again([entry for entry in entries if entry in self._delayed])
        self._delayed.difference_update(entries)


def _fail(entries: Iterable[Entry], reason: str) -> None:
    for entry in entries:
        entry.fail(StoreUnavailable(reason))  # one each: tracebacks gather on an exception that many raise
