"""Reads are let through at their rate: a burst at once, some after a wait, and the rest not at all."""

import pytest

from engine.hints import read_limits
from engine.hints.read_limits import BURST_S, WAIT_S_MAX, ReadLimits

A, B = b"a", b"b"
RATE = 64.0  # whose shares of a second are exact
AT_ONCE = round(RATE * BURST_S)
AFTER_A_WAIT = round(RATE * WAIT_S_MAX)


def waits(limits: ReadLimits, count: int, *, caller: bytes = A, now_s: float = 0.0) -> list[float | None]:
    return [limits.wait_s(caller, now_s=now_s) for _ in range(count)]


def test_a_burst_goes_through_then_reads_wait_then_they_are_refused() -> None:
    found = waits(ReadLimits(RATE), 100)
    assert found[:AT_ONCE] == [0.0] * AT_ONCE
    waiting = [wait for wait in found[AT_ONCE:] if wait is not None]
    assert len(waiting) == AFTER_A_WAIT
    assert all(0 < wait <= WAIT_S_MAX for wait in waiting)
    assert waiting == sorted(waiting)
    assert found[-1] is None


def test_who_was_refused_is_let_in_again_at_the_rate() -> None:
    limits = ReadLimits(RATE)
    waits(limits, 100)
    assert waits(limits, 100, now_s=0.125).count(None) == 100 - 8  # so many shares of a second are over
    assert waits(limits, 1, now_s=10.0) == [0.0]


def test_a_rest_is_worth_no_more_than_a_burst() -> None:
    limits = ReadLimits(RATE)
    waits(limits, 1)
    assert waits(limits, 100, now_s=1_000.0).count(0.0) == AT_ONCE


def test_callers_do_not_share() -> None:
    limits = ReadLimits(RATE)
    waits(limits, 100)
    assert waits(limits, AT_ONCE, caller=B) == [0.0] * AT_ONCE


def test_one_read_after_the_other_is_only_slowed_down() -> None:
    limits, now_s = ReadLimits(RATE), 0.0
    for _ in range(300):
        wait_s = limits.wait_s(A, now_s=now_s)
        assert wait_s is not None
        now_s += wait_s
    assert now_s > (300 - AT_ONCE - 1) / RATE


def test_a_rate_below_one_lets_one_through() -> None:
    limits = ReadLimits(0.5)
    assert waits(limits, 2) == [0.0, None]


def test_callers_are_forgotten_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_limits, "CALLERS_MAX", 2)
    limits = ReadLimits(1.0)
    for caller in (b"1", b"2", b"3"):
        limits.wait_s(caller, now_s=0.0)
    assert limits.wait_s(b"1", now_s=0.0) == 0.0
