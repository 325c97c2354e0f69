"""The day's limits of a bank card, exact to the fen in each class, and given back on the same day only."""

from datetime import timedelta

import msgspec
import pytest

from engine.core.books import Books
from engine.core.commands import AnyCommand, Authorize
from engine.core.payer import LIMIT_A_DAY_FEN, LIMIT_OFFLINE_A_DAY_FEN, LIMIT_UNCONFIRMED_A_DAY_FEN, LimitClass
from engine.core.payments import State
from engine.core.refusals import Refusal
from engine.core.scenarios import OUTPATIENT
from tests.core.books_builders import (
    TOMORROW,
    a_capture,
    a_control,
    a_refund,
    a_void,
    an_authorize,
    an_expire,
    carry_out,
    later,
    payer_in,
    refusal_of,
    some_books,
)
from tests.core.ways import RIGHT, a_confirm, a_limited_payer, a_ride, waiting

CONFIRMED, UNCONFIRMED, OFFLINE = LimitClass
MOST = {
    CONFIRMED: LIMIT_A_DAY_FEN,
    UNCONFIRMED: LIMIT_UNCONFIRMED_A_DAY_FEN,
    OFFLINE: LIMIT_OFFLINE_A_DAY_FEN,
}


def asked_in(limit: LimitClass, amount: int, *, capture: bool = True) -> Authorize:
    """A payment of that class."""
    if limit is OFFLINE:
        return a_ride(amount=amount)
    password = RIGHT if limit is CONFIRMED else None
    return an_authorize(amount=amount, capture=capture, password=password, scenario=OUTPATIENT.number)


def becomes(books: Books, asked: Authorize) -> State | Refusal:
    decision = carry_out(books, asked)
    assert decision.payment is not None
    return refusal_of(decision) or decision.payment.state


def test_limits_are_the_central_banks() -> None:
    assert MOST == {CONFIRMED: 500_000, UNCONFIRMED: 100_000, OFFLINE: 50_000}


@pytest.mark.parametrize("limit", LimitClass)
@pytest.mark.parametrize("first", [0, 1, 30_000])
def test_limit_is_reached_and_not_passed(limit: LimitClass, first: int) -> None:
    books = some_books(a_limited_payer())
    if first:
        assert becomes(books, asked_in(limit, first)) is State.CAPTURED
    rest = MOST[limit] - first
    over = State.AWAITING_USER if limit is UNCONFIRMED else Refusal.LIMIT_EXCEEDED
    assert becomes(later(books), asked_in(limit, rest + 1)) is over
    assert becomes(books, asked_in(limit, rest)) is State.CAPTURED
    assert becomes(later(books), asked_in(limit, 1)) is over


@pytest.mark.parametrize("limit", LimitClass)
def test_limit_is_whole_again_on_the_next_business_date(limit: LimitClass) -> None:
    books = some_books(a_limited_payer())
    assert becomes(books, asked_in(limit, MOST[limit])) is State.CAPTURED
    books = later(books, control=a_control(business_date=TOMORROW))
    assert becomes(books, asked_in(limit, MOST[limit])) is State.CAPTURED


def test_every_class_counts_in_the_limit_of_all() -> None:
    books = some_books(a_limited_payer())
    for limit, amount in ((OFFLINE, 50_000), (UNCONFIRMED, 100_000), (CONFIRMED, 350_000)):
        assert becomes(books, asked_in(limit, amount)) is State.CAPTURED
    for limit in LimitClass:
        assert becomes(later(books), asked_in(limit, 1)) is Refusal.LIMIT_EXCEEDED


def test_classes_below_do_not_use_each_others_limit() -> None:
    books = some_books(a_limited_payer())
    assert becomes(books, asked_in(UNCONFIRMED, 100_000)) is State.CAPTURED
    assert becomes(books, asked_in(OFFLINE, 50_000)) is State.CAPTURED


def test_insured_part_and_personal_account_do_not_count() -> None:
    books = some_books(a_limited_payer(credits_posted=70_000, limit_a_day=100))
    decision = carry_out(books, an_authorize(amount=100_100, insured=30_000))
    assert decision.payment is not None
    assert [tender.amount for tender in decision.payment.tenders] == [30_000, 70_000, 100]
    assert payer_in(books).spent == 100
    assert becomes(books, an_authorize(amount=1)) is Refusal.LIMIT_EXCEEDED


@pytest.mark.parametrize("limit", [CONFIRMED, UNCONFIRMED])
@pytest.mark.parametrize("how", ["void", "expire", "capture a part"])
def test_what_is_let_go_of_on_the_same_day_can_be_spent_again(how: str, limit: LimitClass) -> None:
    books = some_books(a_limited_payer())
    hold = asked_in(limit, MOST[limit], capture=False)
    carry_out(books, hold)
    books = later(books, timedelta(seconds=hold.hold_s) if how == "expire" else timedelta())
    let_go: dict[str, AnyCommand] = {"void": a_void(hold.payment), "expire": an_expire(hold.payment)}
    carry_out(books, let_go.get(how) or a_capture(hold.payment, amount=1_000))
    left = MOST[limit] - (1_000 if how == "capture a part" else 0)
    assert becomes(later(books), asked_in(limit, left + 1)) is not State.CAPTURED
    assert becomes(books, asked_in(limit, left)) is State.CAPTURED


@pytest.mark.parametrize("limit", [CONFIRMED, UNCONFIRMED])
@pytest.mark.parametrize("spent_first", [0, 1])
def test_what_is_let_go_of_on_another_day_gives_that_day_nothing(limit: LimitClass, spent_first: int) -> None:
    books = some_books(a_limited_payer())
    hold = asked_in(limit, MOST[limit], capture=False)
    carry_out(books, hold)
    books = later(books, control=a_control(business_date=TOMORROW))
    if spent_first:
        carry_out(books, asked_in(limit, spent_first))
    carry_out(books, a_void(hold.payment))
    assert becomes(later(books), asked_in(limit, MOST[limit] - spent_first + 1)) is not State.CAPTURED
    assert becomes(books, asked_in(limit, MOST[limit] - spent_first)) is State.CAPTURED


def test_refund_gives_no_limit_back() -> None:
    books = some_books(a_limited_payer())
    paid = asked_in(CONFIRMED, LIMIT_A_DAY_FEN)
    carry_out(books, paid)
    carry_out(books, a_refund(paid.payment, amount=LIMIT_A_DAY_FEN))
    assert becomes(books, asked_in(CONFIRMED, 1)) is Refusal.LIMIT_EXCEEDED


def test_payment_that_waits_has_its_part_of_the_limit_and_keeps_it_when_confirmed() -> None:
    books = some_books(a_limited_payer())
    payment = waiting(books, amount=LIMIT_A_DAY_FEN)
    assert becomes(later(books), asked_in(CONFIRMED, 1)) is Refusal.LIMIT_EXCEEDED
    confirmed = later(books)
    carry_out(confirmed, a_confirm(payment.id))
    assert becomes(confirmed, asked_in(CONFIRMED, 1)) is Refusal.LIMIT_EXCEEDED
    carry_out(books, a_void(payment.id))
    assert becomes(books, asked_in(CONFIRMED, LIMIT_A_DAY_FEN)) is State.CAPTURED


def test_banks_allowance_is_another_limit() -> None:
    books = some_books(a_limited_payer(bank_allowance=400))
    assert becomes(books, asked_in(CONFIRMED, 401)) is Refusal.INSUFFICIENT_FUNDS
    assert becomes(books, asked_in(CONFIRMED, 400)) is State.CAPTURED


def test_lowered_limit_counts_what_was_spent_before() -> None:
    books = some_books(a_limited_payer())
    carry_out(books, asked_in(CONFIRMED, 200))
    books = later(books, payer=msgspec.structs.replace(payer_in(books), limit_a_day=100))
    assert becomes(books, asked_in(CONFIRMED, 1)) is Refusal.LIMIT_EXCEEDED
