"""Wrong codes: counted by terminal within a minute, and forgotten rather than kept for ever."""

import pytest

from engine.hints import attempts
from engine.hints.attempts import WINDOW_S, WRONG_MAX, WrongCodes

MERCHANT, OTHER = b"merchant", b"other"


def counted(times: int, *, every_s: float = 0.0) -> WrongCodes:
    """That many wrong codes at one terminal, from second 100 on."""
    wrong_codes = WrongCodes()
    for n in range(times):
        wrong_codes.count(MERCHANT, "T-01", now_s=100.0 + n * every_s)
    return wrong_codes


@pytest.mark.parametrize(
    ("times", "are_too_many"), [(0, False), (WRONG_MAX - 1, False), (WRONG_MAX, True), (500, True)]
)
def test_twenty_are_too_many(times: int, are_too_many: bool) -> None:
    assert counted(times).are_too_many(MERCHANT, "T-01", now_s=100.0) is are_too_many


@pytest.mark.parametrize(("later_s", "are_too_many"), [(WINDOW_S - 0.001, True), (WINDOW_S, False), (1e6, False)])
def test_only_those_of_the_last_minute_count(later_s: float, are_too_many: bool) -> None:
    assert counted(WRONG_MAX).are_too_many(MERCHANT, "T-01", now_s=100.0 + later_s) is are_too_many


def test_minute_slides() -> None:
    slow = counted(2 * WRONG_MAX, every_s=WINDOW_S / WRONG_MAX)
    last_at_s = 100.0 + (2 * WRONG_MAX - 1) * WINDOW_S / WRONG_MAX
    assert slow.are_too_many(MERCHANT, "T-01", now_s=last_at_s)
    assert not slow.are_too_many(MERCHANT, "T-01", now_s=last_at_s + WINDOW_S / WRONG_MAX)


@pytest.mark.parametrize(("merchant", "terminal_id"), [(MERCHANT, "T-02"), (OTHER, "T-01")])
def test_terminals_are_counted_each_on_its_own(merchant: bytes, terminal_id: str) -> None:
    assert not counted(WRONG_MAX).are_too_many(merchant, terminal_id, now_s=100.0)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "TERMINALS_MAX", 10)
    wrong_codes = counted(WRONG_MAX)
    for n in range(10):
        wrong_codes.count(OTHER, f"T-{n}", now_s=100.0)
    assert not wrong_codes.are_too_many(MERCHANT, "T-01", now_s=100.0)
