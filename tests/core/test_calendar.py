"""Business dates, the cut-over, and the numbers of cycles."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.calendar import (
    CYCLES_PER_DAY_MAX,
    SHANGHAI,
    business_date_at,
    cut_over_of,
    cycle_date,
    cycle_number,
    cycle_sequence,
    cycle_text,
    next_cycle,
    parse_cycle,
)

MOMENT = timedelta(microseconds=1)
DATES = st.dates(date(2000, 1, 1), date(9999, 12, 30))
SEQUENCES = st.integers(1, CYCLES_PER_DAY_MAX)
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
