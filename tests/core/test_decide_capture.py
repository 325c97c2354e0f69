"""Capturing a hold: all of it, a part, several parts, and never more."""

from datetime import timedelta

import msgspec
import pytest

from engine.core.accounts import bank_receivable, merchant_payable, personal_account
from engine.core.answers import Clearing, EventKind
from engine.core.payments import State
from engine.core.postings import Phase
from engine.core.refusals import Refusal
from tests.core.books_builders import (
    BANK,
    CARD,
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
    a_held_bill_of_600,
    a_hold_of_600,
    a_loss_report,
    a_void,
    captured_of,
    carry_out,
    held,
    later,
    outcome_of,
    payer_in,
    refusal_of,
    snapshot_of,
)

BANKED = bank_receivable(BANK)
PERSONAL = personal_account(CARD)


# fmt: off
CAPTURES = [
    # amount, final, of each tender, state,           held, pending, posted, spent
    (None,    True,  [400, 200], State.CAPTURED,     0,       0,    400,   200),
    (600,     True,  [400, 200], State.CAPTURED,     0,       0,    400,   200),
    (599,     True,  [400, 199], State.CAPTURED,     0,       0,    400,   199),
    (350,     True,  [350,   0], State.CAPTURED,     0,       0,    350,     0),
    (1,       True,  [  1,   0], State.CAPTURED,     0,       0,      1,     0),
    (None,    False, [400, 200], State.AUTHORIZED,   0,       0,    400,   200),
    (350,     False, [350,   0], State.AUTHORIZED, 250,      50,    350,   200),
    (450,     False, [400,  50], State.AUTHORIZED, 150,       0,    400,   200),
    (1,       False, [  1,   0], State.AUTHORIZED, 599,     399,      1,   200),
]
# fmt: on


@pytest.mark.parametrize(("amount", "final", "shares", "state", "rest", "pending", "posted", "spent"), CAPTURES)
def test_capture_takes_the_tenders_in_order_and_releases_the_rest_when_final(
    amount: int | None, final: bool, shares: list[int], state: State, rest: int, pending: int, posted: int, spent: int
) -> None:
    books, hold = a_hold_of_600()
    payment = carry_out(books, a_capture(hold.id, amount=amount, final=final)).payment
    payer = payer_in(books)
    assert payment is not None
    assert (captured_of(payment), payment.state, payment.held_amount) == (shares, state, rest)
    assert (payer.debits_pending, payer.debits_posted, payer.spent) == (pending, posted, spent)


@pytest.mark.parametrize(
    ("amount", "final", "postings"),
    [
        (
            350,
            True,
            [
                (Phase.RELEASE, PERSONAL, 400),
                (Phase.RELEASE, BANKED, 200),
                (Phase.POST, PERSONAL, 350),
            ],
        ),
        (
            350,
            False,
            [
                (Phase.RELEASE, PERSONAL, 350),
                (Phase.POST, PERSONAL, 350),
            ],
        ),
    ],
)
def test_capture_posts_what_it_takes_and_lets_go_of_what_it_resolves(
    amount: int, final: bool, postings: list[tuple[Phase, bytes, int]]
) -> None:
    books, hold = a_hold_of_600()
    made = carry_out(books, a_capture(hold.id, amount=amount, final=final)).postings
    assert [(posting.phase, posting.debit, posting.amount) for posting in made] == postings
    assert {(posting.payment, posting.credit) for posting in made} == {(hold.id, merchant_payable(MERCHANT))}


def test_hold_is_captured_in_several_parts() -> None:
    books, hold = a_hold_of_600()
    shares = []
    for amount, final in ((50, False), (300, False), (None, True)):
        payment = carry_out(books, a_capture(hold.id, amount=amount, final=final)).payment
        assert payment is not None
        shares.append(captured_of(payment))
    assert shares == [[50, 0], [350, 0], [400, 200]]
    assert books.seen.payments[hold.id].state is State.CAPTURED


def test_last_of_several_captures_releases_what_is_left() -> None:
    books, hold = a_hold_of_600()
    carry_out(books, a_capture(hold.id, amount=350, final=False))
    carry_out(books, a_capture(hold.id, amount=100, final=True))
    payer = payer_in(books)
    assert captured_of(books.seen.payments[hold.id]) == [400, 50]
    assert (payer.debits_pending, payer.debits_posted, payer.spent) == (0, 400, 50)


def test_what_is_released_can_be_spent_again() -> None:
    books, hold = a_hold_of_600()
    carry_out(books, a_capture(hold.id, amount=150))
    assert payer_in(books).personal_account_available == 250


def test_hold_of_which_everything_was_taken_in_parts_can_be_closed() -> None:
    books, hold = a_hold_of_600()
    carry_out(books, a_capture(hold.id, amount=600, final=False))
    decision = carry_out(books, a_capture(hold.id))
    assert books.seen.payments[hold.id].state is State.CAPTURED
    assert decision.postings == ()


@pytest.mark.parametrize(("before", "amount"), [(None, 601), (350, 251), (600, 1)])
def test_capture_of_more_than_is_held_is_refused(before: int | None, amount: int) -> None:
    books, hold = a_hold_of_600()
    if before is not None:
        carry_out(books, a_capture(hold.id, amount=before, final=False))
    untouched = snapshot_of(books)
    assert outcome_of(carry_out(books, a_capture(hold.id, amount=amount))) == (
        "capture_exceeds_authorization",
        "amount",
    )
    assert snapshot_of(books) == untouched


@pytest.mark.parametrize(
    ("after", "refusal"),
    [
        (LAPSED - MOMENT, None),
        (LAPSED, Refusal.PAYMENT_STATE_CONFLICT),
        (LAPSED + MOMENT, Refusal.PAYMENT_STATE_CONFLICT),
    ],
)
def test_hold_ends_at_its_instant_though_the_sweeper_has_not_come(after: timedelta, refusal: Refusal | None) -> None:
    books, hold = a_hold_of_600()
    assert refusal_of(carry_out(later(books, after), a_capture(hold.id))) is refusal


@pytest.mark.parametrize("state", [state for state in State if state is not State.AUTHORIZED])
def test_only_a_hold_is_captured(state: State) -> None:
    books, hold = a_hold_of_600()
    books.seen.payments[hold.id] = msgspec.structs.replace(hold, state=state)
    assert outcome_of(carry_out(books, a_capture(hold.id, amount=601))) == ("payment_state_conflict", None)


def test_hold_is_resolved_once() -> None:
    books, hold = a_hold_of_600()
    carry_out(books, a_capture(hold.id, amount=100))
    resolved = snapshot_of(books)
    for again in (a_capture(hold.id), a_capture(hold.id, amount=1), a_void(hold.id)):
        assert refusal_of(carry_out(books, again)) is Refusal.PAYMENT_STATE_CONFLICT
    assert snapshot_of(books) == resolved


def test_payment_of_another_merchant_does_not_exist() -> None:
    books, hold = a_hold_of_600()
    assert outcome_of(carry_out(books, a_capture(hold.id, merchant=OTHER_MERCHANT))) == ("payment_not_found", None)
    assert outcome_of(carry_out(books, a_capture(UNKNOWN_PAYMENT))) == ("payment_not_found", None)


def test_card_that_is_lost_meanwhile_still_pays_what_it_has_promised() -> None:
    books, hold = a_hold_of_600()
    carry_out(books, a_loss_report())
    assert refusal_of(carry_out(books, a_capture(hold.id))) is None


def test_first_capture_fixes_the_cycle_and_the_business_date() -> None:
    books, hold = a_hold_of_600()
    assert (hold.business_date, hold.cycle) == (TODAY, None)
    first = a_control(business_date=TOMORROW)
    books = later(books, timedelta(seconds=1), control=first)
    carry_out(books, a_capture(hold.id, amount=100, final=False))
    books = later(books, timedelta(seconds=1), control=a_control(business_date=TOMORROW, sequence=2))
    carry_out(books, a_capture(hold.id))
    payment = books.seen.payments[hold.id]
    assert (payment.business_date, payment.cycle, payment.captured_at) == (
        TOMORROW,
        first.cycle,
        NOON + timedelta(seconds=1),
    )


def test_answer_says_how_far_clearing_is() -> None:
    books, hold = a_hold_of_600()
    carry_out(books, a_capture(hold.id, amount=100, final=False))
    answers = []
    for sequence, published in ((1, 0), (2, 0), (2, 1)):
        books = later(books, control=a_control(sequence=sequence, published=published))
        answers.append(carry_out(books, a_capture(hold.id, amount=1, final=False)).answer.clearing)
    assert answers == [Clearing.UNCLEARED, Clearing.BATCHED, Clearing.PUBLISHED]


def test_hold_that_is_captured_for_good_has_no_end_any_more() -> None:
    books, hold = a_hold_of_600()
    part = carry_out(books, a_capture(hold.id, amount=1, final=False))
    rest = carry_out(books, a_capture(hold.id))
    assert part.payment is not None
    assert rest.payment is not None
    assert (part.payment.expires_at, rest.payment.expires_at) == (NOON + LAPSED, None)
    assert (part.kind, rest.kind) == (EventKind.PART_CAPTURED, EventKind.CAPTURED)


def test_capture_on_the_next_day_leaves_that_days_allowance_alone() -> None:
    books, hold = a_hold_of_600()
    books = later(books, control=a_control(business_date=TOMORROW))
    held(books, amount=70)
    carry_out(books, a_capture(hold.id, amount=450))
    payer = payer_in(books)
    assert (payer.limit_day, payer.spent_on(TOMORROW)) == (TOMORROW, 70)


@pytest.mark.parametrize("amount", [None, 600])
def test_bill_is_captured_as_a_whole(amount: int | None) -> None:
    books, hold = a_held_bill_of_600()
    payment = carry_out(books, a_capture(hold.id, amount=amount)).payment
    payer = payer_in(books)
    assert payment is not None
    assert (captured_of(payment), payment.state) == ([100, 300, 200], State.CAPTURED)
    assert (payer.debits_pending, payer.debits_posted, payer.spent, payer.fund_paid) == (0, 300, 200, 100)


@pytest.mark.parametrize(
    ("amount", "outcome"),
    [
        (599, ("amount_mismatch", "amount")),
        (100, ("amount_mismatch", "amount")),
        (601, ("capture_exceeds_authorization", "amount")),
    ],
)
@pytest.mark.parametrize("final", [True, False], ids=["final", "part"])
def test_bill_is_not_captured_in_parts(amount: int, outcome: tuple[str, str], final: bool) -> None:
    books, hold = a_held_bill_of_600()
    untouched = snapshot_of(books)
    assert outcome_of(carry_out(books, a_capture(hold.id, amount=amount, final=final))) == outcome
    assert snapshot_of(books) == untouched
