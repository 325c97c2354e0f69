"""Partitions are there before they are needed, and old code uses go while new ones come."""

from datetime import timedelta

import asyncpg

from engine.store.reads import Reads
from engine.workers.partitions import keep_partitions


async def test_what_exists_is_left_alone(dsn: str, sql: asyncpg.Connection) -> None:
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
        assert await keep_partitions(pool, Reads(pool)) == (0, 0)


async def test_time_that_passes_makes_new_partitions_and_drops_old_code_uses(dsn: str, sql: asyncpg.Connection) -> None:
    step = await sql.fetchval("SELECT floor(extract(epoch FROM clock_timestamp()) / 30)::bigint")
    await sql.execute("INSERT INTO code_use VALUES ($1, 1, 1)", step)
    await sql.execute("UPDATE control SET sandbox_offset_us = $1", timedelta(days=10) // timedelta(microseconds=1))
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
        made, dropped = await keep_partitions(pool, Reads(pool))
        # Two tables by business date and the codes, ten days each, and sometimes a month; how many of them differs by
        # the hour at which the test runs.
        assert 10 * 2 + 8 <= made <= 10 * 2 + 12
        assert 8 <= dropped <= 10
        assert await sql.fetchval("SELECT count(*) FROM code_use") == 0
        await sql.execute("INSERT INTO code_use VALUES ($1, 1, 1)", step + 10 * 2_880)
