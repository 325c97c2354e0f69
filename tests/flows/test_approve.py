"""What was approved is done exactly once, whatever ends between the decision and its effect."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from engine.core.approvals import (
    APPROVAL_LASTS,
    Approval,
    ApprovalKind,
    ApprovalMove,
    ApprovalOutcome,
    ApprovalState,
)
from engine.core.participants import WrongField
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import (
    CarriedOut,
    Decided,
    Decision,
    Executors,
    ask_approval,
    carry_out,
    carry_out_waiting,
    decide,
    lapse_overdue,
)
from engine.store.approvals import load_approval, load_events
from engine.store.connection import AnyConnection
from engine.store.faults import StoreUnavailable
from tests.flows.operators import a_pool, an_operator, at_work

KIND = ApprovalKind.MANUAL_POSTING


class Posted:
    """An action that keeps, under the approval's id, what a ledger would; it may fail before and after it has."""

    def __init__(self) -> None:
        self.booked: dict[bytes, bytes] = {}
        self.asked = 0
        self.failing: list[str] = []

    async def __call__(self, approval: Approval, /) -> CarriedOut | NotDone:
        self.asked += 1
        failing = self.failing.pop() if self.failing else ""
        if failing == "before":
            raise StoreUnavailable("not now")
        if approval.payload == b'"impossible"':
            return NotDone(Refusal.PAYMENT_STATE_CONFLICT, (WrongField("payment", "voided"),))
        self.booked.setdefault(approval.id, approval.payload)
        if failing == "after":
            raise StoreUnavailable("the answer is lost")
        return CarriedOut({"booked": len(self.booked)})


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to this test's database."""
    async with a_pool(dsn) as opened:
        yield opened


async def asked_for(pool: asyncpg.Pool, operator: bytes, payload: object = "posting") -> Approval:
    """A request of an operator."""
    async with at_work(pool, operator) as asked:
        approval = await ask_approval(asked, kind=KIND, region=110100, subject="s", payload=payload, reason="r")
    assert isinstance(approval, Approval)
    return approval


async def approved(pool: asyncpg.Pool, operator: bytes, approval: Approval, executors: Executors) -> Approval:
    """The request, approved by an operator."""
    async with at_work(pool, operator) as asked:
        decision = Decision(approval=approval.id, move=ApprovalMove.APPROVE, note=None)
        decided = await decide(asked, decision, executors)
    assert isinstance(decided, Decided), decided
    return decided.approval


async def moves(pool: asyncpg.Pool, approval: Approval) -> list[ApprovalMove]:
    """What happened to a request."""
    return [event.move for event in await load_events(pool, approval.id)]


@pytest.fixture
async def under_way(pool: asyncpg.Pool) -> tuple[Approval, Posted, Executors]:
    """A request that was approved by a process that then ended."""
    posted = Posted()
    executors = Executors(effects={}, actions={KIND: posted})
    first, second = await an_operator(pool, "a"), await an_operator(pool, "b")
    approval = await approved(pool, second, await asked_for(pool, first), executors)
    assert (approval.state, approval.outcome, posted.asked) == (ApprovalState.APPROVED, ApprovalOutcome.UNDER_WAY, 0)
    return approval, posted, executors


async def test_what_was_left_undone_is_done_later_and_once(
    pool: asyncpg.Pool, under_way: tuple[Approval, Posted, Executors]
) -> None:
    approval, posted, executors = under_way
    assert await carry_out_waiting(pool, executors) == 1
    assert await carry_out_waiting(pool, executors) == 0
    done = await load_approval(pool, approval.id)
    assert done is not None
    assert (done.outcome, done.result, posted.asked) == (ApprovalOutcome.DONE, b'{"booked":1}', 1)
    assert await moves(pool, approval) == [ApprovalMove.REQUEST, ApprovalMove.APPROVE, ApprovalMove.CARRY_OUT]


@pytest.mark.parametrize("failing", ["before", "after"])
async def test_action_that_fails_is_asked_again_until_it_is_done(
    pool: asyncpg.Pool, under_way: tuple[Approval, Posted, Executors], failing: str
) -> None:
    approval, posted, executors = under_way
    posted.failing = [failing] * 3
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await carry_out_waiting(pool, executors)
    assert await carry_out_waiting(pool, executors) == 1
    assert (posted.booked, posted.asked) == ({approval.id: approval.payload}, 4)


async def test_several_processes_that_do_it_at_once_record_it_once(
    pool: asyncpg.Pool, under_way: tuple[Approval, Posted, Executors]
) -> None:
    approval, posted, executors = under_way
    done = await asyncio.gather(*(carry_out(pool, approval, executors) for _ in range(6)))
    assert {found.result for found in done} == {b'{"booked":1}'}
    assert len(posted.booked) == 1
    assert (await moves(pool, approval)).count(ApprovalMove.CARRY_OUT) == 1


async def test_what_can_never_be_done_says_so(pool: asyncpg.Pool) -> None:
    executors = Executors(effects={}, actions={KIND: Posted()})
    first, second = await an_operator(pool, "a"), await an_operator(pool, "b")
    approval = await approved(pool, second, await asked_for(pool, first, "impossible"), executors)
    done = await carry_out(pool, approval, executors)
    assert done.outcome is ApprovalOutcome.REFUSED
    assert msgspec.json.decode(done.result or b"") == {
        "refusal": "payment-state-conflict",
        "fields": {"payment": "voided"},
    }
    assert await carry_out_waiting(pool, executors) == 0


async def test_effect_and_decision_are_both_there_or_neither(pool: asyncpg.Pool) -> None:
    """An effect that fails after it has written takes the decision back with it."""

    async def broken(connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
        await connection.execute("UPDATE control SET sandbox_offset_us = 7")
        raise StoreUnavailable("gone")

    first, second = await an_operator(pool, "a"), await an_operator(pool, "b")
    approval = await asked_for(pool, first)
    with pytest.raises(StoreUnavailable):
        await approved(pool, second, approval, Executors(effects={KIND: broken}))
    found = await load_approval(pool, approval.id)
    assert found is not None
    assert found.state is ApprovalState.PENDING
    assert await pool.fetchval("SELECT sandbox_offset_us FROM control") == 0


async def test_requests_that_are_over_are_written_down_once(pool: asyncpg.Pool) -> None:
    operator = await an_operator(pool, "a")
    over = await asked_for(pool, operator)
    await pool.execute("UPDATE control SET sandbox_offset_us = $1", int(APPROVAL_LASTS.total_seconds() * 1_000_000))
    waiting = await asked_for(pool, operator)
    counts = await asyncio.gather(*(lapse_overdue(pool) for _ in range(4)))
    assert sum(counts) == 1
    found = [await load_approval(pool, approval.id) for approval in (over, waiting)]
    assert [approval.state for approval in found if approval is not None] == [
        ApprovalState.EXPIRED,
        ApprovalState.PENDING,
    ]
    assert await moves(pool, over) == [ApprovalMove.REQUEST, ApprovalMove.LAPSE]
