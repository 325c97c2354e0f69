"""Bills in payments: split with what the year has left, by the plan of the day, as they were quoted or not at all."""

from collections.abc import Callable
from datetime import date, timedelta

import msgspec
import pytest

from engine.core.accounts import pooling_area
from engine.core.authorization import QUOTE_ORDER
from engine.core.benefits import BillPart, MedicalBill, Plan
from engine.core.books import Books, Order
from engine.core.commands import Authorize, Quoted
from engine.core.payer import Payer
from engine.core.payments import Claim, State, TenderKind
from engine.core.plan_book import PlanBook
from engine.core.refusals import Refusal
from engine.core.rules import Rules
from engine.core.scenarios import OUTPATIENT
from tests.core.books_builders import (
    CARD,
    MERCHANT,
    MOMENT,
    NOON,
    OTHER_MERCHANT,
    REGION,
    UNKNOWN_CARD,
    a_control,
    a_payer,
    a_refund,
    a_void,
    an_authorize,
    carry_out,
    later,
    outcome_of,
    payer_in,
    refusal_of,
    snapshot_of,
    some_books,
)
from tests.core.medical import split_of
from tests.core.ways import RELATIVE, with_a_relative
from tests.insured import WORKING, bill_of, plan_of_area

AREA = pooling_area(REGION)
QUOTE = bytes(15) + b"q"


def a_plan(**changes: object) -> Plan:
    """Half of what is covered beyond 100 fen a year, at most 300 a year. Accounts pay everything but the uncovered."""
    plan = msgspec.structs.replace(
        plan_of_area(AREA),
        deductible=100,
        annual_cap=300,
        rates_e4={WORKING: (5_000, 5_000, 5_000, 9_000)},
        account_pays=frozenset(BillPart) - {BillPart.OWN_PAY},
    )
    return msgspec.structs.replace(plan, **changes)


def books_under(*plans: Plan, payer: Payer | None = None) -> Books:
    books = some_books(payer if payer is not None else a_payer(personal=10_000))
    books.seen.rules = Rules(version=1, plans=PlanBook(plans))
    return books


def paying(bill: MedicalBill, **changes: object) -> Authorize:
    """A payment of all that a bill comes to."""
    asked = an_authorize(amount=sum(line.amount for line in bill.lines), scenario=OUTPATIENT.number)
    return msgspec.structs.replace(asked, bill=bill, bill_digest="a bill", **changes)


def used(books: Books) -> tuple[int, int]:
    return payer_in(books).deductible_used, payer_in(books).fund_paid


def test_claim_keeps_every_figure_of_the_split() -> None:
    books = books_under(a_plan())
    payment = carry_out(books, paying(bill_of(700, insured=500, visit_no="MDT-1"))).payment
    assert payment is not None
    assert payment.claim == Claim(
        plan=f"plan-{AREA}",
        year=2026,
        total=700,
        own_pay=200,
        over_limit=0,
        pre_self=0,
        in_scope=500,
        deductible=100,
        pool=200,
        visit_no="MDT-1",
    )
    assert used(books) == (100, 200)


def test_second_bill_of_a_batch_is_split_with_what_the_first_has_left() -> None:
    books = books_under(a_plan())
    claims = []
    for _ in range(3):
        payment = carry_out(books, paying(bill_of(500, insured=500))).payment
        assert payment is not None
        assert payment.claim is not None
        claims.append((payment.claim.deductible, payment.claim.pool, [tender.kind for tender in payment.tenders]))
    account = [TenderKind.PERSONAL_ACCOUNT]
    assert claims == [
        (100, 200, [TenderKind.POOL_FUND, *account]),
        (0, 100, [TenderKind.POOL_FUND, *account]),
        (0, 0, account),
    ]
    assert used(books) == (100, 300)


@pytest.mark.parametrize("how", ["void", "refund"])
def test_what_is_given_back_is_there_for_the_next_bill(how: str) -> None:
    books = books_under(a_plan())
    asked = paying(bill_of(500, insured=500), capture=how == "refund")
    carry_out(books, asked)
    assert used(books) == (100, 200)
    carry_out(books, a_void(asked.payment) if how == "void" else a_refund(asked.payment, amount=500))
    assert used(books) == (0, 0)
    carry_out(books, paying(bill_of(500, insured=500)))
    assert used(books) == (100, 200)


def test_declined_bill_uses_nothing() -> None:
    books = books_under(a_plan(), payer=a_payer(personal=0, allowance=299))
    assert refusal_of(carry_out(books, paying(bill_of(500, insured=500)))) is Refusal.INSUFFICIENT_FUNDS
    assert used(books) == (0, 0)


def on_day(books: Books, day: date) -> Books:
    return later(books, timedelta(days=60), control=a_control(business_date=day))


def test_accumulators_start_anew_with_the_year_and_the_last_years_bill_gives_the_new_one_nothing() -> None:
    books = on_day(books_under(a_plan()), date(2026, 12, 31))
    old = paying(bill_of(500, insured=500))
    carry_out(books, old)
    books = on_day(books, date(2027, 1, 1))
    assert payer_in(books).used_in(2027) == (0, 0)
    new = carry_out(books, paying(bill_of(500, insured=500))).payment
    assert new is not None
    assert new.claim is not None
    assert (new.claim.year, new.claim.deductible, new.claim.pool) == (2027, 100, 200)
    carry_out(books, a_refund(old.payment, amount=500))
    assert (payer_in(books).benefit_year, used(books)) == (2027, (100, 200))


def test_last_years_bill_that_is_given_back_before_the_first_of_the_new_year_frees_the_last_year_only() -> None:
    books = on_day(books_under(a_plan()), date(2026, 12, 31))
    old = paying(bill_of(500, insured=500))
    carry_out(books, old)
    books = on_day(books, date(2027, 1, 1))
    carry_out(books, a_refund(old.payment, amount=500))
    assert (payer_in(books).benefit_year, used(books)) == (2026, (0, 0))
    carry_out(books, paying(bill_of(500, insured=500)))
    assert (payer_in(books).benefit_year, used(books)) == (2027, (100, 200))


def test_plan_of_the_day_decides_and_the_year_goes_on_under_its_successor() -> None:
    first = a_plan(valid_to=date(2026, 12, 1))
    second = a_plan(id="second", valid_from=date(2026, 12, 1), deductible=150, rates_e4={WORKING: (10_000,) * 4})
    books = on_day(books_under(first, second), date(2026, 11, 30))
    before = carry_out(books, paying(bill_of(300, insured=300))).payment
    books = on_day(books, date(2026, 12, 1))
    after = carry_out(books, paying(bill_of(300, insured=300))).payment
    assert before is not None
    assert after is not None
    assert before.claim is not None
    assert after.claim is not None
    assert (before.claim.plan, before.claim.deductible, before.claim.pool) == (first.id, 100, 100)
    assert (after.claim.plan, after.claim.deductible, after.claim.pool) == ("second", 50, 200), (
        "the cap goes on as well"
    )


def test_years_of_two_plans_may_begin_in_different_months() -> None:
    """What counts in the newest year is given back there, though the plan has another name for the year."""
    books = books_under(
        a_plan(valid_to=date(2027, 3, 1)), a_plan(id="july", valid_from=date(2027, 3, 1), year_starts_in=7)
    )
    books = on_day(books, date(2027, 2, 28))
    carry_out(books, paying(bill_of(300, insured=300)))
    books = on_day(books, date(2027, 3, 1))
    asked = paying(bill_of(300, insured=300))
    carry_out(books, asked)
    assert (payer_in(books).benefit_year, used(books)) == (2027, (100, 250))
    carry_out(books, a_refund(asked.payment, amount=300))
    assert used(books) == (100, 100)


@pytest.mark.parametrize("wrong", ["not insured", "no plan today", "another insurance", "person type"])
def test_who_has_no_plan_is_declined(wrong: str) -> None:
    changes: dict[str, dict[str, object]] = {
        "not insured": {"insured_region": 0},
        "another insurance": {"insurance": 390},
        "person type": {"person_type": 99},
    }
    plan = a_plan(valid_to=date(2026, 11, 24)) if wrong == "no plan today" else a_plan()
    books = books_under(plan, payer=msgspec.structs.replace(a_payer(), **changes.get(wrong, {})))
    decision = carry_out(books, paying(bill_of(500, insured=500)))
    assert refusal_of(decision) is Refusal.PLAN_MISSING
    assert decision.payment is not None
    assert decision.payment.state is State.DECLINED


def test_insured_region_decides_the_plan_and_the_level_is_the_hospitals() -> None:
    elsewhere = a_plan(id="elsewhere", region=310100)
    payer = msgspec.structs.replace(a_payer(), insured_region=310115)
    books = books_under(a_plan(), elsewhere, payer=payer)
    books.seen.merchants[MERCHANT] = msgspec.structs.replace(books.seen.merchants[MERCHANT], level=3)
    payment = carry_out(books, paying(bill_of(200, insured=200))).payment
    assert payment is not None
    assert payment.claim is not None
    assert (payment.claim.plan, payment.claim.pool, payment.region) == ("elsewhere", 90, REGION)


def test_bill_that_is_wrong_names_its_line_and_is_not_stored() -> None:
    books = books_under(a_plan())
    before = snapshot_of(books)
    bill = bill_of(700, insured=500)
    unknown = MedicalBill((bill.lines[0], msgspec.structs.replace(bill.lines[1], item="X")))
    unbalanced = MedicalBill((bill.lines[0], msgspec.structs.replace(bill.lines[1], amount=201)))
    assert outcome_of(carry_out(books, paying(unknown))) == ("bill_invalid", "bill/lines/1/item")
    assert outcome_of(carry_out(books, paying(unbalanced))) == ("amount_not_balanced", "bill/lines/1/amount")
    assert snapshot_of(books) == before


@pytest.mark.parametrize(("personal", "banked"), [(10_000, 200), (100, 400)])
def test_accounts_pay_what_the_plan_lets_them_and_the_bank_card_the_rest(personal: int, banked: int) -> None:
    books = books_under(a_plan(), payer=a_payer(personal=personal))
    payment = carry_out(books, paying(bill_of(700, insured=500))).payment
    assert payment is not None
    by_kind = {tender.kind: tender.amount for tender in payment.tenders}
    assert by_kind[TenderKind.BANK_CARD] == banked
    assert sum(by_kind.values()) == 700


def test_relative_helps_with_a_bill_after_the_own_account() -> None:
    books = books_under(a_plan(), payer=a_payer(personal=50))
    with_a_relative(books, personal=200)
    payment = carry_out(books, paying(bill_of(700, insured=500))).payment
    assert payment is not None
    assert [(tender.kind, tender.amount) for tender in payment.tenders] == [
        (TenderKind.POOL_FUND, 200),
        (TenderKind.PERSONAL_ACCOUNT, 50),
        (TenderKind.FAMILY_ACCOUNT, 200),
        (TenderKind.BANK_CARD, 250),
    ]
    assert payment.family == RELATIVE


# What a quote shows is what is paid, or nothing is.
def quoted(books: Books, bill: MedicalBill, **changes: object) -> Quoted:
    deductible_used, fund_paid = used(books)
    shown = Quoted(
        quote=QUOTE,
        payer=CARD,
        split=split_of(a_plan(), bill, hospital_level=0, deductible_used=deductible_used, fund_paid=fund_paid),
        expires_at=NOON + timedelta(minutes=15),
    )
    return msgspec.structs.replace(shown, **changes)


BILL = bill_of(500, insured=500)


def test_quote_is_paid_as_it_was_shown_and_once() -> None:
    books = books_under(a_plan())
    shown = quoted(books, BILL)
    payment = carry_out(books, paying(BILL, quoted=shown)).payment
    assert payment is not None
    assert payment.details is not None
    assert (payment.details.quote, payment.state) == (QUOTE, State.CAPTURED)
    assert books.seen.orders[MERCHANT, f"{QUOTE_ORDER}{QUOTE.hex()}"] == Order(payment.id)
    assert outcome_of(carry_out(books, paying(BILL, quoted=shown))) == ("order_already_paid", "quote_id")


@pytest.mark.parametrize(("before", "refusal"), [(MOMENT, None), (timedelta(), Refusal.QUOTE_EXPIRED)])
def test_quote_ends_at_its_instant(before: timedelta, refusal: Refusal | None) -> None:
    books = books_under(a_plan())
    shown = quoted(books, BILL)
    asked = later(books, timedelta(minutes=15) - before)
    assert refusal_of(carry_out(asked, paying(BILL, quoted=shown))) is refusal


def test_quote_of_another_person_is_not_paid_and_not_stored() -> None:
    books = books_under(a_plan())
    decision = carry_out(books, paying(BILL, quoted=quoted(books, BILL, payer=UNKNOWN_CARD)))
    assert (outcome_of(decision), decision.payment) == (("identity_mismatch", "quote_id"), None)


def another_bill(books: Books) -> None:
    carry_out(books, paying(BILL))


def dearer_plan(books: Books) -> None:
    books.seen.rules = Rules(version=2, plans=PlanBook([a_plan(deductible=101)]))


def higher_level(books: Books) -> None:
    books.seen.merchants[MERCHANT] = msgspec.structs.replace(books.seen.merchants[MERCHANT], level=3)


@pytest.mark.parametrize("change", [another_bill, dearer_plan, higher_level])
def test_quote_is_not_paid_once_anything_that_it_was_made_of_has_changed(change: Callable[[Books], None]) -> None:
    books = books_under(a_plan())
    shown = quoted(books, BILL)
    change(books)
    before = snapshot_of(books)
    decision = carry_out(books, paying(BILL, quoted=shown))
    assert (outcome_of(decision), decision.payment) == (("presettlement_changed", "quote_id"), None)
    assert snapshot_of(books) == before


def test_quotes_of_two_merchants_are_apart() -> None:
    books = books_under(a_plan())
    carry_out(books, paying(BILL, quoted=quoted(books, BILL)))
    other = paying(BILL, quoted=quoted(books, BILL), merchant=OTHER_MERCHANT)
    assert refusal_of(carry_out(books, other)) is None
