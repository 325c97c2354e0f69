"""How often it may be tried, and when a face is the person's."""

import pytest

from engine.core.verification import (
    CALLER_FAILURES_MAX,
    LIVENESS_MIN,
    SCORE_MAX,
    SCORE_MIN,
    SUBJECT_FAILURES_MAX,
    FaceOutcome,
    are_too_many,
    judge_face,
)


@pytest.mark.parametrize(
    ("of_subject", "of_caller", "is_too_many"),
    [
        (SUBJECT_FAILURES_MAX - 1, CALLER_FAILURES_MAX - 1, False),
        (SUBJECT_FAILURES_MAX, 0, True),
        (0, CALLER_FAILURES_MAX, True),
    ],
)
def test_subject_and_caller_have_limits_of_their_own(of_subject: int, of_caller: int, is_too_many: bool) -> None:
    assert are_too_many(of_subject=of_subject, of_caller=of_caller) is is_too_many


@pytest.mark.parametrize(
    ("score", "liveness", "outcome"),
    [
        (SCORE_MIN, LIVENESS_MIN, FaceOutcome.ACCEPTED),
        (SCORE_MIN - 1, SCORE_MAX, FaceOutcome.REJECTED),
        (SCORE_MAX, LIVENESS_MIN - 1, FaceOutcome.REJECTED),
    ],
)
def test_face_has_to_be_like_and_alive(score: int, liveness: int, outcome: FaceOutcome) -> None:
    judged = judge_face(score, liveness)
    assert (judged.outcome, judged.score) == (outcome, score)
