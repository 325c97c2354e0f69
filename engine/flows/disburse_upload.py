"""Taking in a batch of benefits: every line is checked before any of it counts, and each benefit is claimed once."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final

import asyncpg

from engine.core.bank_lines import DisbursementLine, UploadHeading, UploadRecord, UploadTrailer
from engine.core.disbursement import LINES_MAX, FundKey, FundTotal, LineFault, ReadLine, add_totals, read_line
from engine.core.ids import AgencyId, BankId, DisbursementId, DisbursementLineId, IdKind, region_of, shard_of
from engine.core.refusals import Refusal
from engine.flows.clock import IdSource
from engine.flows.receive_upload import CUT_SHORT_AFTER, Rejected, UploadFault
from engine.formats.uploads import FAULTS_MAX
from engine.store.connection import AnyConnection
from engine.store.disbursements import (
    Staged,
    accept_batch,
    begin_batch,
    give_up_batch,
    load_unwanted,
    stage_lines,
)
from engine.store.faults import Fault
from engine.store.participants import load_clocks
from engine.store.uploads import AcceptedUpload

LINES_AT_ONCE: Final = 2_000  # a statement of them takes some fifty milliseconds


class Disbursements:
    """What an agency's upload of kind DISBURSEMENT leads to: a draft, which waits for two operators."""

    def __init__(self, pool: asyncpg.Pool, ids: IdSource, *, region: int) -> None:
        """*region* is that of the agency that sends it, and what its payees' cards have to lie in."""
        self._pool = pool
        self._ids = ids
        self._region = region

    def receive(
        self,
        bank: BankId,
        heading: UploadHeading,  # noqa: ARG002  # of the protocol
    ) -> AbstractAsyncContextManager["DraftReceiver"]:
        """A receiver for one batch of the agency that stands in the sender's place."""
        return self._receive(AgencyId(bank))

    async def complete(self, upload: AcceptedUpload) -> None:
        """A draft is whole as soon as it is accepted."""

    @asynccontextmanager
    async def _receive(self, agency: AgencyId) -> AsyncIterator["DraftReceiver"]:
        batch = DisbursementId(self._ids.new(IdKind.DISBURSEMENT, shard=0, region=self._region))
        receiver = DraftReceiver(self._pool, self._ids, batch, region=self._region)
        await begin_batch(self._pool, batch, agency, region=self._region, now=(await load_clocks(self._pool)).wall)
        try:
            yield receiver
        finally:
            if not receiver.is_accepted:
                with suppress(Fault):  # what cannot be taken away now is taken away by the worker
                    await give_up_batch(self._pool, batch)


class DraftReceiver:
    """One batch while it is read. Its lines claim their benefits at once, and let go of them if it is refused."""

    def __init__(self, pool: asyncpg.Pool, ids: IdSource, batch: DisbursementId, *, region: int) -> None:
        """No lines yet."""
        self.is_accepted = False
        self._pool = pool
        self._ids = ids
        self._batch = batch
        self._region = region
        self._count = 0
        self._totals: dict[FundKey, FundTotal] = {}
        self._faults: list[LineFault] = []
        self._duplicates = 0

    async def stage(self, records: Sequence[UploadRecord]) -> None:
        """Keep the next lines, unless so much is wrong that nobody reads on."""
        lines = [record for record in records if isinstance(record, DisbursementLine)]
        for at in range(0, len(lines), LINES_AT_ONCE):
            if len(self._faults) >= FAULTS_MAX:
                return
            await self._stage(lines[at : at + LINES_AT_ONCE])

    async def judge(self, trailer: UploadTrailer) -> Rejected | None:
        """Why the batch is refused: every fault that was found, by line."""
        if not trailer.count:
            return Rejected(Refusal.FILE_MALFORMED, (UploadFault("/lines", "there are none"),))
        if not self._faults:
            return None
        is_paid_already = self._duplicates == len(self._faults)
        return Rejected(
            Refusal.DISBURSEMENT_DUPLICATE if is_paid_already else Refusal.FILE_MALFORMED,
            tuple(
                UploadFault(f"/lines/{fault.line_number}/{fault.field}", fault.reason)
                for fault in sorted(self._faults)[:FAULTS_MAX]
            ),
        )

    async def accept(self, connection: AnyConnection, upload: AcceptedUpload) -> None:
        """The batch is a draft."""
        await accept_batch(
            connection,
            self._batch,
            upload=upload.id,
            batch_no=upload.file_id,
            totals=sorted(self._totals.values(), key=lambda total: total.fund),
            now=upload.accepted_at,
        )

    async def finish(self, upload: AcceptedUpload) -> None:  # noqa: ARG002  # of the protocol
        """It stays."""
        self.is_accepted = True

    async def _stage(self, lines: Sequence[DisbursementLine]) -> None:
        read: list[ReadLine] = []
        for line in lines:
            if self._count == LINES_MAX:
                self._faults.append(LineFault(line.line_number, "record", f"more than {LINES_MAX} lines"))
                break
            self._count += 1
            found = read_line(line, agency_region=self._region)
            if isinstance(found, LineFault):
                self._faults.append(found)
            else:
                read.append(found)
        first = self._count - len(read) + 1  # after a fault places do not matter any more
        staged = [Staged(self._id_of(line), first + place, line) for place, line in enumerate(read)]
        faults, duplicates = await stage_lines(self._pool, self._batch, staged, faults_max=FAULTS_MAX)
        self._faults += faults
        self._duplicates += duplicates
        self._totals = add_totals(self._totals, read)

    def _id_of(self, line: ReadLine) -> DisbursementLineId:
        """An id whose shard is the card's: the lines of a batch spread over the lanes."""
        return DisbursementLineId(
            self._ids.new(IdKind.DISBURSEMENT_LINE, shard=shard_of(line.card), region=region_of(line.card))
        )


async def drop_unwanted(pool: asyncpg.Pool) -> int:
    """Take away the lines of batches that were given up, withdrawn or cut short. Returns how many batches.

    Raises:
        Fault: the database cannot do it now.
    """
    unwanted = await load_unwanted(pool, begun_before=(await load_clocks(pool)).wall - CUT_SHORT_AFTER)
    for batch in unwanted:
        await give_up_batch(pool, batch)
    return len(unwanted)
