"""The session of a closer: the lock that makes it the only one, and how far the cycles are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any, Final

import asyncpg
import msgspec

from engine.core.books import Control
from engine.core.calendar import CycleNumber, cycle_date, settlement_date
from engine.store.barrier import pass_all_lanes
from engine.store.connection import READ_SETTINGS, AnyConnection, connect
from engine.store.faults import Fault, StoreUnavailable, translated
from engine.store.partitions import partitions_of_day
from engine.store.rows import control_of, instant
from engine.store.sql import load_queries

CLEARING_LOCK: Final = 7_203_000_001  # of the advisory locks; any number that nothing else here uses
LOCK_POLL_S: Final = 0.05
CLEARING_SETTINGS: Final = {
    **READ_SETTINGS,
    # A plan for one business date opens that date's partitions; a generic one locks all there are at each page.
    "plan_cache_mode": "force_custom_plan",
    # Only the index has the order of a page, whatever the statistics of a table that was empty say.
    "enable_seqscan": "off",
    # The barrier waits for a batch that is under way, and a frozen lane is ended after five seconds.
    "lock_timeout": "9000",
}


class ClearingBusy(Fault):
    """Another closer is at work."""


class ClearingState(msgspec.Struct, frozen=True, kw_only=True):
    """The open cycle, business time, and the closed cycles whose files are not out yet, oldest first."""

    control: Control
    now: datetime
    unpublished: tuple[CycleNumber, ...]


class ClearingRun(msgspec.Struct, frozen=True):
    """How far a closed cycle has come: when each step was done, None if it has still to be."""

    cycle: CycleNumber
    closed_at: datetime
    sealed_at: datetime | None
    netted_at: datetime | None
    built_at: datetime | None
    published_at: datetime | None
    settlement_date: date  # fixed when it was closed: its files say it
    settled_at: datetime | None = None


class ClearingSession:
    """Two connections: one holds the lock and writes, so that lock and writes end together; one reads ahead of it."""

    def __init__(self, writer: asyncpg.Connection, reader: asyncpg.Connection) -> None:
        """Use `open_clearing`."""
        self._writer = writer
        self._reader = reader
        self._queries = load_queries("clearing")
        self._is_locked = False

    async def lock(self, *, wait_s: float) -> None:
        """Become the only closer, until the session ends. It asks again and again: a query that waited would hold a
        snapshot, and an old snapshot slows every lane down.

        Raises:
            ClearingBusy: another one is still at work after *wait_s*.
            Fault: one of `translated`.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while not self._is_locked:
            with translated():
                self._is_locked = await self._writer.fetchval(self._queries["try_clearing_lock"], CLEARING_LOCK)
            if not self._is_locked:
                if loop.time() >= until:
                    raise ClearingBusy("another closer is at work")
                await asyncio.sleep(LOCK_POLL_S)

    async def unlock(self) -> None:
        """Let another one in."""
        if self._is_locked:
            with translated():
                await self._writer.fetchval(self._queries["release_clearing_lock"], CLEARING_LOCK)
            self._is_locked = False

    async def load_state(self) -> ClearingState:
        """The open cycle, and the closed ones that are not published."""
        return await load_clearing_state(self._writer)

    async def load_run(self, cycle: CycleNumber) -> ClearingRun | None:
        """How far a closed cycle has come."""
        rows = await self.fetch("clearing_run", cycle)
        return run_of(rows[0]) if rows else None

    async def ensure_day(self, business_date: date) -> None:
        """Make the partitions of a business date that are not there yet.

        Raises:
            Fault: one of `translated`.
        """
        ensure = load_queries("schema")["ensure_partition"]
        with translated():
            for part in partitions_of_day(business_date):
                await self._writer.fetchval(ensure, part.parent, part.name, part.key, part.lower, part.upper, part.fill)

    async def pass_all_lanes(self) -> None:
        """Every batch that read the books as they were before has ended.

        Raises:
            Fault: one of `translated`.
        """
        assert self._is_locked, "only the only closer waits for batches"
        await pass_all_lanes(self._writer)

    async def fetch(self, name: str, *values: object) -> list[asyncpg.Record]:
        """Read with one of the queries, on the connection that reads ahead.

        Raises:
            Fault: one of `translated`.
        """
        with translated():
            rows: list[asyncpg.Record] = await self._reader.fetch(self._queries[name], *values)
        return rows

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """One transaction of the only closer, on the connection that holds the lock.

        Raises:
            Fault: one of `translated`.
        """
        assert self._is_locked, "only the only closer writes"
        with translated():
            async with self._writer.transaction():
                yield self._writer

    @property
    def reader(self) -> asyncpg.Connection:
        """The connection that reads ahead, for what other stores read."""
        return self._reader

    async def execute(self, name: str, *values: object) -> None:
        """Write with one of the queries, in a transaction of its own, as the only closer.

        Raises:
            Fault: one of `translated`.
        """
        assert self._is_locked, "only the only closer writes"
        with translated():
            await self._writer.execute(self._queries[name], *values)


@asynccontextmanager
async def open_clearing(dsn: str) -> AsyncIterator[ClearingSession]:
    """A session that has no lock yet. What it locked is free again when this ends.

    Raises:
        Fault: the database cannot be reached.
    """
    async with _connection(dsn, "clearing") as writer, _connection(dsn, "clearing reader") as reader:
        session = ClearingSession(writer, reader)
        yield session
        await session.unlock()


async def load_clearing_state(connection: "AnyConnection | asyncpg.Pool") -> ClearingState:
    """The open cycle, and the closed ones that are not published.

    Raises:
        Fault: one of `translated`.
    """
    with translated():
        row: Any = await connection.fetchrow(load_queries("clearing")["clearing_state"])
    if row is None:
        raise StoreUnavailable("the books are not set up: no control row")
    return ClearingState(
        control=control_of(row),
        now=instant(row["clock"], row["sandbox_offset_us"]),
        unpublished=tuple(map(CycleNumber, row["unpublished"])),
    )


def run_of(row: asyncpg.Record) -> ClearingRun:
    """How far a cycle has come, from a `clearing_run` row. A cycle that was closed before settlement dates were kept
    has the one that the calendar gives.
    """
    cycle = CycleNumber(row["cycle"])
    return ClearingRun(
        cycle=cycle,
        closed_at=row["closed_at"],
        sealed_at=row["sealed_at"],
        netted_at=row["netted_at"],
        built_at=row["built_at"],
        published_at=row["published_at"],
        settlement_date=row["settlement_date"] or settlement_date(cycle_date(cycle)),
        settled_at=row["settled_at"],
    )


@asynccontextmanager
async def _connection(dsn: str, name: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(dsn, CLEARING_SETTINGS, application_name=name)
    try:
        yield connection
    finally:
        connection.terminate()
