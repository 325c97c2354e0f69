"""When a cycle may take its next step."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from engine.core.calendar import SHANGHAI
from engine.core.timetable import Timetable, answer_deadline, local_date

CLOSED = datetime(2026, 11, 24, 23, 0, tzinfo=SHANGHAI)
MOMENT = timedelta(microseconds=1)
AT_ONCE = Timetable()
AS_PRINTED = Timetable(net_after_s=1_800, publish_after_s=5_400)  # 23:30 and 00:30


def test_steps_are_taken_at_once_unless_the_timetable_says_otherwise() -> None:
    assert AT_ONCE.may_net(CLOSED, CLOSED)
    assert AT_ONCE.may_publish(CLOSED, CLOSED)


def test_a_step_is_taken_at_its_time_to_the_instant() -> None:
    half_past, past_midnight = CLOSED + timedelta(minutes=30), CLOSED + timedelta(minutes=90)
    assert not AS_PRINTED.may_net(CLOSED, half_past - MOMENT)
    assert AS_PRINTED.may_net(CLOSED, half_past)
    assert not AS_PRINTED.may_publish(CLOSED, past_midnight - MOMENT)
    assert AS_PRINTED.may_publish(CLOSED, past_midnight)


@pytest.mark.parametrize(
    ("published", "pull_by"),
    [
        (datetime(2026, 11, 25, 0, 30, tzinfo=SHANGHAI), datetime(2026, 11, 25, 6, 0, tzinfo=SHANGHAI)),
        (datetime(2026, 11, 24, 23, 0, tzinfo=SHANGHAI), datetime(2026, 11, 25, 6, 0, tzinfo=SHANGHAI)),
        (datetime(2026, 11, 24, 11, 0, tzinfo=SHANGHAI), datetime(2026, 11, 25, 6, 0, tzinfo=SHANGHAI)),
        (datetime(2026, 11, 25, 6, 0, tzinfo=SHANGHAI), datetime(2026, 11, 26, 6, 0, tzinfo=SHANGHAI)),
        (datetime(2026, 12, 31, 23, 0, tzinfo=SHANGHAI), datetime(2027, 1, 1, 6, 0, tzinfo=SHANGHAI)),
        (datetime(2028, 2, 28, 23, 0, tzinfo=SHANGHAI), datetime(2028, 2, 29, 6, 0, tzinfo=SHANGHAI)),
    ],
)
def test_banks_have_until_the_next_morning(published: datetime, pull_by: datetime) -> None:
    assert AT_ONCE.pull_deadline(published) == pull_by
    assert AT_ONCE.acknowledgement_deadline(published) == pull_by + timedelta(hours=2)


@pytest.mark.parametrize(
    ("now", "may"),
    [
        (datetime(2026, 11, 27, 12, 0, tzinfo=SHANGHAI), False),  # a Friday, and it is due on Monday
        (datetime(2026, 11, 28, 9, 0, tzinfo=SHANGHAI), False),
        (datetime(2026, 11, 30, 8, 59, 59, tzinfo=SHANGHAI), False),
        (datetime(2026, 11, 30, 9, 0, tzinfo=SHANGHAI), True),
        (datetime(2026, 11, 30, 1, 0, tzinfo=UTC), True),
        (datetime(2026, 12, 1, 0, 30, tzinfo=SHANGHAI), False),  # missed on Monday: on Tuesday, and not by night
        (datetime(2026, 12, 1, 9, 0, tzinfo=SHANGHAI), True),
        (datetime(2026, 12, 5, 9, 0, tzinfo=SHANGHAI), False),  # missed for days: never on a Saturday
    ],
)
def test_settlement_is_instructed_in_the_hours_of_a_working_day(now: datetime, may: bool) -> None:
    assert AT_ONCE.may_instruct(date(2026, 11, 30), now) == may


def test_exceptions_hold_for_settlement_too() -> None:
    timetable = Timetable(exceptions={date(2026, 11, 25): False, date(2026, 11, 28): True})
    assert timetable.settlement_date(date(2026, 11, 24)) == date(2026, 11, 26)
    assert timetable.settlement_date(date(2026, 11, 27)) == date(2026, 11, 28)
    assert timetable.may_instruct(date(2026, 11, 28), datetime(2026, 11, 28, 9, 0, tzinfo=SHANGHAI))
    assert not timetable.may_instruct(date(2026, 11, 25), datetime(2026, 11, 25, 9, 0, tzinfo=SHANGHAI))


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"net_after_s": -1}, "netted"),
        ({"net_after_s": 10, "publish_after_s": 9}, "netted"),
        ({"cut_offs": (time(9),)}, "cut-over"),
    ],
)
def test_a_timetable_out_of_order_is_refused(wrong: dict[str, object], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Timetable(**wrong)  # type: ignore[arg-type]  # the point of the test


def test_days_are_those_of_shanghai() -> None:
    assert local_date(datetime(2026, 11, 24, 15, 59, tzinfo=UTC)) == date(2026, 11, 24)
    assert local_date(datetime(2026, 11, 24, 16, 0, tzinfo=UTC)) == date(2026, 11, 25)
    assert answer_deadline(date(2026, 11, 24)) == datetime(2026, 11, 25, 0, 0, tzinfo=SHANGHAI)
