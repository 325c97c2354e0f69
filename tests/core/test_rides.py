"""Rides that a gate let through: taken at once from the offline limit, or due; then they close their scenario only."""

import msgspec
import pytest

from engine.core.answers import EventKind
from engine.core.books import Books, OrderKey
from engine.core.commands import Concern
from engine.core.payer import CardStatus, LimitClass
from engine.core.payments import Details, State
from engine.core.refusals import Refusal
from engine.core.rides import after_paying
from engine.core.scenarios import PARK, SMALL_PAYMENT, TRANSIT
from tests.core.books_builders import (
    CARD,
    MERCHANT,
    OTHER_MERCHANT,
    a_cancel,
    a_capture,
    a_payer,
    a_void,
    an_authorize,
    carry_out,
    later,
    payer_in,
    refusal_of,
    some_books,
)
from tests.core.ways import a_confirm, a_limited_payer, a_ride

BIT = 1 << TRANSIT.number
POOR = a_payer(personal=10_000, allowance=0)  # a ride is paid by bank card only


def due_in(books: Books, scenario: int = TRANSIT.number) -> set[OrderKey]:
    return books.seen.unpaid_rides.get((CARD, scenario), set())


def richer(books: Books) -> Books:
    """The next batch, once the bank lets the card spend something."""
    return later(books, payer=msgspec.structs.replace(payer_in(books), bank_allowance=10_000))


def books_with_a_ride_due(*orders: str) -> Books:
    books = some_books(POOR)
    for order_no in orders:
        carry_out(books, a_ride(order_no=order_no))
    return richer(books)


def test_ride_is_taken_from_the_offline_limit_and_nobody_is_asked() -> None:
    books = some_books(a_limited_payer(no_password_up_to=0))
    asked = msgspec.structs.replace(a_ride(amount=5_001), concern=Concern.CHALLENGE)
    payment = carry_out(books, asked).payment
    assert payment is not None
    assert asked.code is not None
    assert (payment.state, payment.limit) == (State.CAPTURED, LimitClass.OFFLINE)
    assert payment.details == Details(ticket=asked.code.ticket)
    assert (payer_in(books).spent, payer_in(books).spent_unconfirmed, payer_in(books).spent_offline) == (
        5_001,
        0,
        5_001,
    )


@pytest.mark.parametrize("wrong", [Refusal.INSUFFICIENT_FUNDS, Refusal.LIMIT_EXCEEDED, Refusal.CARD_NOT_USABLE])
def test_ride_that_cannot_be_taken_is_due_and_closes_its_scenario(wrong: Refusal) -> None:
    changes: dict[Refusal, dict[str, object]] = {
        Refusal.INSUFFICIENT_FUNDS: {"bank_allowance": 499},
        Refusal.LIMIT_EXCEEDED: {"limit_offline": 499},
        Refusal.CARD_NOT_USABLE: {"status": CardStatus.SUSPENDED},
    }
    books = some_books(a_limited_payer(**changes[wrong]))
    decision = carry_out(books, a_ride(order_no="A"))
    assert (refusal_of(decision), decision.kind) == (wrong, EventKind.DECLINED)
    assert decision.payment is not None
    assert decision.payment.state is State.DECLINED
    assert payer_in(books).blocked_scenarios == BIT
    assert books.rides_unpaid == {(CARD, TRANSIT.number, (MERCHANT, "A"))}


@pytest.mark.parametrize("code_refusal", [Refusal.PAY_CODE_EXPIRED, Refusal.PAY_CODE_WRONG])
def test_ride_by_a_code_that_is_not_good_is_nobodys(code_refusal: Refusal) -> None:
    books = some_books(POOR)
    asked = a_ride()
    assert asked.code is not None
    carry_out(books, msgspec.structs.replace(asked, code=msgspec.structs.replace(asked.code, refusal=code_refusal)))
    assert (payer_in(books).blocked_scenarios, books.rides_unpaid) == (0, set())


def test_payment_that_no_gate_took_leaves_nothing_due() -> None:
    books = some_books(POOR)
    decision = carry_out(books, an_authorize(scenario=TRANSIT.number))
    assert refusal_of(decision) is Refusal.INSUFFICIENT_FUNDS
    assert (payer_in(books).blocked_scenarios, books.rides_unpaid) == (0, set())


def test_unpaid_ride_closes_its_scenario_and_no_other() -> None:
    books = books_with_a_ride_due("A")
    for merchant in (MERCHANT, OTHER_MERCHANT):
        asked = an_authorize(scenario=TRANSIT.number, merchant=merchant)
        assert refusal_of(carry_out(books, asked)) is Refusal.UNPAID_RIDE
    for scenario in (PARK, SMALL_PAYMENT):
        assert refusal_of(carry_out(books, an_authorize(scenario=scenario.number))) is None
    assert refusal_of(carry_out(books, a_ride(scenario=PARK.number))) is None


def test_next_ride_is_due_as_well() -> None:
    books = books_with_a_ride_due("A")
    assert refusal_of(carry_out(books, a_ride(order_no="B"))) is Refusal.UNPAID_RIDE
    assert due_in(books) == {(MERCHANT, "A"), (MERCHANT, "B")}
    assert books.rides_unpaid == {(CARD, TRANSIT.number, (MERCHANT, "B"))}


@pytest.mark.parametrize("how", ["at once", "confirmed", "captured", "captured in parts"])
def test_ride_is_paid_by_its_order_number_and_opens_its_scenario(how: str) -> None:
    books = books_with_a_ride_due("A")
    is_held = how.startswith("captured")
    concern = Concern.CHALLENGE if how == "confirmed" else Concern.NONE
    asked = an_authorize(order_no="A", scenario=TRANSIT.number, capture=not is_held, concern=concern)
    decision = carry_out(books, asked)
    if how != "at once":
        assert refusal_of(decision) is None
        assert payer_in(books).blocked_scenarios == BIT, "it is not paid yet"
        decision = carry_out(
            books,
            a_confirm(asked.payment)
            if how == "confirmed"
            else a_capture(asked.payment, amount=None if how == "captured" else 200, final=how == "captured"),
        )
    assert decision.ride_paid == (CARD, TRANSIT.number, (MERCHANT, "A"))
    assert (payer_in(books).blocked_scenarios, due_in(books)) == (0, set())
    assert books.rides_paid == {(CARD, TRANSIT.number, (MERCHANT, "A"))}
    if how == "captured in parts":
        assert refusal_of(carry_out(books, a_capture(asked.payment))) is None
    assert refusal_of(carry_out(books, an_authorize(scenario=TRANSIT.number))) is None


def test_hold_for_a_ride_that_is_let_go_of_leaves_it_due() -> None:
    books = books_with_a_ride_due("A")
    asked = an_authorize(order_no="A", scenario=TRANSIT.number, capture=False)
    carry_out(books, asked)
    carry_out(books, a_void(asked.payment))
    assert payer_in(books).blocked_scenarios == BIT


def test_scenario_opens_with_the_last_of_several_rides() -> None:
    books = books_with_a_ride_due("A", "B")
    carry_out(books, an_authorize(order_no="A", scenario=TRANSIT.number))
    assert payer_in(books).blocked_scenarios == BIT
    assert refusal_of(carry_out(books, an_authorize(scenario=TRANSIT.number))) is Refusal.UNPAID_RIDE
    carry_out(books, an_authorize(order_no="B", scenario=TRANSIT.number))
    assert payer_in(books).blocked_scenarios == 0


def test_order_of_the_same_number_at_another_merchant_or_for_something_else_pays_no_ride() -> None:
    books = books_with_a_ride_due("A")
    asked = an_authorize(order_no="A", scenario=TRANSIT.number, merchant=OTHER_MERCHANT)
    assert refusal_of(carry_out(books, asked)) is Refusal.UNPAID_RIDE
    carry_out(books, an_authorize(order_no="A", scenario=PARK.number))
    assert payer_in(books).blocked_scenarios == BIT


def test_ride_that_is_due_and_paid_in_one_batch_leaves_no_row() -> None:
    books = some_books(POOR)
    carry_out(books, a_ride(order_no="A"))
    books.seen.payers[CARD] = msgspec.structs.replace(payer_in(books), bank_allowance=10_000)
    carry_out(books, an_authorize(order_no="A", scenario=TRANSIT.number))
    assert (books.rides_unpaid, books.rides_paid, payer_in(books).blocked_scenarios) == (set(), set(), 0)


def test_ride_that_is_told_twice_is_due_once() -> None:
    books = some_books(POOR)
    for _ in range(2):
        carry_out(books, a_ride(order_no="A"))
    assert due_in(books) == {(MERCHANT, "A")}


def test_what_is_not_due_opens_nothing() -> None:
    books = books_with_a_ride_due("A")
    assert after_paying(books, payer_in(books), TRANSIT.number, (MERCHANT, "B")) == (payer_in(books), None)
    assert after_paying(books, payer_in(books), PARK.number, (MERCHANT, "A")) == (payer_in(books), None)


def test_ride_whose_order_was_cancelled_is_paid_under_another_number() -> None:
    books = books_with_a_ride_due("A")
    carry_out(books, a_cancel("A"))
    asked = an_authorize(amount=500, scenario=TRANSIT.number, order_no="B")
    assert refusal_of(carry_out(books, asked)) is Refusal.UNPAID_RIDE
    again = msgspec.structs.replace(an_authorize(amount=500, scenario=TRANSIT.number, order_no="C"), ride_no="A")
    decision = carry_out(books, again)
    assert refusal_of(decision) is None
    assert (payer_in(books).blocked_scenarios, due_in(books)) == (0, set())


def test_another_merchants_ride_is_not_paid_by_its_number() -> None:
    books = books_with_a_ride_due("A")
    asked = an_authorize(amount=500, scenario=TRANSIT.number, merchant=OTHER_MERCHANT)
    assert refusal_of(carry_out(books, msgspec.structs.replace(asked, ride_no="A"))) is Refusal.UNPAID_RIDE
    assert payer_in(books).blocked_scenarios == BIT
