"""A bank's statement from its upload to what it differs in from the files that the bank was given."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import date, timedelta
from typing import Final, Protocol

import asyncpg
import msgspec

from engine.core.bank_lines import Direction, StatementLine, UploadHeading, UploadRecord, UploadTrailer
from engine.core.books import Control
from engine.core.calendar import CYCLES_PER_DAY_MAX, CycleNumber, business_date_at, cycle_number
from engine.core.differences import ReconciliationState
from engine.core.ids import BankId, IdKind, MalformedId, parse_id, region_of
from engine.core.reconciliation import LINES_PER_PAYMENT_MAX
from engine.core.refusals import Refusal
from engine.flows.clock import IdSource
from engine.flows.compare_statement import Seen, compare_statement
from engine.flows.receive_upload import Receiver, Rejected, UploadFault, UploadSource, stored_readings
from engine.flows.tie_loose_ends import tie_loose_ends
from engine.formats.flat_items import FlatItems
from engine.store.connection import AnyConnection
from engine.store.reads import Reads
from engine.store.reconciliation import FileOfDay, Reconciliation, Reconciliations
from engine.store.reconciliation_session import NUMBERS, Attached, ReconciliationSession, open_reconciliation
from engine.store.reconciliation_writer import (
    NewReconciliation,
    OurTotals,
    ReconciliationWriter,
    insert_reconciliation,
)
from engine.store.uploads import AcceptedUpload, Uploads

STATEMENTS_AT_ONCE: Final = 2  # in one process: each has a session and a core to itself
LOCK_WAIT_S: Final = 600.0  # the bank's statement before this one may be large
FILE_PARTS_AT_ONCE: Final = 32


class ReturnedLines(Protocol):
    """Which lines of a clearing file its bank has given back: it does not book them."""

    async def __call__(self, connection: AnyConnection, file: str) -> Collection[int]:
        """Places in the file."""


async def none_returned(connection: AnyConnection, file: str) -> Collection[int]:  # noqa: ARG001  the protocol's own
    """No bank has returned anything."""
    return ()


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The files that a statement is about."""

    business_date: date
    cycle_from: CycleNumber
    cycle_to: CycleNumber
    is_whole_day: bool
    files: tuple[str, ...]


class Statements:
    """Handles the uploads that are statements."""

    def __init__(
        self, pool: asyncpg.Pool, database_url: str, ids: IdSource, *, returned: ReturnedLines = none_returned
    ) -> None:
        """Reads go through *pool*; each comparison has a session of its own at *database_url*."""
        self._pool = pool
        self._database_url = database_url
        self._ids = ids
        self._returned = returned
        self._places = asyncio.Semaphore(STATEMENTS_AT_ONCE)

    @asynccontextmanager
    async def receive(self, bank: BankId, heading: UploadHeading) -> AsyncIterator[Receiver]:
        """A receiver of one statement; it waits while there are many."""
        async with self._places, open_reconciliation(self._database_url) as session:
            yield _Statement(self._pool, session, bank, heading, self._ids, self._returned)

    async def complete(self, upload: AcceptedUpload) -> None:
        """The statement is compared, if it was accepted and not compared then."""
        reconciliation = await Reconciliations(self._pool).of_upload(upload.id)
        assert reconciliation is not None, "a statement is accepted together with its reconciliation"
        await self.reconcile(reconciliation)

    async def reconcile(self, reconciliation: bytes) -> Reconciliation:
        """The reconciliation as it is once it is done; one that was cut short is done from its stored bytes.

        Raises:
            ReconciliationBusy: another statement of the bank is being compared for too long.
            Fault: the database cannot do it; the same call does what is left.
        """
        loaded = await _load(self._pool, reconciliation)
        if loaded.state is ReconciliationState.PENDING:
            async with self._places, open_reconciliation(self._database_url) as session:
                await self._stage_again(session, loaded)
                await _reconcile(self._pool, session, reconciliation, returned=self._returned)
            loaded = await _load(self._pool, reconciliation)
        return loaded

    async def reconcile_pending(self, *, since: timedelta = timedelta(0)) -> list[Reconciliation]:
        """Everything that was cut short is done, as far as its upload began so long ago. Returns it.

        Raises:
            Fault: as `reconcile`.
        """
        pending = await Reconciliations(self._pool).pending(since=since)
        return [await self.reconcile(reconciliation) for reconciliation in pending]

    async def _stage_again(self, session: ReconciliationSession, reconciliation: Reconciliation) -> None:
        source = UploadSource(bank=reconciliation.bank, settled_on=reconciliation.business_date)
        async for readings in stored_readings(Uploads(self._pool), reconciliation.upload, source):
            await session.stage_lines(_attached(readings))
        await session.flooded_line(lines_max=LINES_PER_PAYMENT_MAX)


class _Statement:
    """One statement while it is received."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        session: ReconciliationSession,
        bank: BankId,
        heading: UploadHeading,
        ids: IdSource,
        returned: ReturnedLines,
    ) -> None:
        self._pool = pool
        self._session = session
        self._bank = bank
        self._heading = heading
        self._returned = returned
        self._id = ids.new(IdKind.RECONCILIATION, shard=0, region=region_of(bank))
        self._booked_on: Counter[date] = Counter()
        self._scope: Scope | None = None

    async def stage(self, records: Sequence[UploadRecord]) -> None:
        """Put the next lines beside the others."""
        attached = _attached(records)
        self._booked_on.update(one.line.booked_on for one in attached)
        await self._session.stage_lines(attached)

    async def judge(self, trailer: UploadTrailer) -> Rejected | None:  # noqa: ARG002  the protocol's own
        """Which files it is about; None if there are such files."""
        flooded = await self._session.flooded_line(lines_max=LINES_PER_PAYMENT_MAX)
        if flooded is not None:
            reason = f"the payment has more than {LINES_PER_PAYMENT_MAX} lines"
            return Rejected(Refusal.FILE_MALFORMED, (UploadFault(f"/lines/{flooded}/payment_id", reason),))
        business_date = self._heading.business_date or max(
            self._booked_on, key=lambda day: (self._booked_on[day], day), default=None
        )
        if business_date is None:
            return Rejected(Refusal.FILE_MALFORMED, (UploadFault("/heading/business_date", "not told"),))
        files = await Reconciliations(self._pool).files_of_day(
            self._bank, cycle_number(business_date, 1), cycle_number(business_date, CYCLES_PER_DAY_MAX)
        )
        control = (await Reads(self._pool).business_now()).control
        scope = scope_of(business_date, self._heading.cycle, files, control)
        if isinstance(scope, Rejected):
            return scope
        self._scope = scope
        return None

    async def accept(self, connection: AnyConnection, upload: AcceptedUpload) -> None:
        """It will be compared."""
        scope = self._scope
        assert scope is not None, "only what was judged is accepted"
        new = NewReconciliation(
            id=self._id,
            upload=upload.id,
            bank=self._bank,
            business_date=scope.business_date,
            cycle_from=scope.cycle_from,
            cycle_to=scope.cycle_to,
            is_whole_day=scope.is_whole_day,
            files=scope.files,
            created_at=upload.accepted_at,
        )
        await insert_reconciliation(connection, new)

    async def finish(self, upload: AcceptedUpload) -> None:  # noqa: ARG002  the protocol's own
        """Compare it, from what is staged already."""
        await _reconcile(self._pool, self._session, self._id, returned=self._returned)


def scope_of(
    business_date: date, sequence: int | None, files: Sequence[FileOfDay], control: Control
) -> Scope | Rejected:
    """The files that a statement of a day, or of one of its cycles, is about.

    A cycle's statement is about everything that the bank was given at its end, with what had waited until then.
    *files* are the bank's published ones of that day.
    """
    wanted = cycle_number(business_date, sequence) if sequence is not None else None
    found = [file for file in files if wanted is None or file.cycle == wanted]
    if not found:
        last = wanted if wanted is not None else cycle_number(business_date, 1)
        if business_date <= control.business_date and last > control.published_cycle:
            return Rejected(Refusal.CLEARING_FILE_NOT_READY)
        field = "cycle" if files else "business_date"
        return Rejected(
            Refusal.FILE_MALFORMED, (UploadFault(f"/heading/{field}", "no files of it were published to this bank"),)
        )
    return Scope(
        business_date=business_date,
        cycle_from=min(file.first_cycle for file in found),
        cycle_to=max(file.cycle for file in found),
        is_whole_day=wanted is None,
        files=tuple(file.name for file in found),
    )


async def _reconcile(
    pool: asyncpg.Pool, session: ReconciliationSession, reconciliation: bytes, *, returned: ReturnedLines
) -> None:
    """Compare a statement whose lines are staged. Of two that are about the same files, the one that came last stands.

    Each step can be taken again: what an attempt that was cut short has left is dropped first.

    Locks: the bank's, until the session ends.
    """
    loaded = await _load(pool, reconciliation)
    await session.lock(loaded.bank, wait_s=LOCK_WAIT_S)
    loaded = await _load(pool, reconciliation)
    if loaded.state is not ReconciliationState.PENDING:
        return
    writer = ReconciliationWriter(session.connection, reconciliation, loaded.bank)
    standing = await writer.overlapping()
    newer = [other for other in standing if other > reconciliation]
    if newer:
        await writer.supersede([reconciliation], by=newer[-1])
        return
    await writer.supersede(standing, by=reconciliation)
    await writer.drop_partial()
    ours = await _stage_items(session, loaded)
    has_unattached = await session.attach()
    now = (await Reads(pool).business_now()).now
    matched = await compare_statement(
        session,
        writer,
        loaded,
        seen=Seen(now, business_date_at(now)),
        returned={
            (place, seq) for place, file in enumerate(loaded.files) for seq in await returned(session.connection, file)
        },
        has_unattached=has_unattached,
    )
    await writer.carry_over()
    await tie_loose_ends(session, writer, bank=loaded.bank, business_date=loaded.business_date, at=now)
    await writer.finish(at=now, ours=ours, matched=matched)


async def _stage_items(session: ReconciliationSession, reconciliation: Reconciliation) -> OurTotals:
    """Put the lines of the files beside those of the statement."""
    reads = Reconciliations(session.connection)
    count, totals = 0, {Direction.DEBIT: 0, Direction.CREDIT: 0}
    for place, name in enumerate(reconciliation.files):
        direction = Direction.DEBIT if "_COLLECT_" in name else Direction.CREDIT
        number = NUMBERS[direction]
        file = FlatItems(is_debit=direction is Direction.DEBIT)
        part = 0
        while parts := await reads.load_file_parts(name, first_part=part, count=FILE_PARTS_AT_ONCE):
            part += len(parts)
            rows = [
                (payment_id, number, amount, place, seq, leg, order_no, account)
                for piece in parts
                for payment_id, amount, seq, leg, order_no, account in file.read(piece)
            ]
            totals[direction] += sum(row[2] for row in rows)
            await session.stage_items(rows)
        count += file.finish()
    return OurTotals(count, totals[Direction.DEBIT], totals[Direction.CREDIT])


def _attached(records: Sequence[object]) -> list[Attached]:
    """The lines among some records, each with the payment that it names, be it only by its reference."""
    return [
        Attached(line.payment_id or (line.bank_ref if _is_payment(line.bank_ref) else ""), line)
        for line in records
        if isinstance(line, StatementLine)
    ]


def _is_payment(text: str) -> bool:
    with suppress(MalformedId):
        return bool(parse_id(text, IdKind.PAYMENT))
    return False


async def _load(pool: asyncpg.Pool, reconciliation: bytes) -> Reconciliation:
    loaded = await Reconciliations(pool).load(reconciliation)
    assert loaded is not None, "reconciliations are never deleted"
    return loaded
