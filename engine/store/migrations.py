"""Bringing a database to the newest schema: forward only, one transaction a file, one migrator at a time."""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from engine.core.calendar import business_date_at, cut_over_of, cycle_number
from engine.store.connection import AnyConnection
from engine.store.faults import Fault, RunAgain, translated
from engine.store.partitions import ensure_partitions
from engine.store.sql import Sql, load_queries

MIGRATIONS: Final = Path(__file__).parents[2] / "schemas" / "postgres"
_LOCK: Final = 7_202_000_001
_LOCK_WAITS_MAX: Final = 100  # of two seconds each


class MigrationFailed(Fault):
    """The database's schema is not one that these migrations lead to."""


class Migration(msgspec.Struct, frozen=True):
    """One file: its name, its text and the checksum that must never change."""

    name: str
    text: Sql
    sha256: bytes


def migrations(folder: Path = MIGRATIONS) -> tuple[Migration, ...]:
    """The files of *folder* in the order in which they are applied."""
    found = []
    for path in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql")):
        text = path.read_text()
        found.append(Migration(path.stem, Sql(text), hashlib.sha256(text.encode()).digest()))
    return tuple(found)


async def migrate(connection: asyncpg.Connection, folder: Path = MIGRATIONS) -> tuple[str, ...]:
    """Apply what is missing, make partitions ahead, and open the first cycle. Returns the names that were applied.

    Raises:
        MigrationFailed: a file that was applied has been changed, or has gone.
        Fault: the database cannot do it.
    """
    queries = load_queries("schema")
    with translated():
        await _lock(connection, queries["lock_migrations"])
        try:
            await connection.execute(queries["create_migration_table"])
            applied = {row["name"]: row["sha256"] for row in await connection.fetch(queries["applied_migrations"])}
            known = migrations(folder)
            _check(applied, known)
            new = tuple(migration for migration in known if migration.name not in applied)
            for migration in new:
                async with connection.transaction():
                    await connection.execute(migration.text)
                    await connection.execute(queries["record_migration"], migration.name, migration.sha256)
            now = await connection.fetchval(queries["clock"])
            await ensure_partitions(connection, now)
            today = business_date_at(now)
            await connection.execute(queries["open_books"], today, cycle_number(today, 1), cut_over_of(today))
        finally:
            await connection.fetchval(queries["unlock_migrations"], _LOCK)
    return tuple(migration.name for migration in new)


async def unapplied(connection: AnyConnection, folder: Path = MIGRATIONS) -> tuple[str, ...]:
    """The names of the migrations that this database lacks; all of them if it was never migrated."""
    queries = load_queries("schema")
    if not await connection.fetchval(queries["has_migrations"]):
        return tuple(migration.name for migration in migrations(folder))
    applied = {row["name"] for row in await connection.fetch(queries["applied_migrations"])}
    return tuple(migration.name for migration in migrations(folder) if migration.name not in applied)


async def _lock(connection: asyncpg.Connection, statement: Sql) -> None:
    """Wait for the other migrator, however long the session waits for any other lock.

    Raises:
        RunAgain: it is still at work after many such waits.
    """
    for _ in range(_LOCK_WAITS_MAX):
        with suppress(RunAgain), translated():
            await connection.fetchval(statement, _LOCK)
            return
    raise RunAgain("another migrator is at work")


def _check(applied: dict[str, bytes], known: tuple[Migration, ...]) -> None:
    checksums = {migration.name: migration.sha256 for migration in known}
    for name, sha256 in applied.items():
        if name not in checksums:
            raise MigrationFailed(f"{name} was applied to this database and is not known here: use a newer engine")
        if checksums[name] != sha256:
            raise MigrationFailed(f"{name} was changed after it was applied: write a new migration instead")
