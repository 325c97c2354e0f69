"""What holds after anything that can happen, whoever asks for what and when."""

from collections.abc import Iterator, Sequence

import msgspec
from hypothesis import given, settings

from engine.core.accounts import bank_receivable, personal_account
from engine.core.answers import EventKind
from engine.core.books import Books
from engine.core.decide import decide
from engine.core.payer import LimitClass
from engine.core.payments import HELD, TERMINAL, Payment, State
from engine.core.postings import Totals, fold, is_kept_on_payer
from engine.core.refusals import Refusal
from tests.core.books_builders import snapshot_of
from tests.core.city import ANNUAL_CAP, LIMIT_A_DAY, LIMIT_UNCONFIRMED, a_city
from tests.core.paper_books import PaperBooks, added
from tests.core.steps import STEPS, BringIn, Clerk, CloseCycle, Step, Wait, days

PROPERTY = settings(deadline=None, max_examples=50)
BEFORE: Sequence[Step] = (BringIn(card=0, amount=450), BringIn(card=2, amount=300))
Day = Sequence[Step | Wait | CloseCycle]


def happening(day: Day, books: PaperBooks, clerk: Clerk) -> Iterator[PaperBooks]:
    """The books after everything that happens, each command in a batch of its own."""
    for step in (*BEFORE, *day):
        match step:
            case Wait():
                books.wait(step)
            case CloseCycle():
                books.close_cycle(step)
            case _:
                for command, outcome in books.submit([clerk.make(step)]):
                    clerk.hear(command, outcome)
        yield books


def books_after(day: Day) -> PaperBooks:
    city = a_city(0)
    *_, books = happening(day, PaperBooks(city), Clerk(city))
    return books


def totals_in(books: PaperBooks) -> dict[bytes, Totals]:
    """The totals of every account that was ever moved, wherever they are kept."""
    kept = {
        personal_account(payer.id): Totals(
            payer.debits_pending, payer.debits_posted, payer.credits_pending, payer.credits_posted
        )
        for payer in books.payers.values()
    }
    return {account: totals for account, totals in (books.balances | kept).items() if account in fold(books.postings)}


@PROPERTY
@given(day=days())
def test_totals_are_what_the_postings_add_up_to(day: Day) -> None:
    books = books_after(day)
    assert totals_in(books) == fold(books.postings)


@PROPERTY
@given(day=days())
def test_debits_equal_credits(day: Day) -> None:
    whole = Totals()
    for totals in totals_in(books_after(day)).values():
        whole = added(whole, totals)
    assert (whole.debits_pending, whole.debits_posted) == (whole.credits_pending, whole.credits_posted)


@PROPERTY
@given(day=days())
def test_nobody_spends_what_is_not_there(day: Day) -> None:
    city = a_city(0)
    for books in happening(day, PaperBooks(city), Clerk(city)):
        for payer in books.payers.values():
            assert payer.personal_account_available >= 0
            assert payer.debits_pending >= 0
            assert 0 <= payer.spent <= payer.bank_allowance


@PROPERTY
@given(day=days())
def test_allowance_of_a_day_is_not_passed_by_what_was_taken_or_reserved_on_it(day: Day) -> None:
    books = books_after(day)
    for payer in books.payers.values():
        spent: dict[object, int] = {}
        for payment in books.payments.values():
            if payment.payer == payer.id:
                is_held = payment.state in HELD
                banked = [tender for tender in payment.tenders if not is_kept_on_payer(tender.source)]
                banked = [tender for tender in banked if tender.source != books.city.fund]
                amount = sum(tender.amount if is_held else tender.captured for tender in banked)
                spent[payment.limit_day] = spent.get(payment.limit_day, 0) + amount
        assert all(amount <= payer.bank_allowance for amount in spent.values())
        assert payer.spent == spent.get(payer.limit_day, 0)


@PROPERTY
@given(day=days())
def test_limits_are_never_passed_and_count_what_was_taken_or_reserved(day: Day) -> None:
    city = a_city(0)
    for books in happening(day, PaperBooks(city), Clerk(city)):
        for payer in books.payers.values():
            assert 0 <= payer.spent <= LIMIT_A_DAY
            assert 0 <= payer.spent_unconfirmed <= min(payer.spent, LIMIT_UNCONFIRMED)
    for payer in books.payers.values():
        assert payer.spent_unconfirmed == sum(
            tender.amount if payment.state in HELD else tender.captured
            for payment in books.payments.values()
            for tender in payment.tenders
            if (payment.payer, payment.limit_day, payment.limit) == (payer.id, payer.limit_day, LimitClass.UNCONFIRMED)
            and tender.source == bank_receivable(payer.bank)
        )


@PROPERTY
@given(day=days())
def test_year_counts_the_bills_that_stand_and_the_fund_keeps_its_cap(day: Day) -> None:
    city = a_city(0)
    for books in happening(day, PaperBooks(city), Clerk(city)):
        for payer in books.payers.values():
            standing = [
                payment.claim.pool
                for payment in books.payments.values()
                if payment.payer == payer.id and payment.claim is not None and payment.state not in TERMINAL
            ]
            assert payer.fund_paid == sum(standing) <= ANNUAL_CAP


@PROPERTY
@given(day=days())
def test_events_about_a_payment_are_numbered_without_gaps(day: Day) -> None:
    city = a_city(0)
    numbers: dict[bytes, list[int]] = {}
    for books in happening(day, PaperBooks(city), Clerk(city)):
        for payment in books.payments.values():
            seen = numbers.setdefault(payment.id, [])
            if payment.sequence not in seen:
                seen.append(payment.sequence)
    assert all(seen == list(range(1, len(seen) + 1)) for seen in numbers.values())


@PROPERTY
@given(day=days())
def test_payments_stay_within_what_was_authorized(day: Day) -> None:
    for payment in books_after(day).payments.values():
        assert 0 <= payment.refunded_amount <= payment.captured_amount <= payment.amount
        for tender in payment.tenders:
            assert 0 <= tender.refunded <= tender.captured <= tender.amount
        assert sum(tender.amount for tender in payment.tenders) in (0, payment.amount)
        is_too_late = payment.refusal == Refusal.CONFIRMATION_TIMEOUT.value
        assert (payment.state is State.DECLINED) == (payment.refusal is not None and not is_too_late)
        assert not is_too_late or payment.state is State.VOIDED


@PROPERTY
@given(day=days())
def test_payment_is_in_a_cycle_from_its_first_capture_on(day: Day) -> None:
    for payment in books_after(day).payments.values():
        assert (payment.cycle is not None) == (payment.captured_at is not None) == (payment.captured_amount > 0)


@PROPERTY
@given(day=days())
def test_every_hold_belongs_to_an_open_authorization(day: Day) -> None:
    books = books_after(day)
    authorized = [payment for payment in books.payments.values() if payment.state in HELD]
    assert books.holds == {(payment.expires_at, payment.id) for payment in authorized}
    assert sum(payer.debits_pending for payer in books.payers.values()) == sum(
        tender.amount - tender.captured
        for payment in authorized
        for tender in payment.tenders
        if is_kept_on_payer(tender.source)
    )


@PROPERTY
@given(day=days())
def test_every_order_is_paid_by_one_payment_that_was_not_declined(day: Day) -> None:
    books = books_after(day)
    paying = [payment for payment in books.payments.values() if payment.state is not State.DECLINED]
    claimed = {key: order.payment for key, order in books.orders.items() if order.payment is not None}
    assert claimed == {(payment.merchant, payment.order_no): payment.id for payment in paying}
    assert len(claimed) == len(paying)


@PROPERTY
@given(day=days())
def test_refunds_add_up_to_what_their_payment_says(day: Day) -> None:
    books = books_after(day)
    given_back = dict.fromkeys(books.payments, 0)
    for refund in books.refunds.values():
        assert refund.amount == sum(tender.refunded for tender in refund.tenders)
        given_back[refund.payment] += refund.amount
    assert given_back == {payment.id: payment.refunded_amount for payment in books.payments.values()}


@PROPERTY
@given(day=days())
def test_posted_totals_and_days_never_go_backwards(day: Day) -> None:
    city = a_city(0)
    before = {payer.id: payer for payer in city.payers}
    totals: dict[bytes, Totals] = {}
    for books in happening(day, PaperBooks(city), Clerk(city)):
        assert all(payer.limit_day <= books.payers[card].limit_day for card, payer in before.items())
        after = totals_in(books)
        for account, was in totals.items():
            assert was.debits_posted <= after[account].debits_posted
            assert was.credits_posted <= after[account].credits_posted
        before, totals = dict(books.payers), after


@PROPERTY
@given(day=days())
def test_payment_that_is_over_stays_as_it_is(day: Day) -> None:
    city = a_city(0)
    over: dict[bytes, Payment] = {}
    for books in happening(day, PaperBooks(city), Clerk(city)):
        for payment in books.payments.values():
            if payment.state in TERMINAL:
                assert over.setdefault(payment.id, payment) == payment


@PROPERTY
@given(day=days(), last=STEPS)
def test_command_that_is_refused_changes_nothing(day: Day, last: Step) -> None:
    city = a_city(0)
    clerk = Clerk(city)
    *_, books = happening(day, PaperBooks(city), clerk)
    batch = Books(books.seen())
    untouched = snapshot_of(batch)
    command = clerk.make(last)
    decision = decide(batch, command)
    batch.apply(0, command, decision)
    if decision.payer is not None and decision.answer.refusal == Refusal.PASSWORD_INCORRECT.value:
        one_try_less = decision.payer.password_tries - 1
        batch.seen.payers[decision.payer.id] = msgspec.structs.replace(decision.payer, password_tries=one_try_less)
    match decision.kind:
        case EventKind.REFUSED:
            assert snapshot_of(batch) == untouched
        case EventKind.DECLINED:
            assert decision.payment is not None
            del batch.seen.payments[decision.payment.id]
            assert snapshot_of(batch) == untouched
        case _:
            assert decision.answer.refusal is None
