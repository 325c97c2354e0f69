"""The partitions of everything that grows: what they are called, where they begin, and making them ahead of time."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from engine.codes.ride_ticket import LATE_S_MAX
from engine.core.calendar import business_date_at
from engine.store.connection import AnyConnection
from engine.store.sql import load_queries

DAYS_AHEAD: Final = 14
MONTHS_AHEAD: Final = 2
CODE_DAYS_KEPT: Final = LATE_S_MAX // 86_400 + 2  # a gate may bring in so late what its code was used for
CODE_DAYS_AHEAD: Final = 3  # every batch looks for its codes, and pays for each partition that there is
STEPS_PER_DAY: Final = 86_400 // 30  # a code's step is thirty seconds

FILL_INSERT_ONLY: Final = 100
FILL_UPDATED: Final = 90  # a payment is updated a few times in its life

_LOCK: Final = 7_202_000_002


class Partition(msgspec.Struct, frozen=True):
    """One partition: half-open bounds, as PostgreSQL reads them."""

    parent: str
    name: str
    key: str
    lower: str
    upper: str
    fill: int


def partitions_for(now: datetime) -> Iterator[Partition]:
    """What must exist at *now*: two months of payments, fourteen days of the journal, three of code uses, and as many
    of them back as gates may be late with their tickets.
    """
    today = business_date_at(now)
    first = today.replace(day=1)
    for _ in range(MONTHS_AHEAD + 1):
        after = (first + timedelta(days=32)).replace(day=1)
        yield _by_month("payment", "id", first, after, FILL_UPDATED)
        yield _by_month("refund", "payment", first, after, FILL_INSERT_ONLY)
        first = after
    for ahead in range(-1, DAYS_AHEAD + 1):
        yield from partitions_of_day(today + timedelta(days=ahead))
    for ahead in range(-CODE_DAYS_KEPT, CODE_DAYS_AHEAD + 1):
        yield _code_uses_of(today + timedelta(days=ahead))


def partitions_of_day(day: date) -> Iterator[Partition]:
    """What must exist before a business date is opened."""
    after = day + timedelta(days=1)
    for parent in ("posting", "event"):
        name = f"{parent}_{day:%Y%m%d}"
        yield Partition(parent, name, "business_date", day.isoformat(), after.isoformat(), FILL_INSERT_ONLY)


async def ensure_partitions(connection: AnyConnection, now: datetime) -> int:
    """Make what must exist at *now* and does not. Returns how many were made."""
    ensure = load_queries("schema")["ensure_partition"]
    made = 0
    async with _only_one(connection):
        for part in partitions_for(now):
            made += bool(
                await connection.fetchval(ensure, part.parent, part.name, part.key, part.lower, part.upper, part.fill)
            )
    return made


async def drop_old_code_uses(connection: AnyConnection, now: datetime) -> int:
    """Take away the code uses of days that no code can come from any more. Returns how many days went.

    Detaching waits for nobody who inserts; each statement must run outside a transaction.
    """
    first_kept = now.astimezone(UTC).date() - timedelta(days=CODE_DAYS_KEPT)
    async with _only_one(connection):
        rows = await connection.fetch(load_queries("schema")["detach_code_uses"], f"code_use_{first_kept:%Y%m%d}")
        for row in rows:
            try:
                await connection.execute(row["detach"])
            except asyncpg.ObjectNotInPrerequisiteStateError:
                # An earlier one was given up half way: somebody, such as a backup, used the table for too long.
                await connection.execute(row["detach"].replace("CONCURRENTLY", "FINALIZE"))
            await connection.execute(row["drop"])
    return len(rows)


@asynccontextmanager
async def _only_one(connection: AnyConnection) -> AsyncIterator[None]:
    """Nobody else makes or drops partitions: two at once would find the same one missing, and trip over each other."""
    queries = load_queries("schema")
    await connection.fetchval(queries["lock_migrations"], _LOCK)
    try:
        yield
    finally:
        await connection.fetchval(queries["unlock_migrations"], _LOCK)


def _code_uses_of(day: date) -> Partition:
    """The code uses of a calendar day in UTC."""
    step = _midnight_step(day)
    name = f"code_use_{day:%Y%m%d}"
    return Partition("code_use", name, "step", str(step), str(step + STEPS_PER_DAY), FILL_INSERT_ONLY)


def _by_month(parent: str, key: str, first: date, after: date, fill: int) -> Partition:
    return Partition(parent, f"{parent}_{first:%Y%m}", key, _id_bound(first), _id_bound(after), fill)


def _id_bound(day: date) -> str:
    """The lowest id that can be made on *day* (UTC)."""
    at_ms = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
    return str(UUID(int=at_ms << 80))


def _midnight_step(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) // 30
