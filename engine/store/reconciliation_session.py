"""One comparison's session: both sides staged in tables of its own, read in order by payment, page by page."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Final

import asyncpg
import msgspec

from engine.core.bank_lines import Direction, StatementLine
from engine.core.ids import BankId
from engine.core.reconciliation import Item
from engine.core.side_by_side import ItemKey, LineKey
from engine.store.connection import READ_SETTINGS, connect
from engine.store.faults import Fault, translated
from engine.store.sql import load_queries

KEYS_AT_ONCE: Final = 10_000
REFERENCE_LINES_MAX: Final = 10  # a reference that more lines share names none of them
LOCK_POLL_S: Final = 0.05
SESSION_SETTINGS: Final = {
    **READ_SETTINGS,
    # Only an index has the order of a page, and nobody has counted the rows of a table that was just made.
    "enable_seqscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "temp_buffers": "64MB",
    # Putting an index on both sides of the largest upload is one statement each.
    "statement_timeout": "120000",
}
_LOCKS: Final = 7_206 << 32  # one for each bank, of the advisory locks
_ITEM_COLUMNS: Final = ("payment", "direction", "amount", "file", "seq", "leg", "order_no", "account")
_LINE_COLUMNS: Final = (
    *("payment", "direction", "amount", "line", "booked_on", "reversal", "named", "bank_ref", "account"),
)

NUMBERS: Final = {Direction.DEBIT: 1, Direction.CREDIT: 2}
DIRECTIONS: Final = {number: direction for direction, number in NUMBERS.items()}

ItemRow = tuple[str, int, int, int, int, str, str, str]
"""An item as it is staged: its key, leg, order number, account."""


class ReconciliationBusy(Fault):
    """Another statement of the same bank is being compared for too long."""


class Attached(msgspec.Struct, frozen=True, gc=False):
    """A line, and the payment it is about; empty if none is known."""

    payment_id: str
    line: StatementLine


class ReconciliationSession:
    """Two tables that end with the session. Every method raises `Fault` when the database cannot do it."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        """Use `open_reconciliation`."""
        self.connection = connection
        self._queries = load_queries("reconciliation")

    async def lock(self, bank: BankId, *, wait_s: float) -> None:
        """Become the only one that compares this bank's statements, until the session ends.

        It asks again and again: a query that waited would hold a snapshot, and that slows every lane down.

        Raises:
            ReconciliationBusy: another one is at work after *wait_s*.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while True:
            with translated():
                if await self.connection.fetchval(self._queries["try_lock"], _LOCKS + zlib.crc32(bank)):
                    return
            if loop.time() >= until:
                raise ReconciliationBusy("another statement of the bank is being compared")
            await asyncio.sleep(LOCK_POLL_S)

    async def stage_items(self, rows: Sequence[ItemRow]) -> None:
        """Put some of our items beside the others."""
        await self._copy("our_item", _ITEM_COLUMNS, rows)

    async def stage_lines(self, lines: Iterable[Attached]) -> None:
        """Put some of the bank's lines beside the others."""
        rows = [
            (
                payment_id,
                NUMBERS[line.direction],
                line.amount,
                line.line_number,
                line.booked_on,
                line.is_reversal,
                bool(line.payment_id),
                line.bank_ref,
                line.account,
            )
            for payment_id, line in ((attached.payment_id, attached.line) for attached in lines)
        ]
        await self._copy("their_line", _LINE_COLUMNS, rows)

    async def flooded_line(self, *, lines_max: int) -> int | None:
        """The last line of a payment that has more than *lines_max*; None if there is no such payment."""
        await self._execute("index_lines")
        with translated():
            found: int | None = await self.connection.fetchval(self._queries["flooded_payment"], lines_max)
        return found

    async def attach(self) -> bool:
        """Find the payments of lines that have none by their references, once both sides are staged. True if some are
        left without.
        """
        await self._execute("index_items")
        if not await self._has_unattached():
            return False
        await self._execute("attach_by_reference", REFERENCE_LINES_MAX)
        await self._execute("attach_by_order", REFERENCE_LINES_MAX)
        await self._execute("index_unattached")
        return await self._has_unattached()

    async def item_keys(self) -> AsyncIterator[list[ItemKey]]:
        """All items, page by page, in the order of their keys."""
        after: ItemKey = ("", 0, 0, 0, 0)
        while rows := await self._fetch("item_keys", *after, KEYS_AT_ONCE):
            yield rows  # type: ignore[misc]  # a row has the key's parts in order
            after = tuple(rows[-1])

    async def line_keys(self) -> AsyncIterator[list[LineKey]]:
        """All lines that have a payment, page by page, in the order of their keys."""
        after: tuple[str, int, int, int] = ("", max(DIRECTIONS) + 1, 0, 0)
        while rows := await self._fetch("line_keys", *after, KEYS_AT_ONCE):
            yield rows  # type: ignore[misc]  # a row has the key's parts in order
            after = (rows[-1][0], rows[-1][1], rows[-1][2], rows[-1][3])

    async def items_of(self, payment_ids: Sequence[str], *, business_date: date) -> list[Item]:
        """The items of some payments."""
        rows = await self._fetch("items_of_payments", payment_ids)
        return [
            Item(payment, leg, DIRECTIONS[direction], amount, business_date, file, seq, order_no, account)
            for payment, direction, amount, file, seq, leg, order_no, account in rows
        ]

    async def lines_of(self, payment_ids: Sequence[str]) -> list[Attached]:
        """The lines of some payments."""
        return [_attached_of(row) for row in await self._fetch("lines_of_payments", payment_ids)]

    async def unattached_lines(self) -> AsyncIterator[list[StatementLine]]:
        """All lines without a payment, page by page, by reference, direction and amount."""
        after: tuple[str, int, int, int] = ("", 0, 0, 0)
        while rows := await self._fetch("unattached_lines", *after, KEYS_AT_ONCE):
            yield [_attached_of(row).line for row in rows]
            last = rows[-1]
            after = (last["bank_ref"], last["direction"], last["amount"], last["line"])

    async def _has_unattached(self) -> bool:
        with translated():
            found: bool = await self.connection.fetchval(self._queries["has_unattached"])
        return found

    async def _copy(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        with translated():
            await self.connection.copy_records_to_table(table, records=rows, columns=columns)

    async def _execute(self, query: str, *values: object) -> None:
        with translated():
            await self.connection.execute(self._queries[query], *values)

    async def _fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        with translated():
            rows: list[asyncpg.Record] = await self.connection.fetch(self._queries[query], *values)
        return rows


@asynccontextmanager
async def open_reconciliation(dsn: str) -> AsyncIterator[ReconciliationSession]:
    """A session with both tables empty. They and its lock end with it.

    Raises:
        Fault: the database cannot be reached.
    """
    connection = await connect(dsn, SESSION_SETTINGS, application_name="reconciliation")
    try:
        with translated():
            await connection.execute(load_queries("reconciliation")["create_staging"])
        yield ReconciliationSession(connection)
    finally:
        connection.terminate()


def _attached_of(row: asyncpg.Record) -> Attached:
    payment, direction, amount, line, booked_on, reversal, named, bank_ref, account = row
    stated = StatementLine(
        line, bank_ref, payment if named else "", DIRECTIONS[direction], amount, booked_on, account, reversal
    )
    return Attached(payment, stated)
