"""Four eyes: one operator asks, another decides, and what was decided is done exactly once."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Protocol

import asyncpg
import msgspec
import structlog

from engine.core.approvals import (
    TRANSITIONS,
    Approval,
    ApprovalId,
    ApprovalKind,
    ApprovalMove,
    ApprovalOutcome,
    judge_decision,
    new_approval,
)
from engine.core.ids import IdKind
from engine.core.participants import Operator, Right, WrongField, covers
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.clock import IdSource
from engine.store.approvals import (
    decide_approval,
    insert_approval,
    lapse_approvals,
    load_approval,
    load_under_way,
    lock_approval,
    record_outcome,
)
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Clocks, hold_operator, load_clocks

UNDER_WAY_AT_ONCE: Final = 50

log = structlog.get_logger("engine.approvals")


class IssuedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that was just made: it is shown in one answer, and never again. `key` is Base64."""

    keyid: str
    alg: str
    key: str

    def __repr__(self) -> str:
        return f"IssuedSecret(keyid={self.keyid!r}, ***)"


class CarriedOut(msgspec.Struct, frozen=True):
    """What came of an approved request. `result` goes into JSON and is kept."""

    result: Mapping[str, object]
    secret: IssuedSecret | None = None


class Effect(Protocol):
    """Does what was approved, in the transaction of the decision: both are there, or neither is."""

    async def __call__(self, connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
        """Do it, or say why it cannot be done; then the request stays undecided."""


class Action(Protocol):
    """Does what was approved, after the decision, as often as it is asked with the same effect as once: its key is the
    approval's id.
    """

    async def __call__(self, approval: Approval, /) -> CarriedOut | NotDone:
        """Do it, or say why it can never be done.

        Raises:
            Fault: not now; it is asked again.
        """


class Executors(msgspec.Struct, frozen=True):
    """Who does what was approved, by kind: plain changes of tables as effects, everything else as actions."""

    effects: Mapping[ApprovalKind, Effect]
    actions: Mapping[ApprovalKind, Action] = {}


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """An operator at work: who, when, and the transaction in which it all happens."""

    connection: AnyConnection
    operator: Operator
    clocks: Clocks
    ids: IdSource

    @property
    def now(self) -> datetime:
        """Business time."""
        return self.clocks.business

    def why_not(self, right: Right, region: int) -> NotDone | None:
        """Why the operator may not do something over *region*; None if it may."""
        if not self.operator.may(right, self.operator.region):
            return NotDone(Refusal.SCOPE_NOT_AUTHORIZED)
        if not covers(self.operator.region, region):
            return NotDone(Refusal.REGION_NOT_PERMITTED)
        return None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator decides on a request."""

    approval: ApprovalId
    move: ApprovalMove
    note: str | None


class Decided(msgspec.Struct, frozen=True):
    """A request as decided, and the secret that came of it."""

    approval: Approval
    secret: IssuedSecret | None = None


async def asking(connection: AnyConnection, operator: bytes, ids: IdSource) -> Asking | NotDone:
    """The operator at work in this transaction, as it is until the transaction ends.

    Locks: the operator's row, shared, so that nothing it does comes after its suspension.
    """
    found = await hold_operator(connection, operator)
    if found is None:
        return NotDone(Refusal.SCOPE_NOT_AUTHORIZED)
    if found.is_suspended:
        return NotDone(Refusal.CALLER_SUSPENDED)
    return Asking(connection=connection, operator=found, clocks=await load_clocks(connection), ids=ids)


async def ask_approval(
    asked: Asking, *, kind: ApprovalKind, region: int, subject: str, payload: object, reason: str
) -> Approval | NotDone:
    """A request that another operator of *region* has to decide on. *payload* is what its executor will read."""
    refused = asked.why_not(Right.REQUEST, region)
    if refused is not None:
        return refused
    approval = new_approval(
        ApprovalId(asked.ids.new(IdKind.APPROVAL, shard=0, region=region)),
        kind=kind,
        region=region,
        subject=subject,
        payload=payload,
        reason=reason,
        requested_by=asked.operator.id,
        now=asked.now,
    )
    await insert_approval(asked.connection, approval)
    return approval


async def decide(asked: Asking, decision: Decision, executors: Executors) -> Decided | NotDone:
    """Decide a request once, whoever else decides on it meanwhile. What is plain SQL is done with it.

    Locks: the request's row; whoever comes second is told what the first has decided.
    """
    approval = await lock_approval(asked.connection, decision.approval)
    if approval is None:
        return NotDone(Refusal.NOT_FOUND)
    # Business time is read again: the lock may have been waited for past the end of the request.
    now = (await load_clocks(asked.connection)).business
    refusal = judge_decision(approval, decision.move, asked.operator, now=now)
    if refusal is not None:
        return NotDone(refusal)
    outcome: ApprovalOutcome | None = None
    carried: CarriedOut | None = None
    if decision.move is ApprovalMove.APPROVE:
        outcome = ApprovalOutcome.UNDER_WAY
        effect = executors.effects.get(approval.kind)
        assert effect is not None or approval.kind in executors.actions, f"nothing carries out {approval.kind.name}"
        if effect is not None:
            effected = await effect(asked.connection, approval)
            if isinstance(effected, NotDone):
                return effected
            carried = effected
            outcome = ApprovalOutcome.DONE
    decided = await decide_approval(
        asked.connection,
        approval.id,
        move=decision.move,
        state=TRANSITIONS[approval.state, decision.move],
        operator=asked.operator.id,
        now=now,
        note=decision.note,
        outcome=outcome,
        result=_result(carried) if carried is not None else None,
    )
    return Decided(decided, carried.secret if carried is not None else None)


async def carry_out(pool: asyncpg.Pool, approval: Approval, executors: Executors) -> Approval:
    """Do what was approved and is not plain SQL, and keep what came of it. Doing it again changes nothing.

    Raises:
        Fault: not now; `carry_out_waiting` tries again.
    """
    assert approval.outcome is ApprovalOutcome.UNDER_WAY, "only what is approved and not done"
    carried = await executors.actions[approval.kind](approval)
    outcome = ApprovalOutcome.REFUSED if isinstance(carried, NotDone) else ApprovalOutcome.DONE
    with translated():
        async with pool.acquire() as connection, connection.transaction():
            now = (await load_clocks(connection)).business
            recorded = await record_outcome(connection, approval.id, now=now, outcome=outcome, result=_result(carried))
    if recorded is None:
        recorded = await load_approval(pool, approval.id)
    assert recorded is not None, "approvals are never deleted"
    log.info("approval.carried_out", kind=approval.kind.name, outcome=outcome.name)
    return recorded


async def carry_out_waiting(pool: asyncpg.Pool, executors: Executors) -> int:
    """Do what was approved and left undone by a process that ended or a fault. Returns how many were done.

    Raises:
        Fault: the first that could not be done now.
    """
    waiting = await load_under_way(pool, count=UNDER_WAY_AT_ONCE)
    for identifier in waiting:
        approval = await load_approval(pool, identifier)
        if approval is not None and approval.outcome is ApprovalOutcome.UNDER_WAY:
            await carry_out(pool, approval, executors)
    return len(waiting)


async def lapse_overdue(pool: asyncpg.Pool) -> int:
    """Write down which requests are over. Returns how many.

    Raises:
        Fault: the database cannot do it now.
    """
    with translated():
        async with pool.acquire() as connection, connection.transaction():
            return len(await lapse_approvals(connection, now=(await load_clocks(connection)).business))


def _result(carried: CarriedOut | NotDone) -> bytes:
    if isinstance(carried, NotDone):
        return msgspec.json.encode({"refusal": carried.refusal.slug, "fields": _told(carried.fields)}, order="sorted")
    return msgspec.json.encode(carried.result, order="sorted")


def _told(fields: tuple[WrongField, ...]) -> dict[str, str]:
    return {wrong.field: wrong.reason for wrong in fields}
