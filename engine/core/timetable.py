"""The national timetable of clearing: when a cycle may take its next step, and by when banks have to act."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from engine.core.calendar import (
    NO_EXCEPTIONS,
    ONE_CUT_OFF,
    SHANGHAI,
    check_cut_offs,
    first_local_time,
    is_working_day,
    settlement_date,
)


class Timetable(msgspec.Struct, frozen=True, kw_only=True):
    """A day's times, in Shanghai. The steps after a cut-off may be taken at once unless it says how much later.

    Raises:
        ValueError: the cut-offs are not in order, or a delay is below zero or in the wrong order.
    """

    cut_offs: Sequence[time] = ONE_CUT_OFF
    net_after_s: int = 0  # earliest netting, counted from when the cycle was closed
    publish_after_s: int = 0  # earliest publication, counted the same way
    pull_by: time = time(6)  # a bank that has pulled nothing by then raises an alarm
    acknowledge_by: time = time(8)
    instruct_at: time = time(9)  # on working days: what is to be settled goes to the settlement bank
    exceptions: Mapping[date, bool] = NO_EXCEPTIONS  # days that are decided otherwise than the calendar knows

    def __post_init__(self) -> None:
        """Check what the types do not say."""
        check_cut_offs(self.cut_offs)
        if not 0 <= self.net_after_s <= self.publish_after_s:
            raise ValueError("a cycle is netted, then published, and neither before it is closed")

    def may_net(self, closed_at: datetime, now: datetime) -> bool:
        """True once a cycle may be netted."""
        return now >= closed_at + timedelta(seconds=self.net_after_s)

    def may_publish(self, closed_at: datetime, now: datetime) -> bool:
        """True once a netted cycle may be published."""
        return now >= closed_at + timedelta(seconds=self.publish_after_s)

    def pull_deadline(self, published_at: datetime) -> datetime:
        """By when a bank has to have pulled what was published."""
        return first_local_time(self.pull_by, published_at)

    def acknowledgement_deadline(self, published_at: datetime) -> datetime:
        """By when a bank has to have acknowledged what was published: after it had time to pull it."""
        return first_local_time(self.acknowledge_by, self.pull_deadline(published_at))

    def settlement_date(self, day: date) -> date:
        """The first working day after *day*."""
        return settlement_date(day, self.exceptions)

    def may_instruct(self, earliest: date, now: datetime) -> bool:
        """True if what is to be settled from *earliest* on may be instructed now: it is a working day, late enough."""
        local = now.astimezone(SHANGHAI)
        is_time = local.time() >= self.instruct_at and local.date() >= earliest
        return is_time and is_working_day(local.date(), self.exceptions)


def local_date(instant: datetime) -> date:
    """The calendar date of an instant in Shanghai."""
    return instant.astimezone(SHANGHAI).date()


def answer_deadline(settlement_date: date) -> datetime:
    """By when the settlement bank has to have answered an instruction: the end of its day."""
    return datetime.combine(settlement_date + timedelta(days=1), time(0), SHANGHAI).astimezone(UTC)
