"""What banks read of clearing: manifests, bytes and positions, of published cycles only."""

from collections.abc import AsyncIterator
from typing import Final

import asyncpg
import msgspec

from engine.core.calendar import CycleNumber
from engine.core.clearing import NetPosition
from engine.core.clearing_lines import ClearingFile, FileKind
from engine.core.ids import BankId
from engine.store.clearing_store import position_of
from engine.store.faults import translated
from engine.store.file_store import file_of
from engine.store.sql import load_queries

CHUNK_BYTES: Final = 65_536
"""The size of every part of a file but its last. What is stored depends on it: it never changes."""
CHUNKS_AT_ONCE: Final = 4


class FilesWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a bank's files: cycles from and to, both included; None is any."""

    cycle_from: CycleNumber
    cycle_to: CycleNumber
    kind: FileKind | None
    form: str | None
    before: tuple[CycleNumber, str]  # a file's cycle and name: only those that come later in the list
    count: int


class ClearingReads:
    """Reads for banks. Every method raises `Fault` when the database cannot answer."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """Read through *pool*; a connection is held for one query at a time."""
        self._pool = pool
        self._queries = load_queries("clearing")

    async def files(self, bank: BankId, wanted: FilesWanted) -> list[ClearingFile]:
        """A bank's published files, newest first."""
        with translated():
            rows = await self._pool.fetch(
                self._queries["files_of_bank"],
                bank,
                wanted.cycle_from,
                wanted.cycle_to,
                wanted.kind,
                wanted.form,
                *wanted.before,
                wanted.count,
            )
        return [file_of(row) for row in rows]

    async def all_files(self, *, count: int) -> list[ClearingFile]:
        """Every bank's published files, newest first, for the operator."""
        with translated():
            rows = await self._pool.fetch(self._queries["published_files"], count)
        return [file_of(row) for row in rows]

    async def file(self, bank: BankId, name: str) -> ClearingFile | None:
        """A bank's published file."""
        with translated():
            row = await self._pool.fetchrow(self._queries["file_of_bank"], bank, name)
        return file_of(row) if row is not None else None

    async def expects(self, bank: BankId, *, cnaps: str, cycle: CycleNumber) -> bool:
        """True if *cnaps* is the bank's own number and *cycle* has still to be published."""
        with translated():
            found: bool = await self._pool.fetchval(self._queries["expects_file"], bank, int(cnaps), cycle)
        return found

    async def content(self, name: str, *, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of a file from *start* up to *end*, not included. A slow reader holds no connection."""
        part = start // CHUNK_BYTES
        at = part * CHUNK_BYTES
        while at < end:
            with translated():
                rows = await self._pool.fetch(self._queries["chunks"], name, part, part + CHUNKS_AT_ONCE)
            if not rows:
                return
            for row in rows:
                chunk: bytes = row["bytes"]
                wanted = chunk[max(start - at, 0) : max(end - at, 0)]
                at += len(chunk)
                if wanted:
                    yield wanted
            part += CHUNKS_AT_ONCE

    async def positions(
        self, bank: BankId, *, cycle_from: CycleNumber, cycle_to: CycleNumber
    ) -> list[tuple[CycleNumber, NetPosition]]:
        """A bank's position in each published cycle, newest first."""
        with translated():
            rows = await self._pool.fetch(self._queries["positions_of_bank"], bank, cycle_from, cycle_to)
        return [(CycleNumber(row["cycle"]), position_of(row)) for row in rows]
