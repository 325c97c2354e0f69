"""Business dates, the cut-over, and the numbers of cycles."""

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.calendar import (
    CUT_OVER,
    CYCLES_PER_DAY_MAX,
    SHANGHAI,
    business_date_at,
    business_days_between,
    check_cut_offs,
    cut_over_of,
    cycle_date,
    cycle_number,
    cycle_sequence,
    cycle_text,
    first_local_time,
    is_working_day,
    knows_holidays,
    next_cutoff,
    next_cycle,
    parse_cycle,
    settlement_date,
)

MOMENT = timedelta(microseconds=1)
DATES = st.dates(date(2000, 1, 1), date(9999, 12, 30))
SEQUENCES = st.integers(1, CYCLES_PER_DAY_MAX)
DAYS = st.dates(date(2004, 1, 1), date(2030, 12, 31))
SEVERAL = (time(11), time(17), CUT_OVER)
INSTANTS = st.floats(0, 2.5e11).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))  # until the year 9892


@pytest.mark.parametrize(
    ("at", "business_date"),
    [
        (datetime(2026, 11, 24, 0, 0, 0, 0, SHANGHAI), date(2026, 11, 24)),
        (datetime(2026, 11, 24, 22, 59, 59, 999_999, SHANGHAI), date(2026, 11, 24)),
        (datetime(2026, 11, 24, 23, 0, 0, 0, SHANGHAI), date(2026, 11, 25)),
        (datetime(2026, 11, 24, 23, 0, 0, 1, SHANGHAI), date(2026, 11, 25)),
        (datetime(2026, 11, 24, 23, 59, 59, 999_999, SHANGHAI), date(2026, 11, 25)),
        (datetime(2026, 11, 24, 14, 59, 59, 999_999, UTC), date(2026, 11, 24)),
        (datetime(2026, 11, 24, 15, 0, 0, 0, UTC), date(2026, 11, 25)),
        (datetime(2026, 11, 24, 10, 0, 0, 0, timezone(timedelta(hours=-5))), date(2026, 11, 25)),
        (datetime(2026, 12, 31, 22, 59, 59, 999_999, SHANGHAI), date(2026, 12, 31)),
        (datetime(2026, 12, 31, 23, 0, 0, 0, SHANGHAI), date(2027, 1, 1)),
        (datetime(2028, 2, 28, 23, 0, 0, 0, SHANGHAI), date(2028, 2, 29)),
        (datetime(2028, 2, 29, 23, 0, 0, 0, SHANGHAI), date(2028, 3, 1)),
    ],
)
def test_cut_over_begins_the_next_business_date(at: datetime, business_date: date) -> None:
    assert business_date_at(at) == business_date


@given(business_date=DATES)
def test_business_date_ends_just_before_its_cut_over(business_date: date) -> None:
    cut_over = cut_over_of(business_date)
    assert business_date_at(cut_over - MOMENT) == business_date
    assert business_date_at(cut_over) == business_date + timedelta(days=1)


@given(one=INSTANTS, other=INSTANTS)
def test_business_date_never_goes_backwards(one: datetime, other: datetime) -> None:
    earlier, later = min(one, other), max(one, other)
    assert business_date_at(earlier) <= business_date_at(later)


@given(business_date=DATES, sequence=SEQUENCES)
def test_cycle_says_its_date_and_its_place(business_date: date, sequence: int) -> None:
    cycle = cycle_number(business_date, sequence)
    assert (cycle_date(cycle), cycle_sequence(cycle)) == (business_date, sequence)


@given(business_date=DATES, sequence=SEQUENCES)
def test_text_of_a_cycle_is_read_back(business_date: date, sequence: int) -> None:
    cycle = cycle_number(business_date, sequence)
    assert parse_cycle(cycle_text(cycle)) == cycle


@given(one=st.tuples(DATES, SEQUENCES), other=st.tuples(DATES, SEQUENCES))
def test_cycles_grow_with_time(one: tuple[date, int], other: tuple[date, int]) -> None:
    assert (one < other) == (cycle_number(*one) < cycle_number(*other))


def test_cycle_is_written_with_its_day_first() -> None:
    assert cycle_text(cycle_number(date(2026, 11, 24), 1)) == "20261124-01"


@pytest.mark.parametrize("sequence", [-1, 0, 100])
def test_day_has_at_most_ninety_nine_cycles(sequence: int) -> None:
    with pytest.raises(AssertionError, match="99 cycles"):
        cycle_number(date(2026, 11, 24), sequence)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20261124",
        "20261124-",
        "20261124-1",
        "20261124-001",
        "20261124-00",  # counted from one
        "2026112401",
        "20261124_01",
        "20261124-0x",
        "20261124- 1",
        "+0261124-01",
        "2026-11-24-01",
        "20261124-01\n",
        "20261131-01",  # no such day
        "20270229-01",
        "20261324-01",
        "00001124-01",
        "２０２６１１２４-01",  # full-width digits
        "20261124-٠١",
    ],
)
def test_text_that_is_no_cycle_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the calendar's own words differ
        parse_cycle(text)


@pytest.mark.parametrize(
    ("closed", "at", "opened"),
    [
        ("20261124-01", datetime(2026, 11, 24, 12, 0, tzinfo=SHANGHAI), "20261124-02"),
        ("20261124-98", datetime(2026, 11, 24, 22, 59, 59, tzinfo=SHANGHAI), "20261124-99"),
        ("20261124-03", datetime(2026, 11, 24, 23, 0, tzinfo=SHANGHAI), "20261125-01"),
        ("20261124-99", datetime(2026, 11, 24, 23, 0, tzinfo=SHANGHAI), "20261125-01"),
        ("20261231-01", datetime(2026, 12, 31, 23, 0, tzinfo=SHANGHAI), "20270101-01"),
        ("20261124-01", datetime(2026, 11, 27, 9, 0, tzinfo=SHANGHAI), "20261127-01"),  # nobody closed for days
        ("20261124-01", datetime(2026, 11, 20, 9, 0, tzinfo=SHANGHAI), "20261124-02"),  # a clock that was set back
    ],
)
def test_closing_a_cycle_opens_the_next(closed: str, at: datetime, opened: str) -> None:
    assert cycle_text(next_cycle(parse_cycle(closed), at)) == opened


@given(business_date=DATES, sequence=st.integers(1, CYCLES_PER_DAY_MAX - 1), now=INSTANTS)
def test_next_cycle_is_a_later_one(business_date: date, sequence: int, now: datetime) -> None:
    cycle = cycle_number(business_date, sequence)
    assert cycle < next_cycle(cycle, now)
    assert max(business_date, business_date_at(now)) == cycle_date(next_cycle(cycle, now))


@pytest.mark.parametrize(
    ("at", "due"),
    [
        (datetime(2026, 11, 23, 23, 0, tzinfo=SHANGHAI), "11:00"),  # the business date has just begun
        (datetime(2026, 11, 24, 10, 59, 59, 999_999, SHANGHAI), "11:00"),
        (datetime(2026, 11, 24, 11, 0, tzinfo=SHANGHAI), "17:00"),  # a cut-off belongs to what follows it
        (datetime(2026, 11, 24, 3, 0, tzinfo=UTC), "17:00"),
        (datetime(2026, 11, 24, 16, 59, 59, 999_999, SHANGHAI), "17:00"),
        (datetime(2026, 11, 24, 17, 0, tzinfo=SHANGHAI), "23:00"),
        (datetime(2026, 11, 24, 22, 59, 59, 999_999, SHANGHAI), "23:00"),
        (datetime(2026, 11, 20, 12, 0, tzinfo=SHANGHAI), "11:00"),  # a clock that was set back
    ],
)
def test_a_cycle_is_due_at_the_first_cut_off_after_it_was_opened(at: datetime, due: str) -> None:
    expected = datetime.combine(date(2026, 11, 24), time.fromisoformat(due), SHANGHAI)
    assert next_cutoff(date(2026, 11, 24), at, SEVERAL) == expected


@given(at=INSTANTS)
def test_a_cycle_that_is_opened_is_never_due_at_once_nor_after_its_business_date(at: datetime) -> None:
    day = business_date_at(at)
    assert at < next_cutoff(day, at, SEVERAL) <= cut_over_of(day)
    assert next_cutoff(day, at) == cut_over_of(day)


@given(at=INSTANTS)
def test_cut_offs_follow_each_other_through_the_night(at: datetime) -> None:
    """Closing at each cut-off as it comes: every day has its three cycles, in order, and the boundary is half-open."""
    cycle = cycle_number(business_date_at(at), 1)
    seen = []
    for _ in range(7):
        at = next_cutoff(cycle_date(cycle), at, SEVERAL)
        cycle = next_cycle(cycle, at)
        seen.append((at.astimezone(SHANGHAI).time(), cycle_date(cycle), cycle_sequence(cycle)))
    begins = [place for place, (cut_off, _, _) in enumerate(seen) if cut_off == CUT_OVER]
    assert begins == list(range(begins[0], 7, 3))
    for place in begins:
        assert seen[place][2] == 1
        days = {day for _, day, _ in seen[place : place + 3]}
        assert days == {seen[place][1]}
        assert [sequence for _, _, sequence in seen[place : place + 3]] == [1, 2, 3][: 7 - place]


@pytest.mark.parametrize(
    ("cut_offs", "rule"),
    [
        ((), "cut-over"),
        ((time(11),), "cut-over"),
        ((CUT_OVER, time(23, 30)), "cut-over"),
        ((time(17), time(11), CUT_OVER), "in order"),
        ((time(11), time(11), CUT_OVER), "each once"),
        ((*(time(n // 60, n % 60) for n in range(99)), CUT_OVER), "at most 99"),
    ],
)
def test_cut_offs_that_are_none_are_refused(cut_offs: tuple[time, ...], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        check_cut_offs(cut_offs)


def test_several_cut_offs_a_day_are_good() -> None:
    check_cut_offs(SEVERAL)
    check_cut_offs((CUT_OVER,))


@pytest.mark.parametrize(
    ("day", "is_working"),
    [
        (date(2026, 11, 24), True),  # a Tuesday
        (date(2026, 11, 28), False),  # a Saturday
        (date(2026, 1, 1), False),  # New Year
        (date(2026, 1, 2), False),  # a Friday in the holiday
        (date(2026, 1, 4), True),  # the Sunday worked for it
        (date(2026, 2, 14), True),  # a Saturday worked for Spring Festival
        (date(2026, 2, 23), False),  # its last day, a Monday
        (date(2026, 9, 20), True),  # a Sunday worked for National Day
        (date(2026, 10, 7), False),
        (date(2024, 2, 29), True),
        (date(2031, 10, 1), True),  # a Wednesday of a year that nobody knows yet: only weekends are known
        (date(2031, 10, 4), False),
    ],
)
def test_working_days_are_the_ones_of_china(day: date, is_working: bool) -> None:
    assert is_working_day(day) == is_working


def test_years_without_holidays_are_told_apart() -> None:
    assert [knows_holidays(date(year, 12, 31)) for year in (2003, 2004, 2026, 2035)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("business_date", "settled_on"),
    [
        (date(2026, 11, 24), date(2026, 11, 25)),
        (date(2026, 11, 27), date(2026, 11, 30)),  # Friday to Monday
        (date(2026, 11, 28), date(2026, 11, 30)),
        (date(2025, 12, 31), date(2026, 1, 4)),  # New Year's Eve: to the Sunday that is worked
        (date(2026, 2, 13), date(2026, 2, 14)),  # to a Saturday that is worked
        (date(2026, 2, 14), date(2026, 2, 24)),  # over all of Spring Festival
        (date(2024, 2, 28), date(2024, 2, 29)),
        (date(2024, 2, 29), date(2024, 3, 1)),
        (date(2026, 9, 30), date(2026, 10, 8)),  # over National Day
        (date(2026, 12, 31), date(2027, 1, 1)),  # a holiday that is not known yet
    ],
)
def test_settlement_is_on_the_next_working_day(business_date: date, settled_on: date) -> None:
    assert settlement_date(business_date) == settled_on


def test_exceptions_decide_before_everything_that_is_known() -> None:
    exceptions = {date(2027, 1, 1): False, date(2026, 11, 25): False, date(2027, 1, 2): True}
    assert settlement_date(date(2026, 12, 31), exceptions) == date(2027, 1, 2)
    assert settlement_date(date(2026, 11, 24), exceptions) == date(2026, 11, 26)
    assert business_days_between(date(2026, 11, 24), date(2026, 11, 26), exceptions) == 1


@given(day=DAYS)
def test_settlement_is_one_working_day_away(day: date) -> None:
    settled_on = settlement_date(day)
    assert day < settled_on
    assert is_working_day(settled_on)
    assert business_days_between(day, settled_on) == 1
    assert business_days_between(settled_on, day) == -1


@given(days=st.lists(DAYS, min_size=3, max_size=3).map(sorted))
def test_working_days_add_up(days: list[date]) -> None:
    first, second, third = (min(day, days[0] + timedelta(days=90)) for day in days)
    whole = business_days_between(first, third)
    assert whole == business_days_between(first, second) + business_days_between(second, third)
    assert 0 <= whole <= (third - first).days


def test_an_age_counts_no_weekend() -> None:
    friday = date(2026, 11, 27)
    assert [business_days_between(friday, friday + timedelta(days=n)) for n in range(5)] == [0, 0, 0, 1, 2]


@given(at=INSTANTS, wished=st.times())
def test_the_next_six_o_clock_is_within_a_day(at: datetime, wished: time) -> None:
    found = first_local_time(wished, at)
    assert at < found <= at + timedelta(days=1)
    assert found.astimezone(SHANGHAI).time() == wished
