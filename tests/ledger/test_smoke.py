"""The shortest road through a lane."""

import asyncio

import asyncpg

from engine.ledger.router import Ledger
from engine.store.lane_session import LaneSessions
from tests.builders import a_world


async def test_a_captured_payment_is_on_the_payers_row(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    ledger = Ledger(LaneSessions(dsn, node="test"), lane_count=2)
    await ledger.open()
    running = asyncio.create_task(ledger.run())
    await ledger.submit(world.open_account(amount=300))
    outcome = await ledger.submit(world.authorize(amount=500))
    assert outcome.answer.payment is not None
    assert [tender.captured for tender in outcome.answer.payment.tenders] == [300, 200]
    ledger.close()
    await running
    assert await sql.fetchval("SELECT debits_posted FROM payer WHERE id = $1", world.cards[0]) == 300
