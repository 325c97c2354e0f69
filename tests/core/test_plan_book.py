"""Whose plan is which, from one date to the next."""

from datetime import date

import pytest

from engine.core.benefits import Plan
from engine.core.plan_book import PlanBook, contradictions
from tests.core.medical import a_plan

NEW_YEAR, MAY_DAY = date(2026, 1, 1), date(2026, 5, 1)


def plan(plan_id: str, since: date, until: date | None, *, region: int = 110100, insurance: int = 310) -> Plan:
    return a_plan(id=plan_id, valid_from=since, valid_to=until, region=region, insurance=insurance)


OLD = plan("old", NEW_YEAR, MAY_DAY)
NEW = plan("new", MAY_DAY, None)
PROVINCE = plan("province", NEW_YEAR, None, region=110000)
DISTRICT = plan("district", date(2026, 2, 1), date(2026, 3, 1), region=110105)
BOOK = PlanBook([NEW, PROVINCE, DISTRICT, OLD])


@pytest.mark.parametrize(
    ("day", "found"),
    [
        (date(2025, 12, 31), None),
        (NEW_YEAR, OLD),
        (date(2026, 4, 30), OLD),
        (MAY_DAY, NEW),
        (date(2099, 12, 31), NEW),
    ],
)
def test_plan_holds_from_its_first_day_to_the_day_before_its_last(day: date, found: Plan | None) -> None:
    assert BOOK.plan_for(110100, 310, day) is found


@pytest.mark.parametrize(
    ("region", "day", "found"),
    [
        (110105, date(2026, 2, 1), DISTRICT),
        (110105, date(2026, 3, 1), OLD),  # its own is over: the city's again
        (110106, date(2026, 2, 1), OLD),
        (110228, date(2026, 2, 1), PROVINCE),  # a city without a plan
        (110000, date(2026, 2, 1), PROVINCE),
        (120101, date(2026, 2, 1), None),
    ],
)
def test_plan_of_the_nearest_region_counts(region: int, day: date, found: Plan | None) -> None:
    assert BOOK.plan_for(region, 310, day) is found


def test_each_insurance_has_its_own_plan() -> None:
    assert BOOK.plan_for(110100, 390, MAY_DAY) is None


@pytest.mark.parametrize(
    ("month", "day", "year"),
    [
        (1, date(2026, 12, 31), 2026),
        (1, date(2027, 1, 1), 2027),
        (9, date(2026, 8, 31), 2025),
        (9, date(2026, 9, 1), 2026),
        (9, date(2027, 1, 1), 2026),
    ],
)
def test_accumulators_start_anew_with_the_benefit_year(month: int, day: date, year: int) -> None:
    assert a_plan(year_starts_in=month).benefit_year(day) == year


@pytest.mark.parametrize(
    ("plans", "found"),
    [
        ([OLD, NEW, PROVINCE, DISTRICT], []),
        ([OLD, plan("next", date(2026, 4, 30), None)], [("old", "next")]),
        ([NEW, plan("later", date(2030, 1, 1), None)], [("new", "later")]),
        ([OLD, plan("twin", NEW_YEAR, MAY_DAY)], [("old", "twin")]),
        ([OLD, plan("residents", NEW_YEAR, None, insurance=390)], []),
        # A short one in the middle of a long one does not hide what comes after.
        (
            [plan("a", NEW_YEAR, None), plan("b", MAY_DAY, date(2026, 6, 1)), plan("c", date(2026, 7, 1), None)],
            [("a", "b"), ("a", "c")],
        ),
    ],
)
def test_two_plans_of_one_insurance_never_hold_on_one_day(plans: list[Plan], found: list[tuple[str, str]]) -> None:
    assert [(earlier.id, later.id) for earlier, later in contradictions(plans)] == found


def test_book_with_a_contradiction_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        PlanBook([OLD, OLD])
