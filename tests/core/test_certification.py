"""When a benefit has to be shown to be due, and where it stands on each day."""

from datetime import date, timedelta

import pytest

from engine.core.certification import (
    DUE_DAYS,
    LATE_DAYS_MAX,
    OVERDUE_DAYS,
    TRANSITIONS,
    Event,
    Standing,
    State,
    add_months,
    certify,
    dates_of,
    first_standing,
    state_on,
    wrong_day,
)

DUE = date(2026, 11, 24)


def standing(*, due_on: date = DUE, last: date | None = date(2025, 11, 24), is_restored: bool = False) -> Standing:
    """A benefit that has to be shown once a year."""
    return Standing(cycle_months=12, due_on=due_on, last_certified_on=last, is_restored=is_restored)


@pytest.mark.parametrize(
    ("days", "last", "is_restored", "state"),
    [
        (-DUE_DAYS - 1, None, False, State.NOT_DUE),
        (-DUE_DAYS - 1, date(2025, 11, 24), False, State.CERTIFIED),
        (-DUE_DAYS - 1, date(2025, 11, 24), True, State.RESTORED),
        (-DUE_DAYS, date(2025, 11, 24), True, State.DUE),
        (0, None, False, State.DUE),
        (1, None, False, State.OVERDUE),
        (OVERDUE_DAYS, None, False, State.OVERDUE),
        (OVERDUE_DAYS + 1, None, False, State.SUSPENDED),
    ],
)
def test_state_follows_from_the_dates(days: int, last: date | None, is_restored: bool, state: State) -> None:
    assert state_on(standing(last=last, is_restored=is_restored), DUE + timedelta(days=days)) is state


@pytest.mark.parametrize(
    ("last", "is_restored"), [(None, False), (date(2025, 11, 24), False), (date(2025, 11, 24), True)]
)
def test_days_and_certifications_move_a_benefit_as_the_table_says(last: date | None, is_restored: bool) -> None:
    found = set()
    for days in range(-360, 400):
        today = DUE + timedelta(days=days)
        one = standing(last=last, is_restored=is_restored)
        before, after = state_on(one, today), state_on(one, today + timedelta(days=1))
        if after is not before:
            assert TRANSITIONS[before, Event.DAY] is after
            found.add(before)
        shown = state_on(certify(one, today, today=today), today)
        assert shown is TRANSITIONS[before, Event.CERTIFY], "shown today, it is a whole cycle until it is due"
    assert len(found) == 3
    assert {state for state, event in TRANSITIONS if event is Event.CERTIFY} == set(State), "it may always be shown"


def test_list_of_a_state_is_of_those_that_are_in_it() -> None:
    ones = [standing(), standing(last=None), standing(is_restored=True)]
    for today in (DUE + timedelta(days=days) for days in range(-60, 120)):
        for one in ones:
            for state in State:
                dates = dates_of(state, today)
                is_listed = (
                    dates.due_from <= one.due_on <= dates.due_until
                    and dates.was_certified in (None, one.last_certified_on is not None)
                    and dates.is_restored in (None, one.is_restored)
                )
                assert is_listed == (state_on(one, today) is state)


def test_cycle_that_is_shorter_than_its_notice_is_due_again_at_once() -> None:
    one = certify(Standing(cycle_months=1, due_on=DUE, last_certified_on=None, is_restored=False), DUE, today=DUE)
    assert (one.due_on, state_on(one, DUE)) == (date(2026, 12, 24), State.DUE)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2023, 2, 28), 12, date(2024, 2, 28)),
        (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2027, 8, 31), 6, date(2028, 2, 29)),
        (date(2026, 12, 31), 12, date(2027, 12, 31)),
        (date(2026, 12, 31), 1, date(2027, 1, 31)),
        (date(2026, 11, 30), 1, date(2026, 12, 30)),
    ],
)
def test_months_later_is_the_same_day_or_the_last_of_the_month(day: date, months: int, later: date) -> None:
    assert add_months(day, months) == later


def test_whoever_is_due_on_29_february_is_overdue_on_1_march() -> None:
    leap = standing(due_on=date(2028, 2, 29))
    assert [state_on(leap, day) for day in (date(2028, 2, 29), date(2028, 3, 1))] == [State.DUE, State.OVERDUE]
    common = certify(standing(due_on=date(2028, 3, 9)), date(2028, 2, 29), today=date(2028, 2, 29))
    assert common.due_on == date(2029, 2, 28)
    assert [state_on(common, day) for day in (date(2029, 2, 28), date(2029, 3, 1))] == [State.DUE, State.OVERDUE]


def test_latest_day_counts_however_late_it_is_told() -> None:
    today = date(2026, 11, 20)
    first = certify(standing(), today, today=today)
    assert certify(first, today - timedelta(days=3), today=today) == first, "told later, and shown earlier"
    again = certify(first, today, today=today)
    assert (again.due_on, again.last_certified_on) == (date(2027, 11, 20), today)


def test_suspension_that_has_ended_is_told_until_the_next_time() -> None:
    today = DUE + timedelta(days=OVERDUE_DAYS + 1)
    restored = certify(standing(), today, today=today)
    assert (restored.is_restored, state_on(restored, today)) == (True, State.RESTORED)
    assert state_on(certify(restored, today, today=today), today) is State.CERTIFIED


def test_benefit_begins_when_its_agency_says() -> None:
    earlier, said = date(2026, 3, 2), date(2026, 12, 1)
    begun = [
        first_standing(cycle_months=6, last_certified_on=last, due_on=due, today=DUE).due_on
        for last, due in ((None, None), (earlier, None), (earlier, said))
    ]
    assert begun == [date(2027, 5, 24), date(2026, 9, 2), said]


def test_day_of_a_report_lies_a_little_back_at_most() -> None:
    assert wrong_day(DUE, today=DUE) is None
    assert wrong_day(DUE - timedelta(days=LATE_DAYS_MAX), today=DUE) is None
    assert wrong_day(DUE - timedelta(days=LATE_DAYS_MAX + 1), today=DUE) is not None
    assert wrong_day(DUE + timedelta(days=1), today=DUE) == "in the future"
