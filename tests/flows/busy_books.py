"""Books in which everything that can happen has happened, over several cycles, and ways to damage them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.codes.keys import SigningKey
from engine.core.accounts import pool_fund
from engine.core.calendar import CycleNumber
from engine.core.commands import Authorize
from engine.core.ids import PaymentId
from engine.flows.authorize_payment import bill_digest
from engine.flows.close_cycle import close_cycle
from engine.flows.publish_cycle import publish_cycle
from engine.ledger.router import Ledger
from engine.store.clearing_session import open_clearing
from engine.store.lane_session import LaneSessions
from tests.builders import REGION, World, a_world
from tests.insured import bill_of

KEY = SigningKey("test-1", Ed25519PrivateKey.from_private_bytes(bytes(32)))
FUND = pool_fund(REGION // 100 * 100, 310100)
PUBLIC_KEYS = {KEY.key_id: KEY.public_bytes}


@asynccontextmanager
async def a_ledger(dsn: str, *, lane_count: int = 2) -> AsyncIterator[Ledger]:
    """A ledger that serves until the end of the block."""
    ledger = Ledger(LaneSessions(dsn, node="test"), lane_count=lane_count)
    await ledger.open()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ledger.run())
        try:
            yield ledger
        finally:
            ledger.close()


class BusyBooks(msgspec.Struct, frozen=True, kw_only=True):
    """Payments of `busy_books`, by what became of them."""

    world: World
    captured: PaymentId  # at once, with a fund, a personal account and a bank card
    held: PaymentId
    held_and_captured: PaymentId
    voided: PaymentId
    lapsed: PaymentId
    refunded_later: PaymentId  # captured in the first cycle, from two tenders; given back in the second
    declined: PaymentId
    first_cycle: CycleNumber


async def busy_books(dsn: str, sql: asyncpg.Connection) -> BusyBooks:
    """Two business dates, three cycles, two lanes, every command."""
    world = await a_world(sql)
    async with a_ledger(dsn) as ledger:
        for card in range(4):
            await ledger.submit(world.open_account(card=card, amount=1_000))
        captured = await _paid(ledger, insured(world.authorize(card=0, amount=1_500)))
        refunded = await _paid(ledger, world.authorize(card=1, amount=1_200))
        declined = await _paid(ledger, world.authorize(card=2, amount=10_000_000, order_no="too-much"))
        await _paid(ledger, world.authorize(card=2, amount=40, order_no="too-much"))
        parts = await _paid(ledger, world.authorize(card=2, amount=900, capture=False, hold_s=172_800))
        await ledger.submit(world.capture(parts, amount=100, final=False))
        voided = await _paid(ledger, world.authorize(card=3, amount=2_000, capture=False))
        await ledger.submit(world.void(voided))
        lapsing = await _paid(ledger, world.authorize(card=3, amount=70, capture=False, hold_s=60))
        lapsing_part = await _paid(ledger, world.authorize(card=3, amount=80, capture=False, hold_s=60))
        await ledger.submit(world.capture(lapsing_part, amount=30, final=False))
        first_cycle = await publish(dsn)

        await ledger.submit(world.capture(parts, amount=500, final=False))
        await ledger.submit(world.refund(refunded, amount=300))
        await ledger.submit(world.refund(refunded, amount=900))
        replayed = world.authorize(card=0, amount=33)
        await asyncio.gather(*(ledger.submit(replayed) for _ in range(3)))
        await ledger.submit(world.cancel("never-seen"))
        await ledger.submit(world.authorize(order_no="never-seen"))
        paid_order = world.authorize(card=1, amount=55)
        await ledger.submit(paid_order)
        await ledger.submit(world.cancel(paid_order.order_no))
        held_order = world.authorize(card=1, amount=66, capture=False)
        await ledger.submit(held_order)
        await ledger.submit(world.cancel(held_order.order_no))
        part_order = world.authorize(card=1, amount=88, capture=False)
        await ledger.submit(world.capture(await _paid(ledger, part_order), amount=8, final=False))
        await ledger.submit(world.cancel(part_order.order_no))
        await sql.execute("UPDATE control SET sandbox_offset_us = 86400000000")
        await publish(dsn)

        await ledger.submit(world.capture(parts))
        await ledger.submit(world.refund(captured, amount=10))
        for payment in (lapsing, lapsing_part):
            await ledger.submit(world.expire(payment))
        held = await _paid(ledger, world.authorize(card=2, amount=120, capture=False))
        later = await _paid(ledger, world.authorize(card=3, amount=130, capture=False))
        await ledger.submit(world.capture(later, amount=100))
        await ledger.submit(world.report_loss(card=3))
        await ledger.submit(world.authorize(card=3))
    return BusyBooks(
        world=world,
        captured=captured,
        held=held,
        held_and_captured=later,
        voided=voided,
        lapsed=lapsing,
        refunded_later=refunded,
        declined=declined,
        first_cycle=first_cycle,
    )


def insured(command: Authorize, *, amount: int = 200) -> Authorize:
    """The same payment, of which the pooled fund pays *amount*."""
    bill = bill_of(command.amount, insured=amount)
    return msgspec.structs.replace(command, bill=bill, bill_digest=bill_digest(bill))


async def publish(dsn: str) -> CycleNumber:
    """Close the open cycle, and put its files out."""
    async with open_clearing(dsn) as session:
        cycle = await close_cycle(session, signing_key=KEY)
        await publish_cycle(session, cycle=cycle, signing_key=KEY)
    return cycle


async def _paid(ledger: Ledger, command: Authorize) -> PaymentId:
    """Submit a payment; its id, declined ones included."""
    outcome = await ledger.submit(command)
    assert outcome.answer.payment is not None
    return outcome.answer.payment.id
