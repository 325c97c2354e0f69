"""Requests that wait for a second operator, and the answers of requests that are no ledger commands."""

from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from engine.core.approvals import (
    Approval,
    ApprovalId,
    ApprovalKind,
    ApprovalMove,
    ApprovalOutcome,
    ApprovalState,
)
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import load_queries

LAPSES_AT_ONCE: Final = 500


class ApprovalEvent(msgspec.Struct, frozen=True):
    """One line of what happened to a request. `operator` is None where the engine did it."""

    at: datetime
    move: ApprovalMove
    operator: bytes | None
    note: str | None


class ApprovalsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A page of requests; what is None does not matter."""

    regions: tuple[int, int]
    before: ApprovalId | None
    kind: ApprovalKind | None
    state: ApprovalState | None
    now: datetime
    count: int


class EarlierRequest(msgspec.Struct, frozen=True):
    """What a key was used for before, and what was answered: `body` is sealed."""

    facts: bytes
    status: int | None
    body: bytes | None


async def insert_approval(connection: AnyConnection, approval: Approval) -> None:
    """Keep a new request, and that it was made."""
    with translated():
        await connection.execute(
            load_queries("approvals")["insert_approval"],
            approval.id,
            approval.kind,
            approval.region,
            approval.subject,
            approval.payload,
            approval.payload_sha256,
            approval.reason,
            approval.requested_by,
            approval.requested_at,
            approval.expires_at,
        )
    await _insert_event(connection, approval.id, approval.requested_at, ApprovalMove.REQUEST, approval.requested_by)


async def load_approval(source: Source, approval: ApprovalId) -> Approval | None:
    """One request."""
    with translated():
        row = await source.fetchrow(load_queries("approvals")["approval"], approval)
    return approval_of(row) if row is not None else None


async def lock_approval(connection: AnyConnection, approval: ApprovalId) -> Approval | None:
    """One request, on which nobody else decides until the transaction ends."""
    with translated():
        row = await connection.fetchrow(load_queries("approvals")["lock_approval"], approval)
    return approval_of(row) if row is not None else None


async def load_approvals(source: Source, wanted: ApprovalsWanted) -> list[Approval]:
    """Requests, newest first."""
    with translated():
        rows = await source.fetch(
            load_queries("approvals")["approvals"],
            *wanted.regions,
            wanted.before,
            wanted.kind,
            wanted.state,
            wanted.now,
            wanted.count,
        )
    return [approval_of(row) for row in rows]


async def load_events(source: Source, approval: ApprovalId) -> list[ApprovalEvent]:
    """What happened to a request, oldest first."""
    with translated():
        rows = await source.fetch(load_queries("approvals")["events_of_approval"], approval)
    return [ApprovalEvent(row["at"], ApprovalMove(row["move"]), row["operator"], row["note"]) for row in rows]


async def decide_approval(
    connection: AnyConnection,
    approval: ApprovalId,
    *,
    move: ApprovalMove,
    state: ApprovalState,
    operator: bytes,
    now: datetime,
    note: str | None,
    outcome: ApprovalOutcome | None,
    result: bytes | None,
) -> Approval:
    """Keep a decision on a request that is locked and pending, and that it was made."""
    with translated():
        row = await connection.fetchrow(
            load_queries("approvals")["decide_approval"], approval, state, operator, now, note, outcome, result
        )
    assert row is not None, "only what is locked and pending is decided"
    await _insert_event(connection, approval, now, move, operator, note)
    return approval_of(row)


async def record_outcome(
    connection: AnyConnection,
    approval: ApprovalId,
    *,
    now: datetime,
    outcome: ApprovalOutcome,
    result: bytes | None,
) -> Approval | None:
    """Keep what became of an approved request; None if that is known already."""
    with translated():
        row = await connection.fetchrow(load_queries("approvals")["record_outcome"], approval, outcome, result)
    if row is None:
        return None
    await _insert_event(connection, approval, now, ApprovalMove.CARRY_OUT, None)
    return approval_of(row)


async def lapse_approvals(connection: AnyConnection, *, now: datetime) -> list[ApprovalId]:
    """Write down which requests are over, some at a time. Returns them."""
    with translated():
        rows = await connection.fetch(load_queries("approvals")["lapse_approvals"], now, LAPSES_AT_ONCE)
    lapsed = [ApprovalId(row["id"]) for row in rows]
    for approval in lapsed:
        await _insert_event(connection, approval, now, ApprovalMove.LAPSE, None)
    return lapsed


async def load_under_way(source: Source, *, count: int) -> list[ApprovalId]:
    """Approved requests that have still to be carried out."""
    with translated():
        rows = await source.fetch(load_queries("approvals")["under_way"], count)
    return [ApprovalId(row["id"]) for row in rows]


async def claim_request(
    connection: AnyConnection, *, caller: bytes, operation: str, key: str, facts: bytes, field_key_id: int
) -> bool:
    """True if the key is new; it is this transaction's then, and whoever comes meanwhile waits for its end."""
    with translated():
        claimed = await connection.fetchval(
            load_queries("approvals")["claim_request"], caller, operation, key, facts, field_key_id
        )
    return claimed is not None


async def load_earlier_request(source: Source, *, caller: bytes, operation: str, key: str) -> EarlierRequest | None:
    """What a key was used for before."""
    with translated():
        row = await source.fetchrow(load_queries("approvals")["earlier_request"], caller, operation, key)
    return EarlierRequest(row["facts"], row["status"], row["body"]) if row is not None else None


async def answer_request(
    source: Source, *, caller: bytes, operation: str, key: str, status: int, sealed: bytes
) -> None:
    """Keep what was answered under a key."""
    with translated():
        await source.execute(load_queries("approvals")["answer_request"], caller, operation, key, status, sealed)


def approval_of(row: asyncpg.Record) -> Approval:
    """The request of an `approval` row."""
    return Approval(
        id=ApprovalId(row["id"]),
        kind=ApprovalKind(row["kind"]),
        state=ApprovalState(row["state"]),
        region=row["region"],
        subject=row["subject"],
        payload=row["payload"],
        payload_sha256=row["payload_sha256"],
        reason=row["reason"],
        requested_by=row["requested_by"],
        requested_at=row["requested_at"],
        expires_at=row["expires_at"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
        note=row["note"],
        outcome=ApprovalOutcome(row["outcome"]) if row["outcome"] is not None else None,
        result=row["result"],
    )


async def _insert_event(
    connection: AnyConnection,
    approval: ApprovalId,
    now: datetime,
    move: ApprovalMove,
    operator: bytes | None,
    note: str | None = None,
) -> None:
    with translated():
        await connection.execute(load_queries("approvals")["insert_event"], approval, now, move, operator, note)
