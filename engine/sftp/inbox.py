"""A bank's inbox: what it puts there is kept as it comes, may be resumed, and is read once it is whole and ready.

A file's bytes are written at its end only, in the order of the file. A connection that is cut leaves what came; the
client goes on where it ended, or begins anew. Under a name that ends in .part, .partial, .filepart or .tmp a file waits
until it is renamed.
"""

from collections.abc import Awaitable, Callable
from stat import S_IFDIR, S_IFREG
from typing import Final

import msgspec

from engine.core.ids import BankId
from engine.flows.receive_upload import UPLOAD_BYTES_MAX
from engine.sftp.outbox import Reading
from engine.sftp.packets import Attributes, Denied, Entry, Mode, Status, no_such_file
from engine.sftp.paths import RESULT_SUFFIX, is_ready_name
from engine.store.inboxes import Inboxes, InboxFile

PART_BYTES: Final = 1 << 20
FILES_MAX: Final = 1_000
UNJUDGED_BYTES_MAX: Final = 4 * UPLOAD_BYTES_MAX

_FOLDER: Final = S_IFDIR | 0o755
_WRITE_ONLY: Final = S_IFREG | 0o200
_READABLE: Final = S_IFREG | 0o444

Judge = Callable[[int], Awaitable[None]]
"""Has a file of that number read. Returns when that is done, or takes so long that nobody should wait for it."""


class Writing(msgspec.Struct):
    """A file of the inbox that is open for writing. `waiting` is what is not stored yet.

    Opened to be appended to, everything goes to its end, wherever the client says (section 6.3 of the protocol).
    """

    file: InboxFile
    stored: int
    mtime_s: int
    is_appended: bool
    waiting: bytearray = msgspec.field(default_factory=bytearray)

    @property
    def size(self) -> int:
        """With what is not stored yet. Units: bytes."""
        return self.stored + len(self.waiting)

    @property
    def attributes(self) -> Attributes:
        """As a listing would show them."""
        return Attributes(_WRITE_ONLY, self.size, self.mtime_s)


class Inbox:
    """One bank's inbox. Every method raises `Fault` when the database cannot do it, and `Denied`."""

    def __init__(self, store: Inboxes, bank: BankId, judge: Judge) -> None:
        """*judge* is asked as soon as a file is whole and has a name that says it is ready."""
        self._store = store
        self._bank = bank
        self._judge = judge

    async def files(self) -> list[Entry]:
        """What was put there, and what became of it, by name."""
        entries = []
        for file in await self._store.files(self._bank):
            if not file.is_removed:
                entries.append(Entry(file.name, _attributes(file)))
            if file.result is not None:
                entries.append(Entry(file.name + RESULT_SUFFIX, _reading(file).attributes))
        return sorted(entries, key=lambda entry: entry.name)

    async def attributes(self, name: str) -> Attributes:
        """The attributes of a file that was put there."""
        file = await self._store.find(self._bank, name)
        if file is None or file.is_removed:
            raise no_such_file()
        return _attributes(file)

    async def result(self, name: str) -> Reading:
        """What became of a file."""
        file = await self._store.find(self._bank, name)
        if file is None or file.result is None:
            raise no_such_file()
        return _reading(file)

    async def open(self, name: str, mode: Mode) -> Writing:
        """A file to be written: from its beginning, or on from its end."""
        if Mode.READ in mode or Mode.WRITE not in mode:
            raise Denied(Status.PERMISSION_DENIED, "Files of the inbox are only written; see NAME.result.json")
        known = await self._store.find(self._bank, name)
        if known is None and Mode.CREATE not in mode:
            raise no_such_file()
        if known is not None and not known.is_removed and Mode.EXCLUSIVE in mode:
            raise Denied(Status.FAILURE, "There is a file of that name")
        if Mode.TRUNCATE not in mode and known is not None and known.judged_at is None:
            file = await self._store.resume(self._bank, name)
        else:
            use = await self._store.use(self._bank)
            if use.files >= FILES_MAX or use.bytes > UNJUDGED_BYTES_MAX:
                raise Denied(Status.FAILURE, "The inbox is full: remove results that you have seen, or half files")
            file = await self._store.begin(self._bank, name)
        if file is None:
            raise Denied(Status.FAILURE, "The file of that name is being read; wait for its result")
        return Writing(file, file.size, int(file.changed_at.timestamp()), Mode.APPEND in mode)

    async def write(self, writing: Writing, *, at: int, content: bytes) -> None:
        """Take the next bytes of a file."""
        if at != writing.size and not writing.is_appended:
            raise Denied(Status.FAILURE, f"Bytes are taken in their order: the next one is {writing.size}")
        if writing.size + len(content) > UPLOAD_BYTES_MAX:
            raise Denied(Status.FAILURE, f"A file has at most {UPLOAD_BYTES_MAX} bytes")
        writing.waiting += content
        if len(writing.waiting) >= PART_BYTES:
            await self.store(writing)

    async def store(self, writing: Writing) -> None:
        """Everything that was written is stored."""
        if not writing.waiting:
            return
        if not await self._store.append(writing.file, at=writing.stored, content=bytes(writing.waiting)):
            raise Denied(Status.FAILURE, "The file was opened elsewhere, or removed")
        writing.stored += len(writing.waiting)
        writing.waiting.clear()

    async def close(self, writing: Writing) -> None:
        """The file is whole, and is read if its name says that it is ready."""
        await self.store(writing)
        is_due = is_ready_name(writing.file.name)
        if not await self._store.close(writing.file, size=writing.stored, is_due=is_due):
            raise Denied(Status.FAILURE, "The file was opened elsewhere, or removed")
        if is_due:
            await self._judge(writing.file.id)

    async def rename(self, name: str, new_name: str, *, replaces: bool) -> None:
        """Call a whole file otherwise; under a name that says so it is ready."""
        file = await self._known(name)
        if not file.is_whole:
            raise Denied(Status.FAILURE, "The file is not whole: send the rest of it, or all of it, first")
        if file.is_due:
            raise Denied(Status.PERMISSION_DENIED, "The file was taken; only its result is changed any more")
        if name == new_name:
            return
        if replaces:
            await self._store.drop(self._bank, new_name)
        is_due = is_ready_name(new_name)
        renamed = await self._store.rename(self._bank, name, new_name, is_due=is_due)
        if renamed is None:
            raise Denied(Status.FAILURE, "There is a file of the new name")
        if is_due:
            await self._judge(renamed)

    async def remove(self, name: str) -> None:
        """Take a file away. What it has led to stays, and so does its result."""
        file = await self._known(name)
        if file.is_being_read:
            raise Denied(Status.FAILURE, "The file is being read; wait for its result")
        if not await self._store.hide(self._bank, name) and not await self._store.drop(self._bank, name):
            raise no_such_file()

    async def remove_result(self, name: str) -> None:
        """Take away what is told of a file. What it has led to stays."""
        if not await self._store.drop_result(self._bank, name):
            raise no_such_file()

    async def _known(self, name: str) -> InboxFile:
        file = await self._store.find(self._bank, name)
        if file is None or file.is_removed:
            raise no_such_file()
        return file


def inbox_attributes(*, mtime_s: int) -> Attributes:
    """Of the inbox itself."""
    return Attributes(_FOLDER, None, mtime_s)


def _attributes(file: InboxFile) -> Attributes:
    return Attributes(_WRITE_ONLY, file.size, int(file.changed_at.timestamp()))


def _reading(file: InboxFile) -> Reading:
    assert file.result is not None
    assert file.judged_at is not None
    return Reading(content=file.result, mtime_s=int(file.judged_at.timestamp()))
