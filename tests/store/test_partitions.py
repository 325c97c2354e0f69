"""Partitions: where they begin and end, that they are there ahead of time, and that making them stops nobody."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, pairwise
from operator import attrgetter
from uuid import UUID

import asyncpg
import pytest

from engine.core.calendar import SHANGHAI
from engine.core.ids import IdKind, make_id
from engine.store.connection import READ_SETTINGS, connect
from engine.store.partitions import (
    CODE_DAYS_KEPT,
    DAYS_AHEAD,
    STEPS_PER_DAY,
    Partition,
    drop_old_code_uses,
    ensure_partitions,
    partitions_for,
    partitions_of_day,
)

NOON = datetime(2026, 12, 30, 12, tzinfo=SHANGHAI)
IMPATIENT = READ_SETTINGS | {"lock_timeout": "200"}


def of(parent: str, now: datetime = NOON) -> list[Partition]:
    """The partitions of one table at *now*."""
    return [part for part in partitions_for(now) if part.parent == parent]


def test_everything_that_grows_by_the_day_is_there_from_yesterday_for_two_weeks() -> None:
    for parent in ("posting", "event"):
        parts = of(parent)
        assert len(parts) == 1 + 1 + DAYS_AHEAD
        assert parts[0].name == f"{parent}_20261229"
        assert parts[-1].name == f"{parent}_20270113"


def test_code_uses_are_there_for_three_days_and_as_far_back_as_gates_may_be_late() -> None:
    assert [part.name for part in of("code_use")] == [
        "code_use_20261225",
        "code_use_20261226",
        "code_use_20261227",
        "code_use_20261228",
        "code_use_20261229",
        "code_use_20261230",
        "code_use_20261231",
        "code_use_20270101",
        "code_use_20270102",
    ]


def test_payments_and_refunds_are_there_for_this_month_and_two_more_over_the_turn_of_the_year() -> None:
    assert [part.name for part in of("payment")] == ["payment_202612", "payment_202701", "payment_202702"]
    assert [part.name for part in of("refund")] == ["refund_202612", "refund_202701", "refund_202702"]


@pytest.mark.parametrize("parent", ["payment", "refund", "posting", "event", "code_use"])
def test_each_begins_where_the_one_before_ends(parent: str) -> None:
    assert all(before.upper == after.lower for before, after in pairwise(of(parent)))


def test_days_are_counted_from_the_business_date_which_begins_at_the_cut_over() -> None:
    before = datetime(2026, 12, 30, 22, 59, 59, tzinfo=SHANGHAI)
    assert of("posting", before)[-1].name == "posting_20270113"
    assert of("posting", before + timedelta(seconds=1))[-1].name == "posting_20270114"


def test_bounds_are_those_of_the_kinds_of_keys() -> None:
    parts = {part.parent: part for part in partitions_of_day(date(2026, 12, 31))}
    assert (parts["posting"].lower, parts["posting"].upper) == ("2026-12-31", "2027-01-01")
    step = int(datetime(2026, 12, 25, tzinfo=UTC).timestamp()) // 30
    codes = of("code_use")[0]
    assert (codes.lower, codes.upper) == (str(step), str(step + STEPS_PER_DAY))
    (december, *_) = of("payment")
    first_ms = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) * 1000
    assert december.lower == str(UUID(int=first_ms << 80))


async def test_rows_fall_into_the_partition_that_their_key_says(dsn: str, sql: asyncpg.Connection) -> None:
    now = await sql.fetchval("SELECT clock_timestamp()")
    months, days = of("refund", now), of("code_use", now)
    edge_ms = UUID(months[0].upper).int >> 80
    ids = [make_id(IdKind.PAYMENT, at_ms=edge_ms + late, shard=255, region=1, entropy=1) for late in (-1, 0)]
    for payment in ids:
        await sql.execute("INSERT INTO refund VALUES ($1, '1', $1, 1, '', NULL, $2, 1, $3)", payment, now, now)
    await sql.executemany("INSERT INTO code_use VALUES ($1, 1, 1)", [(int(days[0].upper) - 1,), (int(days[0].upper),)])
    placed = await sql.fetch("SELECT tableoid::regclass::text FROM refund ORDER BY payment")
    assert [row[0] for row in placed] == [months[0].name, months[1].name]
    placed = await sql.fetch("SELECT tableoid::regclass::text FROM code_use ORDER BY step")
    assert [row[0] for row in placed] == [days[0].name, days[1].name]


async def test_what_exists_is_not_made_again(dsn: str, sql: asyncpg.Connection) -> None:
    now = await sql.fetchval("SELECT clock_timestamp()")
    assert await ensure_partitions(sql, now) == 0
    assert await ensure_partitions(sql, now + timedelta(days=1)) >= 3
    assert await ensure_partitions(sql, now + timedelta(days=1)) == 0


async def test_partitions_are_made_while_somebody_reads_and_while_payments_go_on(
    dsn: str, sql: asyncpg.Connection
) -> None:
    """A partition that is made in its place waits for every reader, and stops every insert behind it."""
    now = await sql.fetchval("SELECT clock_timestamp()")
    maker = await connect(dsn, IMPATIENT, application_name="maker")
    async with sql.transaction(isolation="repeatable_read"):
        await sql.execute("SELECT FROM posting, event, code_use, payment, refund")
        await sql.execute("INSERT INTO code_use VALUES ($1, 1, 1)", int(now.timestamp()) // 30)
        async with maker.transaction():
            assert await ensure_partitions(maker, now + timedelta(days=70)) > 0
            await sql.execute("INSERT INTO code_use VALUES ($1, 1, 2)", int(now.timestamp()) // 30)
    assert await sql.fetchval("SELECT count(*) FROM code_use") == 2
    await maker.close()


async def test_makers_at_once_do_not_get_into_each_others_way(dsn: str, sql: asyncpg.Connection) -> None:
    later = await sql.fetchval("SELECT clock_timestamp() + interval '40 days'")
    makers = [await connect(dsn, READ_SETTINGS, application_name="maker") for _ in range(4)]
    made = await asyncio.gather(*(ensure_partitions(maker, later) for maker in makers))
    assert sorted(made)[:3] == [0, 0, 0]
    assert max(made) > 0
    for maker in makers:
        await maker.close()


async def test_old_codes_go_while_codes_are_used(dsn: str, sql: asyncpg.Connection) -> None:
    """The transaction that uses a code is waited for, and others use theirs meanwhile."""
    now = await sql.fetchval("SELECT clock_timestamp() + interval '3 days'")
    step = int(now.timestamp()) // 30
    dropper = await connect(dsn, READ_SETTINGS, application_name="dropper")
    other = await connect(dsn, IMPATIENT, application_name="other")
    async with sql.transaction():
        await sql.execute("INSERT INTO code_use VALUES ($1, 1, 1)", step)
        dropping = asyncio.create_task(drop_old_code_uses(dropper, now))
        while not await other.fetchval("SELECT count(*) FROM pg_inherits WHERE inhdetachpending"):
            continue
        await other.execute("INSERT INTO code_use VALUES ($1, 1, 2)", step)
        assert not dropping.done()
    assert await dropping > 0
    kept = await sql.fetch("SELECT relname FROM pg_class WHERE relname ~ '^code_use_\\d+$' ORDER BY relname")
    assert kept[0][0] == f"code_use_{now.astimezone(UTC) - timedelta(days=CODE_DAYS_KEPT):%Y%m%d}"
    assert await sql.fetchval("SELECT count(*) FROM code_use") == 2
    assert await drop_old_code_uses(dropper, now) == 0
    await other.close()
    await dropper.close()


async def test_drop_that_was_given_up_half_way_is_finished_by_the_next(dsn: str, sql: asyncpg.Connection) -> None:
    """Somebody, such as a backup, used the table for longer than the dropper waits."""
    now = await sql.fetchval("SELECT clock_timestamp() + interval '3 days'")
    dropper = await connect(dsn, IMPATIENT, application_name="dropper")
    async with sql.transaction():
        await sql.execute("SELECT FROM code_use")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await drop_old_code_uses(dropper, now)
        assert await dropper.fetchval("SELECT count(*) FROM pg_inherits WHERE inhdetachpending") == 1
    assert await drop_old_code_uses(dropper, now) > 0
    kept = await sql.fetch("SELECT relname FROM pg_class WHERE relname ~ '^code_use_\\d+$' ORDER BY relname")
    assert kept[0][0] == f"code_use_{now.astimezone(UTC) - timedelta(days=CODE_DAYS_KEPT):%Y%m%d}"
    await dropper.close()


async def test_droppers_at_once_do_not_get_into_each_others_way(dsn: str, sql: asyncpg.Connection) -> None:
    later = await sql.fetchval("SELECT clock_timestamp() + interval '3 days'")
    droppers = [await connect(dsn, READ_SETTINGS, application_name="dropper") for _ in range(3)]
    dropped = await asyncio.gather(*(drop_old_code_uses(dropper, later) for dropper in droppers))
    assert sorted(dropped)[:2] == [0, 0]
    assert max(dropped) > 0
    for dropper in droppers:
        await dropper.close()


def test_names_are_given_once() -> None:
    parts = sorted(partitions_for(NOON), key=attrgetter("name"))
    assert all(len(list(same)) == 1 for _, same in groupby(parts, key=attrgetter("name")))
