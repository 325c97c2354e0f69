"""Reading outside the lanes: one query and one of our types each."""

from datetime import date, datetime

import asyncpg
import msgspec

from engine.core.books import Control
from engine.core.ids import CardId, MerchantId, PaymentId, RefundId
from engine.core.payments import Payment, Refund, State
from engine.store.faults import StoreUnavailable, translated
from engine.store.partitions import ensure_partitions
from engine.store.rows import control_of, instant, payment_of, refund_of
from engine.store.sql import load_queries


class BusinessNow(msgspec.Struct, frozen=True):
    """The open cycle and business time, as of one read; `clock` is the database's own."""

    control: Control
    now: datetime
    clock: datetime
    offset_us: int


class CallerKeyRow(msgspec.Struct, frozen=True):
    """A caller's key as stored: the secret is sealed."""

    caller: bytes
    alg: str
    sealed: bytes
    is_suspended: bool


class Reads:
    """The reading side of the store. Every method raises `Fault` when the database cannot answer."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """Read through *pool*."""
        self._pool = pool
        self._queries = load_queries("reads")

    async def business_now(self) -> BusinessNow:
        """The open cycle and business time."""
        with translated():
            row = await self._pool.fetchrow(self._queries["control"])
        if row is None:
            raise StoreUnavailable("the books are not set up")
        now = instant(row["clock"], row["sandbox_offset_us"])
        return BusinessNow(control_of(row), now, row["clock"], row["sandbox_offset_us"])

    async def payment(self, payment: PaymentId, merchant: MerchantId) -> Payment | None:
        """A merchant's own payment."""
        with translated():
            row = await self._pool.fetchrow(self._queries["payment_of_merchant"], payment, merchant)
        return payment_of(row) if row is not None else None

    async def payments(
        self,
        merchant: MerchantId,
        *,
        before: PaymentId | None,
        order_no: str | None,
        state: State | None,
        business_date: date | None,
        count: int,
    ) -> list[Payment]:
        """A merchant's own payments, newest first."""
        with translated():
            rows = await self._pool.fetch(
                self._queries["payments_of_merchant"], merchant, before, order_no, state, business_date, count
            )
        return [payment_of(row) for row in rows]

    async def refunds(self, payment: PaymentId, *, before: RefundId | None, count: int) -> list[Refund]:
        """The refunds of a payment, newest first."""
        with translated():
            rows = await self._pool.fetch(self._queries["refunds_of_payment"], payment, before, count)
        return [refund_of(row) for row in rows]

    async def caller_key(self, keyid: str) -> CallerKeyRow | None:
        """What a key id names."""
        with translated():
            row = await self._pool.fetchrow(self._queries["caller_key"], keyid)
        return CallerKeyRow(row["caller"], row["alg"], row["secret"], row["is_suspended"]) if row else None

    async def engine_keys(self) -> list[tuple[str, bytes]]:
        """The engine's own keys, newest first: key id and sealed secret."""
        with translated():
            rows = await self._pool.fetch(self._queries["engine_keys"])
        return [(row["key_id"], row["secret"]) for row in rows]

    async def device_of(self, card: CardId) -> tuple[int, int] | None:
        """Device number and key id of a card's first device."""
        with translated():
            row = await self._pool.fetchrow(self._queries["device_of_card"], card)
        return (row["device_no"], row["key_id"]) if row is not None else None

    async def refreshes_used(self, device_no: int, *, step: int) -> set[int]:
        """The refresh digits whose code of *step* has paid."""
        with translated():
            rows = await self._pool.fetch(self._queries["refreshes_used"], step, device_no)
        return {row["refresh"] for row in rows}

    async def due_holds(self, now: datetime, *, count: int) -> list[PaymentId]:
        """Payments whose hold has lapsed by *now*, oldest first."""
        with translated():
            rows = await self._pool.fetch(self._queries["due_holds"], now, count)
        return [PaymentId(row["payment"]) for row in rows]

    async def can_open(self, business_date: date) -> bool:
        """True if the partitions of *business_date* exist."""
        day = f"{business_date:%Y%m%d}"
        with translated():
            found: bool = await self._pool.fetchval(self._queries["has_partitions"], f"posting_{day}", f"event_{day}")
        return found


async def advance_sandbox_clock(pool: asyncpg.Pool, *, advance_s: int) -> int:
    """Move business time, after making the partitions that the new time needs. Returns the offset in microseconds.

    Raises:
        Fault: the database cannot do it.
    """
    queries = load_queries("reads")
    with translated():
        row = await pool.fetchrow(queries["control"])
        assert row is not None
        async with pool.acquire() as connection:
            target = instant(row["clock"], row["sandbox_offset_us"] + advance_s * 1_000_000)
            await ensure_partitions(connection, target)
        offset: int = await pool.fetchval(queries["advance_sandbox_clock"], advance_s * 1_000_000)
    return offset
