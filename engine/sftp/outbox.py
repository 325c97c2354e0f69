"""What a bank finds in its outbox: its published files by business date, each with its manifest beside it."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from stat import S_IFDIR, S_IFREG
from typing import Final

import asyncpg
import msgspec

from engine.core.calendar import CYCLES_PER_DAY_MAX, SHANGHAI, CycleNumber, cycle_date, cycle_number
from engine.core.clearing_lines import ClearingFile
from engine.core.ids import BankId
from engine.flows.note_pull import note_pull
from engine.sftp.packets import Attributes, Entry, no_such_file
from engine.sftp.paths import MANIFEST_SUFFIX, Place
from engine.store.clearing_reads import ClearingReads, FilesWanted
from engine.store.inboxes import Inboxes

Manifest = Callable[[ClearingFile], bytes]
"""How a manifest is written; the same as over HTTP."""

WINDOW_BYTES: Final = 262_144
WINDOWS_MAX: Final = 4
FILES_AT_ONCE: Final = 200

_FOLDER: Final = S_IFDIR | 0o555
_READABLE: Final = S_IFREG | 0o444
_AFTER_ALL_CYCLES: Final = CycleNumber(99_999_999_99)


class Reading(msgspec.Struct):
    """An open file of the tree that can be read: stored parts of `file`, or `content` that was made for it."""

    file: ClearingFile | None = None
    content: bytes = b""
    mtime_s: int = 0
    is_pulled: bool = False

    @property
    def size(self) -> int:
        """Units: bytes."""
        return len(self.content) if self.file is None else self.file.size

    @property
    def attributes(self) -> Attributes:
        """As a listing shows them."""
        return Attributes(_READABLE, self.size, self.mtime_s)


class Outbox:
    """One bank's outbox. Every method raises `Fault` when the database cannot answer, and `Denied`."""

    def __init__(self, pool: asyncpg.Pool, bank: BankId, manifest: Manifest) -> None:
        """Read through *pool*; a few windows of files that are being read are kept, whatever their number."""
        self._pool = pool
        self._bank = bank
        self._manifest = manifest
        self._reads = ClearingReads(pool)
        self._inboxes = Inboxes(pool)
        self._windows: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    async def days(self) -> list[Entry]:
        """A folder for each business date that has files."""
        return [Entry(day, _folder(day)) for day in await self._inboxes.business_dates(self._bank)]

    async def day_attributes(self, day: str) -> Attributes:
        """The attributes of a business date's folder."""
        if day not in await self._inboxes.business_dates(self._bank):
            raise no_such_file()
        return _folder(day)

    async def files(self, day: str) -> list[Entry]:
        """The files of a business date and their manifests, by name."""
        entries = []
        for file in await self._files(_date_of(day)):
            entries.append(Entry(file.name, self._reading(file, is_manifest=False).attributes))
            manifest = self._reading(file, is_manifest=True)
            entries.append(Entry(file.name + MANIFEST_SUFFIX, manifest.attributes))
        if not entries:
            raise no_such_file()
        return sorted(entries, key=lambda entry: entry.name)

    async def open(self, place: Place) -> Reading:
        """A file or a manifest, to be read."""
        file = await self._reads.file(self._bank, place.name)
        if file is None or cycle_date(file.cycle) != _date_of(place.day):
            raise no_such_file()
        return self._reading(file, is_manifest=place.is_manifest)

    async def read(self, reading: Reading, *, at: int, length: int) -> bytes:
        """What is there from *at* on, no more than *length* bytes; nothing at the end."""
        end = min(at + length, reading.size)
        if at >= end:
            return b""
        if reading.file is None:
            return reading.content[at:end]
        found = bytearray()
        while at < end:
            window, within = divmod(at, WINDOW_BYTES)
            piece = (await self._window(reading.file, window * WINDOW_BYTES))[within : within + end - at]
            assert piece, "every part of a published file is stored"
            found += piece
            at += len(piece)
        return bytes(found)

    async def note_end(self, reading: Reading, *, at: int) -> None:
        """Keep that a file was pulled, once what was sent has reached its end."""
        if reading.file is not None and not reading.is_pulled and at >= reading.size:
            reading.is_pulled = True
            await note_pull(self._pool, reading.file.name)

    async def _window(self, file: ClearingFile, start: int) -> bytes:
        key = (file.name, start)
        if key in self._windows:
            self._windows.move_to_end(key)
            return self._windows[key]
        end = min(start + WINDOW_BYTES, file.size)
        content = b"".join([piece async for piece in self._reads.content(file.name, start=start, end=end)])
        self._windows[key] = content
        if len(self._windows) > WINDOWS_MAX:
            self._windows.popitem(last=False)
        return content

    def _reading(self, file: ClearingFile, *, is_manifest: bool) -> Reading:
        assert file.published_at is not None
        mtime_s = int(file.published_at.timestamp())
        if is_manifest:
            return Reading(content=self._manifest(file), mtime_s=mtime_s)
        return Reading(file=file, mtime_s=mtime_s)

    async def _files(self, day: date) -> list[ClearingFile]:
        found: list[ClearingFile] = []
        before = (_AFTER_ALL_CYCLES, "")
        while True:
            wanted = FilesWanted(
                cycle_from=cycle_number(day, 1),
                cycle_to=cycle_number(day, CYCLES_PER_DAY_MAX),
                kind=None,
                form=None,
                before=before,
                count=FILES_AT_ONCE,
            )
            page = await self._reads.files(self._bank, wanted)
            found += page
            if len(page) < FILES_AT_ONCE:
                return found
            before = (page[-1].cycle, page[-1].name)


def folder_attributes(*, mtime_s: int) -> Attributes:
    """Of a folder in which nothing can be made."""
    return Attributes(_FOLDER, None, mtime_s)


def _folder(day: str) -> Attributes:
    """Of a business date's folder: as old as the day."""
    begins = datetime.combine(_date_of(day), time(), SHANGHAI).astimezone(UTC)
    return folder_attributes(mtime_s=max(0, int(begins.timestamp())))


def _date_of(day: str) -> date:
    try:
        return date(int(day[:4]), int(day[4:6]), int(day[6:]))
    except ValueError:
        raise no_such_file() from None
