"""Bills: paid once, in full, before their deadline, by whom they name, for the agency's account."""

from datetime import timedelta

import msgspec
import pytest

from engine.core.accounts import agency_payable, merchant_payable
from engine.core.authorization import CONFIRM_WITHIN_S
from engine.core.bills import Bill, BillState, BillStatus, bill_after, judge_bill, may_pay, status_of
from engine.core.books import Books
from engine.core.commands import AnyCommand, Concern
from engine.core.ids import AgencyId, CardId, IdKind, PaymentId
from engine.core.payments import State
from engine.core.refusals import Refusal
from tests.core.books_builders import (
    CARD,
    MERCHANT,
    MOMENT,
    NOON,
    OTHER_MERCHANT,
    UNKNOWN_CARD,
    UNKNOWN_PAYMENT,
    a_cancel,
    a_payer,
    a_refund,
    a_void,
    an_authorize,
    an_expire,
    an_id,
    captured,
    carry_out,
    later,
    outcome_of,
    refusal_of,
    some_books,
)
from tests.core.ways import a_confirm

AGENCY = AgencyId(an_id(IdKind.AGENCY, 1))
DEADLINE = NOON + timedelta(hours=1)
BILL = Bill(
    bill_no="B-1",
    agency=AGENCY,
    card=CARD,
    amount=500,
    deadline=DEADLINE,
    state=BillState.BILLED,
    payment=None,
)


def books_with(bill: Bill | None = BILL, **changes: object) -> Books:
    books = some_books(**changes)  # type: ignore[arg-type]  # those of `some_books`
    if bill is not None:
        books.seen.bills[bill.bill_no] = bill
    return books


def changed(**changes: object) -> Bill:
    return msgspec.structs.replace(BILL, **changes)


@pytest.mark.parametrize(
    ("bill", "refusal", "field"),
    [
        (None, Refusal.NOT_FOUND, "bill_no"),
        (changed(state=BillState.WITHDRAWN), Refusal.NOT_FOUND, "bill_no"),
        (changed(state=BillState.PAID, payment=UNKNOWN_PAYMENT, deadline=NOON), Refusal.BILL_ALREADY_PAID, "bill_no"),
        (changed(state=BillState.REFUNDED, payment=UNKNOWN_PAYMENT), Refusal.BILL_ALREADY_PAID, "bill_no"),
        (changed(deadline=NOON, amount=499), Refusal.BILL_EXPIRED, "bill_no"),
        (changed(amount=499), Refusal.AMOUNT_MISMATCH, "amount"),
        (changed(amount=501), Refusal.AMOUNT_MISMATCH, "amount"),
    ],
    ids=["unknown", "withdrawn", "paid", "refunded", "expired", "one fen less", "one fen more"],
)
def test_first_rule_that_applies_is_the_refusal(bill: Bill | None, refusal: Refusal, field: str) -> None:
    books = books_with(bill)
    decision = carry_out(books, an_authorize(bill_no="B-1", amount=500))
    assert outcome_of(decision) == (refusal.value, field)
    assert decision.payment is None, "the code stays good, and nothing is stored"
    assert not books.bills_changed


def test_bill_is_paid_for_the_agency() -> None:
    books = books_with()
    decision = carry_out(books, an_authorize(bill_no="B-1"))
    assert decision.payment is not None
    assert decision.payment.bill_no == "B-1"
    assert {posting.credit for posting in decision.postings} == {agency_payable(AGENCY)}
    assert books.seen.bills["B-1"] == changed(state=BillState.PAID, payment=decision.payment.id)
    assert books.bills_changed == {"B-1": BillState.BILLED}


def test_payment_without_a_bill_is_the_merchants() -> None:
    books = books_with()
    decision = carry_out(books, an_authorize())
    assert {posting.credit for posting in decision.postings} == {merchant_payable(MERCHANT)}
    assert not books.bills_changed


@pytest.mark.parametrize(("before", "refusal"), [(MOMENT, None), (timedelta(), Refusal.BILL_EXPIRED)])
def test_last_moment_before_the_deadline_is_in_time(before: timedelta, refusal: Refusal | None) -> None:
    books = books_with(now=DEADLINE - before)
    assert refusal_of(carry_out(books, an_authorize(bill_no="B-1"))) is refusal


def test_second_payment_of_a_batch_is_told_that_the_first_was_first() -> None:
    books = books_with()
    first = carry_out(books, an_authorize(bill_no="B-1"))
    second = carry_out(books, an_authorize(bill_no="B-1", merchant=OTHER_MERCHANT))
    assert refusal_of(first) is None
    assert outcome_of(second) == (Refusal.BILL_ALREADY_PAID.value, "bill_no")


def test_bill_of_another_person_is_declined_and_stays_open() -> None:
    books = books_with(changed(card=UNKNOWN_CARD))
    decision = carry_out(books, an_authorize(bill_no="B-1"))
    assert refusal_of(decision) is Refusal.RELATIVE_NOT_LINKED
    assert decision.payment is not None
    assert decision.payment.state is State.DECLINED
    assert decision.code_use is None
    assert not books.bills_changed
    assert books.seen.bills["B-1"].state is BillState.BILLED


def test_bill_of_nobody_is_anybodys() -> None:
    assert refusal_of(carry_out(books_with(changed(card=None)), an_authorize(bill_no="B-1"))) is None
    assert may_pay(changed(card=None), UNKNOWN_CARD)
    assert not may_pay(BILL, CardId(UNKNOWN_CARD))


def test_who_has_not_enough_leaves_the_bill_open() -> None:
    books = books_with(payer=a_payer(personal=100, allowance=100))
    assert refusal_of(carry_out(books, an_authorize(bill_no="B-1"))) is Refusal.INSUFFICIENT_FUNDS
    assert not books.bills_changed


def test_part_that_is_given_back_leaves_the_bill_paid() -> None:
    books = books_with()
    payment = carry_out(books, an_authorize(bill_no="B-1")).payment
    assert payment is not None
    given = carry_out(books, a_refund(payment.id, amount=1))
    assert {posting.debit for posting in given.postings} == {agency_payable(AGENCY)}
    assert books.seen.bills["B-1"].state is BillState.PAID


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_all_that_is_given_back_ends_the_bill(is_cancelled: bool) -> None:
    books = books_with()
    payment = carry_out(books, an_authorize(bill_no="B-1", order_no="A")).payment
    assert payment is not None
    given = carry_out(books, a_cancel("A") if is_cancelled else a_refund(payment.id, amount=500))
    assert {posting.debit for posting in given.postings} == {agency_payable(AGENCY)}
    assert books.seen.bills["B-1"] == changed(state=BillState.REFUNDED, payment=payment.id)
    assert refusal_of(carry_out(books, an_authorize(bill_no="B-1"))) is Refusal.BILL_ALREADY_PAID


def test_state_that_was_read_is_the_one_that_is_compared() -> None:
    """One batch may pay a bill and give it back: what is written is held against what was read, not against a step."""
    books = books_with()
    payment = carry_out(books, an_authorize(bill_no="B-1")).payment
    assert payment is not None
    carry_out(books, a_refund(payment.id, amount=500))
    assert books.bills_changed == {"B-1": BillState.BILLED}


def test_judging_has_no_effect() -> None:
    assert judge_bill(BILL, amount=500, now=NOON) is None
    assert bill_after(BILL, captured(some_books())).payment != UNKNOWN_PAYMENT
    assert BILL.payment is None


@pytest.mark.parametrize(
    ("state", "is_settled", "now", "status"),
    [
        (BillState.BILLED, False, DEADLINE - MOMENT, BillStatus.BILLED),
        (BillState.BILLED, False, DEADLINE, BillStatus.EXPIRED),
        (BillState.PAID, False, DEADLINE, BillStatus.PAID),
        (BillState.PAID, True, NOON, BillStatus.REMITTED),
        (BillState.REFUNDED, True, NOON, BillStatus.REFUNDED),
        (BillState.WITHDRAWN, False, DEADLINE, BillStatus.WITHDRAWN),
    ],
)
def test_status_follows_from_time_and_settlement(
    state: BillState, is_settled: bool, now: object, status: BillStatus
) -> None:
    assert status_of(state, deadline=DEADLINE, is_settled=is_settled, now=now) is status  # type: ignore[arg-type]  # instants of the table


def test_bill_is_paid_at_once_or_not_at_all() -> None:
    with pytest.raises(AssertionError, match="at once"):
        carry_out(books_with(), an_authorize(bill_no="B-1", capture=False))


@pytest.mark.parametrize("how", ["voided", "cancelled", "lapsed"])
def test_bill_is_nobody_elses_while_its_payment_waits_and_to_be_paid_again_if_that_came_to_nothing(how: str) -> None:
    books = books_with(changed(deadline=NOON + timedelta(days=1)))
    waits = carry_out(books, an_authorize(bill_no="B-1", order_no="A", concern=Concern.CHALLENGE)).payment
    assert waits is not None
    assert waits.state is State.AWAITING_USER
    assert outcome_of(carry_out(books, an_authorize(bill_no="B-1"))) == (Refusal.BILL_ALREADY_PAID.value, "bill_no")
    if how == "lapsed":
        books = later(books, timedelta(seconds=CONFIRM_WITHIN_S))
    commands: dict[str, AnyCommand] = {
        "voided": a_void(waits.id),
        "cancelled": a_cancel("A"),
        "lapsed": an_expire(waits.id),
    }
    ended = carry_out(books, commands[how])
    assert refusal_of(ended) is None
    assert {posting.credit for posting in ended.postings} == {agency_payable(AGENCY)}
    assert (books.seen.bills["B-1"].state, books.seen.bills["B-1"].payment) == (BillState.BILLED, None)
    assert refusal_of(carry_out(books, an_authorize(bill_no="B-1"))) is None


def test_bill_whose_payment_is_confirmed_is_paid_for_the_agency() -> None:
    books = books_with()
    waits = carry_out(books, an_authorize(bill_no="B-1", concern=Concern.CHALLENGE)).payment
    assert waits is not None
    decision = carry_out(books, a_confirm(waits.id))
    assert {posting.credit for posting in decision.postings} == {agency_payable(AGENCY)}
    assert books.seen.bills["B-1"].state is BillState.PAID
    assert books.bills_changed == {"B-1": BillState.BILLED}


def test_payment_id_is_that_of_the_payment() -> None:
    payment = captured(some_books())
    assert bill_after(BILL, payment).payment == PaymentId(payment.id)
