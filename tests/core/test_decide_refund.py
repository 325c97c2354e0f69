"""Giving back what was captured: in parts, in order, in time, and never more than there is."""

from datetime import timedelta

import msgspec
import pytest

from engine.core.accounts import bank_payable, merchant_payable, personal_account
from engine.core.answers import EventKind
from engine.core.payments import Refund, State
from engine.core.postings import Phase, Posting, PostingKind
from engine.core.refusals import Refusal
from engine.core.scenarios import PHARMACY, SCENARIOS, Scenario
from tests.core.books_builders import (
    BANK,
    CARD,
    FUND,
    LAPSED,
    MERCHANT,
    MOMENT,
    NOON,
    OTHER_MERCHANT,
    TODAY,
    TOMORROW,
    UNKNOWN_PAYMENT,
    a_capture,
    a_control,
    a_hold_of_600,
    a_loss_report,
    a_paid_bill_of_600,
    a_payment_of_600,
    a_refund,
    an_authorize,
    captured,
    carry_out,
    later,
    outcome_of,
    payer_in,
    refunded_of,
    refusal_of,
    snapshot_of,
    some_books,
)
from tests.core.ways import RIGHT

WINDOW = timedelta(days=PHARMACY.refund_window_days)


@pytest.mark.parametrize(
    ("amount", "of_each_tender", "state", "personal_back"),
    [
        (1, [0, 1], State.PARTIALLY_REFUNDED, 0),
        (200, [0, 200], State.PARTIALLY_REFUNDED, 0),
        (201, [1, 200], State.PARTIALLY_REFUNDED, 1),
        (599, [399, 200], State.PARTIALLY_REFUNDED, 399),
        (600, [400, 200], State.REFUNDED, 400),
    ],
)
def test_bank_card_gets_its_money_back_before_the_personal_account(
    amount: int, of_each_tender: list[int], state: State, personal_back: int
) -> None:
    books, paid = a_payment_of_600()
    carry_out(books, a_refund(paid.id, amount=amount))
    payment = books.seen.payments[paid.id]
    assert (refunded_of(payment), payment.state) == (of_each_tender, state)
    assert payer_in(books).personal_account_available == personal_back


def test_refunds_go_on_up_to_the_total() -> None:
    books, paid = a_payment_of_600()
    states = []
    for amount in (150, 100, 349, 1):
        carry_out(books, a_refund(paid.id, amount=amount))
        states.append((books.seen.payments[paid.id].state, refunded_of(books.seen.payments[paid.id])))
    assert states == [
        (State.PARTIALLY_REFUNDED, [0, 150]),
        (State.PARTIALLY_REFUNDED, [50, 200]),
        (State.PARTIALLY_REFUNDED, [399, 200]),
        (State.REFUNDED, [400, 200]),
    ]
    assert refusal_of(carry_out(books, a_refund(paid.id, amount=1))) is Refusal.PAYMENT_STATE_CONFLICT


@pytest.mark.parametrize(("before", "amount"), [(None, 601), (1, 600), (599, 2)])
def test_more_than_is_left_is_not_given_back(before: int | None, amount: int) -> None:
    books, paid = a_payment_of_600()
    if before is not None:
        carry_out(books, a_refund(paid.id, amount=before))
    untouched = snapshot_of(books)
    assert outcome_of(carry_out(books, a_refund(paid.id, amount=amount))) == ("refund_exceeds_payment", "amount")
    assert snapshot_of(books) == untouched


def test_only_what_was_captured_is_given_back() -> None:
    books, hold = a_hold_of_600()
    carry_out(books, a_capture(hold.id, amount=350))
    assert outcome_of(carry_out(books, a_refund(hold.id, amount=351))) == ("refund_exceeds_payment", "amount")
    carry_out(books, a_refund(hold.id, amount=350))
    payment = books.seen.payments[hold.id]
    assert (refunded_of(payment), payment.state) == ([350, 0], State.REFUNDED)


def test_refund_is_posted_from_the_merchant_to_where_the_money_came_from() -> None:
    books, paid = a_paid_bill_of_600()
    debit = merchant_payable(MERCHANT)
    assert carry_out(books, a_refund(paid.id, amount=600)).postings == (
        Posting(paid.id, Phase.POST, PostingKind.REFUND, debit, FUND, 100),
        Posting(paid.id, Phase.POST, PostingKind.REFUND, debit, personal_account(CARD), 300),
        Posting(paid.id, Phase.POST, PostingKind.REFUND, debit, bank_payable(BANK), 200),
    )


def test_refund_does_not_give_the_bank_cards_allowance_back() -> None:
    books, paid = a_payment_of_600()
    carry_out(books, a_refund(paid.id, amount=600))
    assert payer_in(books).spent_on(TODAY) == 200


def test_refund_is_recorded_in_the_cycle_in_which_it_was_made() -> None:
    books, paid = a_payment_of_600()
    control = a_control(business_date=TOMORROW)
    books = later(books, timedelta(hours=20), control=control)
    command = a_refund(paid.id, amount=250, refund_no="R-1", reason="药品缺货")
    decision = carry_out(books, command)
    personal, bank = paid.tenders
    assert decision.refund == Refund(
        id=command.refund,
        payment=paid.id,
        refund_no="R-1",
        amount=250,
        tenders=(
            msgspec.structs.replace(personal, amount=50, captured=50, refunded=50),
            msgspec.structs.replace(bank, amount=200, captured=200, refunded=200),
        ),
        reason="药品缺货",
        business_date=TOMORROW,
        cycle=control.cycle,
        created_at=NOON + timedelta(hours=20),
    )
    assert decision.payment is not None
    assert (decision.payment.business_date, decision.payment.cycle) == (TODAY, paid.cycle)
    assert (decision.kind, decision.answer.refund) == (EventKind.REFUNDED, decision.refund)


def test_refund_number_is_good_once_a_payment() -> None:
    books, paid = a_payment_of_600()
    carry_out(books, a_refund(paid.id, amount=1, refund_no="R-1"))
    assert outcome_of(carry_out(books, a_refund(paid.id, amount=1, refund_no="R-1"))) == (
        "order_number_used",
        "refund_no",
    )


def test_refund_number_is_free_again_after_a_refusal() -> None:
    books, paid = a_payment_of_600()
    carry_out(books, a_refund(paid.id, amount=601, refund_no="R-1"))
    assert refusal_of(carry_out(books, a_refund(paid.id, amount=1, refund_no="R-1"))) is None


def test_refund_numbers_of_two_payments_are_apart() -> None:
    books = some_books()
    one, other = captured(books), captured(books)
    carry_out(books, a_refund(one.id, amount=1, refund_no="R-1"))
    assert refusal_of(carry_out(books, a_refund(other.id, amount=1, refund_no="R-1"))) is None


@pytest.mark.parametrize(
    ("after", "refusal"),
    [
        (WINDOW - MOMENT, None),
        (WINDOW, Refusal.REFUND_WINDOW_CLOSED),
        (WINDOW + MOMENT, Refusal.REFUND_WINDOW_CLOSED),
    ],
)
def test_refund_window_closes_at_its_instant(after: timedelta, refusal: Refusal | None) -> None:
    books, paid = a_payment_of_600()
    assert refusal_of(carry_out(later(books, after), a_refund(paid.id, amount=1))) is refusal


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_refund_window_of_every_scenario_is_counted_from_the_capture(scenario: Scenario) -> None:
    books = some_books()
    asked = an_authorize(capture=not scenario.may_hold, scenario=scenario.number, hold_s=scenario.hold_s_max)
    payment = msgspec.structs.replace(asked, password=RIGHT)
    carry_out(books, payment)
    if scenario.may_hold:
        books = later(books, timedelta(seconds=scenario.hold_s_max) - MOMENT)
        carry_out(books, a_capture(payment.payment))
    window = timedelta(days=scenario.refund_window_days)
    refunds = [carry_out(later(books, by), a_refund(payment.payment, amount=1)) for by in (window - MOMENT, window)]
    assert [refusal_of(refund) for refund in refunds] == [None, Refusal.REFUND_WINDOW_CLOSED]


@pytest.mark.parametrize("state", [s for s in State if s not in (State.CAPTURED, State.PARTIALLY_REFUNDED)])
def test_only_a_captured_payment_is_given_back(state: State) -> None:
    books, paid = a_payment_of_600()
    books.seen.payments[paid.id] = msgspec.structs.replace(paid, state=state)
    assert outcome_of(carry_out(books, a_refund(paid.id, amount=1))) == ("payment_state_conflict", None)


def test_hold_of_which_a_part_was_captured_is_given_back_only_when_it_is_resolved() -> None:
    books, hold = a_hold_of_600()
    carry_out(books, a_capture(hold.id, amount=350, final=False))
    assert refusal_of(carry_out(books, a_refund(hold.id, amount=1))) is Refusal.PAYMENT_STATE_CONFLICT
    carry_out(books, a_capture(hold.id, amount=1, final=True))
    assert refusal_of(carry_out(books, a_refund(hold.id, amount=1))) is None


def test_first_rule_that_applies_is_the_refusal() -> None:
    books, paid = a_payment_of_600()
    carry_out(books, a_refund(paid.id, amount=1, refund_no="R-1"))
    gone = later(books, WINDOW)
    over = msgspec.structs.replace(books.seen.payments[paid.id], state=State.REFUNDED)
    wrong = [
        (over, "R-1", OTHER_MERCHANT),
        (over, "R-1", MERCHANT),
        (over, "R-2", MERCHANT),
        (books.seen.payments[paid.id], "R-2", MERCHANT),
    ]
    refusals = []
    for payment, refund_no, merchant in wrong:
        gone.seen.payments[paid.id] = payment
        command = a_refund(paid.id, amount=600, refund_no=refund_no, merchant=merchant)
        refusals.append(refusal_of(carry_out(gone, command)))
    refusals.append(refusal_of(carry_out(gone, a_refund(paid.id, amount=599))))
    assert refusals == [
        Refusal.PAYMENT_NOT_FOUND,
        Refusal.ORDER_NUMBER_USED,
        Refusal.PAYMENT_STATE_CONFLICT,
        Refusal.REFUND_EXCEEDS_PAYMENT,
        Refusal.REFUND_WINDOW_CLOSED,
    ]


def test_payment_that_is_not_there_is_not_given_back() -> None:
    books, _ = a_payment_of_600()
    assert outcome_of(carry_out(books, a_refund(UNKNOWN_PAYMENT, amount=1))) == ("payment_not_found", None)


def test_lost_card_gets_its_money_back() -> None:
    books, paid = a_payment_of_600()
    carry_out(books, a_loss_report())
    assert refusal_of(carry_out(books, a_refund(paid.id, amount=600))) is None


def test_what_was_given_back_to_the_personal_account_can_be_spent_at_once() -> None:
    books, paid = a_payment_of_600()
    carry_out(books, a_refund(paid.id, amount=600))
    books = later(books, LAPSED)
    again = captured(books, amount=300)
    assert [tender.source for tender in again.tenders] == [personal_account(CARD)]


@pytest.mark.parametrize(
    ("amount", "of_each_tender", "personal_back"),
    [(1, [0, 0, 1], 0), (201, [0, 1, 200], 1), (500, [0, 300, 200], 300)],
)
def test_part_of_a_bill_is_given_back_to_the_person_and_never_to_the_fund(
    amount: int, of_each_tender: list[int], personal_back: int
) -> None:
    books, paid = a_paid_bill_of_600()
    carry_out(books, a_refund(paid.id, amount=amount))
    payment = books.seen.payments[paid.id]
    assert (refunded_of(payment), payment.state) == (of_each_tender, State.PARTIALLY_REFUNDED)
    assert (payer_in(books).personal_account_available, payer_in(books).fund_paid) == (personal_back, 100)


@pytest.mark.parametrize(("before", "amount"), [(None, 501), (None, 599), (None, 601), (1, 500), (500, 1), (500, 99)])
def test_part_of_a_bill_that_would_come_from_the_fund_is_not_given_back(before: int | None, amount: int) -> None:
    books, paid = a_paid_bill_of_600()
    if before is not None:
        carry_out(books, a_refund(paid.id, amount=before))
    untouched = snapshot_of(books)
    assert outcome_of(carry_out(books, a_refund(paid.id, amount=amount))) == ("refund_exceeds_payment", "amount")
    assert snapshot_of(books) == untouched


@pytest.mark.parametrize("before", [None, 1, 500])
def test_all_that_is_left_of_a_bill_goes_back_with_what_it_used_of_the_year(before: int | None) -> None:
    books, paid = a_paid_bill_of_600()
    if before is not None:
        carry_out(books, a_refund(paid.id, amount=before))
    carry_out(books, a_refund(paid.id, amount=600 - (before or 0)))
    payment = books.seen.payments[paid.id]
    assert (refunded_of(payment), payment.state) == ([100, 300, 200], State.REFUNDED)
    assert (payer_in(books).personal_account_available, payer_in(books).fund_paid) == (300, 0)
