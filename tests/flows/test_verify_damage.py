"""The books check on damaged books: it finds each kind of damage, and says where it is."""

from collections.abc import AsyncIterator, Iterator

import pytest

from engine.core.violations import ViolationKind
from engine.embedded.postgres import EmbeddedPostgres
from engine.flows.verify_books import verify_books
from tests.flows import damage_audit, damage_chains, damage_payments, damage_references, damage_returns
from tests.flows.book_copies import Copy, copy_of, made_once
from tests.flows.busy_books import PUBLIC_KEYS, BusyBooks, busy_books
from tests.flows.damage import Damage, damages_in

BUSY = "busy_template"
DAMAGES = damages_in(damage_chains, damage_payments, damage_references, damage_audit)


@pytest.fixture(scope="module")
def template(postgres: EmbeddedPostgres) -> Iterator[BusyBooks]:
    """Busy books, made once; each test damages a copy."""
    with made_once(postgres, BUSY, busy_books) as books:
        yield books


@pytest.fixture
async def copy(postgres: EmbeddedPostgres, template: BusyBooks) -> AsyncIterator[Copy]:
    async with copy_of(postgres, BUSY, template) as made:
        yield made


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
    assert set(ViolationKind) == {damage.kind for damage in (*DAMAGES, *damages_in(damage_returns))}
