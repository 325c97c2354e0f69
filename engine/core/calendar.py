"""Business time: dates of Asia/Shanghai, the daily cut-over, and the numbers of cycles."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Final, NewType

# China has had one zone without daylight saving since 1992; a fixed offset needs no zone database.
SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
CUT_OVER: Final = time(23, 0)
CYCLES_PER_DAY_MAX: Final = 99

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
