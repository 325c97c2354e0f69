"""Letting go of a hold: by the merchant, or because its time is over."""

from datetime import timedelta

import msgspec
import pytest

from engine.core.accounts import bank_receivable, merchant_payable, personal_account
from engine.core.answers import EventKind
from engine.core.commands import AnyCommand
from engine.core.payments import HELD, Payment, State
from engine.core.postings import Phase, Posting, PostingKind
from engine.core.refusals import Refusal
from tests.core.books_builders import (
    BANK,
    CARD,
    FUND,
    LAPSED,
    MERCHANT,
    MOMENT,
    OTHER_MERCHANT,
    TODAY,
    TOMORROW,
    UNKNOWN_PAYMENT,
    a_capture,
    a_control,
    a_held_bill_of_600,
    a_hold_of_600,
    a_void,
    an_expire,
    captured_of,
    carry_out,
    held,
    later,
    outcome_of,
    payer_in,
    refusal_of,
    snapshot_of,
)

VOID, EXPIRE = "void", "expire"
BEFORE, AT, AFTER = LAPSED - MOMENT, LAPSED, LAPSED + MOMENT


def a_release(how: str, hold: Payment) -> AnyCommand:
    return a_void(hold.id) if how == VOID else an_expire(hold.id)


def in_time_for(how: str) -> timedelta:
    return BEFORE if how == VOID else AT


@pytest.mark.parametrize(
    ("how", "state", "kind"), [(VOID, State.VOIDED, EventKind.VOIDED), (EXPIRE, State.EXPIRED, EventKind.EXPIRED)]
)
def test_release_gives_everything_back(how: str, state: State, kind: EventKind) -> None:
    books, hold = a_held_bill_of_600()
    books = later(books, in_time_for(how))
    decision = carry_out(books, a_release(how, hold))
    payer = payer_in(books)
    assert (decision.kind, books.seen.payments[hold.id].state) == (kind, state)
    assert (payer.debits_pending, payer.debits_posted, payer.spent, payer.fund_paid) == (0, 0, 0, 0)
    assert payer.personal_account_available == 300


@pytest.mark.parametrize("how", [VOID, EXPIRE])
def test_release_undoes_every_posting_of_the_hold(how: str) -> None:
    books, hold = a_held_bill_of_600()
    decision = carry_out(later(books, in_time_for(how)), a_release(how, hold))
    credit = merchant_payable(MERCHANT)
    assert decision.postings == (
        Posting(hold.id, Phase.RELEASE, PostingKind.PAY, FUND, credit, 100),
        Posting(hold.id, Phase.RELEASE, PostingKind.PAY, personal_account(CARD), credit, 300),
        Posting(hold.id, Phase.RELEASE, PostingKind.PAY, bank_receivable(BANK), credit, 200),
    )


@pytest.mark.parametrize("how", [VOID, EXPIRE])
def test_what_was_captured_before_stands(how: str) -> None:
    books, hold = a_hold_of_600()
    carry_out(books, a_capture(hold.id, amount=350, final=False))
    books = later(books, in_time_for(how))
    carry_out(books, a_release(how, hold))
    payment, payer = books.seen.payments[hold.id], payer_in(books)
    assert (payment.state, captured_of(payment), payment.expires_at) == (State.CAPTURED, [350, 0], None)
    assert (payer.debits_pending, payer.debits_posted, payer.spent) == (0, 350, 0)


@pytest.mark.parametrize("how", [VOID, EXPIRE])
def test_released_hold_is_in_no_cycle(how: str) -> None:
    books, hold = a_hold_of_600()
    books = later(books, in_time_for(how))
    carry_out(books, a_release(how, hold))
    payment = books.seen.payments[hold.id]
    assert (payment.cycle, payment.captured_at, payment.captured_amount) == (None, None, 0)


@pytest.mark.parametrize(
    ("how", "after", "refusal"),
    [
        (VOID, BEFORE, None),
        (VOID, AT, Refusal.PAYMENT_STATE_CONFLICT),
        (VOID, AFTER, Refusal.PAYMENT_STATE_CONFLICT),
        (EXPIRE, BEFORE, Refusal.PAYMENT_STATE_CONFLICT),
        (EXPIRE, AT, None),
        (EXPIRE, AFTER, None),
    ],
)
def test_hold_is_the_merchants_until_its_instant_and_the_sweepers_from_then_on(
    how: str, after: timedelta, refusal: Refusal | None
) -> None:
    books, hold = a_hold_of_600()
    assert refusal_of(carry_out(later(books, after), a_release(how, hold))) is refusal


@pytest.mark.parametrize("how", [VOID, EXPIRE])
@pytest.mark.parametrize("state", [state for state in State if state not in HELD])
def test_only_a_hold_is_released(state: State, how: str) -> None:
    books, hold = a_hold_of_600()
    books.seen.payments[hold.id] = msgspec.structs.replace(hold, state=state)
    books = later(books, in_time_for(how))
    untouched = snapshot_of(books)
    assert outcome_of(carry_out(books, a_release(how, hold))) == ("payment_state_conflict", None)
    assert snapshot_of(books) == untouched


def test_payment_of_another_merchant_cannot_be_voided() -> None:
    books, hold = a_hold_of_600()
    assert outcome_of(carry_out(books, a_void(hold.id, merchant=OTHER_MERCHANT))) == ("payment_not_found", None)
    assert outcome_of(carry_out(books, a_void(UNKNOWN_PAYMENT))) == ("payment_not_found", None)


def test_sweeper_that_comes_for_a_payment_that_is_not_there_changes_nothing() -> None:
    books, _ = a_hold_of_600()
    assert outcome_of(carry_out(books, an_expire(UNKNOWN_PAYMENT))) == ("payment_state_conflict", None)


@pytest.mark.parametrize("how", [VOID, EXPIRE])
def test_releasing_yesterdays_hold_does_not_lower_what_was_spent_today(how: str) -> None:
    books, hold = a_hold_of_600()
    books = later(books, in_time_for(how), control=a_control(business_date=TOMORROW))
    held(books, amount=70)
    carry_out(books, a_release(how, hold))
    payer = payer_in(books)
    assert (payer.limit_day, payer.spent_on(TOMORROW), payer.debits_pending) == (TOMORROW, 70, 0)


def test_releasing_yesterdays_hold_before_anything_is_spent_today_takes_nothing_away() -> None:
    books, hold = a_hold_of_600()
    books = later(books, control=a_control(business_date=TOMORROW))
    carry_out(books, a_void(hold.id))
    payer = payer_in(books)
    assert (payer.limit_day, payer.spent_on(TODAY), payer.spent_on(TOMORROW)) == (TODAY, 0, 0)
