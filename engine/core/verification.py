"""How often it may be tried whether somebody is who they say, and when a face is the person's."""

import enum
from datetime import timedelta
from typing import Final

import msgspec

WINDOW: Final = timedelta(hours=1)
SUBJECT_FAILURES_MAX: Final = 5
"""Of one ID number, whoever tries: a second factor has to be found in more tries than that."""

CALLER_FAILURES_MAX: Final = 500
"""Of one caller, whoever is tried. People mistype; a list that is being tried out shows itself."""

SCORE_MAX: Final = 1_000
SCORE_MIN: Final = 800
LIVENESS_MIN: Final = 900


class FaceOutcome(enum.Enum):
    """What came of comparing a face."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"  # nobody could say; it is never taken for a yes


class FaceResult(msgspec.Struct, frozen=True):
    """The outcome, and how alike the faces are. Units: thousandths; None where that is not known."""

    outcome: FaceOutcome
    score: int | None = None


def judge_face(score: int, liveness: int) -> FaceResult:
    """What a comparison says. Units: thousandths of certainty, that it is the person, and alive."""
    is_good = score >= SCORE_MIN and liveness >= LIVENESS_MIN
    return FaceResult(FaceOutcome.ACCEPTED if is_good else FaceOutcome.REJECTED, score)


def are_too_many(*, of_subject: int, of_caller: int) -> bool:
    """True if no more may be tried for now. Units: failures within `WINDOW`."""
    return of_subject >= SUBJECT_FAILURES_MAX or of_caller >= CALLER_FAILURES_MAX
