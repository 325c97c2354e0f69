"""Reading what banks have put into their inboxes, and telling them what became of it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
import structlog

from engine.core.ids import id_text
from engine.core.refusals import Refusal
from engine.flows.clock import IdSource
from engine.flows.receive_upload import Receipt, Rejected, UploadHandlers, UploadSource, receive_upload
from engine.store.faults import Fault
from engine.store.inboxes import Inboxes, Taken
from engine.store.reconciliation import Reconciliations
from engine.store.uploads import AcceptedUpload

ANSWER_S_MAX: Final = 10.0  # clients give up a request after fifteen seconds or more
TAKEN_S: Final = 600
AGAIN_S: Final = 30
AT_ONCE_MAX: Final = 2  # each reads in a thread of its own
UPLOAD_NAME_CHARS_MAX: Final = 35  # longer names are not kept as a file's id: its content stands for it

Spawn = Callable[[Coroutine[None, None, None]], "asyncio.Task[None]"]
Title = Callable[[Refusal], str]

log = structlog.get_logger("engine.sftp")


class LineFault(msgspec.Struct, frozen=True):
    """What is wrong with an upload, and where."""

    pointer: str
    reason: str


class Totals(msgspec.Struct, frozen=True):
    """Units: fen."""

    debit: int
    credit: int


class InboxResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`NAME.result.json`: what became of a file. Units: bytes, fen."""

    name: str
    outcome: str  # accepted or rejected; failed if the engine could not tell
    code: str | None = None
    title: str | None = None
    errors: tuple[LineFault, ...] = ()
    kind: str | None = None
    form: str | None = None
    file_id: str | None = None
    upload_id: str | None = None
    reconciliation_id: str | None = None
    count: int | None = None
    totals: Totals | None = None
    size: int | None = None
    sha256: str | None = None
    received_at: datetime | None = None
    is_replay: bool | None = None


class Judging:
    """Reads files of inboxes, a few at once, each by one node at a time."""

    def __init__(
        self, pool: asyncpg.Pool, handlers: UploadHandlers, ids: IdSource, *, title: Title, spawn: Spawn
    ) -> None:
        """*title* tells a person what a refusal means; what is read goes on in tasks that *spawn* makes."""
        self._pool = pool
        self._inboxes = Inboxes(pool)
        self._handlers = handlers
        self._ids = ids
        self._title = title
        self._spawn = spawn
        self._slots = asyncio.Semaphore(AT_ONCE_MAX)

    async def judge(self, file: int) -> None:
        """A file is read, whatever becomes of whoever asked; nobody waits for longer than `ANSWER_S_MAX`."""
        await asyncio.wait({self._spawn(self._judge(file))}, timeout=ANSWER_S_MAX)

    async def judge_due(self) -> None:
        """Files that a node has left unread are read.

        Raises:
            Fault: the database cannot say which.
        """
        for file in await self._inboxes.due(count=100):
            await self._judge(file)

    async def _judge(self, file: int) -> None:
        async with self._slots:
            try:
                taken = await self._inboxes.take(file, seconds=TAKEN_S)
                if taken is not None:
                    result = await self._result(taken)
                    await self._inboxes.judge(file, msgspec.json.format(msgspec.json.encode(result)) + b"\n")
                    log.info("inbox.judged", bank=id_text(taken.bank), outcome=result.outcome, code=result.code)
            except Fault as fault:
                log.warning("inbox.not_judged", file=file, fault=str(fault))
                with suppress(Fault):
                    await self._inboxes.release(file, seconds=AGAIN_S)

    async def _result(self, taken: Taken) -> InboxResult:
        name = taken.name if len(taken.name) <= UPLOAD_NAME_CHARS_MAX else ""
        source = UploadSource(bank=taken.bank, name=name)
        content = self._inboxes.content(taken.id)
        try:
            outcome = await receive_upload(self._pool, content, source, handlers=self._handlers, ids=self._ids)
        except Fault:
            raise
        except Exception:  # a bug: the bank must not wait for ever, and other files must be read
            log.exception("inbox.failed", bank=id_text(taken.bank), file=taken.id)
            return InboxResult(name=taken.name, outcome="failed", code="internal-error", title="Send the file again")
        if isinstance(outcome, Rejected):
            return InboxResult(
                name=taken.name,
                outcome="rejected",
                code=outcome.refusal.slug,
                title=self._title(outcome.refusal),
                errors=tuple(LineFault(fault.pointer, fault.reason) for fault in outcome.faults),
            )
        return await self._accepted(taken.name, outcome)

    async def _accepted(self, name: str, receipt: Receipt) -> InboxResult:
        upload: AcceptedUpload = receipt.upload
        reconciliation = await Reconciliations(self._pool).of_upload(upload.id)
        return InboxResult(
            name=name,
            outcome="accepted",
            kind=upload.kind.value,
            form=upload.form,
            file_id=upload.file_id,
            upload_id=id_text(upload.id),
            reconciliation_id=id_text(reconciliation) if reconciliation is not None else None,
            count=upload.line_count,
            totals=Totals(upload.debit_total, upload.credit_total),
            size=upload.size,
            sha256=upload.sha256.hex(),
            received_at=upload.accepted_at,
            is_replay=receipt.is_replay,
        )
