"""Suspending somebody is in one order with everything that he does at the same time."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from engine.core.approvals import Approval, ApprovalKind, ApprovalMove
from engine.core.participants import Participant
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import CarriedOut, Decided, Decision, Executors, ask_approval, asking, decide
from engine.flows.suspend_participant import suspend
from engine.store.connection import AnyConnection
from tests.flows.operators import IDS, a_pool, an_operator, at_work

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FROM operator%'"


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to this test's database."""
    async with a_pool(dsn) as opened:
        yield opened


async def nothing(_connection: AnyConnection, _approval: Approval, /) -> CarriedOut | NotDone:
    """An effect without any."""
    return CarriedOut({})


async def test_suspension_waits_for_what_the_operator_has_begun(pool: asyncpg.Pool, sql: asyncpg.Connection) -> None:
    """It is answered after that, so nothing that the operator does comes after the answer."""
    first, second = await an_operator(pool, "a"), await an_operator(pool, "b")
    async with at_work(pool, first) as asked:
        approval = await ask_approval(
            asked, kind=ApprovalKind.MANUAL_POSTING, region=0, subject="s", payload="p", reason="r"
        )
    assert isinstance(approval, Approval)

    async def suspended() -> Participant | NotDone:
        async with at_work(pool, first) as asked:
            return await suspend(asked, second, reason="left")

    async with at_work(pool, second) as asked:
        suspending = asyncio.ensure_future(suspended())
        while not await sql.fetchval(WAITING):
            assert not suspending.done()
        executors = Executors(effects={ApprovalKind.MANUAL_POSTING: nothing})
        decision = Decision(approval=approval.id, move=ApprovalMove.APPROVE, note=None)
        assert isinstance(await decide(asked, decision, executors), Decided)
    found = await suspending
    assert isinstance(found, Participant)
    assert found.is_suspended
    async with pool.acquire() as connection, connection.transaction():
        refused = await asking(connection, second, IDS)
    assert refused == NotDone(Refusal.CALLER_SUSPENDED)


async def test_two_who_suspend_each_other_do_not_both_go_on(pool: asyncpg.Pool) -> None:
    """One of them loses the race and is told to try again; he finds himself suspended."""
    operators = [await an_operator(pool, code) for code in ("a", "b")]

    async def suspended(by: bytes, whom: bytes) -> object:
        async with at_work(pool, by) as asked:
            return await suspend(asked, whom, reason="r")

    ends = await asyncio.gather(
        suspended(operators[0], operators[1]), suspended(operators[1], operators[0]), return_exceptions=True
    )
    assert sum(isinstance(end, Participant) for end in ends) == 1
    assert await pool.fetchval("SELECT count(*) FROM participant WHERE is_suspended") == 1
