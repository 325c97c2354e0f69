"""Files of applications: kept sealed as they come, part by part, and counted only once all of one is there."""

import hashlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec

from engine.codes.keys import Keyring
from engine.core.applications import (
    ATTACHMENT_BYTES_MAX,
    ATTACHMENTS_MAX,
    MAGIC_BYTES_MAX,
    Application,
    ApplicationMove,
    Attachment,
    media_type_of,
)
from engine.core.ids import IdKind
from engine.core.participants import WrongField
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.applications.course import held
from engine.flows.applications.person_seal import PersonSeal
from engine.flows.clock import IdSource
from engine.store.applications import move_application
from engine.store.applications_attachments import (
    PART_BYTES,
    PART_PLACE,
    begin_attachment,
    drop_attachment,
    drop_attachments_cut_short,
    insert_attachment_part,
    keep_attachment,
    load_attachment_part,
    load_attachments,
)
from engine.store.connection import AnyConnection
from engine.store.participants import load_clocks
from engine.store.persons import RegisteredCard

CUT_SHORT_AFTER: Final = timedelta(hours=2)  # no file takes as long: what is older was cut short


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A file whose bytes have all come. Units: bytes."""

    id: bytes
    sha256: bytes
    media_type: str
    size: int


class AttachmentBox:
    """The files of applications. Every method raises `Fault` when the database cannot do it."""

    def __init__(self, pool: asyncpg.Pool, keyring: Keyring, ids: IdSource) -> None:
        """In this database, under these keys."""
        self._pool = pool
        self._keyring = keyring
        self._ids = ids

    async def receive(
        self, application: Application, card: RegisteredCard, chunks: AsyncIterator[bytes]
    ) -> Received | NotDone:
        """The bytes are stored, and nobody sees them before `keep`. Whatever is not kept in the end has to be given to
        `drop`; what *chunks* raises leaves nothing behind.
        """
        started_at = (await load_clocks(self._pool)).wall
        await drop_attachments_cut_short(self._pool, before=started_at - CUT_SHORT_AFTER)
        attachment = self._ids.new(IdKind.UPLOAD, shard=0, region=application.region)
        await begin_attachment(self._pool, attachment, application.id, started_at=started_at)
        received: Received | NotDone | None = None
        try:
            received = await self._store(attachment, PersonSeal(self._keyring, self._ids, card), chunks)
        finally:
            if not isinstance(received, Received):
                await drop_attachment(self._pool, attachment)
        return received

    async def keep(
        self, connection: AnyConnection, application: Application, received: Received, *, now: datetime
    ) -> Attachment | NotDone:
        """The file is the application's; one that it has already is the same, and *received* is one too many."""
        seen = await held(connection, application.id, ApplicationMove.CHANGE)
        if isinstance(seen, NotDone):
            return seen
        there = await load_attachments(connection, seen.id)
        for attachment in there:
            if attachment.sha256 == received.sha256:
                return attachment
        if len(there) >= ATTACHMENTS_MAX:
            return NotDone(Refusal.FORM_INVALID, (WrongField("attachments", f"at most {ATTACHMENTS_MAX}"),))
        kept = Attachment(
            id=received.id,
            sha256=received.sha256,
            media_type=received.media_type,
            size=received.size,
            kept_at=now,
        )
        await keep_attachment(connection, kept)
        await move_application(connection, msgspec.structs.replace(seen, changed_at=now))
        return kept

    async def drop(self, received: Received) -> None:
        """Nothing is left of a file, unless it was kept."""
        await drop_attachment(self._pool, received.id)

    async def content(self, attachment: Attachment, card: RegisteredCard) -> AsyncIterator[bytes]:
        """The bytes of a file, part by part; none if the person's data were erased."""
        seal = PersonSeal(self._keyring, self._ids, card)
        for part in range(-(-attachment.size // PART_BYTES)):
            opened = seal.open(await load_attachment_part(self._pool, attachment.id, part), place=PART_PLACE)
            if opened is None:
                return
            yield opened

    async def _store(self, attachment: bytes, seal: PersonSeal, chunks: AsyncIterator[bytes]) -> Received | NotDone:
        digest, size, parts, waiting, first = hashlib.sha256(), 0, 0, bytearray(), b""
        async for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            if size > ATTACHMENT_BYTES_MAX:
                return NotDone(Refusal.BODY_TOO_LARGE)
            if len(first) < MAGIC_BYTES_MAX:
                first += chunk
            waiting += chunk
            while len(waiting) >= PART_BYTES:
                await self._store_part(attachment, parts, seal, bytes(waiting[:PART_BYTES]))
                del waiting[:PART_BYTES]
                parts += 1
        if waiting:
            await self._store_part(attachment, parts, seal, bytes(waiting))
        media_type = media_type_of(first)
        if media_type is None:
            return NotDone(Refusal.FILE_MALFORMED, (WrongField("", "neither PDF nor JPEG nor PNG"),))
        return Received(id=attachment, sha256=digest.digest(), media_type=media_type, size=size)

    async def _store_part(self, attachment: bytes, part: int, seal: PersonSeal, plain: bytes) -> None:
        await insert_attachment_part(self._pool, attachment, part, seal.seal(plain, place=PART_PLACE))
