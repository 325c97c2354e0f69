"""Deciding on what another has asked for: the first rule that applies is the answer."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from engine.core.approvals import (
    APPROVAL_LASTS,
    TRANSITIONS,
    Approval,
    ApprovalId,
    ApprovalKind,
    ApprovalMove,
    ApprovalState,
    canonical_payload,
    judge_decision,
    new_approval,
)
from engine.core.participants import Operator, OperatorRole
from engine.core.refusals import Refusal

ASKED_AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
END = ASKED_AT + APPROVAL_LASTS
ASKER, OTHER = b"a" * 16, b"b" * 16


def a_request(**changes: object) -> Approval:
    """A request of the first operator."""
    made = new_approval(
        ApprovalId(b"r" * 16),
        kind=ApprovalKind.MANUAL_POSTING,
        region=110100,
        subject="posting",
        payload={"b": 1, "a": "元"},
        reason="r",
        requested_by=ASKER,
        now=ASKED_AT,
    )
    return msgspec.structs.replace(made, **changes)


def an_operator(
    identifier: bytes = OTHER,
    *,
    role: OperatorRole = OperatorRole.REVIEW,
    region: int = 0,
    is_suspended: bool = False,
) -> Operator:
    """An operator who may decide."""
    return Operator(identifier, role, region, is_suspended)


@pytest.mark.parametrize(
    ("operator", "state", "now", "refusal"),
    [  # in order of precedence: each line breaks one rule less than the one before
        (an_operator(ASKER, role=OperatorRole.AUDIT, region=310000), ApprovalState.REJECTED, END, Refusal.NOT_FOUND),
        (an_operator(ASKER, is_suspended=True), ApprovalState.REJECTED, END, Refusal.NOT_FOUND),
        (an_operator(ASKER, role=OperatorRole.AUDIT), ApprovalState.PENDING, END, Refusal.SCOPE_NOT_AUTHORIZED),
        (an_operator(ASKER), ApprovalState.PENDING, END, Refusal.APPROVAL_EXPIRED),
        (an_operator(ASKER), ApprovalState.EXPIRED, ASKED_AT, Refusal.APPROVAL_EXPIRED),
        (an_operator(ASKER), ApprovalState.APPROVED, END, Refusal.APPROVAL_DECIDED),
        (an_operator(ASKER), ApprovalState.REJECTED, ASKED_AT, Refusal.APPROVAL_DECIDED),
        (an_operator(ASKER), ApprovalState.PENDING, ASKED_AT, Refusal.APPROVAL_REQUIRED),
        (an_operator(OTHER), ApprovalState.PENDING, END - timedelta(microseconds=1), None),
        (an_operator(OTHER, region=110100), ApprovalState.PENDING, ASKED_AT, None),
    ],
)
def test_first_rule_that_applies_is_the_refusal(
    operator: Operator, state: ApprovalState, now: datetime, refusal: Refusal | None
) -> None:
    assert judge_decision(a_request(state=state), ApprovalMove.APPROVE, operator, now=now) == refusal


def test_who_asked_may_take_it_back_though_he_may_not_decide() -> None:
    asker = an_operator(ASKER, role=OperatorRole.OPERATIONS)
    assert judge_decision(a_request(), ApprovalMove.REJECT, asker, now=ASKED_AT) is None
    reviewer = an_operator(ASKER, role=OperatorRole.REVIEW)
    assert judge_decision(a_request(), ApprovalMove.REJECT, reviewer, now=ASKED_AT) is Refusal.SCOPE_NOT_AUTHORIZED


def test_whatever_is_decided_stays_so() -> None:
    assert {before for before, _ in TRANSITIONS} == {ApprovalState.PENDING}
    assert set(TRANSITIONS.values()) == set(ApprovalState) - {ApprovalState.PENDING}


def test_payload_is_the_same_whoever_writes_it() -> None:
    expected = '{"a":"元","b":1}'.encode()
    assert expected == canonical_payload({"b": 1, "a": "元"}) == canonical_payload({"a": "元", "b": 1})
    assert a_request().payload == expected
