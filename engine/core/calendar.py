"""Business time: dates of Asia/Shanghai, cut-offs, the numbers of cycles, and working days."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import pairwise
from types import MappingProxyType
from typing import Final, NewType

import chinese_calendar

# China has had one zone without daylight saving since 1992; a fixed offset needs no zone database.
SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
CUT_OVER: Final = time(23, 0)
CYCLES_PER_DAY_MAX: Final = 99
ONE_CUT_OFF: Final = (CUT_OVER,)

NO_EXCEPTIONS: Final[Mapping[date, bool]] = MappingProxyType({})
"""Working days as published: no day is decided otherwise."""

_HOLIDAYS: Final[frozenset[date]] = frozenset(chinese_calendar.holidays)
_MAKE_UP_DAYS: Final[frozenset[date]] = frozenset(chinese_calendar.workdays)
_KNOWN_YEARS: Final = range(min(_HOLIDAYS).year, max(_HOLIDAYS).year + 1)
_SATURDAY: Final = 5

CycleNumber = NewType("CycleNumber", int)
"""``yyyymmdd * 100 + sequence``: grows with time, and says its business date."""


def business_date_at(instant: datetime) -> date:
    """The business date that an instant belongs to: from 23:00 on, the next day's (half-open)."""
    local = instant.astimezone(SHANGHAI)
    if local.time() >= CUT_OVER:
        return local.date() + timedelta(days=1)
    return local.date()


def cut_over_of(business_date: date) -> datetime:
    """The instant at which *business_date* ends, in UTC."""
    return datetime.combine(business_date, CUT_OVER, SHANGHAI).astimezone(UTC)


def cycle_number(business_date: date, sequence: int) -> CycleNumber:
    """The number of the day's *sequence*-th cycle, counted from one."""
    assert 1 <= sequence <= CYCLES_PER_DAY_MAX, "a day has at most 99 cycles"
    day = business_date.year * 10_000 + business_date.month * 100 + business_date.day
    return CycleNumber(day * 100 + sequence)


def cycle_date(cycle: CycleNumber) -> date:
    """The business date of a cycle."""
    day = cycle // 100
    return date(day // 10_000, day // 100 % 100, day % 100)


def cycle_sequence(cycle: CycleNumber) -> int:
    """The cycle's place in its day, from one."""
    return cycle % 100


def cycle_text(cycle: CycleNumber) -> str:
    """The cycle as it is written outside, such as ``20261124-01``."""
    return f"{cycle // 100}-{cycle % 100:02d}"


def parse_cycle(text: str) -> CycleNumber:
    """Read a cycle such as ``20261124-01``.

    Raises:
        ValueError: the text is not a cycle of a real day.
    """
    day, dash, sequence = text.partition("-")
    if not (
        dash and len(day) == 8 and len(sequence) == 2 and (day + sequence).isascii() and (day + sequence).isdigit()
    ):
        raise ValueError("a cycle is written YYYYMMDD-NN")
    cycle = CycleNumber(int(day) * 100 + int(sequence))
    if cycle_sequence(cycle) == 0:
        raise ValueError("a day's cycles are counted from 01")
    cycle_date(cycle)
    return cycle


def next_cycle(open_cycle: CycleNumber, now: datetime) -> CycleNumber:
    """The cycle to open when *open_cycle* is closed at *now*.

    The business date moves only when its cut-over has passed, and never backwards; before that, closing opens
    the same day's next cycle.
    """
    today = cycle_date(open_cycle)
    reached = business_date_at(now)
    if reached > today:
        return cycle_number(reached, 1)
    return cycle_number(today, cycle_sequence(open_cycle) + 1)


def check_cut_offs(cut_offs: Sequence[time]) -> None:
    """A day's cut-offs follow each other, and the last one is the cut-over that ends the business date.

    Raises:
        ValueError: they do not; the message says which rule is broken.
    """
    if not cut_offs or cut_offs[-1] != CUT_OVER:
        raise ValueError("the last cut-off of a day is its cut-over, 23:00")
    if len(cut_offs) > CYCLES_PER_DAY_MAX:
        raise ValueError(f"a day has at most {CYCLES_PER_DAY_MAX} cut-offs")
    if any(later <= earlier for earlier, later in pairwise(cut_offs)):
        raise ValueError("cut-offs are in order of time, each once")


def next_cutoff(business_date: date, now: datetime, cut_offs: Sequence[time] = ONE_CUT_OFF) -> datetime:
    """When a cycle of *business_date* that is opened at *now* is due to be closed, in UTC.

    A cut-off belongs to what follows it (half-open), so it is the first one that is later than *now*; one that was
    missed is not made up for. When none is left the date's cut-over, which has passed, is due at once.
    """
    for cut_off in cut_offs:
        at = datetime.combine(business_date, cut_off, SHANGHAI)
        if at > now:
            return at.astimezone(UTC)
    return cut_over_of(business_date)


def knows_holidays(day: date) -> bool:
    """True if the State Council's holidays of the day's year are known here; of other years only weekends are."""
    return day.year in _KNOWN_YEARS


def is_working_day(day: date, exceptions: Mapping[date, bool] = NO_EXCEPTIONS) -> bool:
    """True on a day on which banks settle: Monday to Friday without holidays, and the weekend days worked instead.

    *exceptions* decide first: what a later notice has changed, and years that are not known here.
    """
    decided = exceptions.get(day)
    if decided is not None:
        return decided
    return day in _MAKE_UP_DAYS or (day.weekday() < _SATURDAY and day not in _HOLIDAYS)


def settlement_date(business_date: date, exceptions: Mapping[date, bool] = NO_EXCEPTIONS) -> date:
    """T+1: the first working day after *business_date*."""
    day = business_date + timedelta(days=1)
    while not is_working_day(day, exceptions):
        day += timedelta(days=1)
    return day


def business_days_between(earlier: date, later: date, exceptions: Mapping[date, bool] = NO_EXCEPTIONS) -> int:
    """How many working days lie after *earlier*, up to *later*; below zero if *later* comes first.

    From a Friday to the Monday after it is one day, to the Saturday none.
    """
    if later < earlier:
        return -business_days_between(later, earlier, exceptions)
    days = ((earlier + timedelta(days=n)) for n in range(1, (later - earlier).days + 1))
    return sum(is_working_day(day, exceptions) for day in days)


def first_local_time(at: time, after: datetime) -> datetime:
    """The first instant later than *after* at which it is *at* in Shanghai, in UTC."""
    local = after.astimezone(SHANGHAI)
    found = datetime.combine(local.date(), at, SHANGHAI)
    if found <= local:
        found += timedelta(days=1)
    return found.astimezone(UTC)
