"""Looking for what would stop payments or endanger them, before it does."""

from datetime import date, timedelta
from typing import Final

import asyncpg
import msgspec
from redis import asyncio as aioredis
from redis.exceptions import RedisError

from engine.core.calendar import business_date_at, knows_holidays
from engine.store.faults import translated
from engine.store.migrations import unapplied
from engine.store.partitions import DAYS_AHEAD
from engine.store.reads import Reads
from engine.store.settlement import load_timetable
from engine.store.sql import load_queries

SKEW_S_MAX: Final = 1.0
VERSION_MIN: Final = 150_000
CONNECTIONS_MIN: Final = 32
HOLIDAYS_AHEAD: Final = 31  # days; a year's holidays are announced in the November before it


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    check: str
    ok: bool
    what_to_do: str
    is_warning: bool = False  # it stops nothing yet


async def examine_node(pool: asyncpg.Pool, valkey: "aioredis.Redis | None", *, now_s: float) -> tuple[Finding, ...]:
    """Look at everything once. Units: *now_s* in unix seconds of this machine's clock.

    Raises:
        Fault: the database cannot be asked at all.
    """
    with translated():
        async with pool.acquire() as connection:
            server = await connection.fetchrow(load_queries("doctor")["server_settings"])
            missing = await unapplied(connection)
    assert server is not None
    findings = [
        Finding("PostgreSQL is 15 or newer", server["version"] >= VERSION_MIN, "Upgrade PostgreSQL."),
        Finding("it is a primary", not server["is_standby"], "Point DATABASE_URL at the primary."),
        Finding("fsync is on", server["fsync"], "Set fsync = on: an acknowledged payment must survive a crash."),
        Finding("full_page_writes is on", server["full_page_writes"], "Set full_page_writes = on."),
        Finding("synchronous_commit is on", server["synchronous_commit"], "Set synchronous_commit = on."),
        Finding(
            "a standby is synchronous",
            server["has_synchronous_standby"] or not server["has_standby"],
            "Set synchronous_standby_names, or a failover may lose acknowledged payments.",
        ),
        Finding(
            f"there are at least {CONNECTIONS_MIN} connections",
            server["max_connections"] >= CONNECTIONS_MIN,
            "Raise max_connections.",
        ),
        Finding("the schema is current", not missing, "Run engine migrate."),
    ]
    if not missing:
        findings += await _examine_books(Reads(pool), now_s)
        findings.append(await _examine_calendar(pool))
    findings.append(
        Finding("Valkey answers", await _answers(valkey), "Start Valkey; replays are checked less without.")
    )
    return tuple(findings)


async def _examine_books(reads: Reads, now_s: float) -> list[Finding]:
    now = await reads.business_now()
    skew_s = abs(now.clock.timestamp() - now_s)
    last = business_date_at(now.now) + timedelta(days=DAYS_AHEAD - 1)
    return [
        Finding(
            "this machine's clock agrees with the database's",
            skew_s <= SKEW_S_MAX,
            "Synchronise both clocks (NTP): codes and signatures are judged by them.",
        ),
        Finding("partitions exist ahead of time", await reads.can_open(last), "Run engine migrate."),
        Finding(
            "the open cycle is not overdue",
            now.now < now.control.cutoff_at + timedelta(minutes=5),
            "Run engine work or engine serve: the timetable closes cycles.",
        ),
    ]


async def _examine_calendar(pool: asyncpg.Pool) -> Finding:
    """Whether the holidays of the days ahead are known, by the calendar or because somebody has decided days of their
    years: beyond, only weekends are, and settlement dates may come out wrong.
    """
    with translated():
        decided = (await load_timetable(pool)).exceptions
    today = business_date_at((await Reads(pool).business_now()).now)
    years = {today.year, (today + timedelta(days=HOLIDAYS_AHEAD)).year} - {day.year for day in decided}
    unknown = sorted(year for year in years if not knows_holidays(date(year, 1, 1)))
    return Finding(
        "holidays are known for the days ahead",
        not unknown,
        f"Only weekends are known for {', '.join(map(str, unknown))}: install a newer chinesecalendar, or decide that"
        " year's holidays and make-up days with engine clearing working-day.",
        is_warning=True,
    )


async def _answers(valkey: "aioredis.Redis | None") -> bool:
    if valkey is None:
        return False
    try:
        return bool(await valkey.ping())
    except (RedisError, OSError):
        return False
