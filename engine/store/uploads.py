"""Uploads as they are stored: bytes in parts while they come, one row for what was accepted."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from engine.core.bank_lines import UploadKind
from engine.core.ids import BankId
from engine.store.connection import AnyConnection
from engine.store.faults import StoreUnavailable, translated
from engine.store.sql import load_queries

PART_BYTES: Final = 65_536
PARTS_AT_ONCE: Final = 32  # two megabytes a commit, and a page


class AcceptedUpload(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a bank that was complete and right when it came. Units: bytes, fen."""

    id: bytes
    bank: BankId
    kind: UploadKind
    form: str
    file_id: str
    idempotency_key: str | None
    size: int
    sha256: bytes
    line_count: int
    debit_total: int
    credit_total: int
    accepted_at: datetime


class AlreadyAccepted(Exception):
    """Another upload has this file id, or this idempotency key."""


WithinAcceptance = Callable[[AnyConnection], Awaitable[None]]
"""What else is written in the transaction that accepts an upload."""


class Uploads:
    """The store of uploads. Every method raises `Fault` when the database cannot do it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """Through *pool*; a connection is held for one short transaction at a time."""
        self._pool = pool
        self._queries = load_queries("uploads")

    async def begin(self, upload: bytes, bank: BankId, *, started_at: datetime) -> None:
        """An upload that has no bytes yet. *started_at* is the database's own clock."""
        with translated():
            await self._pool.execute(self._queries["begin_upload"], upload, bank, started_at)

    async def store(self, upload: bytes, *, first_part: int, parts: Sequence[bytes]) -> None:
        """Keep the next parts of an upload."""
        rows = [(upload, first_part + n, part) for n, part in enumerate(parts)]
        with translated():
            await self._pool.executemany(self._queries["insert_upload_chunk"], rows)

    async def load_parts(self, upload: bytes, *, first_part: int) -> list[bytes]:
        """Some parts of an upload from *first_part* on; none after the last one."""
        with translated():
            rows = await self._pool.fetch(
                self._queries["upload_chunks"], upload, first_part, first_part + PARTS_AT_ONCE
            )
        return [row["bytes"] for row in rows]

    async def accept(self, upload: AcceptedUpload, within: WithinAcceptance) -> None:
        """The upload counts from now on, with what *within* writes, or neither does.

        Raises:
            AlreadyAccepted: another one was first.
        """
        try:
            with translated():
                async with self._pool.acquire() as connection, connection.transaction():
                    await self._accept(connection, upload)
                    await within(connection)
        except _NotFirst:
            raise AlreadyAccepted from None

    async def of_file(self, bank: BankId, file_id: str) -> AcceptedUpload | None:
        """A bank's accepted upload of this file id."""
        return await self._find("upload_of_file", bank, file_id)

    async def of_key(self, bank: BankId, idempotency_key: str) -> AcceptedUpload | None:
        """A bank's accepted upload under this idempotency key."""
        return await self._find("upload_of_key", bank, idempotency_key)

    async def by_id(self, upload: bytes) -> AcceptedUpload | None:
        """An accepted upload."""
        return await self._find("upload_by_id", upload)

    async def drop(self, upload: bytes) -> None:
        """Nothing is left of an upload that was not accepted."""
        with translated():
            await self._pool.execute(self._queries["drop_upload"], upload)

    async def drop_cut_short(self, *, before: datetime) -> None:
        """Nothing is left of uploads that were begun before that instant and have not come to their end."""
        with translated():
            rows = await self._pool.fetch(self._queries["uploads_cut_short"], before)
        for row in rows:
            await self.drop(row["id"])

    async def cnaps_of(self, bank: BankId) -> str | None:
        """The twelve digits of a bank's number."""
        with translated():
            cnaps = await self._pool.fetchval(self._queries["cnaps_of_bank"], bank)
        return f"{cnaps:012d}" if cnaps is not None else None

    async def bank_of(self, cnaps: str) -> BankId | None:
        """The bank that has a number."""
        with translated():
            found = await self._pool.fetchval(self._queries["bank_of_cnaps"], int(cnaps))
        return BankId(found) if found is not None else None

    async def _accept(self, connection: AnyConnection, upload: AcceptedUpload) -> None:
        try:
            found = await connection.fetchval(
                self._queries["accept_upload"],
                upload.id,
                upload.kind,
                upload.form,
                upload.file_id,
                upload.idempotency_key,
                upload.size,
                upload.sha256,
                upload.line_count,
                upload.debit_total,
                upload.credit_total,
                upload.accepted_at,
            )
        except asyncpg.UniqueViolationError as error:
            raise _NotFirst from error
        if found is None:
            raise StoreUnavailable("the upload took so long that it was given up")

    async def _find(self, query: str, *values: object) -> AcceptedUpload | None:
        with translated():
            row = await self._pool.fetchrow(self._queries[query], *values)
        return AcceptedUpload(**{**row, "kind": UploadKind(row["kind"])}) if row is not None else None


class _NotFirst(Exception):
    """A unique index says that another one was first."""
