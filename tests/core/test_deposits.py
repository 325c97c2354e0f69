"""Deposits: raised by the same cardholder, billed at the end, and what the bill leaves of them is let go of."""

from datetime import timedelta

import msgspec
import pytest

from engine.core.accounts import bank_receivable, merchant_payable, personal_account
from engine.core.answers import EventKind
from engine.core.benefits import BillPart
from engine.core.books import Books, Device
from engine.core.payer import LimitClass, TenderOrder
from engine.core.payments import Details, Payment, State, TenderKind
from engine.core.plan_book import PlanBook
from engine.core.postings import Phase, Totals, fold
from engine.core.refusals import Refusal
from engine.core.rules import Rules
from engine.core.scenarios import INPATIENT
from tests.core.books_builders import (
    BANK,
    CARD,
    DEVICE_NO,
    FUND,
    HOLD_S,
    LAPSED,
    MERCHANT,
    NOON,
    OTHER_MERCHANT,
    TOMORROW,
    UNKNOWN_CARD,
    UNKNOWN_PAYMENT,
    a_cancel,
    a_capture,
    a_control,
    a_loss_report,
    a_payer,
    a_refund,
    a_void,
    an_authorize,
    captured_of,
    carry_out,
    later,
    outcome_of,
    payer_in,
    refusal_of,
    snapshot_of,
    some_books,
)
from tests.core.ways import RIGHT, a_deposit, a_final_bill, a_limited_payer, a_raise, waiting
from tests.insured import bill_of, plan_of_area


def a_raised_deposit() -> tuple[Books, Payment]:
    """900 fen on hold: 300 that empty the personal account, 200 and then 400 of the bank card."""
    books = some_books(a_payer(personal=300, allowance=1_000))
    payment = a_deposit(books, amount=500)
    raised = carry_out(books, a_raise(payment.id, amount=400)).payment
    assert raised is not None
    return books, raised


def test_raised_deposit_holds_more_of_the_same_sources() -> None:
    books, raised = a_raised_deposit()
    assert [(tender.kind, tender.amount) for tender in raised.tenders] == [
        (TenderKind.PERSONAL_ACCOUNT, 300),
        (TenderKind.BANK_CARD, 600),
    ]
    assert (raised.amount, raised.state, raised.sequence, raised.details) == (
        900,
        State.AUTHORIZED,
        2,
        Details(raised=400),
    )
    assert raised.expires_at == NOON + timedelta(seconds=HOLD_S), "it ends when it would have"
    assert (payer_in(books).debits_pending, payer_in(books).spent) == (300, 600)


def test_raise_is_an_event_of_its_own_that_holds_what_is_added() -> None:
    books = some_books(a_payer(personal=0, allowance=1_000))
    payment = a_deposit(books, amount=500)
    decision = carry_out(books, a_raise(payment.id, amount=400))
    assert decision.kind is EventKind.RAISED
    assert [(posting.phase, posting.debit, posting.credit, posting.amount) for posting in decision.postings] == [
        (Phase.HOLD, bank_receivable(BANK), merchant_payable(MERCHANT), 400)
    ]


def test_source_that_did_not_pay_before_is_added() -> None:
    books = some_books(a_payer(personal=100, allowance=1_000, tender_order=TenderOrder.BANK_CARD_ONLY))
    payment = a_deposit(books, amount=500)
    first = msgspec.structs.replace(payer_in(books), tender_order=TenderOrder.PERSONAL_ACCOUNT_FIRST)
    books = later(books, payer=first)
    raised = carry_out(books, a_raise(payment.id, amount=150)).payment
    assert raised is not None
    assert [(tender.kind, tender.amount) for tender in raised.tenders] == [
        (TenderKind.BANK_CARD, 550),
        (TenderKind.PERSONAL_ACCOUNT, 100),
    ]


@pytest.mark.parametrize("how", ["captured", "voided"])
def test_raised_deposit_ends_as_a_whole(how: str) -> None:
    books, raised = a_raised_deposit()
    ended = carry_out(books, a_capture(raised.id) if how == "captured" else a_void(raised.id)).payment
    assert ended is not None
    assert captured_of(ended) == ([300, 600] if how == "captured" else [0, 0])
    assert (payer_in(books).debits_pending, payer_in(books).spent) == (0, 600 if how == "captured" else 0)


@pytest.mark.parametrize(
    ("wrong", "outcome"),
    [
        ("unknown", ("payment_not_found", None)),
        ("another merchant's", ("payment_not_found", None)),
        ("captured", ("payment_state_conflict", None)),
        ("waiting", ("payment_state_conflict", None)),
        ("lapsed", ("payment_state_conflict", None)),
        ("a bill", ("payment_state_conflict", None)),
        ("wrong code", ("pay_code_wrong", "pay_code")),
        ("somebody else's code", ("identity_mismatch", "pay_code")),
        ("used code", ("pay_code_used", None)),
        ("lost", ("card_reported_lost", None)),
        ("poor", ("insufficient_funds", None)),
    ],
)
def test_deposit_that_cannot_be_raised_stays_as_it_is(wrong: str, outcome: tuple[str, str | None]) -> None:
    books = some_books(a_payer(personal=0, allowance=800 if wrong == "poor" else 1_000))
    payment = a_deposit(books, amount=500)
    asked = a_raise(payment.id, amount=400)
    match wrong:
        case "unknown":
            asked = a_raise(UNKNOWN_PAYMENT, amount=400)
        case "another merchant's":
            asked = a_raise(payment.id, amount=400, merchant=OTHER_MERCHANT)
        case "captured":
            carry_out(books, a_capture(payment.id))
        case "waiting":
            asked = a_raise(waiting(books, capture=False).id, amount=400)
        case "lapsed":
            books = later(books, LAPSED)
        case "a bill":
            made = carry_out(books, an_authorize(insured=100, capture=False)).payment
            assert made is not None
            asked = a_raise(made.id, amount=400)
        case "wrong code":
            asked = a_raise(payment.id, amount=400, device_no=None)
        case "somebody else's code":
            books.seen.devices[DEVICE_NO + 1] = Device(UNKNOWN_CARD, False)
            asked = a_raise(payment.id, amount=400, device_no=DEVICE_NO + 1)
        case "used code":
            books.seen.codes_used.add((asked.code.step, DEVICE_NO, 0))
        case "lost":
            carry_out(books, a_loss_report())
    untouched = snapshot_of(books)
    assert outcome_of(carry_out(books, asked)) == outcome
    assert snapshot_of(books) == untouched


@pytest.mark.parametrize(("password", "limit"), [(None, 1_000), (RIGHT, 3_000)], ids=["unconfirmed", "confirmed"])
def test_raise_stays_within_the_limit_of_the_deposits_own_class(password: object, limit: int) -> None:
    books = some_books(a_limited_payer(limit_unconfirmed=1_000, limit_a_day=3_000))
    asked = msgspec.structs.replace(
        an_authorize(amount=600, capture=False, scenario=INPATIENT.number), password=password
    )
    carry_out(books, asked)
    too_much = a_raise(asked.payment, amount=limit - 600 + 1)
    assert refusal_of(carry_out(later(books), too_much)) is Refusal.LIMIT_EXCEEDED
    assert refusal_of(carry_out(books, a_raise(asked.payment, amount=limit - 600))) is None
    assert payer_in(books).left_in(LimitClass.CONFIRMED, books.control.business_date) == 3_000 - limit


def test_deposit_without_a_password_is_not_raised_beyond_what_needs_one() -> None:
    books = some_books(a_limited_payer(no_password_up_to=1_000))
    payment = a_deposit(books, amount=600)
    assert refusal_of(carry_out(later(books), a_raise(payment.id, amount=401))) is Refusal.LIMIT_EXCEEDED
    assert refusal_of(carry_out(books, a_raise(payment.id, amount=400))) is None


def test_bank_cards_part_of_another_day_needs_a_hold_of_its_own() -> None:
    books = some_books(a_payer(personal=0, allowance=1_000))
    payment = a_deposit(books, amount=500)
    books = later(books, control=a_control(business_date=TOMORROW), payer=None)
    assert refusal_of(carry_out(books, a_raise(payment.id, amount=1))) is Refusal.LIMIT_EXCEEDED
    books = later(books, payer=msgspec.structs.replace(payer_in(books), credits_posted=100))
    assert refusal_of(carry_out(books, a_raise(payment.id, amount=100))) is None, "the personal account has no limit"


@pytest.mark.parametrize(
    ("total", "insured", "of_each_tender"),
    [
        (1_300, 400, [400, 300, 600]),  # the bill is larger than the deposit: the fund makes up for it
        (1_000, 400, [400, 300, 300]),
        (700, 400, [400, 300, 0]),
        (500, 400, [400, 100, 0]),
        (400, 400, [400, 0, 0]),
        (200, 0, [200, 0]),
    ],
)
def test_final_bill_takes_what_it_leaves_to_the_cardholder_and_releases_the_rest(
    total: int, insured: int, of_each_tender: list[int]
) -> None:
    books, raised = a_raised_deposit()
    decision = carry_out(books, a_final_bill(raised.id, bill_of(total, insured=insured, visit_no="MDT-1")))
    payment, payer = decision.payment, payer_in(books)
    assert payment is not None
    assert (captured_of(payment), payment.state) == (of_each_tender, State.CAPTURED)
    assert (payment.amount, payment.captured_amount) == (900 + insured, total)
    assert payment.claim is not None
    assert (payment.claim.total, payment.claim.pool, payment.claim.visit_no) == (total, insured, "MDT-1")
    personal, bank = of_each_tender[-2:]
    assert (payer.debits_pending, payer.debits_posted, payer.spent) == (0, personal, bank)
    assert (payer.fund_paid, payer.benefit_year) == (insured, 2026)


def test_final_bill_leaves_nothing_on_hold_in_any_account() -> None:
    books = some_books(a_payer(personal=300, allowance=1_000))
    payment = a_deposit(books, amount=500)
    carry_out(books, a_final_bill(payment.id, bill_of(700, insured=400)))
    totals = fold(posting for _, _, posting in books.postings)
    assert totals == {
        FUND: Totals(debits_posted=400),
        personal_account(CARD): Totals(debits_posted=300),
        merchant_payable(MERCHANT): Totals(credits_posted=700),
        bank_receivable(BANK): Totals(),
    }


def test_accounts_pay_of_a_final_bill_what_the_plan_lets_them_and_the_bank_card_the_rest() -> None:
    books, raised = a_raised_deposit()
    plan = msgspec.structs.replace(plan_of_area(110100), account_pays=frozenset({BillPart.SHARE}))
    books.seen.rules = Rules(version=2, plans=PlanBook([plan]))
    assert outcome_of(carry_out(later(books), a_final_bill(raised.id, bill_of(1_001, insured=400)))) == (
        "capture_exceeds_authorization",
        "bill",
    )
    payment = carry_out(books, a_final_bill(raised.id, bill_of(1_000, insured=400))).payment
    assert payment is not None
    assert captured_of(payment) == [400, 0, 600], "what is not covered is the bank card's alone"


def test_bill_that_leaves_more_than_the_deposit_holds_is_refused_and_takes_nothing() -> None:
    books, raised = a_raised_deposit()
    untouched = snapshot_of(books)
    assert outcome_of(carry_out(books, a_final_bill(raised.id, bill_of(1_301, insured=400)))) == (
        "capture_exceeds_authorization",
        "bill",
    )
    assert snapshot_of(books) == untouched
    assert refusal_of(carry_out(books, a_final_bill(raised.id, bill_of(1_300, insured=400)))) is None


def test_final_bill_is_one_capture_of_a_deposit_that_is_whole() -> None:
    books, raised = a_raised_deposit()
    bill = bill_of(700, insured=400)
    assert refusal_of(carry_out(books, a_final_bill(raised.id, bill, final=False))) is Refusal.PAYMENT_STATE_CONFLICT
    assert outcome_of(carry_out(books, a_final_bill(raised.id, bill, amount=699))) == ("amount_not_balanced", "amount")
    carry_out(books, a_capture(raised.id, amount=1, final=False))
    assert refusal_of(carry_out(books, a_final_bill(raised.id, bill))) is Refusal.PAYMENT_STATE_CONFLICT


def test_payment_that_has_a_bill_takes_no_other() -> None:
    books = some_books()
    held = carry_out(books, an_authorize(insured=100, capture=False)).payment
    assert held is not None
    assert (
        refusal_of(carry_out(books, a_final_bill(held.id, bill_of(100, insured=0)))) is Refusal.PAYMENT_STATE_CONFLICT
    )


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_billed_deposit_is_given_back_with_what_it_used_of_the_year(is_cancelled: bool) -> None:
    books, raised = a_raised_deposit()
    carry_out(books, a_final_bill(raised.id, bill_of(1_000, insured=400)))
    assert outcome_of(carry_out(books, a_refund(raised.id, amount=601))) == ("refund_exceeds_payment", "amount")
    carry_out(books, a_cancel(raised.order_no) if is_cancelled else a_refund(raised.id, amount=1_000))
    assert books.seen.payments[raised.id].state is State.REFUNDED
    assert (payer_in(books).fund_paid, payer_in(books).personal_account_available) == (0, 300)
