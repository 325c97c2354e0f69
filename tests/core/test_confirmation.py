"""Payments that wait: who has to confirm, by what password, in time, and what becomes of those that nobody confirms."""

from datetime import timedelta

import msgspec
import pytest

from engine.core.answers import EventKind
from engine.core.authorization import CONFIRM_WITHIN_S, REVIEW_WITHIN_S
from engine.core.books import Books, Decision
from engine.core.commands import ChangeSettings, Concern, PasswordProof, SetPassword
from engine.core.decide import CANCEL_REFUND_NO
from engine.core.ids import CallerId
from engine.core.payer import PASSWORD_TRIES_MAX, LimitClass, Payer, TenderOrder
from engine.core.payments import Awaiting, Payment, State
from engine.core.postings import Phase
from engine.core.refusals import Refusal
from engine.core.scenarios import SCENARIOS, Scenario
from tests.core.books_builders import (
    BANK,
    CARD,
    HOLD_S,
    MOMENT,
    NOON,
    OTHER_MERCHANT,
    TODAY,
    TOMORROW,
    UNKNOWN_CARD,
    UNKNOWN_PAYMENT,
    a_cancel,
    a_capture,
    a_control,
    a_loss_report,
    a_payer,
    a_reinstatement,
    a_void,
    an_authorize,
    an_expire,
    carry_out,
    held,
    later,
    outcome_of,
    payer_in,
    refusal_of,
    snapshot_of,
    some_books,
)
from tests.core.ways import RIGHT, WRONG, a_confirm, a_limited_payer, waiting

NOBODY = CallerId(BANK)
IN_TIME = timedelta(seconds=CONFIRM_WITHIN_S)


def payment_of(decision: Decision) -> Payment:
    assert decision.payment is not None
    return decision.payment


def books_of(**settings: object) -> Books:
    return some_books(msgspec.structs.replace(a_payer(personal=0, allowance=10**9), **settings))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize(("more", "state"), [(0, State.CAPTURED), (1, State.AWAITING_USER)])
def test_scenario_says_up_to_what_amount_nobody_is_asked(scenario: Scenario, more: int, state: State) -> None:
    amount = scenario.no_password_up_to + more
    if amount:
        asked = an_authorize(amount=amount, scenario=scenario.number)
        assert payment_of(carry_out(books_of(), asked)).state is state


@pytest.mark.parametrize("setting", [0, 20_000, 99_999])
@pytest.mark.parametrize(("more", "state"), [(0, State.CAPTURED), (1, State.AWAITING_USER)])
def test_cardholders_own_setting_asks_earlier(setting: int, more: int, state: State) -> None:
    if setting + more:
        decision = carry_out(books_of(no_password_up_to=setting), an_authorize(amount=setting + more))
        assert payment_of(decision).state is state


def test_what_the_fund_pays_needs_no_password() -> None:
    books = books_of(no_password_up_to=100)
    assert payment_of(carry_out(books, an_authorize(amount=500, insured=400))).state is State.CAPTURED
    assert payment_of(carry_out(books, an_authorize(amount=501, insured=400))).state is State.AWAITING_USER


@pytest.mark.parametrize("capture", [True, False], ids=["captured", "held"])
def test_password_that_comes_along_confirms_at_once(capture: bool) -> None:
    asked = an_authorize(amount=101, capture=capture, password=RIGHT)
    payment = payment_of(carry_out(books_of(no_password_up_to=100, password_tries=3), asked))
    assert (payment.state, payment.limit, payment.awaiting) == (
        State.CAPTURED if capture else State.AUTHORIZED,
        LimitClass.CONFIRMED,
        None,
    )


def test_payment_that_waits_holds_the_funds_uses_the_code_and_claims_the_order() -> None:
    books = some_books(a_payer(personal=300, allowance=1_000))
    asked = an_authorize(amount=500, order_no="A", refresh=1, concern=Concern.CHALLENGE)
    decision = carry_out(books, asked)
    payment = payment_of(decision)
    assert (payment.state, payment.expires_at, payment.cycle) == (State.AWAITING_USER, NOON + IN_TIME, None)
    assert (payment.limit, payment.awaiting) == (LimitClass.CONFIRMED, Awaiting(True, HOLD_S, False))
    assert {posting.phase for posting in decision.postings} == {Phase.HOLD}
    assert (payer_in(books).debits_pending, payer_in(books).spent) == (300, 200)
    assert books.holds_opened == {(NOON + IN_TIME, payment.id)}
    assert outcome_of(carry_out(books, an_authorize(order_no="A"))) == ("order_already_paid", "order_no")
    assert refusal_of(carry_out(books, an_authorize(refresh=1))) is Refusal.PAY_CODE_USED


def test_confirmed_payment_is_captured_whole() -> None:
    books = some_books(a_payer(personal=300, allowance=1_000))
    payment = waiting(books, amount=600, insured=100)
    decision = carry_out(later(books, IN_TIME - MOMENT), a_confirm(payment.id))
    confirmed = payment_of(decision)
    assert [(tender.amount, tender.captured) for tender in confirmed.tenders] == [(100, 100), (300, 300), (200, 200)]
    assert (confirmed.state, confirmed.expires_at, confirmed.sequence) == (State.CAPTURED, None, 2)
    assert (decision.kind, confirmed.captured_at) == (EventKind.CAPTURED, NOON + IN_TIME - MOMENT)
    assert decision.payer is not None
    assert (decision.payer.debits_pending, decision.payer.debits_posted, decision.payer.spent) == (0, 300, 200)


def test_confirmed_hold_is_on_hold_from_then_on() -> None:
    books = books_of()
    payment = waiting(books, capture=False)
    books = later(books, timedelta(seconds=100))
    decision = carry_out(books, a_confirm(payment.id))
    confirmed = payment_of(decision)
    ends_at = NOON + timedelta(seconds=100 + HOLD_S)
    assert (decision.kind, confirmed.state, confirmed.expires_at) == (EventKind.CONFIRMED, State.AUTHORIZED, ends_at)
    assert (books.holds_closed, books.holds_opened) == ({(NOON + IN_TIME, payment.id)}, {(ends_at, payment.id)})
    assert decision.postings == ()
    assert payment_of(carry_out(later(books, IN_TIME), a_capture(payment.id))).state is State.CAPTURED


def test_payment_that_is_confirmed_on_the_next_day_is_of_that_day_and_counts_on_the_day_before() -> None:
    books = books_of(limit_a_day=500)
    payment = waiting(books, amount=500)
    books = later(books, timedelta(seconds=1), control=a_control(business_date=TOMORROW))
    confirmed = payment_of(carry_out(books, a_confirm(payment.id)))
    assert (confirmed.business_date, confirmed.limit_day) == (TOMORROW, TODAY)
    assert refusal_of(carry_out(books, an_authorize(amount=500))) is None, "the new day's limit is whole"


@pytest.mark.parametrize(
    ("after", "refusal"),
    [
        (IN_TIME - MOMENT, None),
        (IN_TIME, Refusal.CONFIRMATION_TIMEOUT),
        (IN_TIME + MOMENT, Refusal.CONFIRMATION_TIMEOUT),
    ],
)
def test_confirmation_is_in_time_or_too_late(after: timedelta, refusal: Refusal | None) -> None:
    books = books_of()
    payment = waiting(books)
    assert refusal_of(carry_out(later(books, after), a_confirm(payment.id))) is refusal


def test_payment_that_nobody_confirmed_is_void_and_says_why() -> None:
    books = some_books(a_payer(personal=300, allowance=1_000))
    payment = waiting(books, amount=600, insured=100)
    assert (
        refusal_of(carry_out(later(books, IN_TIME - MOMENT), an_expire(payment.id))) is Refusal.PAYMENT_STATE_CONFLICT
    )
    books = later(books, IN_TIME)
    decision = carry_out(books, an_expire(payment.id))
    ended = payment_of(decision)
    assert (decision.kind, ended.state, ended.refusal) == (EventKind.VOIDED, State.VOIDED, "confirmation_timeout")
    assert decision.answer.refusal is None, "the sweeper has done what it came for"
    payer = payer_in(books)
    assert (payer.debits_pending, payer.debits_posted, payer.spent, payer.fund_paid) == (0, 0, 0, 0)
    untouched = snapshot_of(books)
    assert refusal_of(carry_out(books, a_confirm(payment.id))) is Refusal.CONFIRMATION_TIMEOUT
    assert refusal_of(carry_out(books, a_confirm(payment.id, password=WRONG))) is Refusal.CONFIRMATION_TIMEOUT
    assert snapshot_of(books) == untouched


@pytest.mark.parametrize("how", ["void", "cancel"])
def test_payment_that_waits_is_given_up_by_its_merchant(how: str) -> None:
    books = books_of()
    payment = waiting(books, order_no="A")
    decision = carry_out(books, a_void(payment.id) if how == "void" else a_cancel("A"))
    assert (payment_of(decision).state, payment_of(decision).refusal) == (State.VOIDED, None)
    assert decision.refund is None, CANCEL_REFUND_NO
    assert payer_in(books).spent == 0
    assert refusal_of(carry_out(books, a_confirm(payment.id))) is Refusal.PAYMENT_STATE_CONFLICT


def test_payment_that_waits_is_not_captured_by_its_merchant() -> None:
    books = books_of()
    payment = waiting(books)
    assert refusal_of(carry_out(books, a_capture(payment.id))) is Refusal.PAYMENT_STATE_CONFLICT


def test_only_what_waits_is_confirmed_by_its_merchant_or_an_app() -> None:
    books = books_of()
    payment, hold = waiting(books), held(books)
    assert refusal_of(carry_out(books, a_confirm(UNKNOWN_PAYMENT))) is Refusal.PAYMENT_NOT_FOUND
    assert refusal_of(carry_out(books, a_confirm(payment.id, merchant=OTHER_MERCHANT))) is Refusal.PAYMENT_NOT_FOUND
    assert refusal_of(carry_out(books, a_confirm(hold.id))) is Refusal.PAYMENT_STATE_CONFLICT
    assert refusal_of(carry_out(books, a_confirm(payment.id, merchant=None))) is None
    assert refusal_of(carry_out(books, a_confirm(payment.id))) is Refusal.PAYMENT_STATE_CONFLICT


def test_card_that_is_lost_while_its_payment_waits_confirms_nothing() -> None:
    books = books_of()
    payment = waiting(books)
    carry_out(books, a_loss_report())
    assert refusal_of(carry_out(books, a_confirm(payment.id))) is Refusal.CARD_REPORTED_LOST
    assert books.seen.payments[payment.id] == payment
    carry_out(books, a_reinstatement())
    assert refusal_of(carry_out(books, a_confirm(payment.id))) is None


def tried(books: Books, how: str, proof: PasswordProof) -> Decision:
    """A password in either place where one is entered."""
    if how == "confirm":
        return carry_out(books, a_confirm(waiting(books).id, password=proof))
    return carry_out(books, an_authorize(password=proof))


@pytest.mark.parametrize("how", ["pay", "confirm"])
def test_fifth_wrong_password_in_a_row_locks_it_and_the_right_one_comes_too_late(how: str) -> None:
    books = books_of()
    answers = [tried(books, how, WRONG).answer for _ in range(PASSWORD_TRIES_MAX)]
    assert [(answer.refusal, answer.tries_left) for answer in answers] == [
        ("password_incorrect", left) for left in (4, 3, 2, 1, 0)
    ]
    assert payer_in(books).is_password_locked
    for proof in (WRONG, RIGHT):
        locked = tried(books, how, proof).answer
        assert (locked.refusal, locked.tries_left) == ("password_locked", 0)
    assert payer_in(books).password_tries == PASSWORD_TRIES_MAX
    assert refusal_of(carry_out(books, an_authorize())) is None, "what needs no password is paid"


@pytest.mark.parametrize("how", ["pay", "confirm"])
def test_right_password_starts_the_count_again(how: str) -> None:
    books = books_of(password_tries=PASSWORD_TRIES_MAX - 1)
    assert refusal_of(tried(books, how, RIGHT)) is None
    assert payer_in(books).password_tries == 0


def test_payment_that_needs_no_password_leaves_the_count_as_it_is() -> None:
    books = books_of(password_tries=2)
    carry_out(books, an_authorize())
    assert payer_in(books).password_tries == 2


def test_wrong_password_is_a_declined_payment_and_costs_nothing_but_a_try() -> None:
    books = books_of()
    decision = tried(books, "pay", WRONG)
    assert (payment_of(decision).state, decision.postings, decision.code_use) == (State.DECLINED, (), None)
    assert payer_in(books) == msgspec.structs.replace(books_of().seen.payers[CARD], password_tries=1)


def test_wrong_password_leaves_the_payment_waiting() -> None:
    books = books_of()
    payment = waiting(books)
    decision = carry_out(books, a_confirm(payment.id, password=WRONG))
    assert (decision.answer.field, decision.payment) == ("password_block", None)
    assert books.seen.payments[payment.id] == payment
    assert refusal_of(carry_out(books, a_confirm(payment.id))) is None


@pytest.mark.parametrize("version", [0, 1, 3])
@pytest.mark.parametrize("is_right", [True, False])
@pytest.mark.parametrize("how", ["pay", "confirm"])
def test_password_that_was_changed_meanwhile_is_wrong_and_no_try(how: str, is_right: bool, version: int) -> None:
    books = books_of(password_version=2, password_tries=1)
    answer = tried(books, how, PasswordProof(is_right, version)).answer
    assert (answer.refusal, answer.tries_left) == ("password_incorrect", None)
    assert payer_in(books).password_tries == 1


def test_card_without_a_password_has_no_right_one() -> None:
    books = books_of(password_version=0)
    assert refusal_of(tried(books, "pay", PasswordProof(True, 0))) is Refusal.PASSWORD_INCORRECT


@pytest.mark.parametrize("how", ["pay", "confirm"])
def test_password_that_could_not_be_compared_is_told_so_and_is_no_try(how: str) -> None:
    books = books_of(password_tries=PASSWORD_TRIES_MAX)
    decision = tried(books, how, PasswordProof(False, 0, Refusal.PASSWORD_BLOCK_EXPIRED))
    assert outcome_of(decision) == ("password_block_expired", "password_block")
    assert decision.payment is None


def test_new_password_unlocks_the_card_and_the_newest_of_two_counts() -> None:
    books = books_of(password_tries=PASSWORD_TRIES_MAX)
    for version in (3, 2):
        carry_out(books, SetPassword(caller=NOBODY, key=f"password-{version}", card=CARD, version=version))
    assert (payer_in(books).password_version, payer_in(books).password_tries) == (3, 0)
    assert refusal_of(tried(books, "pay", PasswordProof(True, 3))) is None
    missing = SetPassword(caller=NOBODY, key="unknown", card=UNKNOWN_CARD, version=1)
    assert refusal_of(carry_out(books, missing)) is Refusal.NOT_FOUND


def settings(**chosen: object) -> ChangeSettings:
    asked = ChangeSettings(caller=NOBODY, key="settings", card=CARD, no_password_up_to=None, tender_order=None)
    return msgspec.structs.replace(asked, **chosen)


def test_what_the_cardholder_chooses_is_taken_and_the_rest_stays() -> None:
    books = books_of()
    before = payer_in(books)
    carry_out(books, settings(no_password_up_to=0))
    carry_out(books, settings(tender_order=TenderOrder.BANK_CARD_ONLY))
    expected: Payer = msgspec.structs.replace(before, no_password_up_to=0, tender_order=TenderOrder.BANK_CARD_ONLY)
    assert payer_in(books) == expected
    assert payment_of(carry_out(books, an_authorize(amount=1))).state is State.AWAITING_USER
    assert refusal_of(carry_out(books, settings(card=UNKNOWN_CARD))) is Refusal.NOT_FOUND


def test_challenge_is_a_payment_that_the_cardholder_confirms_however_small() -> None:
    payment = payment_of(carry_out(books_of(), an_authorize(amount=1, concern=Concern.CHALLENGE)))
    assert (payment.state, payment.limit) == (State.AWAITING_USER, LimitClass.CONFIRMED)
    at_once = payment_of(carry_out(books_of(), an_authorize(amount=1, concern=Concern.CHALLENGE, password=RIGHT)))
    assert at_once.state is State.CAPTURED


def test_concern_that_denies_declines_and_tells_no_rule() -> None:
    books = books_of()
    before = payer_in(books)
    decision = carry_out(books, an_authorize(concern=Concern.DENY, password=RIGHT))
    assert (outcome_of(decision), payment_of(decision).state) == (("risk_declined", None), State.DECLINED)
    assert payer_in(books) == before


@pytest.mark.parametrize("password", [None, RIGHT], ids=["without a password", "with one"])
def test_review_waits_for_an_operator_for_a_day_and_for_nobody_else(password: PasswordProof | None) -> None:
    books = books_of()
    payment = payment_of(carry_out(books, an_authorize(concern=Concern.REVIEW, password=password)))
    assert (payment.state, payment.expires_at) == (State.AWAITING_USER, NOON + timedelta(seconds=REVIEW_WITHIN_S))
    assert refusal_of(carry_out(books, a_confirm(payment.id))) is Refusal.PAYMENT_STATE_CONFLICT
    released = carry_out(books, a_confirm(payment.id, password=None, merchant=None))
    assert payment_of(released).state is State.CAPTURED
    assert payer_in(books).password_tries == 0


def test_operator_does_not_confirm_in_place_of_the_cardholder() -> None:
    books = books_of()
    payment = waiting(books)
    asked = a_confirm(payment.id, password=None, merchant=None)
    assert refusal_of(carry_out(books, asked)) is Refusal.PAYMENT_STATE_CONFLICT


def test_what_is_over_a_days_limit_without_a_password_waits_for_one() -> None:
    books = some_books(a_limited_payer(limit_unconfirmed=500, limit_a_day=600))
    assert payment_of(carry_out(books, an_authorize(amount=500))).state is State.CAPTURED
    second = payment_of(carry_out(books, an_authorize(amount=100)))
    assert (second.state, second.limit) == (State.AWAITING_USER, LimitClass.CONFIRMED)
    assert refusal_of(carry_out(books, an_authorize(amount=1, password=RIGHT))) is Refusal.LIMIT_EXCEEDED
