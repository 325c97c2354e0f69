"""Files of before there were forms, versions and deliveries: what they say is known after the migration, too."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from engine.embedded.postgres import EmbeddedPostgres
from engine.store.connection import READ_SETTINGS, connect
from engine.store.migrations import MIGRATIONS
from tests.conftest import database_dsn

BEFORE = ("0001_books", "0002_participants", "0003_clearing")
BANK = bytes(15) + b"\x01"
CLOSED = datetime(2026, 11, 24, 15, tzinfo=UTC)
FILE = """
INSERT INTO clearing_file VALUES
    ($1, $2, $3, 'NET', 'flat', 1, '2026-11-24', 0, 0, 0, 1, $4, '', '', '', '', '', NULL, '2026-11-24T16:00Z')
"""


@pytest.fixture
async def old(postgres: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    """A database of that time."""
    admin = await asyncpg.connect(database_dsn(postgres.dsn, "postgres"))
    await admin.execute("CREATE DATABASE before_files")
    connection = await connect(database_dsn(postgres.dsn, "before_files"), READ_SETTINGS, application_name="test")
    for name in BEFORE:
        await connection.execute((MIGRATIONS / f"{name}.sql").read_text())
    yield connection
    await connection.close()
    await admin.execute("DROP DATABASE before_files WITH (FORCE)")
    await admin.close()


async def test_published_files_keep_what_they_said(old: asyncpg.Connection) -> None:
    await old.execute("INSERT INTO bank VALUES ($1, 102100000000, 'a', 'a', true)", BANK)
    for cycle in (2026112401, 2026112402):
        await old.execute("INSERT INTO clearing_run VALUES ($1, $2, $2, $2, $2, $2)", cycle, CLOSED)
        await old.execute("INSERT INTO net_position VALUES ($1, $2, 0, 0, 0, 0)", cycle, BANK)
        await old.execute(FILE, f"file {cycle}", BANK, cycle, str(cycle).encode())
    await old.execute((MIGRATIONS / "0005_files.sql").read_text())
    rows = await old.fetch(
        "SELECT cycle, first_cycle, created_at, previous_sha256, status FROM clearing_file ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [
        (2026112401, 2026112401, CLOSED, b"", "published"),
        (2026112402, 2026112402, CLOSED, b"2026112401", "published"),
    ]
    assert await old.fetchval("SELECT count(*) FROM net_position WHERE delivers_from = cycle") == 2
    runs = await old.fetch("SELECT settlement_bank, forms FROM clearing_run")
    assert {(row["settlement_bank"], *row["forms"]) for row in runs} == {(BANK, "flat")}


async def test_cycle_without_files_is_netted_once_more(old: asyncpg.Connection) -> None:
    await old.execute("INSERT INTO clearing_run VALUES (2026112401, $1, $1, $1, NULL, NULL)", CLOSED)
    await old.execute("INSERT INTO net_position VALUES (2026112401, $1, 5, 5, 1, 1)", BANK)
    await old.execute("INSERT INTO clearing_route VALUES (2026112401, $1, $1)", BANK)
    await old.execute((MIGRATIONS / "0005_files.sql").read_text())
    assert await old.fetchval("SELECT netted_at FROM clearing_run") is None
    for table in ("net_position", "clearing_route"):
        assert await old.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608  # names from above
