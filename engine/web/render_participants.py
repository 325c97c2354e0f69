"""Participants, keys and approvals as they are written."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from engine.core.approvals import Approval, ApprovalState
from engine.core.ids import id_text
from engine.core.participants import Participant, ParticipantKind
from engine.core.scenarios import BY_NUMBER
from engine.flows.approve import Decided
from engine.store.approvals import ApprovalEvent
from engine.store.participants import Clocks, KeyState
from engine.web.wire_participants import (
    APPROVAL_KIND_NAMES,
    APPROVAL_MOVE_NAMES,
    APPROVAL_OUTCOME_NAMES,
    APPROVAL_STATE_NAMES,
    ApprovalEventView,
    ApprovalView,
    KeyView,
    ParticipantView,
    SecretView,
)


def participant_view(participant: Participant) -> ParticipantView:
    """A participant as the wire shows it."""
    is_merchant = participant.kind is ParticipantKind.MERCHANT
    return ParticipantView(
        id=id_text(participant.id),
        kind=participant.kind.value,
        status="suspended" if participant.is_suspended else "active",
        code=participant.code,
        name_zh=participant.name_zh,
        name_en=participant.name_en,
        region=f"{participant.region:06d}",
        bank=participant.bank,
        scenarios=tuple(BY_NUMBER[number].name for number in participant.scenarios) if is_merchant else None,
        level=participant.level,
        item=participant.item.name.lower() if participant.item is not None else None,
        role=participant.role.name.lower() if participant.role is not None else None,
        settlement_bank=participant.is_settlement_bank if participant.kind is ParticipantKind.BANK else None,
        delivery=participant.delivery if participant.kind is ParticipantKind.BANK else None,
        suspended_reason=participant.suspended_reason,
        version=participant.version,
        registered_at=participant.registered_at,
        changed_at=participant.changed_at,
    )


def key_view(key: KeyState) -> KeyView:
    """A key as the wire shows it; never what it verifies with."""
    if not key.is_live:
        status = "revoked"
    elif key.is_suspended:
        status = "suspended"
    else:
        status = "retiring" if key.retires_at is not None else "active"
    return KeyView(
        keyid=key.keyid,
        alg=key.alg,
        status=status,  # type: ignore[arg-type]  # one of the four above
        added_at=key.added_at,
        retires_at=key.retires_at,
        revoked_at=key.revoked_at,
    )


def approval_view(decided: Decided, clocks: Clocks, events: Sequence[ApprovalEvent] | None = None) -> ApprovalView:
    """A request as the wire shows it, with the secret that has just come of it."""
    approval, secret = decided.approval, decided.secret
    return ApprovalView(
        id=id_text(approval.id),
        kind=APPROVAL_KIND_NAMES[approval.kind],
        status=APPROVAL_STATE_NAMES[_state(approval, clocks)],  # type: ignore[arg-type]  # a Literal from a table
        region=f"{approval.region:06d}",
        subject=approval.subject,
        payload=msgspec.Raw(approval.payload),
        payload_sha256=approval.payload_sha256.hex(),
        reason=approval.reason,
        requested_by=id_text(approval.requested_by),
        requested_at=approval.requested_at,
        expires_at=approval.expires_at,
        decided_by=id_text(approval.decided_by) if approval.decided_by is not None else None,
        decided_at=approval.decided_at,
        note=approval.note,
        outcome=(
            APPROVAL_OUTCOME_NAMES[approval.outcome] if approval.outcome is not None else None  # type: ignore[arg-type]  # a Literal from a table
        ),
        result=msgspec.Raw(approval.result if approval.result is not None else b"null"),
        secret=SecretView(keyid=secret.keyid, alg=secret.alg, key=secret.key) if secret is not None else UNSET,
        events=tuple(_event_view(event) for event in events) if events is not None else UNSET,
    )


def _state(approval: Approval, clocks: Clocks) -> ApprovalState:
    return approval.state_at(clocks.business)


def _event_view(event: ApprovalEvent) -> ApprovalEventView:
    return ApprovalEventView(
        at=event.at,
        move=APPROVAL_MOVE_NAMES[event.move],
        operator_id=id_text(event.operator) if event.operator is not None else None,
        note=event.note,
    )
