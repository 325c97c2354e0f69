"""Receiving what a bank sends: kept as it comes, read whole, judged whole, and only then of any effect.

What an upload of one kind leads to is its handler's business; this is the same for all of them.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from datetime import date, timedelta
from itertools import islice
from typing import Final, Protocol

import asyncpg
import msgspec

from engine.core.bank_lines import UploadHeading, UploadKind, UploadRecord, UploadTrailer
from engine.core.ids import BankId, IdKind, region_of
from engine.core.refusals import Refusal
from engine.flows.clock import IdSource
from engine.formats.bank_file import MalformedRecord
from engine.formats.upload_readers import FIRST_BYTES, upload_reader
from engine.formats.uploads import FAULTS_MAX, Reading
from engine.store.connection import AnyConnection
from engine.store.faults import Fault
from engine.store.reads import Reads
from engine.store.uploads import PART_BYTES, PARTS_AT_ONCE, AcceptedUpload, AlreadyAccepted, Uploads

UPLOAD_BYTES_MAX: Final = 512 * 1024 * 1024
READINGS_AT_ONCE: Final = 10_000
CUT_SHORT_AFTER: Final = timedelta(hours=2)  # no upload takes as long: what is older was cut short
STORE_WAIT_S: Final = 60.0

_CONTROL_FIELDS: Final = frozenset(
    {
        *("count", "debit_total", "credit_total", "hash_total"),
        *("NbOfTxs", "CtrlSum", "TtlRtrdIntrBkSttlmAmt", "TxsSummry", "Bal"),
    }
)
_DIGEST_FIELD: Final = "sha256"


class UploadFault(msgspec.Struct, frozen=True):
    """What is wrong with an upload, and where: `/lines/17/amount`, or `/heading/sender`."""

    pointer: str
    reason: str


class Rejected(msgspec.Struct, frozen=True):
    """An upload that has no effect whatever."""

    refusal: Refusal
    faults: tuple[UploadFault, ...] = ()


class Receipt(msgspec.Struct, frozen=True):
    """An upload that counts; as a replay, one that has counted since it came first."""

    upload: AcceptedUpload
    is_replay: bool


class UploadSource(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an upload beside its bytes."""

    bank: BankId
    kind: UploadKind | None = None  # the only one that is taken here; None: any that has a handler
    name: str = ""  # what the file is called; empty if it has no name
    settled_on: date | None = None  # for forms that do not tell it
    idempotency_key: str | None = None


class Receiver(Protocol):
    """One upload of one kind while it is read. Nothing that it does before `accept` may be seen by anybody."""

    async def stage(self, records: Sequence[UploadRecord]) -> None:
        """Take the next lines, which were read without a fault."""

    async def judge(self, trailer: UploadTrailer) -> Rejected | None:
        """Why the upload cannot be accepted, now that all of it is known; None if it can."""

    async def accept(self, connection: AnyConnection, upload: AcceptedUpload) -> None:
        """Write what has to be there if and only if the upload is: within the transaction that accepts it."""

    async def finish(self, upload: AcceptedUpload) -> None:
        """Do what the upload leads to. It may be cut short: then the handler's `complete` does it."""


class UploadHandler(Protocol):
    """One kind of uploads."""

    def receive(self, bank: BankId, heading: UploadHeading) -> AbstractAsyncContextManager[Receiver]:
        """A receiver for one upload of *bank*."""

    async def complete(self, upload: AcceptedUpload) -> None:
        """Everything that an accepted upload leads to is done, if it was cut short; else nothing happens."""


UploadHandlers = Mapping[UploadKind, UploadHandler]


class UploadTooLarge(Exception):
    """An upload has more bytes than any may have."""


async def receive_upload(
    pool: asyncpg.Pool,
    chunks: AsyncIterator[bytes],
    source: UploadSource,
    *,
    handlers: UploadHandlers,
    ids: IdSource,
) -> Receipt | Rejected:
    """The upload counts and everything that it leads to is done, or it is as if it had never come.

    The same bytes under the same file id are answered with the receipt of the first ones, however often and whenever
    they come; other bytes under it are refused. *chunks* may raise: then nothing is left of the upload.

    Raises:
        UploadTooLarge: it is longer than `UPLOAD_BYTES_MAX`.
        Fault: the database cannot do it. Repeating the upload is safe, and does what is left.
    """
    uploads = Uploads(pool)
    clock = (await Reads(pool).business_now()).clock
    await uploads.drop_cut_short(before=clock - CUT_SHORT_AFTER)
    upload = ids.new(IdKind.UPLOAD, shard=0, region=region_of(source.bank))
    await uploads.begin(upload, source.bank, started_at=clock)
    reception = _Reception(pool, uploads, upload, source, handlers)
    try:
        await reception.keep(chunks)
        outcome = await reception.read()
    finally:
        if not reception.is_accepted:
            with suppress(Fault):  # what cannot be taken away now is when the next upload comes
                await uploads.drop(upload)
    if isinstance(outcome, Receipt) and outcome.is_replay:
        await handlers[outcome.upload.kind].complete(outcome.upload)
    return outcome


def stored_readings(uploads: Uploads, upload: bytes, source: UploadSource) -> "StoredReadings":
    """What an upload that is kept says, to be read again."""
    return StoredReadings(uploads, upload, source)


class StoredReadings:
    """What the stored bytes of an upload say. The reader works in a thread of its own, as it never waits."""

    def __init__(self, uploads: Uploads, upload: bytes, source: UploadSource) -> None:
        """Nothing is read yet."""
        self._uploads = uploads
        self._upload = upload
        self._source = source

    async def __aiter__(self) -> AsyncIterator[list[Reading]]:
        """Readings, many at a time; the next ones are read while these are used.

        Raises:
            Fault: the database cannot give the bytes.
        """
        loop = asyncio.get_running_loop()
        first = await self._uploads.load_parts(self._upload, first_part=0)
        reader = upload_reader(
            b"".join(first)[:FIRST_BYTES], name=self._source.name, settled_on=self._source.settled_on
        )
        if reader is None:
            yield [MalformedRecord(1, "record", "in no form that is read here")]
            return
        readings = reader.read(self._parts(loop))
        some = await asyncio.to_thread(_next_of, readings)
        while some:
            yield some
            some = await asyncio.to_thread(_next_of, readings)

    def _parts(self, loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
        """All parts in order, for a reader in another thread."""
        first_part = 0
        while True:
            loading = self._uploads.load_parts(self._upload, first_part=first_part)
            parts = asyncio.run_coroutine_threadsafe(loading, loop).result(timeout=STORE_WAIT_S)
            yield from parts
            if len(parts) < PARTS_AT_ONCE:
                return
            first_part += len(parts)


class _Reception:
    """One upload on its way in."""

    def __init__(
        self, pool: asyncpg.Pool, uploads: Uploads, upload: bytes, source: UploadSource, handlers: UploadHandlers
    ) -> None:
        self.is_accepted = False
        self._reads = Reads(pool)
        self._uploads = uploads
        self._id = upload
        self._source = source
        self._handlers = handlers
        self._size = 0
        self._digest = hashlib.sha256()
        self._faults: list[MalformedRecord] = []

    async def keep(self, chunks: AsyncIterator[bytes]) -> None:
        """Store the bytes as they come."""
        waiting = bytearray()
        part = 0
        async for chunk in chunks:
            self._size += len(chunk)
            if self._size > UPLOAD_BYTES_MAX:
                raise UploadTooLarge
            self._digest.update(chunk)
            waiting += chunk
            if len(waiting) >= PARTS_AT_ONCE * PART_BYTES:
                part = await self._store(waiting, part)
        await self._store(waiting, part, is_last=True)

    async def read(self) -> Receipt | Rejected:
        """Read what was stored, and accept it if nothing at all is wrong with it."""
        heading: UploadHeading | None = None
        trailer: UploadTrailer | None = None
        async with AsyncExitStack() as stack:
            receiver: Receiver | None = None
            async for readings in stored_readings(self._uploads, self._id, self._source):
                records = [reading for reading in readings if not isinstance(reading, MalformedRecord)]
                self._faults += [reading for reading in readings if isinstance(reading, MalformedRecord)]
                if records and heading is None:
                    heading, records = _heading_of(records)
                    judged = await self._judge_heading(heading)
                    if judged is not None:
                        return judged
                    handler = self._handlers[heading.kind]
                    receiver = await stack.enter_async_context(handler.receive(self._source.bank, heading))
                if records and isinstance(last := records[-1], UploadTrailer):
                    trailer = last
                    records.pop()
                if receiver is not None and records and not self._faults:
                    await receiver.stage(records)
            if self._faults or heading is None or receiver is None or trailer is None:
                return _malformed(self._faults)
            rejected = await receiver.judge(trailer)
            if rejected is not None:
                return rejected
            return await self._accept(receiver, heading, trailer)

    async def _judge_heading(self, heading: UploadHeading) -> Receipt | Rejected | None:
        """What can be said before the lines are read."""
        earlier = await self._earlier(self._file_id(heading))
        if earlier is not None:
            return earlier
        if heading.kind is not (self._source.kind or heading.kind) or heading.kind not in self._handlers:
            return Rejected(Refusal.FILE_MALFORMED, (UploadFault("/heading/kind", "not taken here"),))
        cnaps = await self._uploads.cnaps_of(self._source.bank)
        if heading.sender and heading.sender != cnaps:
            return Rejected(Refusal.FILE_MALFORMED, (UploadFault("/heading/sender", "not the bank that sends it"),))
        return None

    async def _earlier(self, file_id: str) -> Receipt | Rejected | None:
        """What was said of this file, or under this key, when it came before."""
        bank, key = self._source.bank, self._source.idempotency_key
        known = await self._uploads.of_key(bank, key) if key is not None else None
        if known is not None and (known.file_id, known.sha256) != (file_id, self._digest.digest()):
            return Rejected(Refusal.IDEMPOTENCY_KEY_REUSED, (UploadFault("/body", "another file"),))
        known = known or await self._uploads.of_file(bank, file_id)
        if known is None:
            return None
        if known.sha256 != self._digest.digest() or known.kind is not (self._source.kind or known.kind):
            return Rejected(Refusal.FILE_DUPLICATE, (UploadFault("/heading/file_id", "used for another file"),))
        return Receipt(known, is_replay=True)

    async def _accept(self, receiver: Receiver, heading: UploadHeading, trailer: UploadTrailer) -> Receipt | Rejected:
        upload = AcceptedUpload(
            id=self._id,
            bank=self._source.bank,
            kind=heading.kind,
            form=heading.form,
            file_id=self._file_id(heading),
            idempotency_key=self._source.idempotency_key,
            size=self._size,
            sha256=self._digest.digest(),
            line_count=trailer.count,
            debit_total=trailer.debit_total,
            credit_total=trailer.credit_total,
            accepted_at=(await self._reads.business_now()).now,
        )
        try:
            await self._uploads.accept(upload, lambda connection: receiver.accept(connection, upload))
        except AlreadyAccepted:
            earlier = await self._earlier(upload.file_id)
            assert earlier is not None, "whoever was first is there"
            return earlier
        self.is_accepted = True
        await receiver.finish(upload)
        return Receipt(upload, is_replay=False)

    def _file_id(self, heading: UploadHeading) -> str:
        """The file's own id; a form without one goes by its name, or else by its content."""
        return heading.file_id or self._source.name or f"{heading.form}-{self._digest.hexdigest()[:16]}"

    async def _store(self, waiting: bytearray, part: int, *, is_last: bool = False) -> int:
        """Store whole parts, and at the end what is left. Returns the number of the next part."""
        end = len(waiting) if is_last else len(waiting) // PART_BYTES * PART_BYTES
        parts = [bytes(waiting[at : min(at + PART_BYTES, end)]) for at in range(0, end, PART_BYTES)]
        if parts:
            await self._uploads.store(self._id, first_part=part, parts=parts)
        del waiting[:end]
        return part + len(parts)


def _next_of(readings: Iterator[Reading]) -> list[Reading]:
    return list(islice(readings, READINGS_AT_ONCE))


def _heading_of(records: Sequence[UploadRecord]) -> tuple[UploadHeading, list[UploadRecord]]:
    heading = records[0]
    assert isinstance(heading, UploadHeading), "a reader gives the heading first"
    return heading, list(records[1:])


def _malformed(faults: Iterable[MalformedRecord]) -> Rejected:
    """All that the reader found; what does not add up though every line could be read is its own refusal."""
    faults = list(faults)[:FAULTS_MAX] or [MalformedRecord(1, "record", "the file ends before its heading")]
    kinds = {_is_control(fault) for fault in faults}
    refusal = Refusal.CONTROL_TOTAL_MISMATCH if kinds in ({True}, {True, None}) else Refusal.FILE_MALFORMED
    return Rejected(
        refusal, tuple(UploadFault(f"/lines/{fault.line_number}/{fault.field}", fault.reason) for fault in faults)
    )


def _is_control(fault: MalformedRecord) -> bool | None:
    """True of a sum or a count; None of a digest, which any change makes wrong as well."""
    if fault.field == _DIGEST_FIELD:
        return None
    return not _CONTROL_FIELDS.isdisjoint(fault.field.split("/"))
