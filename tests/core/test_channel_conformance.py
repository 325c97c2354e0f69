"""What the cases of a run are judged by: each is passed by doing right, and failed by what makes payments twice."""

import pytest

from engine.core.channel_conformance import (
    BY_NAME,
    CASES,
    PRACTISED,
    Answered,
    Called,
    Notified,
    Outcome,
    Part,
    Probe,
    Step,
    Told,
    answer_to,
    has_passed,
    judge,
)


def called(case: str, answered: Answered, *, order_no: str = "A-1", key: str = "k-1", skew_s: int = 0) -> Called:
    """A call as it was seen."""
    return Called(case=case, order_no=order_no, key=key, answered=answered, skew_s=skew_s)


def told(case: str, outcome: Outcome, *, order_no: str = "A-1") -> Told:
    """What the channel says of it."""
    return Told(case=case, order_no=order_no, outcome=outcome)


def notified(status: int | None, probe: Probe) -> Notified:
    """How a notification was answered."""
    return Notified(probe=probe, status=status)


@pytest.mark.parametrize(
    ("case", "steps", "is_passed"),
    [
        ("signed_request", (called("signed_request", "done"),), True),
        ("same_key", (called("same_key", "done"),), None),
        ("same_key", (called("same_key", "done"), called("same_key", "replayed")), True),
        ("same_key", (called("same_key", "done"), called("same_key", "done", key="k-2")), False),
        ("new_key", (called("new_key", "done"),), None),
        ("new_key", (called("new_key", "done"), called("new_key", "done", order_no="A-2", key="k-2")), True),
        ("new_key", (called("new_key", "done"), called("new_key", "reused", order_no="A-2")), False),
        ("decline", (called("decline", "declined"),), None),
        ("decline", (called("decline", "declined"), told("decline", "declined")), True),
        ("decline", (called("decline", "declined"), told("decline", "paid")), False),
        ("decline", (called("decline", "declined"), called("decline", "declined", key="k-2")), False),
        ("lost_answer", (called("lost_answer", "cut"),), None),
        ("lost_answer", (called("lost_answer", "cut"), told("lost_answer", "unknown")), False),
        ("lost_answer", (called("lost_answer", "cut"), told("lost_answer", "paid")), False),
        ("lost_answer", (called("lost_answer", "cut"), called("lost_answer", "replayed")), None),
        (
            "lost_answer",
            (called("lost_answer", "cut"), called("lost_answer", "replayed"), told("lost_answer", "paid")),
            True,
        ),
        ("lost_answer", (called("lost_answer", "cut"), called("lost_answer", "done", key="k-2")), False),
        # Whoever guesses first and asks afterwards, or asks about another order, has not asked.
        (
            "lost_answer",
            (called("lost_answer", "cut"), told("lost_answer", "paid"), called("lost_answer", "replayed")),
            False,
        ),
        (
            "lost_answer",
            (
                called("lost_answer", "cut"),
                called("lost_answer", "replayed"),
                called("lost_answer", "cut", order_no="A-2", key="k-2"),
                told("lost_answer", "paid", order_no="A-2"),
            ),
            False,
        ),
        ("decline", (called("decline", "declined"), told("decline", "declined", order_no="A-2")), False),
        ("busy", (called("busy", "busy"),), None),
        ("busy", (called("busy", "busy"), called("busy", "done")), True),
        ("busy", (called("busy", "busy"), called("busy", "done", key="k-2")), False),
        ("clock", tuple(called("new_key", "done") for _ in range(4)), None),
        ("clock", tuple(called("new_key", "done", skew_s=-5) for _ in range(5)), True),
        ("clock", (called("new_key", "done", skew_s=6),), False),
        ("notification_genuine", (notified(204, Probe.GENUINE),), True),
        ("notification_genuine", (notified(400, Probe.GENUINE),), False),
        ("notification_stale", (notified(400, Probe.STALE),), True),
        ("notification_stale", (notified(204, Probe.STALE),), False),
        ("notification_stale", (notified(500, Probe.STALE),), False),
        ("notification_unsigned", (notified(None, Probe.UNSIGNED),), False),
    ],
)
def test_case_is_judged_by_what_was_done(case: str, steps: tuple[Step, ...], is_passed: bool | None) -> None:
    assert judge(steps)[case].is_passed is is_passed


def test_first_call_is_answered_as_the_case_wants_it_and_the_next_one_is_taken() -> None:
    for name, first in (("lost_answer", "cut"), ("busy", "busy"), ("signed_request", "done")):
        case = BY_NAME[name]
        assert answer_to(case, [], "A-1") == first
        seen = [called(name, first, order_no="A-1")]
        assert answer_to(case, seen, "A-1") == "done"
        assert answer_to(case, seen, "A-2") == first
    assert answer_to(BY_NAME["decline"], [called("decline", "declined")], "A-1") == "declined"


def test_part_is_passed_only_whole() -> None:
    verdicts = judge([notified(204 if probe.is_to_be_taken else 400, probe) for probe in Probe])
    assert not has_passed(Part.SECURITY, verdicts)  # its clock was not seen
    assert len({case.name for case in CASES}) == len(CASES)
    assert {case.part for case in CASES} == set(Part)
    assert set(PRACTISED) < set(BY_NAME)
