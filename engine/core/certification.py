"""Who still has to show that a benefit is due, and when: dates, and the state that follows from them."""

import calendar
import enum
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

import msgspec

CYCLE_MONTHS: Final = 12
SURVIVOR_CYCLE_MONTHS: Final = 6
"""Survivors' benefits end sooner unnoticed, so some regions ask twice a year."""

CYCLE_MONTHS_MAX: Final = 24
DUE_DAYS: Final = 30
"""So long before the day on which it has to be done, it is time for it."""

OVERDUE_DAYS: Final = 60
"""So long after that day payments are only held; then the benefit is suspended."""

LATE_DAYS_MAX: Final = 30
"""How far back lies what an office reports, or what was matched, at most."""


class State(enum.StrEnum):
    """Where a benefit stands on a day. It is nowhere stored: it follows from the dates."""

    NOT_DUE = "not_due"  # nobody has asked yet
    DUE = "due"
    CERTIFIED = "certified"
    OVERDUE = "overdue"
    SUSPENDED = "suspended"
    RESTORED = "restored"  # certified, after a suspension


class Event(enum.Enum):
    """What moves a benefit from one state to another."""

    DAY = "day"  # a day has come
    CERTIFY = "certify"


TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    (State.NOT_DUE, Event.DAY): State.DUE,
    (State.CERTIFIED, Event.DAY): State.DUE,
    (State.RESTORED, Event.DAY): State.DUE,
    (State.DUE, Event.DAY): State.OVERDUE,
    (State.OVERDUE, Event.DAY): State.SUSPENDED,
    (State.NOT_DUE, Event.CERTIFY): State.CERTIFIED,
    (State.DUE, Event.CERTIFY): State.CERTIFIED,
    (State.CERTIFIED, Event.CERTIFY): State.CERTIFIED,
    (State.OVERDUE, Event.CERTIFY): State.CERTIFIED,
    (State.SUSPENDED, Event.CERTIFY): State.RESTORED,
    (State.RESTORED, Event.CERTIFY): State.CERTIFIED,
}
"""A pair that is not listed does not happen."""

HELD: Final = frozenset({State.OVERDUE, State.SUSPENDED})
"""Nothing is paid in these."""


class Method(enum.IntEnum):
    """How it was shown. Stored; numbers are never re-used, and the name in lower case is the wire's."""

    SELF = 1  # by a passkey, or by the face
    RELATIVE = 2  # by a relative's own act
    OFFLINE = 3  # at an office's counter, or at home
    DATA_MATCH = 4  # by what other registers know


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the register knows of one benefit of one person."""

    cycle_months: int
    due_on: date  # the last day on which it can be shown in time
    last_certified_on: date | None
    is_restored: bool  # the last certification has ended a suspension


def first_standing(*, cycle_months: int, last_certified_on: date | None, due_on: date | None, today: date) -> Standing:
    """Where a benefit begins: due a cycle after what was shown elsewhere, or when its agency says, or in a cycle."""
    due = due_on if due_on is not None else add_months(last_certified_on or today, cycle_months)
    return Standing(cycle_months=cycle_months, due_on=due, last_certified_on=last_certified_on, is_restored=False)


def state_on(standing: Standing, today: date) -> State:
    """The state on a business date."""
    if today > standing.due_on + timedelta(days=OVERDUE_DAYS):
        return State.SUSPENDED
    if today > standing.due_on:
        return State.OVERDUE
    if today >= standing.due_on - timedelta(days=DUE_DAYS):
        return State.DUE
    if standing.last_certified_on is None:
        return State.NOT_DUE
    return State.RESTORED if standing.is_restored else State.CERTIFIED


class Dates(msgspec.Struct, frozen=True, kw_only=True):
    """Which benefits are in one state, by what is stored of them; what is None does not matter."""

    due_from: date
    due_until: date
    was_certified: bool | None = None
    is_restored: bool | None = None


def dates_of(state: State, today: date) -> Dates:
    """The benefits that are in this state on a business date: `state_on`, the other way round."""
    overdue_from = today - timedelta(days=OVERDUE_DAYS)
    due_until = today + timedelta(days=DUE_DAYS)
    later = due_until + timedelta(days=1)
    match state:
        case State.SUSPENDED:
            return Dates(due_from=date.min, due_until=overdue_from - timedelta(days=1))
        case State.OVERDUE:
            return Dates(due_from=overdue_from, due_until=today - timedelta(days=1))
        case State.DUE:
            return Dates(due_from=today, due_until=due_until)
        case State.NOT_DUE:
            return Dates(due_from=later, due_until=date.max, was_certified=False)
        case State.CERTIFIED:
            return Dates(due_from=later, due_until=date.max, was_certified=True, is_restored=False)
        case State.RESTORED:
            return Dates(due_from=later, due_until=date.max, was_certified=True, is_restored=True)


def certify(standing: Standing, on: date, *, today: date) -> Standing:
    """The benefit after it was shown *on* that day to be due, as is known *today*. The latest day counts."""
    if standing.last_certified_on is not None and on < standing.last_certified_on:
        return standing
    after = TRANSITIONS[state_on(standing, today), Event.CERTIFY]
    return msgspec.structs.replace(
        standing,
        due_on=add_months(on, standing.cycle_months),
        last_certified_on=on,
        is_restored=after is State.RESTORED,
    )


def wrong_day(on: date, *, today: date) -> str | None:
    """Why that cannot be the day on which somebody has shown it."""
    if on > today:
        return "in the future"
    return f"more than {LATE_DAYS_MAX} days ago" if (today - on).days > LATE_DAYS_MAX else None


def add_months(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month: from 29 February on it is 28 a year later."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
