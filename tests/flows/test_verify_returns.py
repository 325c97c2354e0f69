"""The books check follows what is posted beside payments' own lives to what it is posted for, and back."""

from collections.abc import AsyncIterator, Iterator

import pytest

from engine.core.accounts import bank_receivable, card_receivable
from engine.core.commands import Book, Entry
from engine.core.postings import PostingKind
from engine.core.violations import Violation, ViolationKind
from engine.embedded.postgres import EmbeddedPostgres
from engine.flows.book import book, occasion
from engine.flows.represent import presentation_of
from engine.flows.verify_books import verify_books
from engine.store.return_reads import Returns
from tests.flows import damage_returns
from tests.flows.book_copies import Copy, copy_of, made_once
from tests.flows.busy_books import PUBLIC_KEYS, BusyBooks, a_ledger
from tests.flows.damage import Damage, damages_in
from tests.flows.returned_books import returned_books

RETURNED = "returned_template"


@pytest.fixture(scope="module")
def template(postgres: EmbeddedPostgres) -> Iterator[BusyBooks]:
    """Books with returns, made once; each test damages a copy."""
    with made_once(postgres, RETURNED, returned_books) as books:
        yield books


@pytest.fixture
async def copy(postgres: EmbeddedPostgres, template: BusyBooks) -> AsyncIterator[Copy]:
    async with copy_of(postgres, RETURNED, template) as made:
        yield made


async def found(copy: Copy) -> Violation | None:
    """What the check finds; slices of two rows put every seam between slices somewhere in these books."""
    report = await verify_books(copy.dsn, public_keys=PUBLIC_KEYS, progress=lambda *_: None, slice_rows=2)
    return report.violation


async def post(copy: Copy, key: str) -> None:
    """Post something that looks like a return, under a key of the engine's own."""
    async with a_ledger(copy.dsn) as ledger:
        await book(ledger, _a_return(copy, key))


def _a_return(copy: Copy, key: str) -> Book:
    debit, credit = card_receivable(copy.books.world.cards[0]), bank_receivable(copy.books.world.banks[0])
    return occasion(key, about=copy.books.captured, kind=PostingKind.RETURN, entries=[Entry(debit, credit, 7)])


@pytest.mark.parametrize("damage", damages_in(damage_returns), ids=lambda damage: damage.do.__name__)
async def test_damage_is_found_where_it_is(copy: Copy, damage: Damage) -> None:
    expected = await damage.do(copy.sql, copy.books)
    violation = await found(copy)
    assert violation is not None
    assert damage.kind == violation.kind, violation.text
    assert expected == {name: getattr(violation.where, name) for name in expected}


async def test_what_was_given_back_is_right_and_counted(copy: Copy) -> None:
    report = await verify_books(copy.dsn, public_keys=PUBLIC_KEYS, progress=lambda *_: None, slice_rows=2)
    assert report.violation is None
    counts = report.counts
    assert (counts.returns, counts.resolutions, counts.bills) == (4, 2, 2)
    assert counts.bookings == await copy.sql.fetchval("SELECT count(*) FROM answer WHERE operation = 10")


async def test_return_of_nothing_is_found(copy: Copy) -> None:
    await post(copy, "return/9.9.9/DEBIT")
    violation = await found(copy)
    assert violation is not None
    assert (violation.kind, violation.where.name) == (ViolationKind.RETURN_UNFOUNDED, "return/9.9.9/DEBIT")


async def test_posting_that_nobody_has_asked_for_is_found(copy: Copy) -> None:
    """Its event is in the chain and its balances are right; only there is no answer."""
    await post(copy, "return/9.9.9/DEBIT")
    row = await copy.sql.fetchrow("DELETE FROM answer WHERE key = 'return/9.9.9/DEBIT' RETURNING lane, seq")
    assert row is not None
    violation = await found(copy)
    assert violation is not None
    assert violation.kind is ViolationKind.BOOKING_NOT_ANSWERED_ONCE
    assert (violation.where.lane, violation.where.seq) == tuple(row)


async def test_what_is_posted_and_not_yet_marked_is_right(copy: Copy) -> None:
    """A process may end, or the check may look, between a posting and its mark."""
    await copy.sql.execute("UPDATE item_return SET is_posted = false")
    await copy.sql.execute("UPDATE approval SET outcome = 1, result = NULL WHERE outcome = 2")
    assert await found(copy) is None


async def test_what_is_presented_again_and_not_yet_marked_is_right(copy: Copy) -> None:
    (due,) = await Returns(copy.sql).due_again(("", None), count=9)
    async with a_ledger(copy.dsn) as ledger:
        await book(ledger, presentation_of(due))
    assert await found(copy) is None
