"""Spooling from a journal written by hand: the order of several lanes, whose business a payment is, and the cursor."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from engine.core.answers import Answer, EventKind, Remembered
from engine.core.ids import CallerId, CardId, IdKind, MerchantId, PaymentId
from engine.core.payments import Details, Mode, Payment, State
from engine.flows import spool_webhooks as spooling
from engine.flows.spool_webhooks import spool_webhooks
from engine.store.connection import open_pool
from engine.store.webhook_outbox import load_page, take_messages
from tests.builders import REGION, an_id

NOW = datetime.now(UTC).replace(microsecond=0)
MERCHANT = MerchantId(an_id(IdKind.MERCHANT))
CHANNEL = CallerId(an_id(IdKind.CHANNEL))


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """What the spooler works through."""
    async with await open_pool(dsn, size_max=4) as opened:
        yield opened


class Journal:
    """Lanes, their batches and events, as lanes leave them."""

    def __init__(self, sql: asyncpg.Connection) -> None:
        self.sql = sql
        self._seqs: dict[int, int] = {}

    async def lane(self, lane: int) -> None:
        """A lane without batches."""
        await self.sql.execute("INSERT INTO lane VALUES ($1, 1, 0, '', '')", lane)

    async def batch(self, lane: int, at_s: float, *payments: Payment, kind: EventKind = EventKind.AUTHORIZED) -> None:
        """A batch so many seconds from now, with an event about each of these payments."""
        seq = self._seqs[lane] = self._seqs.get(lane, 0) + 1
        at, day = NOW + timedelta(seconds=at_s), await self.sql.fetchval("SELECT business_date FROM control")
        await self.sql.execute(
            "INSERT INTO batch VALUES ($1, $2, $3, $4, 1, $5, '', '')", lane, seq, at, day, len(payments)
        )
        for n, payment in enumerate(payments):
            body = msgspec.msgpack.encode(Remembered((), Answer(payment=payment, next_cutoff_at=NOW)))
            await self.sql.execute(
                "INSERT INTO event VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                *(day, lane, seq, n, kind, REGION, payment.id, at, body),
            )
        await self.sql.execute("UPDATE lane SET seq = $2 WHERE id = $1", lane, seq)

    async def endpoint(self, owner: bytes, *, since_s: float = -3_600) -> bytes:
        """An endpoint of *owner*'s."""
        identifier = an_id(IdKind.WEBHOOK_ENDPOINT)
        await self.sql.execute(
            "INSERT INTO webhook_endpoint (id, owner, url, types, secret, field_key_id, state, is_gone, created_at) "
            "VALUES ($1, $2, '', '{}', '', 1, 1, false, $3)",
            *(identifier, owner, NOW + timedelta(seconds=since_s)),
        )
        return identifier

    async def cursors(self) -> dict[int, int]:
        """How far each lane was looked at."""
        return {row["lane"]: row["seq"] for row in await self.sql.fetch("SELECT lane, seq FROM webhook_cursor")}

    async def told(self, endpoint: bytes) -> list[tuple[bytes, int]]:
        """Payment and sequence of each message, in the order in which they were made."""
        rows = await self.sql.fetch("SELECT payment, sequence FROM webhook_message WHERE endpoint = $1", endpoint)
        return [(row["payment"], row["sequence"]) for row in rows]


@pytest.fixture
def journal(sql: asyncpg.Connection) -> Journal:
    """An empty journal."""
    return Journal(sql)


def a_payment(sequence: int = 1, *, of: PaymentId | None = None, channel: CallerId | None = None) -> Payment:
    """A payment at the *sequence*-th event of its life."""
    return Payment(
        id=of if of is not None else PaymentId(an_id(IdKind.PAYMENT)),
        region=REGION,
        merchant=MERCHANT,
        payer=CardId(an_id(IdKind.CARD)),
        order_no="A-1",
        amount=500,
        scenario=2,
        mode=Mode.SHOW_CODE,
        terminal_id="T-01",
        description=None,
        state=State.AUTHORIZED,
        refusal=None,
        tenders=(),
        business_date=NOW.date(),
        cycle=None,
        limit_day=NOW.date(),
        created_at=NOW,
        expires_at=None,
        captured_at=None,
        sequence=sequence,
        details=Details(channel=channel) if channel is not None else None,
    )


async def test_lanes_are_read_in_order_of_time(pool: asyncpg.Pool, journal: Journal) -> None:
    first, second, third = (a_payment(n, of=PaymentId(an_id(IdKind.PAYMENT))) for n in (1, 2, 3))
    for lane in (1, 2):
        await journal.lane(lane)
    await journal.batch(1, 3, third)
    await journal.batch(2, 1, first)
    await journal.batch(2, 2, second)
    endpoint = await journal.endpoint(MERCHANT)
    assert await spool_webhooks(pool, now=NOW) == 3
    assert [payment for payment, _ in await journal.told(endpoint)] == [first.id, second.id, third.id]
    assert await journal.cursors() == {1: 1, 2: 2}


async def test_nothing_later_is_read_of_a_lane_than_was_read_of_all(pool: asyncpg.Pool, journal: Journal) -> None:
    for lane in (1, 2):
        await journal.lane(lane)
    for at_s in range(6):
        await journal.batch(1, at_s, a_payment())
    await journal.batch(2, 4.5, a_payment())
    page = await load_page(pool, batches_max=3, events_max=100)
    assert page.passed == {1: 3}
    page = await load_page(pool, batches_max=6, events_max=100)
    assert page.passed == {1: 6, 2: 1}
    page = await load_page(pool, batches_max=10, events_max=5)
    assert page.passed == {1: 5}


async def test_page_after_page_is_spooled_and_each_event_once(
    pool: asyncpg.Pool, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooling, "BATCHES_MAX", 2)
    monkeypatch.setattr(spooling, "EVENTS_MAX", 3)
    for lane in (1, 2, 3):
        await journal.lane(lane)
        for at_s in range(5):
            await journal.batch(lane, at_s + lane / 10, a_payment(), a_payment())
    endpoint = await journal.endpoint(MERCHANT)
    assert await spool_webhooks(pool, now=NOW) == 30
    assert await spool_webhooks(pool, now=NOW) == 0
    assert len(set(await journal.told(endpoint))) == 30


async def test_message_is_not_given_out_before_those_before_it(pool: asyncpg.Pool, journal: Journal) -> None:
    payment = PaymentId(an_id(IdKind.PAYMENT))
    await journal.lane(1)
    await journal.batch(1, 0, *(a_payment(sequence, of=payment) for sequence in (1, 2, 3)))
    endpoint = await journal.endpoint(MERCHANT)
    await spool_webhooks(pool, now=NOW)
    taken = await take_messages(pool, endpoint, now=NOW, until=NOW + timedelta(seconds=30), count=8)
    assert [message.sequence for message in taken] == [1]
    assert await take_messages(pool, endpoint, now=NOW, until=NOW, count=8) == []


async def test_message_that_another_worker_is_taking_is_not_waited_for(
    pool: asyncpg.Pool, journal: Journal, sql: asyncpg.Connection
) -> None:
    await journal.lane(1)
    await journal.batch(1, 0, a_payment(), a_payment())
    endpoint = await journal.endpoint(MERCHANT)
    await spool_webhooks(pool, now=NOW)
    async with sql.transaction():
        await sql.execute("SELECT FROM webhook_message ORDER BY id LIMIT 1 FOR UPDATE")
        taken = await take_messages(pool, endpoint, now=NOW, until=NOW + timedelta(seconds=30), count=8)
    assert len(taken) == 1


async def test_channel_is_told_what_was_confirmed_in_it(pool: asyncpg.Pool, journal: Journal) -> None:
    own = a_payment(channel=CHANNEL)
    await journal.lane(1)
    await journal.batch(1, 0, own, a_payment(channel=CallerId(an_id(IdKind.CHANNEL))), a_payment())
    endpoint = await journal.endpoint(CHANNEL)
    assert await spool_webhooks(pool, now=NOW) == 1
    assert await journal.told(endpoint) == [(own.id, 1)]


async def test_what_happened_before_an_endpoint_was_there_is_not_told(pool: asyncpg.Pool, journal: Journal) -> None:
    later = a_payment()
    await journal.lane(1)
    await journal.batch(1, 9, a_payment())
    await journal.batch(1, 10, later)
    endpoint = await journal.endpoint(MERCHANT, since_s=10)
    await spool_webhooks(pool, now=NOW)
    assert await journal.told(endpoint) == [(later.id, 1)]


async def test_without_endpoints_the_cursor_moves_and_nothing_is_read(pool: asyncpg.Pool, journal: Journal) -> None:
    await journal.lane(1)
    for at_s in range(4):
        await journal.batch(1, at_s, a_payment())
    assert await spool_webhooks(pool, now=NOW) == 0
    assert await journal.cursors() == {1: 4}
    endpoint = await journal.endpoint(MERCHANT)
    assert await spool_webhooks(pool, now=NOW) == 0
    assert await journal.told(endpoint) == []


async def test_refusals_and_bookings_move_the_cursor_and_are_not_told(pool: asyncpg.Pool, journal: Journal) -> None:
    await journal.lane(1)
    for kind in (EventKind.REFUSED, EventKind.BOOKED, EventKind.ORDER_CANCELLED):
        await journal.batch(1, 0, a_payment(), kind=kind)
    await journal.batch(1, 0)
    endpoint = await journal.endpoint(MERCHANT)
    await spool_webhooks(pool, now=NOW)
    assert (await journal.told(endpoint), await journal.cursors()) == ([], {1: 4})
