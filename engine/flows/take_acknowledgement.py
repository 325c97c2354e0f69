"""Acknowledgements: what a bank says of a file that it pulled, once for good.

ACTC takes the whole file. RJCT takes none of it: its items are given back and a case is opened. PART gives back the
lines that it names. Items that were given back before stay as they are, whatever is said of them later: a return is not
undone by an acknowledgement that takes the file, and a line that is rejected after its return is given back once.

Files without items of one direction (NET, ADVICE) can be taken or rejected; rejecting one opens a case only.
"""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from engine.core.bank_lines import AckLine, Acknowledgement, AckStatus, UploadHeading, UploadRecord, UploadTrailer
from engine.core.clearing_lines import FileKind, FileStatus
from engine.core.ids import BankId
from engine.core.refusals import Refusal
from engine.core.returns import Claim, ClaimFault, ReturnedClaim, stand_in_of
from engine.flows.post_returns import CASE_REJECTED, LOCK_WAIT_S, ReturnsDesk
from engine.flows.receive_upload import Receiver, Rejected, UploadFault
from engine.flows.take_returns import LINES_MAX, name_items
from engine.formats.file_names import names_meant
from engine.formats.uploads import FAULTS_MAX
from engine.store.clearing_session import open_clearing
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.file_items import load_file_items
from engine.store.return_reads import NamedFile, Returns
from engine.store.returns import (
    BatchRow,
    ReturnRow,
    ReturnsSession,
    insert_acknowledgement,
    insert_batch,
    open_case,
    open_returns,
    return_row,
)
from engine.store.settlement import note_acknowledged
from engine.store.uploads import AcceptedUpload

NO_REASON: Final = "NARR"  # ExternalReturnReason1Code: said in words only
WITH_ITEMS: Final = frozenset({FileKind.COLLECT, FileKind.CREDIT})
_FILE_STATUS: Final = {
    AckStatus.ACTC: FileStatus.ACKNOWLEDGED,
    AckStatus.PART: FileStatus.PART,
    AckStatus.RJCT: FileStatus.REJECTED,
}


class RejectedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that a bank does not take: by its place, or by what it is about."""

    line: int  # where the bank says so: of the upload, or of the list of reasons
    seq: int  # place in the file; 0: the ids say which it is
    code: str
    payment_id: str = ""
    item_id: str = ""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a bank says of a file. Units: fen; None: it does not say."""

    status: AckStatus
    count: int | None
    total: int | None
    reason: str = ""  # for the whole file
    lines: tuple[RejectedLine, ...] = ()

    @property
    def content(self) -> bytes:
        """The digest of what is said, whatever form it came in."""
        lines = sorted((line.seq, line.payment_id, line.item_id, line.code) for line in self.lines)
        return hashlib.sha256(msgspec.json.encode((self.status, self.reason, lines))).digest()


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from an acknowledgement."""

    file: NamedFile
    said: Said
    earlier: bytes | None = None  # the batch of the same words, which were said before
    rows: tuple[ReturnRow, ...] = ()


class Misjudged(msgspec.Struct, frozen=True):
    """Why an acknowledgement is refused. Faults of a line have it, others have line zero."""

    refusal: Refusal
    faults: tuple[ClaimFault, ...] = ()


async def judge_acknowledgement(
    desk: ReturnsDesk, session: ReturnsSession, name: str, said: Said
) -> Judged | Misjudged:
    """What follows from what a bank says of its file. *session* has the bank's lock until it is kept.

    Raises:
        Fault: the database cannot answer.
    """
    returns = Returns(desk.pool)
    file = await returns.file(session.bank, name)
    if file is None:
        return Misjudged(Refusal.NOT_FOUND)
    earlier = await returns.acknowledgement(name)
    if earlier is not None:
        content, batch = earlier
        same = content == said.content
        return Judged(file=file, said=said, earlier=batch) if same else Misjudged(Refusal.FILE_ACKNOWLEDGED)
    wrong = [
        ClaimFault(0, field, "not what the file has")
        for field, told, has in (("count", said.count, file.item_count), ("total", said.total, file.total))
        if told is not None and told != has
    ]
    if wrong:
        return Misjudged(Refusal.CONTROL_TOTAL_MISMATCH, tuple(wrong))
    if (said.status is AckStatus.PART) is not bool(said.lines):
        return Misjudged(Refusal.FILE_MALFORMED, (ClaimFault(0, "status", "not what the reasons say"),))
    if said.lines and file.kind not in WITH_ITEMS:
        return Misjudged(Refusal.FILE_MALFORMED, (ClaimFault(0, "status", "its lines are not items"),))
    if len(said.lines) > LINES_MAX:
        return Misjudged(Refusal.FILE_MALFORMED, (ClaimFault(0, "record", f"more than {LINES_MAX} lines"),))
    rows, faults = await _rejected_items(desk, session, file, said.lines)
    if faults:
        return Misjudged(Refusal.FILE_MALFORMED, tuple(faults[:FAULTS_MAX]))
    return Judged(file=file, said=said, rows=tuple(rows))


async def keep_acknowledgement(connection: AnyConnection, judged: Judged, batch: BatchRow) -> None:
    """Keep what a bank says, and what it gives back with it, unless it was said before. Needs a transaction."""
    if judged.earlier is not None:
        return
    file, said = judged.file, judged.said
    is_rejected = said.status is AckStatus.RJCT
    reason = said.reason or NO_REASON
    with translated():
        await insert_acknowledgement(
            connection,
            file.name,
            batch,
            status=said.status.value,
            content=said.content,
            file_status=_FILE_STATUS[said.status].value,
        )
        await note_acknowledged(connection, file.name, at=batch.accepted_at)
        if is_rejected:
            await open_case(
                connection,
                kind=CASE_REJECTED,
                subject=file.name,
                bank=batch.bank,
                reason=reason,
                at=batch.accepted_at,
            )
        if is_rejected and file.kind in WITH_ITEMS:
            batch = msgspec.structs.replace(batch, rejected_file=file.name, reason=reason)
        rows = [msgspec.structs.replace(row, batch=batch.id) for row in judged.rows]
        await insert_batch(connection, batch, rows)


class AcknowledgementUploads:
    """Handles the uploads that are acknowledgements."""

    def __init__(self, desk: ReturnsDesk, *, name: str | None = None) -> None:
        """Of the file *name* only, if it is given: then no other may be what the upload is about."""
        self._desk = desk
        self._name = name

    @asynccontextmanager
    async def receive(self, bank: BankId, heading: UploadHeading) -> AsyncIterator[Receiver]:
        """A receiver of one acknowledgement; it waits while something else of the bank's is taken."""
        async with open_returns(self._desk.database_url, bank) as session:
            await session.lock(wait_s=LOCK_WAIT_S)
            yield _Upload(self._desk, session, heading, self._name)

    async def complete(self, upload: AcceptedUpload) -> None:
        """Everything that it gives back is posted, if it was cut short."""
        await self._desk.complete(upload.id, upload.bank)


class _Upload:
    """One acknowledgement while it is received."""

    def __init__(self, desk: ReturnsDesk, session: ReturnsSession, heading: UploadHeading, name: str | None) -> None:
        self._desk = desk
        self._session = session
        self._heading = heading
        self._name = name
        self._lines: list[RejectedLine] = []
        self._told: Acknowledgement | None = None
        self._judged: Judged | None = None

    async def stage(self, records: Sequence[UploadRecord]) -> None:
        """Keep the next lines in mind, and what is said of the whole."""
        for record in records:
            if isinstance(record, Acknowledgement):
                self._told = record
            elif isinstance(record, AckLine) and len(self._lines) <= LINES_MAX:
                self._lines.append(
                    RejectedLine(
                        line=record.line_number,
                        seq=record.seq,
                        code=record.code,
                        payment_id=record.payment_id,
                        item_id=record.item_id,
                    )
                )

    async def judge(self, trailer: UploadTrailer) -> Rejected | None:  # noqa: ARG002  the protocol's own
        """What is wrong with it."""
        told = self._told
        assert told is not None, "a reader gives it before the trailer"
        name = await self._file_meant(told)
        if name is None:
            fault = UploadFault("/heading/previous_sha256" if not told.file_name else "/heading/OrgnlMsgId", "unknown")
            return Rejected(Refusal.FILE_MALFORMED, (fault,))
        is_rejected = told.status is AckStatus.RJCT
        said = Said(
            status=told.status,
            count=told.count,
            total=told.total,
            reason=next((code for _, code in told.reasons), ""),
            lines=() if is_rejected else tuple(self._lines),
        )
        judged = await judge_acknowledgement(self._desk, self._session, name, said)
        if isinstance(judged, Misjudged):
            return Rejected(judged.refusal, tuple(_upload_fault(fault) for fault in judged.faults))
        self._judged = judged
        return None

    async def accept(self, connection: AnyConnection, upload: AcceptedUpload) -> None:
        """It counts."""
        assert self._judged is not None, "only what was judged is accepted"
        batch = BatchRow(id=upload.id, bank=upload.bank, rejected_file=None, accepted_at=upload.accepted_at)
        await keep_acknowledgement(connection, self._judged, batch)

    async def finish(self, upload: AcceptedUpload) -> None:
        """Post what it gives back."""
        assert self._judged is not None, "only what was judged is accepted"
        await self._desk.post(self._session, self._judged.earlier or upload.id)

    async def _file_meant(self, told: Acknowledgement) -> str | None:
        """The file that it is about: the one with the bytes or the id that it names, and no other than it may be."""
        returns = Returns(self._desk.pool)
        if self._heading.previous_sha256:
            digest = bytes.fromhex(self._heading.previous_sha256)
            found = await returns.file_of_digest(self._session.bank, digest)
            names: tuple[str, ...] = (found,) if found is not None else ()
        else:
            names = tuple(await self._session.files(names_meant(told.file_name)))
        if self._name is not None:
            return self._name if self._name in names else None
        # Forms of one file have one id; a message is about the message.
        return max(names, default=None)


async def _rejected_items(
    desk: ReturnsDesk, session: ReturnsSession, file: NamedFile, lines: Sequence[RejectedLine]
) -> tuple[list[ReturnRow], list[ClaimFault]]:
    """The items of the lines that a bank does not take, without those that were given back before."""
    by_place = {line.seq: line for line in lines if line.seq}
    by_id = [line for line in lines if not line.seq]
    places = Counter(line.seq for line in lines if line.seq)
    faults = [ClaimFault(line.line, "line", "named twice") for line in lines if line.seq and places[line.seq] > 1]
    faults += [
        ClaimFault(line.line, "line", "the file has no such line")
        for line in by_place.values()
        if not 0 < line.seq <= file.item_count
    ]
    if faults:
        return [], faults
    claims = [
        Claim(line=line.line, payment_id=line.payment_id, item_id=line.item_id, file_name=file.name, reason=line.code)
        for line in by_id
    ]
    named = await name_items(session, claims, may_be_returned=True)
    rows = list(named.rows)
    faults = list(named.faults)
    if by_place:
        covered = (await session.files([file.name]))[file.name]
        async with open_clearing(desk.database_url) as reading:
            async for page in load_file_items(reading, session.bank, covered):
                for place, item in page:
                    line = by_place.get(place)
                    if line is None:
                        continue
                    if not item.is_returnable:
                        faults.append(ClaimFault(line.line, "line", "what undoes a return is not given back"))
                        continue
                    claim = Claim(line=line.line, payment_id="", reason=line.code)
                    rows.append(
                        return_row(
                            ReturnedClaim(claim, item),
                            batch=b"",
                            n=0,
                            bank=session.bank,
                            stand_in=stand_in_of(item, session.bank),
                            file=file.flat_name,
                            seq=place,
                        )
                    )
    known = await session.returned_before([row.payment for row in rows])
    left = [row for row in rows if (row.item, row.direction) not in known]
    return [msgspec.structs.replace(row, n=n) for n, row in enumerate(left, 1)], faults


def _upload_fault(fault: ClaimFault) -> UploadFault:
    return UploadFault(f"/lines/{fault.line}/{fault.field}" if fault.line else f"/{fault.field}", fault.reason)
