"""The desk's loop: it reads what operators want, survives a database that is away, and leaves nothing unwritten."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from engine.core.ids import CallerId, IdKind, MerchantId, PaymentId
from engine.core.risk import RULES, Action, Override, RiskFacts
from engine.flows.assess_risk import RiskCase, RiskDesk
from engine.hints.risk_counters import RiskCounters
from engine.store.participants import load_clocks
from engine.store.risk import SetRule, insert_override
from engine.workers.risk import open_risk_desk
from tests.builders import REGION, an_id
from tests.flows.operators import IDS, a_pool

NOW_S = 1_795_000_000.0
FACTS = RiskFacts(merchant=MerchantId(an_id(IdKind.MERCHANT)), region=REGION, terminal_id="T-01", device_no=14)


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections as a node has them."""
    async with a_pool(dsn) as opened:
        yield opened


def a_desk(pool: asyncpg.Pool, *, threshold: int = 30) -> RiskDesk:
    """A desk whose rules of payers hit from *threshold* on."""
    rules = tuple(
        msgspec.structs.replace(rule, threshold=threshold) if rule.name == "payer_velocity" else rule for rule in RULES
    )
    return RiskDesk(pool, RiskCounters(None, process="test"), IDS, rules=rules)


async def test_everything_is_written_down_when_the_process_ends(pool: asyncpg.Pool) -> None:
    payments = {PaymentId(an_id(IdKind.PAYMENT)) for _ in range(50)}
    async with open_risk_desk(a_desk(pool, threshold=1), asyncio.Event()) as desk:
        for payment in payments:
            case = RiskCase(payment=payment, caller=CallerId(FACTS.merchant), trace_id="0" * 32)
            desk.record(desk.assess(FACTS, NOW_S), FACTS, case, now_s=NOW_S)
    assert {row["payment"] for row in await pool.fetch("SELECT payment FROM risk_decision")} == payments


async def test_database_that_cannot_answer_is_asked_again_and_then_what_operators_want_holds(
    sql: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    wish = Override(rule="payer_velocity", region=0, merchant=None, threshold=1, action=Action.DENY)
    now = (await load_clocks(pool)).business
    rule = SetRule(rule=wish.rule, region=0, merchant=None, wish=wish, set_by=an_id(IdKind.OPERATOR), set_at=now)
    async with pool.acquire() as connection:
        await insert_override(connection, rule, reason="r")
    has_failed, was_told = asyncio.Event(), asyncio.Event()
    transaction = sql.transaction()
    await transaction.start()
    await sql.execute("LOCK TABLE risk_rule")
    async with open_risk_desk(a_desk(pool), was_told, on_fault=has_failed.set) as desk:
        await has_failed.wait()
        assert desk.assess(FACTS, NOW_S).action is Action.ALLOW
        await transaction.rollback()
        while desk.assess(msgspec.structs.replace(FACTS, device_no=15), NOW_S).action is not Action.DENY:
            await pool.fetchval("SELECT 1")  # the loop has a turn
        assert not was_told.is_set()
    assert was_told.is_set()
