"""Four eyes: what two operators have to agree on, and how a request comes to its end. Every request is decided once."""

import enum
import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NewType

import msgspec

from engine.core.participants import Operator, Right
from engine.core.refusals import Refusal

ApprovalId = NewType("ApprovalId", bytes)

APPROVAL_LASTS: Final = timedelta(days=7)
"""How long a request waits. What it was asked for may have become wrong by then, so it has to be asked again."""


class ApprovalKind(enum.IntEnum):
    """What needs a second person. Stored; numbers are never re-used."""

    REGISTER_PARTICIPANT = 1
    CHANGE_PARTICIPANT = 2
    CHANGE_KEYS = 3
    REINSTATE_PARTICIPANT = 4
    IMPORT_PARTICIPANTS = 5
    ASSIGN_FUND = 6
    REISSUE_FILE = 7
    MANUAL_POSTING = 8
    RESOLVE_DIFFERENCE = 9
    DISBURSEMENT = 10
    NET_DEBIT_CAP = 11
    SWITCH_SCENARIO_ON = 12
    RISK_RULE = 13
    CHANNEL_MOVE = 20
    CHANNEL_TERMS = 21
    CHANNEL_KEY = 22
    LIFT_STOP = 23
    GRANT_ACCESS = 30
    INQUIRY_SOURCE = 31
    OPEN_BALANCES = 40
    SWITCH_REGION_ON = 41
    OPEN_OFFICE = 60
    ERASE_PERSON = 70


class ApprovalState(enum.IntEnum):
    """Where a request stands. Stored."""

    PENDING = 1
    APPROVED = 2
    REJECTED = 3
    EXPIRED = 4


class ApprovalMove(enum.IntEnum):
    """What happens to a request, each kept as one line of an append-only list. Stored."""

    REQUEST = 1
    APPROVE = 2
    REJECT = 3
    LAPSE = 4
    CARRY_OUT = 5


class ApprovalOutcome(enum.IntEnum):
    """What became of an approved request. Stored."""

    UNDER_WAY = 1
    DONE = 2
    REFUSED = 3  # by a rule that only what carries it out can judge; `result` says which


TRANSITIONS: Final[Mapping[tuple[ApprovalState, ApprovalMove], ApprovalState]] = {
    (ApprovalState.PENDING, ApprovalMove.APPROVE): ApprovalState.APPROVED,
    (ApprovalState.PENDING, ApprovalMove.REJECT): ApprovalState.REJECTED,
    (ApprovalState.PENDING, ApprovalMove.LAPSE): ApprovalState.EXPIRED,
}
"""A pair that is not listed is not allowed: whatever is decided stays so."""


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A request and what became of it.

    `payload` is canonical JSON and never changes; `region` is where it takes effect; `subject` is what it is about, as
    its readers know it.
    """

    id: ApprovalId
    kind: ApprovalKind
    state: ApprovalState
    region: int
    subject: str
    payload: bytes
    payload_sha256: bytes
    reason: str
    requested_by: bytes
    requested_at: datetime
    expires_at: datetime
    decided_by: bytes | None = None
    decided_at: datetime | None = None
    note: str | None = None
    outcome: ApprovalOutcome | None = None
    result: bytes | None = None  # JSON, without secrets

    def state_at(self, now: datetime) -> ApprovalState:
        """Where it stands: a request that is over is so from that instant on, whoever writes it down later."""
        if self.state is ApprovalState.PENDING and now >= self.expires_at:
            return ApprovalState.EXPIRED
        return self.state


def judge_decision(approval: Approval, move: ApprovalMove, operator: Operator, *, now: datetime) -> Refusal | None:
    """None if *operator* may make *move* now; else the first rule that forbids it.

    Whoever asked for something cannot approve it, and may take it back by rejecting it.
    """
    if not operator.may(Right.READ, approval.region):
        return Refusal.NOT_FOUND
    is_own = operator.id == approval.requested_by
    needed = Right.REQUEST if is_own and move is ApprovalMove.REJECT else Right.DECIDE
    if not operator.may(needed, approval.region):
        return Refusal.SCOPE_NOT_AUTHORIZED
    state = approval.state_at(now)
    if state is ApprovalState.EXPIRED:
        return Refusal.APPROVAL_EXPIRED
    if (state, move) not in TRANSITIONS:
        return Refusal.APPROVAL_DECIDED
    if is_own and move is ApprovalMove.APPROVE:
        return Refusal.APPROVAL_REQUIRED
    return None


def canonical_payload(payload: object) -> bytes:
    """*payload* as JSON that is the same whoever writes it: names sorted, no spaces, UTF-8."""
    return msgspec.json.encode(payload, order="sorted")


def new_approval(
    identifier: ApprovalId,
    *,
    kind: ApprovalKind,
    region: int,
    subject: str,
    payload: object,
    reason: str,
    requested_by: bytes,
    now: datetime,
) -> Approval:
    """A request as it is made."""
    content = canonical_payload(payload)
    return Approval(
        id=identifier,
        kind=kind,
        state=ApprovalState.PENDING,
        region=region,
        subject=subject,
        payload=content,
        payload_sha256=hashlib.sha256(content).digest(),
        reason=reason,
        requested_by=requested_by,
        requested_at=now,
        expires_at=now + APPROVAL_LASTS,
    )
