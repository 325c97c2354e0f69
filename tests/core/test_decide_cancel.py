"""Cancelling an order: whatever became of it, it is not paid afterwards."""

from datetime import timedelta

import pytest

from engine.core.answers import Answer, CancelOutcome, EventKind
from engine.core.books import Books, Order
from engine.core.decide import CANCEL_REFUND_NO
from engine.core.payments import Payment, State
from engine.core.postings import Phase
from engine.core.refusals import Refusal
from engine.core.scenarios import PHARMACY
from tests.core.books_builders import (
    LAPSED,
    MERCHANT,
    OTHER_MERCHANT,
    TODAY,
    a_cancel,
    a_capture,
    a_held_bill_of_600,
    a_hold_of_600,
    a_paid_bill_of_600,
    a_payer,
    a_payment_of_600,
    a_refund,
    a_void,
    an_authorize,
    an_expire,
    captured,
    captured_of,
    carry_out,
    held,
    later,
    payer_in,
    refunded_of,
    refusal_of,
    snapshot_of,
    some_books,
)


def an_order(fate: str) -> tuple[Books, Payment]:
    """An order of 600 fen that has come so far."""
    books, payment = a_hold_of_600() if fate in ("held", "part captured", "voided", "expired") else a_payment_of_600()
    match fate:
        case "part captured":
            carry_out(books, a_capture(payment.id, amount=350, final=False))
        case "voided":
            carry_out(books, a_void(payment.id))
        case "expired":
            books = later(books, LAPSED)
            carry_out(books, an_expire(payment.id))
        case "part refunded":
            carry_out(books, a_refund(payment.id, amount=250))
        case "refunded":
            carry_out(books, a_refund(payment.id, amount=600))
    return books, books.seen.payments[payment.id]


@pytest.mark.parametrize(
    ("fate", "outcome", "kind", "state", "of_each_tender"),
    [
        ("held", CancelOutcome.VOIDED, EventKind.VOIDED, State.VOIDED, [0, 0]),
        ("part captured", CancelOutcome.REFUNDED, EventKind.REFUNDED, State.REFUNDED, [350, 0]),
        ("captured", CancelOutcome.REFUNDED, EventKind.REFUNDED, State.REFUNDED, [400, 200]),
        ("part refunded", CancelOutcome.REFUNDED, EventKind.REFUNDED, State.REFUNDED, [400, 200]),
        ("refunded", CancelOutcome.NOTHING_TO_CANCEL, EventKind.ORDER_CANCELLED, State.REFUNDED, [400, 200]),
        ("voided", CancelOutcome.NOTHING_TO_CANCEL, EventKind.ORDER_CANCELLED, State.VOIDED, [0, 0]),
        ("expired", CancelOutcome.NOTHING_TO_CANCEL, EventKind.ORDER_CANCELLED, State.EXPIRED, [0, 0]),
    ],
)
def test_order_is_not_paid_afterwards(
    fate: str, outcome: CancelOutcome, kind: EventKind, state: State, of_each_tender: list[int]
) -> None:
    books, before = an_order(fate)
    decision = carry_out(books, a_cancel(before.order_no))
    payment = books.seen.payments[before.id]
    assert (decision.answer.cancelled, decision.kind) == (outcome, kind)
    assert (payment.state, refunded_of(payment)) == (state, of_each_tender)
    assert decision.answer.payment == payment
    assert payer_in(books).personal_account_available == 400
    assert payer_in(books).debits_pending == 0


@pytest.mark.parametrize("fate", ["held", "part captured", "captured", "part refunded"])
def test_cancelling_twice_does_it_once(fate: str) -> None:
    books, payment = an_order(fate)
    carry_out(books, a_cancel(payment.order_no))
    cancelled = snapshot_of(books)
    decision = carry_out(books, a_cancel(payment.order_no))
    assert decision.answer.cancelled is CancelOutcome.NOTHING_TO_CANCEL
    assert snapshot_of(books) == cancelled


@pytest.mark.parametrize("fate", ["refunded", "voided", "expired"])
def test_cancelling_what_is_over_moves_nothing(fate: str) -> None:
    books, payment = an_order(fate)
    untouched = snapshot_of(books)
    carry_out(books, a_cancel(payment.order_no))
    assert snapshot_of(books) == untouched


@pytest.mark.parametrize(
    ("fate", "amount"), [("part captured", 350), ("captured", 600), ("part refunded", 350), ("held", None)]
)
def test_what_is_given_back_is_recorded_as_a_refund_that_no_merchant_can_ask_for(fate: str, amount: int | None) -> None:
    books, payment = an_order(fate)
    command = a_cancel(payment.order_no)
    refund = carry_out(books, command).answer.refund
    expected = (command.refund, CANCEL_REFUND_NO, amount) if amount is not None else None
    assert expected == ((refund.id, refund.refund_no, refund.amount) if refund is not None else None)


def test_part_captured_hold_is_released_and_given_back_in_one() -> None:
    books, payment = an_order("part captured")
    decision = carry_out(books, a_cancel(payment.order_no))
    moved = [(posting.phase, posting.amount) for posting in decision.postings]
    assert moved == [(Phase.RELEASE, 50), (Phase.RELEASE, 200), (Phase.POST, 350)]
    assert captured_of(books.seen.payments[payment.id]) == [350, 0]
    assert payer_in(books).spent_on(TODAY) == 0


def test_order_that_never_came_leaves_a_tombstone() -> None:
    books = some_books()
    decision = carry_out(books, a_cancel("A"))
    assert decision.answer == Answer(cancelled=CancelOutcome.NOTHING_TO_CANCEL)
    assert decision.kind is EventKind.ORDER_CANCELLED
    assert books.orders_new == {(MERCHANT, "A"): Order(None)}


@pytest.mark.parametrize("capture", [True, False], ids=["captured", "held"])
def test_payment_that_comes_after_its_cancellation_is_refused(capture: bool) -> None:
    books = some_books()
    carry_out(books, a_cancel("A"))
    assert refusal_of(carry_out(books, an_authorize(order_no="A", capture=capture))) is Refusal.ORDER_CANCELLED


def test_tombstone_is_set_once() -> None:
    books = some_books()
    carry_out(books, a_cancel("A"))
    decision = carry_out(later(books), a_cancel("A"))
    assert (decision.answer.cancelled, decision.orders) == (CancelOutcome.NOTHING_TO_CANCEL, ())


def test_declined_attempt_does_not_stand_in_the_way_of_a_tombstone() -> None:
    books = some_books(a_payer(personal=0, allowance=0))
    carry_out(books, an_authorize(order_no="A"))
    carry_out(books, a_cancel("A"))
    assert books.seen.orders == {(MERCHANT, "A"): Order(None)}


def test_orders_of_another_merchant_are_not_touched() -> None:
    books = some_books()
    payment = captured(books, order_no="A")
    decision = carry_out(books, a_cancel("A", merchant=OTHER_MERCHANT))
    assert decision.answer.cancelled is CancelOutcome.NOTHING_TO_CANCEL
    assert decision.answer.payment is None
    assert books.seen.payments[payment.id].state is State.CAPTURED


def test_cancellation_is_not_bound_to_the_refund_window() -> None:
    books = some_books()
    payment = captured(books, order_no="A")
    books = later(books, timedelta(days=PHARMACY.refund_window_days + 1))
    carry_out(books, a_cancel("A"))
    assert books.seen.payments[payment.id].state is State.REFUNDED


def test_hold_whose_time_is_over_is_let_go_of_as_well() -> None:
    books = some_books(a_payer(personal=300, allowance=0))
    held(books, amount=300, order_no="A")
    books = later(books, LAPSED)
    carry_out(books, a_cancel("A"))
    assert payer_in(books).personal_account_available == 300


@pytest.mark.parametrize("fate", ["held", "paid", "part refunded"])
def test_bill_that_is_cancelled_gives_back_what_it_used_of_the_year(fate: str) -> None:
    books, payment = a_held_bill_of_600() if fate == "held" else a_paid_bill_of_600()
    assert payer_in(books).fund_paid == 100
    if fate == "part refunded":
        carry_out(books, a_refund(payment.id, amount=250))
    carry_out(books, a_cancel(payment.order_no))
    assert refunded_of(books.seen.payments[payment.id]) == ([0, 0, 0] if fate == "held" else [100, 300, 200])
    assert (payer_in(books).fund_paid, payer_in(books).personal_account_available) == (0, 300)
