"""Books that are made once, and copies of them that tests may damage."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import NamedTuple

import asyncpg

from engine.embedded.postgres import EmbeddedPostgres
from engine.store.connection import READ_SETTINGS, connect
from tests.conftest import TEMPLATE, database_dsn
from tests.flows.busy_books import BusyBooks

MakeBooks = Callable[[str, asyncpg.Connection], Awaitable[BusyBooks]]
_numbers = itertools.count(1)


class Copy(NamedTuple):
    """A database of a test's own with books in it."""

    dsn: str
    sql: asyncpg.Connection
    books: BusyBooks


@contextmanager
def made_once(postgres: EmbeddedPostgres, name: str, make: MakeBooks) -> Iterator[BusyBooks]:
    """The books that *make* makes, in a database called *name*."""

    async def books() -> BusyBooks:
        await _administer(postgres, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        dsn = database_dsn(postgres.dsn, name)
        sql = await connect(dsn, READ_SETTINGS, application_name="test")
        made = await make(dsn, sql)
        await sql.close()
        return made

    yield asyncio.run(books())
    asyncio.run(_administer(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


@asynccontextmanager
async def copy_of(postgres: EmbeddedPostgres, name: str, books: BusyBooks) -> AsyncIterator[Copy]:
    """A copy of the books in the database called *name*."""
    own = f"{name}_{next(_numbers)}"
    await _administer(postgres, f"CREATE DATABASE {own} TEMPLATE {name}")
    dsn = database_dsn(postgres.dsn, own)
    sql = await connect(dsn, READ_SETTINGS, application_name="test")
    try:
        yield Copy(dsn, sql, books)
    finally:
        await sql.close()
        await _administer(postgres, f"DROP DATABASE {own} WITH (FORCE)")


async def _administer(postgres: EmbeddedPostgres, statement: str) -> None:
    admin = await asyncpg.connect(database_dsn(postgres.dsn, "postgres"))
    await admin.execute(statement)
    await admin.close()
