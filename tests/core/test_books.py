"""The books of one batch: each command sees those before it, and every row is written once."""

import msgspec
import pytest

from engine.core.answers import Answer, Clearing, EventKind, Remembered
from engine.core.books import Books, Order, clearing_of
from engine.core.calendar import cycle_number
from engine.core.decide import decide
from engine.core.ids import NO_ID
from engine.core.payments import State
from engine.core.refusals import Refusal
from tests.core.books_builders import (
    CARD,
    DEVICE_NO,
    LAPSED,
    MERCHANT,
    NOON,
    REGION,
    STEP,
    TODAY,
    a_cancel,
    a_capture,
    a_control,
    a_hold_of_600,
    a_loss_report,
    a_payer,
    a_payment_of_600,
    a_refund,
    a_void,
    an_authorize,
    an_opening,
    captured,
    carry_out,
    held,
    later,
    outcome_of,
    payer_in,
    refusal_of,
    snapshot_of,
    some_books,
)


def test_payment_that_is_made_and_changed_in_one_batch_is_inserted_as_it_ends() -> None:
    books, hold = a_hold_of_600()
    carry_out(books, a_capture(hold.id))
    carry_out(books, a_refund(hold.id, amount=1))
    assert books.payments_new == {hold.id: books.seen.payments[hold.id]}
    assert books.payments_new[hold.id].state is State.PARTIALLY_REFUNDED
    assert books.payments_changed == {}


def test_payment_of_an_earlier_batch_is_changed_once() -> None:
    books, hold = a_hold_of_600()
    books = later(books)
    carry_out(books, a_capture(hold.id, amount=1, final=False))
    carry_out(books, a_capture(hold.id))
    assert books.payments_changed == {hold.id: books.seen.payments[hold.id]}
    assert books.payments_changed[hold.id].state is State.CAPTURED
    assert books.payments_new == {}


@pytest.mark.parametrize("is_captured", [True, False], ids=["captured", "voided"])
def test_hold_that_is_opened_and_closed_in_one_batch_leaves_neither(is_captured: bool) -> None:
    books, hold = a_hold_of_600()
    carry_out(books, a_capture(hold.id) if is_captured else a_void(hold.id))
    assert (books.holds_opened, books.holds_closed) == (set(), set())


def test_hold_is_opened_under_the_instant_at_which_it_lapses() -> None:
    books, hold = a_hold_of_600()
    assert (books.holds_opened, books.holds_closed) == ({(NOON + LAPSED, hold.id)}, set())


@pytest.mark.parametrize("how", ["captured", "part captured and voided", "voided", "cancelled"])
def test_hold_of_an_earlier_batch_is_closed_under_the_instant_at_which_it_was_opened(how: str) -> None:
    books, hold = a_hold_of_600()
    books = later(books)
    match how:
        case "captured":
            carry_out(books, a_capture(hold.id))
        case "part captured and voided":
            carry_out(books, a_capture(hold.id, amount=1, final=False))
            carry_out(books, a_void(hold.id))
        case "voided":
            carry_out(books, a_void(hold.id))
        case "cancelled":
            carry_out(books, a_cancel(hold.order_no))
    assert (books.holds_opened, books.holds_closed) == (set(), {(NOON + LAPSED, hold.id)})


def test_capture_of_a_part_leaves_the_hold_open() -> None:
    books, hold = a_hold_of_600()
    books = later(books)
    carry_out(books, a_capture(hold.id, amount=1, final=False))
    assert (books.holds_opened, books.holds_closed) == (set(), set())


@pytest.mark.parametrize("decline", [True, False], ids=["declined", "captured at once"])
def test_payment_that_was_never_on_hold_opens_none(decline: bool) -> None:
    books = some_books(a_payer(personal=0 if decline else 500, allowance=0))
    captured(books)
    assert (books.holds_opened, books.holds_closed) == (set(), set())


def test_payer_is_written_once_however_often_it_pays() -> None:
    books = some_books(a_payer(personal=300))
    for _ in range(3):
        captured(books, amount=100)
    assert books.payers_changed == {CARD: payer_in(books)}
    assert payer_in(books).debits_posted == 300


def test_second_command_sees_what_the_first_has_spent() -> None:
    books = some_books(a_payer(personal=300, allowance=0))
    refusals = [refusal_of(carry_out(books, an_authorize(amount=200))) for _ in range(2)]
    assert refusals == [None, Refusal.INSUFFICIENT_FUNDS]


def test_loss_report_stops_the_very_next_command() -> None:
    books = some_books()
    carry_out(books, a_loss_report())
    assert refusal_of(carry_out(books, an_authorize())) is Refusal.CARD_REPORTED_LOST


def test_order_and_code_are_taken_within_the_batch() -> None:
    books = some_books()
    carry_out(books, an_authorize(order_no="A", refresh=1))
    assert outcome_of(carry_out(books, an_authorize(order_no="A"))) == ("order_already_paid", "order_no")
    assert outcome_of(carry_out(books, an_authorize(refresh=1))) == ("pay_code_used", None)


def test_order_and_code_are_written_once() -> None:
    books = some_books()
    command = an_authorize(order_no="A", refresh=1)
    carry_out(books, command)
    carry_out(books, an_authorize(order_no="A"))
    carry_out(books, a_cancel("A"))
    assert books.orders_new == {(MERCHANT, "A"): Order(command.payment)}
    assert books.codes_new == [(STEP, DEVICE_NO, 1)]


def test_refund_number_is_taken_within_the_batch() -> None:
    books, paid = a_payment_of_600()
    carry_out(books, a_refund(paid.id, amount=1, refund_no="R-1"))
    assert outcome_of(carry_out(books, a_refund(paid.id, amount=1, refund_no="R-1"))) == (
        "order_number_used",
        "refund_no",
    )
    assert [refund.refund_no for refund in books.refunds_new] == ["R-1"]


def test_posting_points_to_the_event_that_made_it() -> None:
    books = some_books(a_payer(personal=300, allowance=200))
    for n, command in ((3, an_authorize(amount=500)), (7, an_opening(10))):
        books.apply(n, command, decide(books, command))
    assert [posting[0] for posting in books.postings] == [3, 3, 7]
    assert [event.n for event in books.events] == [3, 7]


def test_event_remembers_what_was_asked_and_what_was_answered() -> None:
    books = some_books()
    command = an_authorize()
    decision = carry_out(books, command)
    (event,) = books.events
    assert msgspec.msgpack.decode(event.body, type=Remembered) == Remembered(command.facts(), decision.answer)
    assert (event.kind, event.region, event.payment) == (EventKind.CAPTURED, REGION, command.payment)


def test_event_about_no_payment_says_so() -> None:
    books = some_books()
    carry_out(books, an_opening(100))
    carry_out(books, a_loss_report())
    assert [(event.region, event.payment) for event in books.events] == [(0, NO_ID), (0, CARD)]


def test_refusal_is_remembered_and_changes_nothing() -> None:
    books = some_books(is_suspended=True)
    untouched = snapshot_of(books)
    command = an_authorize()
    carry_out(books, command)
    (event,) = books.events
    assert event.kind is EventKind.REFUSED
    assert msgspec.msgpack.decode(event.body, type=Remembered).answer == Answer(refusal="merchant_suspended")
    assert snapshot_of(books) == untouched
    assert written_by(books) == ()


def test_declined_payment_is_all_that_is_written() -> None:
    books = some_books(a_payer(personal=0, allowance=0))
    command = an_authorize()
    carry_out(books, command)
    assert list(books.payments_new) == [command.payment]
    assert written_by(books) == (books.payments_new,)


def test_books_start_with_nothing_to_write() -> None:
    assert written_by(later(a_payment_of_600()[0])) == ()


@pytest.mark.parametrize(
    ("sequence", "open_sequence", "published", "clearing"),
    [
        (None, 3, 2, Clearing.UNCLEARED),
        (3, 3, 2, Clearing.UNCLEARED),
        (2, 3, 1, Clearing.BATCHED),
        (2, 3, 2, Clearing.PUBLISHED),
        (1, 3, 2, Clearing.PUBLISHED),
        (1, 3, 0, Clearing.BATCHED),
    ],
)
def test_clearing_is_told_by_the_cycle(
    sequence: int | None, open_sequence: int, published: int, clearing: Clearing
) -> None:
    cycle = cycle_number(TODAY, sequence) if sequence is not None else None
    assert clearing_of(cycle, a_control(sequence=open_sequence, published=published)) is clearing


def test_hold_is_open_as_long_as_its_payment_is_authorized() -> None:
    books = some_books()
    one, other = held(books, amount=1), held(books, amount=2)
    books = later(books)
    carry_out(books, a_void(one.id))
    assert books.holds_closed == {(NOON + LAPSED, one.id)}
    assert books.seen.payments[other.id].state is State.AUTHORIZED


def written_by(books: Books) -> tuple[object, ...]:
    """Everything but events that the batch would write."""
    written: tuple[object, ...] = (
        books.postings,
        books.payments_new,
        books.payments_changed,
        books.payers_changed,
        books.orders_new,
        books.codes_new,
        books.refunds_new,
        books.holds_opened,
        books.holds_closed,
    )
    return tuple(rows for rows in written if rows)
