"""Inboxes of banks: files while they come, until they are judged, and then what became of them."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from engine.core.ids import BankId
from engine.store.faults import translated
from engine.store.sql import load_queries

PARTS_AT_ONCE: Final = 2  # of a megabyte each
JUDGED_DAYS: Final = 30
HALF_DAYS: Final = 3


class InboxFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an inbox. Only its last `writer` may write it. Units: bytes."""

    id: int
    name: str
    size: int
    writer: int
    changed_at: datetime
    is_whole: bool
    is_due: bool
    result: bytes | None
    judged_at: datetime | None
    is_removed: bool

    @property
    def is_being_read(self) -> bool:
        """True from when it is ready until it is judged: nobody can change it."""
        return self.is_due and self.judged_at is None


class InboxUse(msgspec.Struct, frozen=True):
    """What a bank's inbox holds: all files, and the bytes of those that are not judged."""

    files: int
    bytes: int


class Taken(msgspec.Struct, frozen=True):
    """A file that this node reads now."""

    id: int
    bank: BankId
    name: str


class Inboxes:
    """The store of inboxes. Every method raises `Fault` when the database cannot do it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """Through *pool*; a connection is held for one statement at a time."""
        self._pool = pool
        self._queries = load_queries("sftp")

    async def business_dates(self, bank: BankId) -> list[str]:
        """The days of a bank's published files, as YYYYMMDD, the oldest first."""
        rows = await self._fetch("business_dates_of_bank", bank)
        return [f"{row['business_date']:%Y%m%d}" for row in rows]

    async def files(self, bank: BankId) -> list[InboxFile]:
        """All files of a bank's inbox, by name."""
        return [_file_of(row) for row in await self._fetch("inbox", bank)]

    async def find(self, bank: BankId, name: str) -> InboxFile | None:
        """The file of that name."""
        return _first(await self._fetch("inbox_file", bank, name))

    async def use(self, bank: BankId) -> InboxUse:
        """What the inbox holds, once what is long past is taken away."""
        await self._fetch("drop_old_files", bank, JUDGED_DAYS, HALF_DAYS)
        (row,) = await self._fetch("inbox_use", bank)
        return InboxUse(row["files"], row["bytes"])

    async def begin(self, bank: BankId, name: str) -> InboxFile | None:
        """An empty file in place of whatever had its name; None while that is being read."""
        await self._fetch("drop_file", bank, name)
        return _first(await self._fetch("begin_file", bank, name))

    async def resume(self, bank: BankId, name: str) -> InboxFile | None:
        """The file of that name, to be written on at its end; None if there is none that can be."""
        return _first(await self._fetch("resume_file", bank, name))

    async def append(self, file: InboxFile, *, at: int, content: bytes) -> bool:
        """Write at the file's end. False, and nothing is written, if *at* is not its end or it has another writer."""
        (row,) = await self._fetch("append_part", file.id, file.writer, at, content)
        return bool(row["count"])

    async def close(self, file: InboxFile, *, size: int, is_due: bool) -> bool:
        """The file is whole. False if it has another size or another writer."""
        return bool(await self._fetch("close_file", file.id, file.writer, size, is_due))

    async def rename(self, bank: BankId, name: str, new_name: str, *, is_due: bool) -> int | None:
        """Call a file that is whole, and was not ready, otherwise. None if there is none or the name is taken."""
        rows = await self._fetch("rename_file", bank, name, new_name, is_due)
        return rows[0]["id"] if rows else None

    async def drop(self, bank: BankId, name: str) -> bool:
        """Nothing is left of a file. False while it is being read, or if there is none."""
        (row,) = await self._fetch("drop_file", bank, name)
        return bool(row["count"])

    async def hide(self, bank: BankId, name: str) -> bool:
        """Only the result of a judged file is left. False if it has none."""
        return bool(await self._fetch("hide_file", bank, name))

    async def drop_result(self, bank: BankId, name: str) -> bool:
        """The result of a judged file is gone. False if there is none."""
        (row,) = await self._fetch("drop_result", bank, name)
        return bool(next(iter(row.values())))

    async def take(self, file: int, *, seconds: int) -> Taken | None:
        """Read a file that is due: for *seconds* no other node does. None if one does, or it is judged."""
        rows = await self._fetch("take_file", file, seconds)
        return Taken(file, BankId(rows[0]["bank"]), rows[0]["name"]) if rows else None

    async def due(self, *, count: int) -> list[int]:
        """Files that should be read and that no node reads."""
        return [row["id"] for row in await self._fetch("due_files", count)]

    async def release(self, file: int, *, seconds: int) -> None:
        """A file could not be read: after *seconds* any node may."""
        await self._fetch("release_file", file, seconds)

    async def content(self, file: int) -> AsyncIterator[bytes]:
        """The bytes of a file. A slow reader holds no connection."""
        at = 0
        while rows := await self._fetch("file_parts", file, at, PARTS_AT_ONCE):
            for row in rows:
                part: bytes = row["bytes"]
                at = row["at"] + len(part)
                yield part

    async def judge(self, file: int, result: bytes) -> None:
        """Keep what became of a file; nothing happens if that is known."""
        await self._fetch("judge_file", file, result)

    async def _fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        with translated():
            return list(await self._pool.fetch(self._queries[query], *values))


def _first(rows: list[asyncpg.Record]) -> InboxFile | None:
    return _file_of(rows[0]) if rows else None


def _file_of(row: asyncpg.Record) -> InboxFile:
    return InboxFile(**row)
