"""Migrations: each file once, in order, by one migrator, and never another text under a known name."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from engine.core.calendar import business_date_at, cycle_number
from engine.embedded.postgres import EmbeddedPostgres
from engine.store.connection import READ_SETTINGS, connect
from engine.store.migrations import MIGRATIONS, MigrationFailed, migrate, migrations
from tests.conftest import database_dsn

ALL = tuple(migration.name for migration in migrations())
TABLES = "SELECT array_agg(relname::text ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND relname LIKE 'extra%'"
WAITING_SINCE = (
    "SELECT query_start FROM pg_stat_activity WHERE application_name = 'migrate' AND wait_event = 'advisory'"
)
_numbers = itertools.count(1)


@pytest.fixture
async def empty_dsn(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The address of a database without anything."""
    name = f"empty_{next(_numbers)}"
    admin = await asyncpg.connect(database_dsn(postgres.dsn, "postgres"))
    await admin.execute(f"CREATE DATABASE {name}")
    yield database_dsn(postgres.dsn, name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations, to add to and to spoil."""
    return Path(shutil.copytree(MIGRATIONS, tmp_path / "postgres"))


async def migrate_once(dsn: str, folder: Path = MIGRATIONS, **settings: str) -> tuple[str, ...]:
    """One migrator, with a session of its own."""
    connection = await connect(dsn, READ_SETTINGS | settings, application_name="migrate")
    try:
        return await migrate(connection, folder)
    finally:
        await connection.close()


async def test_of_five_migrators_at_once_one_does_it_and_the_others_find_it_done(empty_dsn: str) -> None:
    applied = await asyncio.gather(*(migrate_once(empty_dsn) for _ in range(5)))
    assert sorted(applied) == [(), (), (), (), ALL]
    sql = await asyncpg.connect(empty_dsn)
    assert await sql.fetchval("SELECT count(*) FROM migration") == len(ALL)
    assert await sql.fetchval("SELECT count(*) FROM control") == 1
    await sql.close()


async def test_migrator_waits_for_the_other_longer_than_for_any_other_lock(dsn: str, sql: asyncpg.Connection) -> None:
    await sql.execute("SELECT pg_advisory_lock(7202000001)")
    migrating = asyncio.create_task(migrate_once(dsn, lock_timeout="10"))
    waits = (
        "SELECT pid, query_start FROM pg_stat_activity WHERE application_name = 'migrate' AND wait_event = 'advisory'"
    )
    first = await sql.fetchrow(waits)
    while first is None:
        first = await sql.fetchrow(waits)
    while await sql.fetchrow(waits) in (None, first):
        continue
    await sql.execute("SELECT pg_advisory_unlock(7202000001)")
    assert await migrating == ()


async def test_first_cycle_is_the_days_first_and_migrating_again_leaves_it(dsn: str, sql: asyncpg.Connection) -> None:
    now = await sql.fetchval("SELECT clock_timestamp()")
    control = await sql.fetchrow("SELECT * FROM control")
    assert control is not None
    today = business_date_at(now)
    assert (control["business_date"], control["cycle"]) == (today, cycle_number(today, 1))
    assert control["published_cycle"] < control["cycle"]
    await sql.execute("UPDATE control SET cycle = cycle + 1")
    assert await migrate_once(dsn) == ()
    assert await sql.fetchval("SELECT cycle FROM control") == cycle_number(today, 2)


async def test_new_files_are_applied_in_order_and_nothing_else_is_read(
    dsn: str, sql: asyncpg.Connection, folder: Path
) -> None:
    (folder / "9002_then.sql").write_text("INSERT INTO extra VALUES (2);")
    (folder / "9001_first.sql").write_text("CREATE TABLE extra (n integer);")
    (folder / "notes.sql").write_text("no SQL at all")
    assert await migrate_once(dsn, folder) == ("9001_first", "9002_then")
    assert await migrate_once(dsn, folder) == ()
    assert await sql.fetchval("SELECT count(*) FROM extra") == 1


@pytest.mark.parametrize("failing", ["SELECT * FROM nowhere;", "ALTER TABLE migration RENAME TO elsewhere;"])
async def test_failing_migration_leaves_nothing_and_can_be_mended(
    dsn: str, sql: asyncpg.Connection, folder: Path, failing: str
) -> None:
    """Whether it fails by itself, or can only not be written down."""
    (folder / "9001_good.sql").write_text("CREATE TABLE extra_good (n integer);")
    bad = folder / "9002_bad.sql"
    bad.write_text(f"CREATE TABLE extra_bad (n integer); {failing}")
    with pytest.raises(asyncpg.UndefinedTableError):
        await migrate_once(dsn, folder)
    assert await sql.fetchval(TABLES) == ["extra_good"]
    bad.write_text("CREATE TABLE extra_bad (n integer);")
    assert await migrate_once(dsn, folder) == ("9002_bad",)
    assert await sql.fetchval(TABLES) == ["extra_bad", "extra_good"]


async def test_file_that_was_changed_after_it_was_applied_is_refused(dsn: str, folder: Path) -> None:
    first = folder / f"{ALL[0]}.sql"
    first.write_text(first.read_text() + "\n-- a remark")
    with pytest.raises(MigrationFailed, match=f"{ALL[0]} was changed"):
        await migrate_once(dsn, folder)


async def test_database_that_knows_more_than_this_engine_is_refused(dsn: str, folder: Path) -> None:
    (folder / f"{ALL[-1]}.sql").unlink()
    with pytest.raises(MigrationFailed, match=f"{ALL[-1]} was applied"):
        await migrate_once(dsn, folder)


async def test_refusal_lets_the_next_migrator_in(dsn: str, sql: asyncpg.Connection, folder: Path) -> None:
    (folder / f"{ALL[-1]}.sql").unlink()
    connection = await connect(dsn, READ_SETTINGS, application_name="migrate")
    with pytest.raises(MigrationFailed):
        await migrate(connection, folder)
    assert await migrate_once(dsn) == ()
    await connection.close()


def test_numbers_of_migrations_are_never_given_twice() -> None:
    numbers = [name.partition("_")[0] for name in ALL]
    assert numbers == [f"{number:04d}" for number in range(1, len(ALL) + 1)]
