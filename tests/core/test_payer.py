"""The payer's row: what can still be spent, and on which day it counts."""

from collections.abc import Callable
from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.payer import (
    CardStatus,
    IssueLevel,
    Payer,
    give_back,
    hold_funds,
    pay_at_once,
    settle_hold,
    why_not_usable,
)
from engine.core.refusals import Refusal
from tests.core.books_builders import TODAY, TOMORROW, a_payer

YESTERDAY = TODAY - timedelta(days=1)
Spend = Callable[..., Payer]
AMOUNTS = st.integers(0, 10_000)
DAYS = st.dates(TODAY, TODAY + timedelta(days=5))


def test_hold_reserves_both_shares() -> None:
    payer = hold_funds(a_payer(personal=300), personal=200, bank=50, business_date=TODAY)
    assert (
        payer.debits_pending,
        payer.debits_posted,
        payer.personal_account_available,
        payer.spent_on(TODAY),
    ) == (200, 0, 100, 50)


def test_payment_at_once_posts_the_personal_share() -> None:
    payer = pay_at_once(a_payer(personal=300), personal=200, bank=50, business_date=TODAY)
    assert (
        payer.debits_pending,
        payer.debits_posted,
        payer.personal_account_available,
        payer.spent_on(TODAY),
    ) == (0, 200, 100, 50)


@pytest.mark.parametrize("spend", [hold_funds, pay_at_once])
def test_allowance_of_a_new_day_is_whole(spend: Spend) -> None:
    payer = spend(a_payer(), personal=0, bank=70, business_date=TODAY)
    assert payer.spent_on(TOMORROW) == 0
    assert spend(payer, personal=0, bank=30, business_date=TOMORROW).spent_on(TOMORROW) == 30


@pytest.mark.parametrize("spend", [hold_funds, pay_at_once])
def test_what_is_spent_late_for_a_day_counts_on_the_newest(spend: Spend) -> None:
    payer = spend(a_payer(), personal=0, bank=70, business_date=TODAY)
    payer = spend(payer, personal=0, bank=30, business_date=YESTERDAY)
    assert (payer.limit_day, payer.spent) == (TODAY, 100)


def test_releasing_todays_hold_gives_the_allowance_back() -> None:
    payer = hold_funds(a_payer(), personal=0, bank=70, business_date=TODAY)
    payer = settle_hold(payer, personal_released=0, personal_posted=0, bank_returned=70, limit_day=TODAY)
    assert payer.spent_on(TODAY) == 0


def test_releasing_yesterdays_hold_does_not_lower_what_was_spent_today() -> None:
    payer = hold_funds(a_payer(), personal=0, bank=70, business_date=YESTERDAY)
    payer = hold_funds(payer, personal=0, bank=40, business_date=TODAY)
    payer = settle_hold(payer, personal_released=0, personal_posted=0, bank_returned=70, limit_day=YESTERDAY)
    assert payer.spent_on(TODAY) == 40


def test_releasing_yesterdays_hold_frees_the_personal_account() -> None:
    payer = hold_funds(a_payer(personal=300), personal=200, bank=0, business_date=YESTERDAY)
    payer = hold_funds(payer, personal=0, bank=40, business_date=TODAY)
    payer = settle_hold(payer, personal_released=200, personal_posted=0, bank_returned=0, limit_day=YESTERDAY)
    assert payer.personal_account_available == 300


def test_capture_of_a_part_keeps_the_rest_reserved() -> None:
    payer = hold_funds(a_payer(personal=300), personal=200, bank=70, business_date=TODAY)
    payer = settle_hold(payer, personal_released=150, personal_posted=150, bank_returned=0, limit_day=TODAY)
    assert (
        payer.debits_pending,
        payer.debits_posted,
        payer.personal_account_available,
        payer.spent_on(TODAY),
    ) == (50, 150, 100, 70)


def test_refund_is_available_at_once() -> None:
    payer = pay_at_once(a_payer(personal=300), personal=300, bank=0, business_date=TODAY)
    assert give_back(payer, personal=120).personal_account_available == 120


def test_refund_lowers_no_posted_total() -> None:
    payer = pay_at_once(a_payer(personal=300), personal=300, bank=0, business_date=TODAY)
    assert (payer.debits_posted, give_back(payer, personal=120).credits_posted) == (300, 420)


@given(days=st.lists(st.tuples(DAYS, AMOUNTS), max_size=8), released=DAYS)
def test_limit_day_never_goes_backwards(days: list[tuple[date, int]], released: date) -> None:
    payer = a_payer()
    for day, amount in days:
        newest = payer.limit_day
        payer = hold_funds(payer, personal=0, bank=amount, business_date=day)
        assert payer.limit_day == max(newest, day)
    after = settle_hold(payer, personal_released=0, personal_posted=0, bank_returned=0, limit_day=released)
    assert after.limit_day == payer.limit_day


@pytest.mark.parametrize(
    ("status", "issue_level", "refusal"),
    [  # in order of precedence
        (CardStatus.LOST, IssueLevel.QUERY, Refusal.CARD_REPORTED_LOST),
        (CardStatus.SUSPENDED, IssueLevel.QUERY, Refusal.CARD_NOT_USABLE),
        (CardStatus.CANCELLED, IssueLevel.QUERY, Refusal.CARD_NOT_USABLE),
        (CardStatus.EXPIRED, IssueLevel.PAYMENT, Refusal.CARD_NOT_USABLE),
        (CardStatus.ACTIVE, IssueLevel.QUERY, Refusal.PAYMENT_NOT_ENABLED),
        (CardStatus.ACTIVE, IssueLevel.PAYMENT, None),
    ],
)
def test_first_reason_that_applies_stops_the_card(
    status: CardStatus, issue_level: IssueLevel, refusal: Refusal | None
) -> None:
    assert why_not_usable(a_payer(status=status, issue_level=issue_level)) is refusal


@pytest.mark.parametrize("status", CardStatus)
def test_only_an_active_card_pays(status: CardStatus) -> None:
    assert (status is CardStatus.ACTIVE) == (why_not_usable(a_payer(status=status)) is None)


def test_spending_changes_no_other_column() -> None:
    before = a_payer()
    after = hold_funds(before, personal=1, bank=1, business_date=TODAY)
    kept = set(Payer.__struct_fields__) - {"debits_pending", "limit_day", "spent"}
    assert {name: getattr(after, name) for name in kept} == {name: getattr(before, name) for name in kept}
    assert (
        msgspec.structs.replace(
            after, debits_pending=before.debits_pending, limit_day=before.limit_day, spent=before.spent
        )
        == before
    )
