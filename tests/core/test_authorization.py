"""Whether a scanned code pays, and from what."""

from datetime import timedelta

import msgspec
import pytest

from engine.core.accounts import bank_receivable, merchant_payable, personal_account
from engine.core.answers import Clearing, EventKind
from engine.core.books import Books
from engine.core.payer import CardStatus, IssueLevel, TenderOrder
from engine.core.payments import Mode, Payment, State, TenderKind
from engine.core.postings import Phase, Posting, PostingKind
from engine.core.refusals import Refusal
from engine.core.scenarios import OUTPATIENT, PHARMACY
from tests.core.books_builders import (
    BANK,
    CARD,
    DEVICE_NO,
    FUND,
    MERCHANT,
    NOON,
    OTHER_MERCHANT,
    REGION,
    STEP,
    TERMINAL,
    TODAY,
    a_cancel,
    a_control,
    a_payer,
    an_authorize,
    captured,
    carry_out,
    held,
    outcome_of,
    payer_in,
    refusal_of,
    snapshot_of,
    some_books,
)

FUNDED = TenderKind.POOL_FUND
PERSONAL = TenderKind.PERSONAL_ACCOUNT
BANKED = TenderKind.BANK_CARD

FIRST = TenderOrder.PERSONAL_ACCOUNT_FIRST
BANK_ONLY = TenderOrder.BANK_CARD_ONLY
PERSONAL_ONLY = TenderOrder.PERSONAL_ACCOUNT_ONLY


def tenders_of(payment: Payment | None) -> list[tuple[TenderKind, int]]:
    assert payment is not None
    return [(tender.kind, tender.amount) for tender in payment.tenders]


def with_an_order(books: Books, order_no: str, fate: str) -> None:
    """Let the books know an order that was paid, voided or cancelled before it came, at another time."""
    before = some_books()
    if "paid" in fate:
        captured(before, order_no=order_no)
    elif "voided" in fate:
        held(before, order_no=order_no)
    if "voided" in fate or "cancelled" in fate:
        carry_out(before, a_cancel(order_no))
    books.seen.orders, books.seen.payments = before.seen.orders, before.seen.payments


# Each row takes away what the row above it was refused for; all that comes later is wrong as well.
REFUSALS = [
    ("suspended terminal scenario paid      expired used revoked lost   query poor", Refusal.MERCHANT_SUSPENDED),
    ("          terminal scenario paid      expired used revoked lost   query poor", Refusal.TERMINAL_UNKNOWN),
    ("                   scenario paid      expired used revoked lost   query poor", Refusal.SCENARIO_NOT_ENABLED),
    ("                            paid      expired used revoked lost   query poor", Refusal.ORDER_ALREADY_PAID),
    ("                            voided    expired used revoked lost   query poor", Refusal.ORDER_NUMBER_USED),
    ("                            cancelled expired used revoked lost   query poor", Refusal.ORDER_CANCELLED),
    ("                                      expired used revoked lost   query poor", Refusal.PAY_CODE_EXPIRED),
    ("                                              used revoked lost   query poor", Refusal.PAY_CODE_USED),
    ("                                                   revoked lost   query poor", Refusal.DEVICE_REVOKED),
    ("                                                           lost   query poor", Refusal.CARD_REPORTED_LOST),
    ("                                                           frozen query poor", Refusal.CARD_NOT_USABLE),
    ("                                                                  query poor", Refusal.PAYMENT_NOT_ENABLED),
    ("                                                                        poor", Refusal.INSUFFICIENT_FUNDS),
    ("                                                                            ", None),
]


@pytest.mark.parametrize(("wrong", "refusal"), REFUSALS, ids=[str(refusal) for _, refusal in REFUSALS])
def test_first_rule_that_applies_is_the_refusal(wrong: str, refusal: Refusal | None) -> None:
    is_wrong = set(wrong.split()).__contains__
    status = CardStatus.LOST if is_wrong("lost") else CardStatus.SUSPENDED if is_wrong("frozen") else CardStatus.ACTIVE
    books = some_books(
        a_payer(
            personal=300,
            allowance=0,
            status=status,
            issue_level=IssueLevel.QUERY if is_wrong("query") else IssueLevel.PAYMENT,
        ),
        is_suspended=is_wrong("suspended"),
        is_revoked=is_wrong("revoked"),
        scenarios=(OUTPATIENT.number,) if is_wrong("scenario") else (PHARMACY.number,),
    )
    with_an_order(books, "A", wrong)
    books.seen.codes_used = {(STEP, DEVICE_NO, 1)} if is_wrong("used") else set()
    command = an_authorize(
        order_no="A",
        terminal_id="T-99" if is_wrong("terminal") else TERMINAL,
        refresh=1,
        code_refusal=Refusal.PAY_CODE_EXPIRED if is_wrong("expired") else None,
        amount=301 if is_wrong("poor") else 300,
    )
    assert refusal_of(carry_out(books, command)) is refusal


def test_table_is_in_the_order_that_callers_rely_on() -> None:
    places = [list(Refusal).index(refusal) for _, refusal in REFUSALS if refusal is not None]
    assert places == sorted(places)


@pytest.mark.parametrize("refusal", [Refusal.PAY_CODE_MALFORMED, Refusal.PAY_CODE_FOREIGN, Refusal.PAY_CODE_WRONG])
def test_code_that_is_not_genuine_stores_no_payment(refusal: Refusal) -> None:
    books = some_books()
    decision = carry_out(books, an_authorize(device_no=None, code_refusal=refusal))
    assert outcome_of(decision) == (refusal.value, "pay_code")
    assert (decision.payment, decision.kind) == (None, EventKind.REFUSED)


@pytest.mark.parametrize("refusal", [None, Refusal.PAY_CODE_EXPIRED])
def test_code_of_a_phone_that_nobody_knows_stores_no_payment(refusal: Refusal | None) -> None:
    books = some_books()
    decision = carry_out(books, an_authorize(device_no=DEVICE_NO + 1, code_refusal=refusal))
    assert outcome_of(decision) == ((refusal or Refusal.PAY_CODE_WRONG).value, "pay_code")
    assert decision.payment is None


def test_merchants_side_is_judged_before_a_code_that_is_not_genuine() -> None:
    books = some_books()
    captured(books, order_no="A")
    command = an_authorize(order_no="A", device_no=None, code_refusal=Refusal.PAY_CODE_MALFORMED)
    assert outcome_of(carry_out(books, command)) == ("order_already_paid", "order_no")


@pytest.mark.parametrize(
    ("terminal_id", "field"), [("T-99", None), (TERMINAL, "order_no")], ids=["terminal", "order number"]
)
def test_refusal_names_the_order_number_only_if_it_is_about_it(terminal_id: str, field: str | None) -> None:
    books = some_books()
    captured(books, order_no="A")
    decision = carry_out(books, an_authorize(order_no="A", terminal_id=terminal_id))
    assert decision.answer.field == field


@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        (State.AUTHORIZED, Refusal.ORDER_ALREADY_PAID),
        (State.CAPTURED, Refusal.ORDER_ALREADY_PAID),
        (State.PARTIALLY_REFUNDED, Refusal.ORDER_ALREADY_PAID),
        (State.REFUNDED, Refusal.ORDER_NUMBER_USED),
        (State.VOIDED, Refusal.ORDER_NUMBER_USED),
        (State.EXPIRED, Refusal.ORDER_NUMBER_USED),
    ],
)
def test_order_number_is_claimed_for_ever(state: State, refusal: Refusal) -> None:
    books = some_books()
    payment = held(books, order_no="A")
    books.seen.payments[payment.id] = msgspec.structs.replace(payment, state=state)
    assert refusal_of(carry_out(books, an_authorize(order_no="A"))) is refusal


@pytest.mark.parametrize(("left_s", "refusal"), [(1, Refusal.ORDER_ALREADY_PAID), (0, Refusal.ORDER_NUMBER_USED)])
def test_an_order_whose_hold_has_lapsed_is_not_paid_though_nobody_swept_it(left_s: int, refusal: Refusal) -> None:
    books = some_books()
    payment = held(books, order_no="A")
    expires_at = books.now + timedelta(seconds=left_s)
    books.seen.payments[payment.id] = msgspec.structs.replace(payment, expires_at=expires_at)
    assert refusal_of(carry_out(books, an_authorize(order_no="A"))) is refusal


def test_order_numbers_of_two_merchants_are_apart() -> None:
    books = some_books()
    captured(books, order_no="A")
    assert refusal_of(carry_out(books, an_authorize(order_no="A", merchant=OTHER_MERCHANT))) is None


def test_code_is_good_once_even_at_another_merchant() -> None:
    books = some_books()
    carry_out(books, an_authorize(refresh=3))
    decision = carry_out(books, an_authorize(refresh=3, merchant=OTHER_MERCHANT))
    assert outcome_of(decision) == ("pay_code_used", None)


@pytest.mark.parametrize(("step", "refresh"), [(STEP, 4), (STEP + 1, 3)])
def test_another_code_of_the_same_phone_pays(step: int, refresh: int) -> None:
    books = some_books()
    carry_out(books, an_authorize(step=STEP, refresh=3))
    assert refusal_of(carry_out(books, an_authorize(step=step, refresh=refresh))) is None


# fmt: off
WATERFALLS = [
    # whose order, personal, allowance, spent, amount, tenders
    (FIRST,         300, 1_000,   0,   200, [(PERSONAL, 200)]),
    (FIRST,         300, 1_000,   0,   300, [(PERSONAL, 300)]),
    (FIRST,         300, 1_000,   0,   301, [(PERSONAL, 300), (BANKED, 1)]),
    (FIRST,         300, 1_000,   0, 1_300, [(PERSONAL, 300), (BANKED, 1_000)]),
    (FIRST,         300, 1_000,   0, 1_301, None),
    (FIRST,         300, 1_000, 400,   900, [(PERSONAL, 300), (BANKED, 600)]),
    (FIRST,         300, 1_000, 400,   901, None),
    (FIRST,           0, 1_000,   0,     5, [(BANKED, 5)]),
    (FIRST,         300,   100, 400,   300, [(PERSONAL, 300)]),  # the bank has lowered the allowance meanwhile
    (FIRST,         300,   100, 400,   301, None),
    (BANK_ONLY,     300, 1_000,   0, 1_000, [(BANKED, 1_000)]),
    (BANK_ONLY,     300, 1_000,   0, 1_001, None),
    (PERSONAL_ONLY, 300, 1_000,   0,   300, [(PERSONAL, 300)]),
    (PERSONAL_ONLY, 300, 1_000,   0,   301, None),
    (PERSONAL_ONLY,   0, 1_000,   0,     1, None),
]
# fmt: on


@pytest.mark.parametrize(("order", "personal", "allowance", "spent", "amount", "tenders"), WATERFALLS)
@pytest.mark.parametrize("capture", [True, False], ids=["captured", "held"])
def test_cardholders_own_order_decides_what_pays(
    capture: bool,
    order: TenderOrder,
    personal: int,
    allowance: int,
    spent: int,
    amount: int,
    tenders: list[tuple[TenderKind, int]] | None,
) -> None:
    payer = a_payer(personal=personal, allowance=allowance, tender_order=order)
    books = some_books(msgspec.structs.replace(payer, limit_day=TODAY, spent=spent))
    decision = carry_out(books, an_authorize(amount=amount, capture=capture))
    assert refusal_of(decision) is (Refusal.INSUFFICIENT_FUNDS if tenders is None else None)
    assert tenders_of(decision.payment) == (tenders or [])


def test_allowance_is_whole_again_on_the_next_business_date() -> None:
    payer = a_payer(personal=0, allowance=1_000)
    books = some_books(msgspec.structs.replace(payer, limit_day=TODAY - timedelta(days=1), spent=1_000))
    assert tenders_of(carry_out(books, an_authorize(amount=1_000)).payment) == [(BANKED, 1_000)]


def test_what_is_on_hold_cannot_be_spent_again() -> None:
    books = some_books(a_payer(personal=300, allowance=1_000))
    held(books, amount=1_100)
    assert tenders_of(carry_out(books, an_authorize(amount=200)).payment) == [(BANKED, 200)]
    assert refusal_of(carry_out(books, an_authorize(amount=1))) is Refusal.INSUFFICIENT_FUNDS


@pytest.mark.parametrize(
    ("insured", "tenders"),
    [
        (0, [(PERSONAL, 300), (BANKED, 200)]),
        (150, [(FUNDED, 150), (PERSONAL, 300), (BANKED, 50)]),
        (400, [(FUNDED, 400), (PERSONAL, 100)]),
        (500, [(FUNDED, 500)]),
    ],
)
def test_fund_pays_its_share_first(insured: int, tenders: list[tuple[TenderKind, int]]) -> None:
    books = some_books(a_payer(personal=300, allowance=200))
    decision = carry_out(books, an_authorize(amount=500, insured=insured))
    assert tenders_of(decision.payment) == tenders


def test_what_the_fund_pays_needs_no_money_of_the_payer() -> None:
    books = some_books(a_payer(personal=0, allowance=0))
    payment = captured(books, amount=500, insured=500)
    assert [(tender.source, tender.fund_pay_type) for tender in payment.tenders] == [(FUND, 310100)]
    assert (payer_in(books).spent, payer_in(books).debits_posted) == (0, 0)


def test_share_of_a_fund_does_not_make_up_for_missing_money() -> None:
    books = some_books(a_payer(personal=99, allowance=0))
    assert refusal_of(carry_out(books, an_authorize(amount=500, insured=400))) is Refusal.INSUFFICIENT_FUNDS


def test_amount_is_what_the_bill_comes_to() -> None:
    books = some_books()
    before = snapshot_of(books)
    command = msgspec.structs.replace(an_authorize(amount=500, insured=400), amount=501)
    decision = carry_out(books, command)
    assert outcome_of(decision) == ("amount_not_balanced", "amount")
    assert (decision.payment, snapshot_of(books)) == (None, before)


@pytest.mark.parametrize(("capture", "phase"), [(True, Phase.POST), (False, Phase.HOLD)])
def test_every_tender_is_one_posting_to_the_merchant(capture: bool, phase: Phase) -> None:
    books = some_books(a_payer(personal=300, allowance=200))
    command = an_authorize(amount=600, insured=100, capture=capture)
    credit = merchant_payable(MERCHANT)
    assert carry_out(books, command).postings == (
        Posting(command.payment, phase, PostingKind.PAY, FUND, credit, 100),
        Posting(command.payment, phase, PostingKind.PAY, personal_account(CARD), credit, 300),
        Posting(command.payment, phase, PostingKind.PAY, bank_receivable(BANK), credit, 200),
    )


def test_captured_payment_says_when_and_in_which_cycle() -> None:
    control = a_control(sequence=2)
    command = an_authorize(amount=500, description="两盒感冒药", scenario=OUTPATIENT.number)
    decision = carry_out(some_books(a_payer(personal=500), control=control), command)
    payment = decision.payment
    assert payment is not None
    assert msgspec.structs.replace(payment, tenders=()) == Payment(
        id=command.payment,
        region=REGION,
        merchant=MERCHANT,
        payer=CARD,
        order_no=command.order_no,
        amount=500,
        scenario=OUTPATIENT.number,
        mode=Mode.SHOW_CODE,
        terminal_id=TERMINAL,
        description="两盒感冒药",
        state=State.CAPTURED,
        refusal=None,
        tenders=(),
        business_date=TODAY,
        cycle=control.cycle,
        limit_day=TODAY,
        created_at=NOON,
        expires_at=None,
        captured_at=NOON,
    )
    assert payment.captured_amount == 500
    assert decision.kind is EventKind.CAPTURED


def test_hold_says_when_it_ends_and_is_in_no_cycle() -> None:
    decision = carry_out(some_books(), an_authorize(capture=False, hold_s=1_800))
    payment = decision.payment
    assert payment is not None
    assert payment.expires_at == NOON + timedelta(seconds=1_800)
    assert (payment.state, payment.cycle, payment.captured_at) == (State.AUTHORIZED, None, None)
    assert (payment.captured_amount, payment.held_amount) == (0, 500)
    assert decision.kind is EventKind.AUTHORIZED


def test_answer_shows_the_payment_and_the_cut_over_to_come() -> None:
    books = some_books()
    decision = carry_out(books, an_authorize())
    assert decision.answer.payment == decision.payment
    assert (decision.answer.clearing, decision.answer.next_cutoff_at) == (
        Clearing.UNCLEARED,
        books.control.cutoff_at,
    )


def test_declined_attempt_is_stored_and_takes_nothing() -> None:
    books = some_books(a_payer(personal=100, allowance=0))
    before = payer_in(books)
    decision = carry_out(books, an_authorize(amount=500, order_no="A", capture=False))
    payment = decision.payment
    assert payment is not None
    assert (payment.state, payment.refusal, payment.tenders) == (State.DECLINED, "insufficient_funds", ())
    assert (payment.payer, payment.amount, payment.order_no) == (CARD, 500, "A")
    assert (payment.cycle, payment.expires_at, payment.captured_at) == (None, None, None)
    assert (decision.kind, decision.postings, decision.code_use, decision.orders) == (EventKind.DECLINED, (), None, ())
    assert payer_in(books) == before


def test_declined_attempt_leaves_the_order_and_the_code_free() -> None:
    books = some_books(a_payer(personal=100, allowance=0))
    carry_out(books, an_authorize(amount=500, order_no="A", refresh=1))
    assert refusal_of(carry_out(books, an_authorize(amount=100, order_no="A", refresh=1))) is None


def test_refusal_on_the_merchants_side_leaves_no_trace_but_its_answer() -> None:
    books = some_books(is_suspended=True)
    before = snapshot_of(books)
    decision = carry_out(books, an_authorize())
    assert snapshot_of(books) == before
    assert (decision.payment, decision.payer, decision.postings) == (None, None, ())


def test_merchant_that_the_books_do_not_know_is_a_bug() -> None:
    books = some_books()
    del books.seen.merchants[MERCHANT]
    with pytest.raises(AssertionError, match="verified with a key"):
        carry_out(books, an_authorize())
