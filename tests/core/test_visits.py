"""Bills of one visit are given back newest first; everything else of them waits for nobody."""

import msgspec
import pytest

from engine.core.books import Books
from engine.core.payments import Payment, State
from engine.core.refusals import Refusal
from engine.core.visits import Settlement, VisitKey
from tests.core.books_builders import (
    CARD,
    LAPSED,
    MERCHANT,
    OTHER_MERCHANT,
    a_cancel,
    a_capture,
    a_refund,
    a_void,
    an_authorize,
    an_expire,
    carry_out,
    later,
    refusal_of,
    snapshot_of,
    some_books,
)
from tests.core.ways import a_deposit, a_final_bill
from tests.insured import bill_of

VISIT: VisitKey = (CARD, MERCHANT, "V-1")
NEWER = Refusal.NEWER_SETTLEMENT_EXISTS


def settled(books: Books, *, visit_no: str | None = "V-1", capture: bool = True, **changes: object) -> Payment:
    """A bill of 500 of which the fund pays 100, paid or held."""
    asked = an_authorize(insured=100, capture=capture)
    asked = msgspec.structs.replace(asked, bill=bill_of(500, insured=100, visit_no=visit_no), **changes)
    made = carry_out(books, asked).payment
    assert made is not None
    return made


def numbers(books: Books) -> list[int]:
    """What is settled of the visit, oldest first."""
    return [settlement.number for settlement in books.seen.visits.get(VISIT, [])]


@pytest.mark.parametrize("is_next_batch", [False, True])
def test_only_the_newest_is_cancelled_or_given_back_whole(is_next_batch: bool) -> None:
    books = some_books()
    older, newer = settled(books), settled(books)
    if is_next_batch:
        books = later(books)
    before = snapshot_of(books)
    for command in (a_cancel(older.order_no), a_refund(older.id, amount=500)):
        assert refusal_of(carry_out(books, command)) is NEWER
    assert snapshot_of(books) == before
    assert refusal_of(carry_out(books, a_refund(older.id, amount=1))) is None
    assert refusal_of(carry_out(books, a_refund(older.id, amount=499))) is NEWER
    assert refusal_of(carry_out(books, a_cancel(newer.order_no))) is None
    assert refusal_of(carry_out(books, a_refund(older.id, amount=499))) is None
    assert numbers(books) == []


def test_rows_are_what_changed_in_the_batch() -> None:
    books = some_books()
    first, second = settled(books), settled(books)
    assert books.visits.begun == {Settlement(VISIT, 1, first.id), Settlement(VISIT, 2, second.id)}
    carry_out(books, a_cancel(second.order_no))
    assert (books.visits.begun, books.visits.ended) == ({Settlement(VISIT, 1, first.id)}, set())

    books = later(books)
    carry_out(books, a_cancel(first.order_no))
    third = settled(books)
    assert books.visits.ended == {Settlement(VISIT, 1, first.id)}
    assert books.visits.begun == {Settlement(VISIT, 1, third.id)}


def test_what_changes_of_a_settlement_without_ending_it_writes_nothing() -> None:
    books = some_books()
    payment = settled(books, capture=False)
    books = later(books)
    carry_out(books, a_capture(payment.id))
    carry_out(books, a_refund(payment.id, amount=1))
    assert (books.visits.begun, books.visits.ended, numbers(books)) == (set(), set(), [1])


def test_hold_counts_until_it_ends_and_ends_by_itself_in_any_order() -> None:
    books = some_books()
    older, newer = settled(books, capture=False), settled(books)
    assert refusal_of(carry_out(books, a_void(older.id))) is NEWER
    books = later(books, LAPSED)
    assert refusal_of(carry_out(books, an_expire(older.id))) is None
    assert numbers(books) == [2]
    assert refusal_of(carry_out(books, a_cancel(newer.order_no))) is None


def test_what_still_waits_for_its_cardholder_is_given_up_at_any_time() -> None:
    books = some_books()
    waiting = settled(books)
    waiting = msgspec.structs.replace(waiting, state=State.AWAITING_USER)
    settled(books)
    assert not books.visits.has_newer(waiting)


def test_other_visits_people_and_hospitals_are_apart() -> None:
    books = some_books()
    older = settled(books)
    settled(books, visit_no="V-2")
    settled(books, visit_no=None)
    settled(books, merchant=OTHER_MERCHANT, caller=OTHER_MERCHANT)
    assert refusal_of(carry_out(books, a_cancel(older.order_no))) is None


def test_final_bill_of_a_stay_is_one_of_its_visit() -> None:
    books = some_books()
    deposit = a_deposit(books, amount=5_000)
    older = settled(books)
    carry_out(books, a_final_bill(deposit.id, bill_of(500, insured=100, visit_no="V-1")))
    assert refusal_of(carry_out(books, a_cancel(older.order_no))) is NEWER
    assert refusal_of(carry_out(books, a_cancel(deposit.order_no))) is None
    assert refusal_of(carry_out(books, a_cancel(older.order_no))) is None


def test_settlement_that_is_older_than_the_register_waits_for_nobody() -> None:
    books = some_books()
    older = settled(books)
    books = later(books)
    books.seen.visits.clear()
    books = later(books)
    settled(books)
    assert refusal_of(carry_out(books, a_refund(older.id, amount=1))) is None
    assert numbers(books) == [1]
    assert refusal_of(carry_out(books, a_cancel(older.order_no))) is None
    assert numbers(books) == [1]
