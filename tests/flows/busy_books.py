"""Books in which everything that can happen has happened, over several cycles, and ways to damage them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.codes.keys import SigningKey
from engine.core.accounts import merchant_payable, pool_fund
from engine.core.calendar import CycleNumber
from engine.core.clearing import LaneEnd, Movement, NetPosition, bank_of, net_positions, seal_root
from engine.core.clearing_lines import FileKind
from engine.core.commands import Authorize, FundShare
from engine.core.ids import MerchantId, PaymentId
from engine.core.postings import Phase, PostingKind
from engine.ledger.router import Ledger
from engine.store.lane_session import LaneSessions
from tests.builders import REGION, World, a_world

KEY = SigningKey("test-1", Ed25519PrivateKey.from_private_bytes(bytes(32)))
PUBLIC_KEYS = {KEY.key_id: KEY.public_bytes}
FUND = pool_fund(REGION // 100 * 100, 310100)


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
    refunded_later: PaymentId  # captured in the first cycle, from two tenders; given back in the second
    declined: PaymentId
    first_cycle: CycleNumber


async def busy_books(dsn: str, sql: asyncpg.Connection) -> BusyBooks:
    """Two business dates, three cycles, two lanes, every command."""
    world = await a_world(sql)
    first_cycle = CycleNumber(await sql.fetchval("SELECT cycle FROM control"))
    async with a_ledger(dsn) as ledger:
        for card in range(4):
            await ledger.submit(world.open_account(card=card, amount=1_000))
        captured = await _paid(ledger, insured(world.authorize(card=0, amount=1_500)))
        refunded = await _paid(ledger, world.authorize(card=1, amount=1_200))
        declined = await _paid(ledger, world.authorize(card=2, amount=10_000_000, order_no="too-much"))
        await _paid(ledger, world.authorize(card=2, amount=40, order_no="too-much"))
        parts = await _paid(ledger, world.authorize(card=2, amount=900, capture=False))
        await ledger.submit(world.capture(parts, amount=100, final=False))
        voided = await _paid(ledger, world.authorize(card=3, amount=2_000, capture=False))
        await ledger.submit(world.void(voided))
        lapsing = await _paid(ledger, world.authorize(card=3, amount=70, capture=False, hold_s=60))
        lapsing_part = await _paid(ledger, world.authorize(card=3, amount=80, capture=False, hold_s=60))
        await ledger.submit(world.capture(lapsing_part, amount=30, final=False))
        await close_cycle(sql)
        await publish(sql, world, first_cycle)

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
        await close_cycle(sql, next_day=True)
        await seal(sql, CycleNumber(first_cycle + 1))

        await ledger.submit(world.capture(parts))
        await ledger.submit(world.refund(captured, amount=10))
        await sql.execute("UPDATE control SET sandbox_offset_us = 3600000000")
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
        refunded_later=refunded,
        declined=declined,
        first_cycle=first_cycle,
    )


def insured(command: Authorize, *, amount: int = 200) -> Authorize:
    """The same payment, of which the pooled fund pays *amount*."""
    return msgspec.structs.replace(command, fund_shares=(FundShare(FUND, 310100, amount),))


async def close_cycle(sql: asyncpg.Connection, *, next_day: bool = False) -> None:
    """Open the next cycle; no lane may be in the middle of a batch."""
    await sql.execute(
        """
        UPDATE control
           SET business_date = business_date + $1::integer,
               cycle = CASE WHEN $1 = 0 THEN cycle + 1
                            ELSE to_char(business_date + $1::integer, 'YYYYMMDD')::bigint * 100 + 1 END
        """,
        int(next_day),
    )


async def seal(sql: asyncpg.Connection, cycle: CycleNumber) -> None:
    """Tie the chains together as they are now, as a cycle's end."""
    ends = tuple(LaneEnd._make(row) for row in await sql.fetch("SELECT id, seq, head FROM lane ORDER BY id"))
    await write_seal(sql, cycle, ends)


async def write_seal(sql: asyncpg.Connection, cycle: CycleNumber, ends: tuple[LaneEnd, ...]) -> None:
    """A properly signed seal over any ends."""
    root = seal_root(ends)
    await sql.execute(
        "INSERT INTO seal (cycle, at, lanes, root, key_id, signature) VALUES ($1, now(), $2, $3, $4, $5)",
        cycle,
        msgspec.msgpack.encode(ends),
        root,
        KEY.key_id,
        KEY.sign(root),
    )


async def publish(sql: asyncpg.Connection, world: World, cycle: CycleNumber) -> None:
    """Seal a cycle, net it, and put out the files of what each bank pays and gets. Their bytes are no real file's."""
    await seal(sql, cycle)
    banks = {merchant_payable(MerchantId(row[0])): row[1] for row in await sql.fetch("SELECT id, bank FROM merchant")}
    funds = await sql.fetch("SELECT region, pay_type, bank FROM fund")
    banks |= {pool_fund(row[0], row[1]): row[2] for row in funds}
    postings = await sql.fetch(
        "SELECT debit, credit, amount FROM posting WHERE cycle = $1 AND phase = $2 AND kind <> $3",
        cycle,
        Phase.POST,
        PostingKind.OPENING,
    )
    movements = [Movement(bank_of(debit, banks), bank_of(credit, banks), 1, fen) for debit, credit, fen in postings]
    for position in net_positions(movements, world.banks):
        await sql.execute(
            "INSERT INTO net_position (cycle, bank, debits, credits) VALUES ($1, $2, $3, $4)",
            cycle,
            position.bank,
            position.debits,
            position.credits,
        )
        await _put_out(sql, position, FileKind.COLLECT, cycle)
        await _put_out(sql, position, FileKind.CREDIT, cycle)


async def _put_out(sql: asyncpg.Connection, position: NetPosition, kind: FileKind, cycle: CycleNumber) -> None:
    name = f"{position.bank.hex()}_{kind.value}"
    parts = [f"{name} {part}\n".encode() for part in range(3)]
    digest = hashlib.sha256(b"".join(parts)).digest()
    pays = kind is FileKind.COLLECT
    await sql.execute(
        """
        INSERT INTO clearing_file (name, bank, cycle, kind, form, version, business_date, item_count, debit_total,
                                   credit_total, size, sha256, range_from, range_to, root, key_id, signature, replaces,
                                   published_at)
        SELECT $1, $2, $3, $4, 'flat', 1, c.business_date, $5, $6, $7, $8, $9, '', '', s.root, $10, $11, NULL, now()
          FROM control c, seal s
         WHERE s.cycle = $3
        """,
        name,
        position.bank,
        cycle,
        kind.value,
        position.debit_count if pays else position.credit_count,
        position.debits if pays else 0,
        0 if pays else position.credits,
        sum(map(len, parts)),
        digest,
        KEY.key_id,
        KEY.sign(digest),
    )
    await sql.executemany(
        "INSERT INTO clearing_chunk (name, part, bytes) VALUES ($1, $2, $3)",
        [(name, number, part) for number, part in enumerate(parts)],
    )


async def _paid(ledger: Ledger, command: Authorize) -> PaymentId:
    """Submit a payment; its id, declined ones included."""
    outcome = await ledger.submit(command)
    assert outcome.answer.payment is not None
    return outcome.answer.payment.id
