"""What the decisions of a batch are made on, read in one session: by a lane under its locks, or only to look."""

from collections.abc import Sequence

import asyncpg
import msgspec

from engine.core.books import AnswerKey, CodeUse, OrderKey
from engine.core.ids import CardId, MerchantId, PaymentId
from engine.core.rules import Rules
from engine.core.visits import VisitKey
from engine.store.connection import AnyConnection
from engine.store.faults import StoreUnavailable, translated
from engine.store.rules import RulesShelf
from engine.store.sql import load_queries


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch has to read."""

    payments: Sequence[PaymentId]
    orders: Sequence[OrderKey]
    codes: Sequence[CodeUse]
    devices: Sequence[int]
    merchants: Sequence[MerchantId]
    terminals: Sequence[tuple[MerchantId, str]]
    refunds: Sequence[tuple[PaymentId, str]]
    bills: Sequence[str]  # beside those of the payments; read apart, since there are seldom any
    pay_orders: Sequence[OrderKey]  # shown to be paid; read apart too
    lost_claims: Sequence[AnswerKey]


class BooksReader:
    """S2 and what follows it, on one connection. Every method raises `Fault` when the database cannot answer."""

    def __init__(self, connection: AnyConnection) -> None:
        """Read through *connection*."""
        self._connection = connection
        self._queries = load_queries("lane")

    async def read_books(self, wanted: Wanted) -> asyncpg.Record:
        """S2: one row, with an array for each kind of thing that was wanted."""
        with translated():
            rows = await self._rows(
                "read_books",
                wanted.payments,
                wanted.orders,
                wanted.codes,
                wanted.devices,
                wanted.merchants,
                wanted.terminals,
                wanted.refunds,
            )
        if not rows:
            raise StoreUnavailable("the books are not set up: no control row")
        return rows[0]

    async def read_earlier(self, lost_claims: Sequence[AnswerKey]) -> list[asyncpg.Record]:
        """S2 again, for keys that were used before: caller, operation, key, body of the event that answered it."""
        with translated():
            return await self._rows("read_earlier", lost_claims)

    async def read_bills(self, numbers: Sequence[str]) -> list[asyncpg.Record]:
        """S2 again, for what is paid by bill: the bills of these numbers, those that there are."""
        with translated():
            return await self._rows("read_bills", numbers)

    async def read_orders(self, keys: Sequence[OrderKey]) -> list[asyncpg.Record]:
        """S2 again, for what was shown to be paid: the newest version of each order that there is."""
        with translated():
            return await self._rows("read_orders", keys)

    async def read_rides(self, cards: Sequence[CardId]) -> list[asyncpg.Record]:
        """S2 again, for cardholders who have not paid some ride: all of theirs."""
        with translated():
            return await self._rows("read_rides", cards)

    async def read_visits(self, visits: Sequence[VisitKey]) -> list[asyncpg.Record]:
        """S2 again, for bills of visits: those that are settled, each visit's oldest first."""
        with translated():
            return await self._rows("read_visits", visits)

    async def read_device_channels(self, devices: Sequence[int]) -> dict[int, bytes]:
        """S2 again, while some channel is stopped: which has registered each phone; none for a sandbox's own."""
        with translated():
            rows = await self._rows("read_device_channels", devices)
        return {row["device_no"]: row["registered_by"] for row in rows}

    async def read_rules(self, shelf: RulesShelf, version: int) -> Rules:
        """S2 again, when operators have changed the rules: those of now, which are at least as new as the last S2."""
        return await shelf.at(self._connection, version)

    async def _rows(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self._connection.fetch(self._queries[name], *arguments)
        return rows
