"""Reading the books to check them: every statement is a short transaction of its own, on the session that it needs.

Three sessions, so that three things can go on at once: one reads the journal, one holds the folds (temporary tables)
and compares with them, one looks up references.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import date
from typing import Any, Final

import asyncpg

from engine.core.accounts import PERSONAL_ACCOUNT_PAY_TYPE, AccountKind, personal_account
from engine.core.answers import EventKind
from engine.core.calendar import CycleNumber
from engine.core.chain_audit import BatchRow
from engine.core.clearing_lines import FileKind
from engine.core.ids import CardId, IdKind
from engine.core.journal import EventRow, PostingRow
from engine.core.payment_audit import PaymentSeen
from engine.core.payments import State
from engine.core.postings import Phase, PostingKind
from engine.store.connection import READ_SETTINGS, connect
from engine.store.faults import translated
from engine.store.sql import Sql, load_queries, with_integers
from engine.store.verify_returns import ReturnReads
from engine.store.verify_rows import (
    FileFault,
    FileRow,
    LaneHead,
    NetFault,
    Netted,
    RefundSeen,
    SealedCycle,
    SealedLane,
    SealRow,
    SliceChecked,
    Stretch,
    TotalsChecked,
    TotalsFault,
    payment_seen_of,
    refund_seen_of,
    slice_of,
)

FIRST_ID: Final = bytes(16)
LAST_ID: Final = b"\xff" * 16
SLICE_ROWS: Final = 4_096
"""A slice takes tens of milliseconds and some megabytes, whatever the size of the books."""

VERIFY_SETTINGS: Final = READ_SETTINGS | {
    # Everything is read through an index, a slice at a time; what the planner guesses about temporary tables and about
    # partitions of today is wrong, and a nested loop over two unsorted sides never ends.
    "enable_seqscan": "off",
    "enable_nestloop": "off",
    "temp_buffers": "32MB",
    "work_mem": "16MB",
}
_NUMBERS: Final = {
    "phase_hold": Phase.HOLD,
    "phase_release": Phase.RELEASE,
    "phase_post": Phase.POST,
    "kind_pay": PostingKind.PAY,
    "kind_refund": PostingKind.REFUND,
    "kind_return": PostingKind.RETURN,
    "kind_represent": PostingKind.REPRESENT,
    "kind_benefit": PostingKind.BENEFIT,
    "event_authorized": EventKind.AUTHORIZED,
    "event_captured": EventKind.CAPTURED,
    "event_part_captured": EventKind.PART_CAPTURED,
    "event_declined": EventKind.DECLINED,
    "event_voided": EventKind.VOIDED,
    "event_expired": EventKind.EXPIRED,
    "event_refunded": EventKind.REFUNDED,
    "event_booked": EventKind.BOOKED,
    "event_card_reported_lost": EventKind.CARD_REPORTED_LOST,  # what is about a card, and no payment
    "event_card_reinstated": EventKind.CARD_REINSTATED,
    "event_card_changed": EventKind.CARD_CHANGED,
    "event_family_changed": EventKind.FAMILY_CHANGED,
    "event_password_checked": EventKind.PASSWORD_CHECKED,
    "state_authorized": State.AUTHORIZED,
    "state_awaiting_user": State.AWAITING_USER,
    "account_personal": AccountKind.PERSONAL_ACCOUNT,
    "account_fund": AccountKind.POOL_FUND,
    "account_receivable": AccountKind.BANK_RECEIVABLE,
    "account_payable": AccountKind.BANK_PAYABLE,
    "account_benefit": AccountKind.BENEFIT_PAYABLE,
    "account_debt": AccountKind.CARD_RECEIVABLE,
    "account_long": AccountKind.SUSPENSE_LONG,
    "account_short": AccountKind.SUSPENSE_SHORT,
    "pay_type_personal": PERSONAL_ACCOUNT_PAY_TYPE,
    "id_bank": IdKind.BANK,
}


class VerifyStore:
    """The books, as the checks read them. Every method raises `Fault` when the database cannot answer."""

    def __init__(
        self,
        journal: asyncpg.Connection,
        folds: asyncpg.Connection,
        references: asyncpg.Connection,
        *,
        slice_rows: int,
    ) -> None:
        """Use `open_verify_store`."""
        self.slice_rows = slice_rows
        self._queries = {name: with_integers(sql, **_NUMBERS) for name, sql in load_queries("verify").items()}
        self._journal = journal
        self._folds = folds
        self._references = references
        self.returns = ReturnReads(references, size=slice_rows)
        """Beside the other references."""
        self.bookings = ReturnReads(folds, size=slice_rows)
        """Beside the folds."""
        self.audit = references
        """The session on which the audit trail is followed, after the other references."""

    async def create_folds(self) -> None:
        """Empty folds, before anything else."""
        with translated():
            await self._folds.execute(self._queries["create_folds"])

    async def lane_heads(self) -> list[LaneHead]:
        """Every lane as it is now."""
        return [LaneHead._make(row) for row in await self._fetch(self._journal, "lane_heads")]

    async def batches(self, lane: int, after_seq: int, last_seq: int) -> list[BatchRow]:
        """The next batches of a lane, in order."""
        rows = await self._fetch(self._journal, "batches", lane, after_seq, last_seq, self.slice_rows)
        return list(map(BatchRow._make, rows))

    async def postings(self, stretch: Stretch) -> list[PostingRow]:
        """The postings of a stretch, in order of seq and n."""
        rows = await self._fetch(self._journal, "postings", stretch.lane, stretch.after_seq, stretch.last_seq)
        return list(map(PostingRow._make, rows))

    async def events(self, stretch: Stretch) -> list[EventRow]:
        """The events of a stretch, in order of seq and n."""
        rows = await self._fetch(self._journal, "events", stretch.lane, stretch.after_seq, stretch.last_seq)
        return list(map(EventRow._make, rows))

    async def fold(self, stretch: Stretch) -> None:
        """Add a stretch to the folds. Each stretch once, and a lane's stretches in order."""
        with translated():
            await self._folds.execute(self._queries["fold"], *stretch)

    async def keep_booked(self, booked: Sequence[tuple[int, int, int]]) -> None:
        """Add bookings to the folds, by lane, seq and n of their events. Each once."""
        with translated():
            await self._folds.copy_records_to_table("booked_fold", records=booked, columns=("lane", "seq", "n"))

    async def slice_end(self, table: str, after: bytes) -> bytes:
        """The last id of the slice of *table* behind *after*; the last slice goes to the end of all ids."""
        with translated():
            found: bytes | None = await self._folds.fetchval(self._queries[f"next_{table}"], after, self.slice_rows - 1)
        return LAST_ID if found is None else found

    async def check_balances(self, after: bytes, last: bytes, folded: dict[int, int]) -> TotalsChecked:
        """Compare the balances in ``(after, last]``; *folded* says up to which batch each lane is in the folds."""
        row = await self._row(self._folds, "check_balances", after, last, list(folded), list(folded.values()))
        fault = TotalsFault(*row[1:]) if row["account"] is not None else None
        return TotalsChecked(row["count"], fault)

    async def check_payers(self, after: bytes, last: bytes, folded: dict[int, int]) -> TotalsChecked:
        """Compare the totals of the payers in ``(after, last]`` with their personal accounts'."""
        accounts = [edge if edge in (FIRST_ID, LAST_ID) else personal_account(CardId(edge)) for edge in (after, last)]
        lanes, seqs = list(folded), list(folded.values())
        row = await self._row(self._folds, "check_payers", after, last, lanes, seqs, *accounts)
        fault = TotalsFault(row["account"], None, row["expected"], row["actual"]) if row["account"] else None
        return TotalsChecked(row["count"], fault)

    async def payments(self, after: bytes, last: bytes, folded: dict[int, int]) -> list[PaymentSeen]:
        """The payments in ``(after, last]``, and what their events and postings add up to, in order of id."""
        rows = await self._fetch(self._folds, "payments", after, last, list(folded), list(folded.values()))
        return [payment_seen_of(row) for row in rows]

    async def check_answers(self, after: tuple[Any, ...]) -> SliceChecked:
        """Look up the events of the next answers. Fault: caller, operation, key, lane, seq, n."""
        return slice_of(await self._fetch(self._references, "check_answers", *after, self.slice_rows), width=3)

    async def check_orders(self, after: tuple[Any, ...]) -> SliceChecked:
        """Look up the payments of the next order numbers. Fault: merchant, order number, payment."""
        return slice_of(await self._fetch(self._references, "check_orders", *after, self.slice_rows), width=2)

    async def check_holds(self, after: tuple[Any, ...]) -> SliceChecked:
        """Look up the payments of the next holds. Fault: due, payment."""
        return slice_of(await self._fetch(self._references, "check_holds", *after, self.slice_rows), width=2)

    async def refunds(self, payment: bytes, refund_no: str) -> list[RefundSeen]:
        """The refunds behind one, in order of payment and refund number."""
        rows = await self._fetch(self._references, "refunds", payment, refund_no, self.slice_rows)
        return [refund_seen_of(row["found"]) for row in rows]

    async def next_date(self, table: str, after: date) -> date | None:
        """The next business date on which there is an event or a posting."""
        with translated():
            found: date | None = await self._references.fetchval(self._queries[f"next_{table}_date"], after)
        return found

    async def stray(self, table: str, business_date: date) -> tuple[int, int, int] | None:
        """Lane, seq and n of an event or a posting of that date which belongs to no batch of it."""
        rows = await self._fetch(self._references, f"stray_{table}", business_date)
        return (rows[0]["lane"], rows[0]["seq"], rows[0]["n"]) if rows else None

    async def next_sealed(self, after: CycleNumber) -> SealedCycle | None:
        """The next cycle that was sealed."""
        rows = await self._fetch(self._references, "next_seal", after)
        if not rows:
            return None
        cycle, *seal = rows[0]
        return SealedCycle(cycle, SealRow._make(seal) if seal[0] is not None else None)

    async def sealed_lanes(self, lanes: Sequence[int], seqs: Sequence[int]) -> list[SealedLane]:
        """What the chains have at the ends that a seal names; a lane that it does not name ended at zero."""
        rows = await self._fetch(self._references, "sealed_lanes", lanes, seqs)
        return [SealedLane._make(row) for row in rows]

    async def next_file(self, after: str) -> FileRow | None:
        """The next clearing file by name."""
        rows = await self._fetch(self._references, "next_file", after)
        return FileRow._make(rows[0]) if rows else None

    async def chunks(self, name: str) -> AsyncIterator[bytes]:
        """The bytes of a file, part by part."""
        part = -1
        while rows := await self._fetch(self._references, "next_chunk", name, part):
            part = rows[0]["part"]
            yield rows[0]["bytes"]

    async def next_netted(self, after: CycleNumber) -> Netted | None:
        """The next cycle that has net positions."""
        rows = await self._fetch(self._folds, "next_netted", after)
        return Netted._make(rows[0]) if rows else None

    async def wrong_net(self, cycle: CycleNumber) -> NetFault | None:
        """A bank whose net position is not what the folded postings of a cycle give."""
        rows = await self._fetch(self._folds, "wrong_net", cycle)
        return NetFault._make(rows[0]) if rows else None

    async def wrong_file(self, cycle: CycleNumber) -> FileFault | None:
        """A file in force that does not list what the folded postings of a cycle give its bank."""
        rows = await self._fetch(self._folds, "wrong_file", cycle, FileKind.COLLECT.value, FileKind.CREDIT.value)
        return FileFault._make(rows[0]) if rows else None

    async def sizes(self) -> dict[str, int]:
        """About how many rows the tables have, by name."""
        return {row["name"]: row["rows"] for row in await self._fetch(self._references, "sizes")}

    async def _fetch(self, connection: asyncpg.Connection, name: str, *arguments: object) -> list[asyncpg.Record]:
        query: Sql = self._queries[name]
        with translated():
            rows: list[asyncpg.Record] = await connection.fetch(query, *arguments)
        return rows

    async def _row(self, connection: asyncpg.Connection, name: str, *arguments: object) -> asyncpg.Record:
        (row,) = await self._fetch(connection, name, *arguments)
        return row


@asynccontextmanager
async def open_verify_store(dsn: str, *, slice_rows: int = SLICE_ROWS) -> AsyncIterator[VerifyStore]:
    """A store with empty folds, which reads about *slice_rows* at a time; what it made is gone at the end.

    Raises:
        Fault: the database cannot be reached.
    """
    connections: list[asyncpg.Connection] = []
    try:
        for purpose in ("verify journal", "verify folds", "verify references"):
            connection = await connect(dsn, VERIFY_SETTINGS, application_name=purpose)
            connections.append(connection)
        store = VerifyStore(*connections, slice_rows=slice_rows)
        await store.create_folds()
        yield store
    finally:
        for connection in connections:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close()
