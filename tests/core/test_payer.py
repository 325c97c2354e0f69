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
    LimitClass,
    Payer,
    Spending,
    give_back,
    give_benefits_back,
    help_family,
    hold_funds,
    pay_at_once,
    settle_hold,
    use_benefits,
    why_not_usable,
)
from engine.core.refusals import Refusal
from tests.core.books_builders import TODAY, TOMORROW, a_payer

YESTERDAY = TODAY - timedelta(days=1)
Spend = Callable[..., Payer]
AMOUNTS = st.integers(0, 10_000)
DAYS = st.dates(TODAY, TODAY + timedelta(days=5))
CONFIRMED, UNCONFIRMED, OFFLINE = LimitClass


def taking(*, personal: int = 0, bank: int = 0, limit: LimitClass = UNCONFIRMED) -> Spending:
    return Spending(personal=personal, bank=bank, limit=limit)


def returned(payer: Payer, bank: int, *, limit_day: date, limit: LimitClass = UNCONFIRMED) -> Payer:
    """The payer once *bank* fen of a hold of that day are let go of."""
    return settle_hold(
        payer, personal_released=0, personal_posted=0, bank_returned=bank, limit=limit, limit_day=limit_day
    )


def test_hold_reserves_both_shares() -> None:
    payer = hold_funds(a_payer(personal=300), taking(personal=200, bank=50), TODAY)
    assert (
        payer.debits_pending,
        payer.debits_posted,
        payer.personal_account_available,
        payer.spent_on(TODAY),
    ) == (200, 0, 100, 50)


def test_payment_at_once_posts_the_personal_share() -> None:
    payer = pay_at_once(a_payer(personal=300), taking(personal=200, bank=50), TODAY)
    assert (
        payer.debits_pending,
        payer.debits_posted,
        payer.personal_account_available,
        payer.spent_on(TODAY),
    ) == (0, 200, 100, 50)


@pytest.mark.parametrize("spend", [hold_funds, pay_at_once])
def test_allowance_of_a_new_day_is_whole(spend: Spend) -> None:
    payer = spend(a_payer(), taking(personal=0, bank=70), TODAY)
    assert payer.spent_on(TOMORROW) == 0
    assert spend(payer, taking(personal=0, bank=30), TOMORROW).spent_on(TOMORROW) == 30


@pytest.mark.parametrize("spend", [hold_funds, pay_at_once])
def test_what_is_spent_late_for_a_day_counts_on_the_newest(spend: Spend) -> None:
    payer = spend(a_payer(), taking(personal=0, bank=70), TODAY)
    payer = spend(payer, taking(personal=0, bank=30), YESTERDAY)
    assert (payer.limit_day, payer.spent) == (TODAY, 100)


def test_releasing_todays_hold_gives_the_allowance_back() -> None:
    payer = hold_funds(a_payer(), taking(personal=0, bank=70), TODAY)
    payer = returned(payer, 70, limit_day=TODAY)
    assert payer.spent_on(TODAY) == 0


def test_releasing_yesterdays_hold_does_not_lower_what_was_spent_today() -> None:
    payer = hold_funds(a_payer(), taking(personal=0, bank=70), YESTERDAY)
    payer = hold_funds(payer, taking(personal=0, bank=40), TODAY)
    payer = returned(payer, 70, limit_day=YESTERDAY)
    assert payer.spent_on(TODAY) == 40


def test_releasing_yesterdays_hold_frees_the_personal_account() -> None:
    payer = hold_funds(a_payer(personal=300), taking(personal=200, bank=0), YESTERDAY)
    payer = hold_funds(payer, taking(personal=0, bank=40), TODAY)
    payer = settle_hold(
        payer, personal_released=200, personal_posted=0, bank_returned=0, limit=UNCONFIRMED, limit_day=YESTERDAY
    )
    assert payer.personal_account_available == 300


def test_capture_of_a_part_keeps_the_rest_reserved() -> None:
    payer = hold_funds(a_payer(personal=300), taking(personal=200, bank=70), TODAY)
    payer = settle_hold(
        payer, personal_released=150, personal_posted=150, bank_returned=0, limit=UNCONFIRMED, limit_day=TODAY
    )
    assert (
        payer.debits_pending,
        payer.debits_posted,
        payer.personal_account_available,
        payer.spent_on(TODAY),
    ) == (50, 150, 100, 70)


def test_refund_is_available_at_once() -> None:
    payer = pay_at_once(a_payer(personal=300), taking(personal=300, bank=0), TODAY)
    assert give_back(payer, personal=120).personal_account_available == 120


def test_refund_lowers_no_posted_total() -> None:
    payer = pay_at_once(a_payer(personal=300), taking(personal=300, bank=0), TODAY)
    assert (payer.debits_posted, give_back(payer, personal=120).credits_posted) == (300, 420)


@given(days=st.lists(st.tuples(DAYS, AMOUNTS), max_size=8), released=DAYS)
def test_limit_day_never_goes_backwards(days: list[tuple[date, int]], released: date) -> None:
    payer = a_payer()
    for day, amount in days:
        newest = payer.limit_day
        payer = hold_funds(payer, taking(personal=0, bank=amount), day)
        assert payer.limit_day == max(newest, day)
    after = returned(payer, 0, limit_day=released)
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
    after = hold_funds(before, taking(personal=1, bank=1), TODAY)
    kept = set(Payer.__struct_fields__) - {"debits_pending", "limit_day", "spent", "spent_unconfirmed"}
    assert {name: getattr(after, name) for name in kept} == {name: getattr(before, name) for name in kept}
    assert (
        msgspec.structs.replace(
            after,
            debits_pending=before.debits_pending,
            limit_day=before.limit_day,
            spent=before.spent,
            spent_unconfirmed=before.spent_unconfirmed,
        )
        == before
    )


@pytest.mark.parametrize(
    ("limit", "spent"), [(CONFIRMED, (70, 0, 0)), (UNCONFIRMED, (70, 70, 0)), (OFFLINE, (70, 0, 70))]
)
@pytest.mark.parametrize("spend", [hold_funds, pay_at_once])
def test_bank_card_part_counts_in_its_class_and_in_all(
    spend: Spend, limit: LimitClass, spent: tuple[int, int, int]
) -> None:
    payer = spend(a_payer(personal=300), taking(personal=200, bank=70, limit=limit), TODAY)
    assert (payer.spent, payer.spent_unconfirmed, payer.spent_offline) == spent
    released = returned(payer, 30, limit_day=TODAY, limit=limit)
    assert (released.spent, released.spent_unconfirmed, released.spent_offline) == tuple(max(0, n - 30) for n in spent)
    assert returned(payer, 30, limit_day=YESTERDAY, limit=limit) == payer


def test_new_day_starts_in_every_class() -> None:
    payer = hold_funds(a_payer(), taking(bank=70, limit=UNCONFIRMED), TODAY)
    payer = hold_funds(payer, taking(bank=60, limit=OFFLINE), TODAY)
    payer = hold_funds(payer, taking(bank=5, limit=CONFIRMED), TOMORROW)
    assert (payer.spent, payer.spent_unconfirmed, payer.spent_offline) == (5, 0, 0)


def test_what_is_left_in_a_class_is_the_less_of_its_own_and_of_all() -> None:
    payer = msgspec.structs.replace(
        a_payer(),
        limit_day=TODAY,
        limit_a_day=100,
        limit_unconfirmed=60,
        limit_offline=30,
        spent=50,
        spent_unconfirmed=20,
        spent_offline=25,
    )
    assert [payer.left_in(limit, TODAY) for limit in LimitClass] == [50, 40, 5]
    assert [payer.left_in(limit, TOMORROW) for limit in LimitClass] == [100, 60, 30]
    poorer = msgspec.structs.replace(payer, spent=95)
    assert [poorer.left_in(limit, TODAY) for limit in LimitClass] == [5, 5, 5]
    lowered = msgspec.structs.replace(payer, limit_a_day=10)
    assert [lowered.left_in(limit, TODAY) for limit in LimitClass] == [0, 0, 0]


def test_year_that_is_over_counts_no_more_and_a_new_one_starts_with_nothing() -> None:
    payer = use_benefits(a_payer(), 2026, 30, 70)
    assert (payer.used_in(2026), payer.used_in(2027), payer.used_in(2025)) == ((30, 70), (0, 0), (30, 70))
    newer = use_benefits(payer, 2027, 1, 2)
    assert (newer.benefit_year, newer.used_in(2027)) == (2027, (1, 2))
    assert give_benefits_back(newer, 2026, 30, 70) == newer, "a later year never counted it"
    assert give_benefits_back(newer, 2027, 1, 2).used_in(2027) == (0, 0)


def test_relative_reserves_and_pays_as_anybody_does() -> None:
    relative = help_family(a_payer(personal=300), pending=100, posted=0)
    assert (relative.debits_pending, relative.debits_posted, relative.personal_account_available) == (100, 0, 200)
    relative = help_family(relative, pending=-100, posted=40)
    assert (relative.debits_pending, relative.debits_posted, relative.personal_account_available) == (0, 40, 260)
