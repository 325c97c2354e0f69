"""A throw-away PostgreSQL for each test process, and a fresh database for each test."""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import asyncpg
import pytest
import structlog

from engine.embedded.postgres import EmbeddedPostgres
from engine.store.connection import READ_SETTINGS, connect
from engine.store.migrations import migrate
from tests.leaks import leaks

TEMPLATE = "engine_template"
MEMORY = Path("/dev/shm")  # noqa: S108  # folders of our own are made in it
MEMORY_BYTES_MIN = 6 << 30


def _is_memory_enough() -> bool:
    return MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN


# A database for each test is hundreds of small files: 0.25 to 0.6 s on a disk, 0.03 s in memory. What is killed here
# are processes, never the machine, so nothing is lost that way.
FAST_FOLDER = MEMORY if _is_memory_enough() else None
if FAST_FOLDER is not None:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(FAST_FOLDER))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of this suite."""
    parser.addoption("--full", action="store_true", help="run the long fault campaigns in full")
    parser.addoption("--seed", type=int, default=None, help="seed of the fault campaigns, as an earlier run printed it")
    parser.addoption("--rewrite-golden", action="store_true", help="write the golden files anew")


def pytest_configure(config: pytest.Config) -> None:
    """A traceback in a log shows no values, as with `engine serve`: the values of a test are people's."""
    processors = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*processors[:-1], plain])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test fails if anybody's data are in what was logged or printed while it ran, its fixtures included."""
    report = yield
    found = leaks("".join(text for title, text in report.sections if title.endswith(f" {report.when}")))
    if found and report.outcome == "passed":
        report.outcome = "failed"
        report.longrepr = f"personal data in the output: {', '.join(sorted(set(found)))}"
    return report


@pytest.fixture
def is_full(request: pytest.FixtureRequest) -> bool:
    """Whether long campaigns run in full."""
    return bool(request.config.getoption("--full"))


@pytest.fixture
def rewrite_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written instead of compared."""
    return bool(request.config.getoption("--rewrite-golden"))


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A cluster whose data may be lost: nothing here outlives the tests."""
    folder = Path(tempfile.mkdtemp(prefix="engine-tests-", dir=FAST_FOLDER))
    server = EmbeddedPostgres(
        folder,
        extra_settings={"fsync": "off", "shared_buffers": "64MB", "max_connections": "100", "max_wal_size": "256MB"},
    )
    server.start()
    try:
        asyncio.run(_make_template(server.dsn))
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def dsn(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The address of an empty, migrated database of this test's own."""
    name = f"test_{next(_numbers)}"
    admin = await asyncpg.connect(database_dsn(postgres.dsn, "postgres"))
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield database_dsn(postgres.dsn, name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def sql(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A plain connection to the test's database, for looking and for damage."""
    connection = await connect(dsn, READ_SETTINGS, application_name="test")
    yield connection
    await connection.close()


def database_dsn(dsn: str, database: str) -> str:
    """The same server, another database."""
    return dsn.replace("/engine?", f"/{database}?")


async def _make_template(dsn: str) -> None:
    admin = await asyncpg.connect(database_dsn(dsn, "postgres"))
    await admin.execute(f"CREATE DATABASE {TEMPLATE}")
    await admin.close()
    connection = await connect(database_dsn(dsn, TEMPLATE), READ_SETTINGS, application_name="template")
    await migrate(connection)
    await connection.close()
