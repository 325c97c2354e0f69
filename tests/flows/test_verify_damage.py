"""The books check on damaged books: it finds each kind of damage, and says where it is."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import asyncpg
import pytest

from engine.core.violations import ViolationKind
from engine.embedded.postgres import EmbeddedPostgres
from engine.flows.verify_books import verify_books
from engine.store.connection import READ_SETTINGS, connect
from tests.conftest import TEMPLATE, database_dsn
from tests.flows import damage_chains, damage_payments, damage_references
from tests.flows.busy_books import PUBLIC_KEYS, BusyBooks, busy_books
from tests.flows.damage import Damage, damages_in

_numbers = itertools.count(1)
BUSY = "busy_template"
DAMAGES = damages_in(damage_chains, damage_payments, damage_references)


@pytest.fixture(scope="module")
def template(postgres: EmbeddedPostgres) -> Iterator[BusyBooks]:
    """Busy books, made once; each test damages a copy."""

    async def make() -> BusyBooks:
        await _administer(postgres, f"CREATE DATABASE {BUSY} TEMPLATE {TEMPLATE}")
        dsn = database_dsn(postgres.dsn, BUSY)
        sql = await connect(dsn, READ_SETTINGS, application_name="test")
        books = await busy_books(dsn, sql)
        await sql.close()
        return books

    yield asyncio.run(make())
    asyncio.run(_administer(postgres, f"DROP DATABASE {BUSY} WITH (FORCE)"))


class Copy(NamedTuple):
    """A database of a test's own with busy books in it."""

    dsn: str
    sql: asyncpg.Connection
    books: BusyBooks


@pytest.fixture
async def copy(postgres: EmbeddedPostgres, template: BusyBooks) -> AsyncIterator[Copy]:
    name = f"busy_{next(_numbers)}"
    await _administer(postgres, f"CREATE DATABASE {name} TEMPLATE {BUSY}")
    dsn = database_dsn(postgres.dsn, name)
    sql = await connect(dsn, READ_SETTINGS, application_name="test")
    yield Copy(dsn, sql, template)
    await sql.close()
    await _administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.do.__name__)
async def test_damage_is_found_where_it_is(copy: Copy, damage: Damage) -> None:
    expected = await damage.do(copy.sql, copy.books)
    # Slices of three rows put every seam between slices somewhere in these books.
    report = await verify_books(copy.dsn, public_keys=PUBLIC_KEYS, progress=lambda *_: None, slice_rows=3)
    assert report.violation is not None
    assert damage.kind == report.violation.kind, report.violation.text
    assert expected == {name: getattr(report.violation.where, name) for name in expected}


async def test_undamaged_books_are_right_in_small_slices(copy: Copy) -> None:
    report = await verify_books(copy.dsn, public_keys=PUBLIC_KEYS, progress=lambda *_: None, slice_rows=3)
    assert report.violation is None


async def test_signatures_are_not_looked_at_without_keys(copy: Copy) -> None:
    await copy.sql.execute("UPDATE seal SET signature = sha512(signature)")
    report = await verify_books(copy.dsn, public_keys=None, progress=lambda *_: None)
    assert report.violation is None


def test_every_kind_of_violation_has_its_damage() -> None:
    assert set(ViolationKind) == {damage.kind for damage in DAMAGES}


async def _administer(postgres: EmbeddedPostgres, statement: str) -> None:
    admin = await asyncpg.connect(database_dsn(postgres.dsn, "postgres"))
    await admin.execute(statement)
    await admin.close()
