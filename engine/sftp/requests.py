"""One client's requests, each answered after the one before it: what goes on between two packets.

Whatever a client does, a session keeps a bounded number of open files, each with a bounded number of bytes.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import islice
from typing import Final

import msgspec
import structlog

from engine.flows.clock import Clock
from engine.sftp import packets
from engine.sftp.inbox import Inbox, Writing, inbox_attributes
from engine.sftp.outbox import Outbox, Reading, folder_attributes
from engine.sftp.packets import (
    EXTENSIONS,
    Ask,
    Attributes,
    BadPacket,
    Denied,
    Entry,
    Extension,
    Fields,
    Mode,
    Status,
)
from engine.sftp.paths import Area, Place, place_of, real_path
from engine.store.faults import Fault

HANDLES_MAX: Final = 32
NAMES_AT_ONCE: Final = 100

log = structlog.get_logger("engine.sftp")


class Listing(msgspec.Struct):
    """An open folder: what of it was not told yet."""

    entries: Iterator[Entry]


Handle = Reading | Writing | Listing
Answering = Callable[["Requests", int, Fields], Awaitable[bytes]]


class Requests:
    """The requests of one session of one bank."""

    def __init__(self, outbox: Outbox, inbox: Inbox, clock: Clock) -> None:
        """No file is open."""
        self._outbox = outbox
        self._inbox = inbox
        self._clock = clock
        self._handles: dict[bytes, Handle] = {}
        self._opened = 0
        self._ended: tuple[Reading, int] | None = None

    async def answer(self, packet: bytes) -> bytes:
        """What one packet is answered with.

        Raises:
            BadPacket: it cannot be understood, so nobody knows what it is an answer to.
        """
        fields = Fields(packet)
        kind = fields.u8()
        if kind == Ask.INIT:
            fields.u32()  # clients of later versions speak version 3 when they are asked to
            return packets.version_answer()
        request = fields.u32()
        try:
            answering = _ANSWERS.get(kind)
            if answering is None:
                raise Denied(Status.OP_UNSUPPORTED, "Not supported")
            return await answering(self, request, fields)
        except Denied as denied:
            return packets.status_answer(request, denied.status, denied.text)
        except BadPacket as error:
            return packets.status_answer(request, Status.BAD_MESSAGE, str(error))
        except Fault as fault:
            log.error("sftp.store_unavailable", fault=str(fault))
            return packets.status_answer(request, Status.FAILURE, "The engine cannot do it now; try again later")
        except Exception:  # one request's bug must not end others
            log.exception("sftp.failed", request=kind)
            return packets.status_answer(request, Status.FAILURE, "Internal error")

    async def after(self) -> None:
        """What has to follow once the answer is on its way."""
        if self._ended is not None:
            (reading, at), self._ended = self._ended, None
            await self._outbox.note_end(reading, at=at)

    async def end(self) -> None:
        """The client has gone: what it has sent of its files is stored, so that it can go on from there."""
        for handle in self._handles.values():
            if isinstance(handle, Writing):
                try:
                    await self._inbox.store(handle)
                except (Denied, Fault) as error:
                    log.info("sftp.rest_not_stored", why=str(error))
        self._handles.clear()

    async def _open(self, request: int, fields: Fields) -> bytes:
        place, mode = place_of(fields.string()), Mode(fields.u32() & 0x3F)
        fields.attributes()
        self._make_room()
        if place.area is Area.UPLOAD:
            return self._keep(request, await self._inbox.open(place.name, mode))
        if place.area not in (Area.FILE, Area.RESULT):
            await self._attributes(place)
            raise Denied(Status.FAILURE, "Is a folder")
        if mode & ~Mode.READ:
            raise Denied(Status.PERMISSION_DENIED, "Read only")
        return self._keep(request, await self._reading(place))

    async def _close(self, request: int, fields: Fields) -> bytes:
        key = fields.string(longest=packets.HANDLE_BYTES_MAX)
        fields.end()
        handle = self._handles.pop(key, None)
        if handle is None:
            raise _no_such_handle()
        if isinstance(handle, Writing):
            await self._inbox.close(handle)
        return packets.status_answer(request, Status.OK)

    async def _read(self, request: int, fields: Fields) -> bytes:
        handle, at, length = self._handle(fields), fields.u64(), fields.u32()
        fields.end()
        if not isinstance(handle, Reading):
            raise Denied(Status.PERMISSION_DENIED, "Not open for reading")
        content = await self._outbox.read(handle, at=at, length=min(length, packets.READ_BYTES_MAX))
        if not content:
            return packets.status_answer(request, Status.EOF, "End of file")
        self._ended = (handle, at + len(content))
        return packets.data_answer(request, content)

    async def _write(self, request: int, fields: Fields) -> bytes:
        handle, at, content = self._handle(fields), fields.u64(), fields.string(longest=packets.PACKET_BYTES_MAX)
        fields.end()
        if not isinstance(handle, Writing):
            raise Denied(Status.PERMISSION_DENIED, "Not open for writing")
        await self._inbox.write(handle, at=at, content=content)
        return packets.status_answer(request, Status.OK)

    async def _stat(self, request: int, fields: Fields) -> bytes:
        place = place_of(fields.string())
        fields.end()
        return packets.attributes_answer(request, await self._attributes(place))

    async def _fstat(self, request: int, fields: Fields) -> bytes:
        handle = self._handle(fields)
        fields.end()
        if isinstance(handle, Listing):
            raise _no_such_handle()
        return packets.attributes_answer(request, handle.attributes)

    async def _setstat(self, request: int, fields: Fields) -> bytes:
        """Modes and times of the inbox are nobody's: clients that set them after an upload are told that it is done."""
        place = place_of(fields.string())
        fields.attributes()
        await self._attributes(place)
        if place.area is not Area.UPLOAD:
            raise _read_only()
        return packets.status_answer(request, Status.OK)

    async def _fsetstat(self, request: int, fields: Fields) -> bytes:
        handle = self._handle(fields)
        fields.attributes()
        if not isinstance(handle, Writing):
            raise _read_only()
        return packets.status_answer(request, Status.OK)

    async def _opendir(self, request: int, fields: Fields) -> bytes:
        place = place_of(fields.string())
        fields.end()
        self._make_room()
        match place.area:
            case Area.ROOT:
                entries = [Entry(name, self._fixed(area)) for name, area in _TOP]
            case Area.OUTBOX:
                entries = await self._outbox.days()
            case Area.DAY:
                entries = await self._outbox.files(place.day)
            case Area.INBOX:
                entries = await self._inbox.files()
            case _:
                await self._attributes(place)
                raise Denied(Status.FAILURE, "Is no folder")
        return self._keep(request, Listing(iter(entries)))

    async def _readdir(self, request: int, fields: Fields) -> bytes:
        handle = self._handle(fields)
        fields.end()
        if not isinstance(handle, Listing):
            raise _no_such_handle()
        entries = list(islice(handle.entries, NAMES_AT_ONCE))
        if not entries:
            return packets.status_answer(request, Status.EOF, "No more names")
        return packets.names_answer(request, entries)

    async def _realpath(self, request: int, fields: Fields) -> bytes:
        path = real_path(fields.string())
        fields.end()
        return packets.path_answer(request, path)

    async def _remove(self, request: int, fields: Fields) -> bytes:
        place = place_of(fields.string())
        fields.end()
        if place.area is Area.UPLOAD:
            await self._inbox.remove(place.name)
        elif place.area is Area.RESULT:
            await self._inbox.remove_result(place.name)
        else:
            await self._attributes(place)
            raise _read_only()
        return packets.status_answer(request, Status.OK)

    async def _rename(self, request: int, fields: Fields) -> bytes:
        return await self._renamed(request, fields, replaces=False)

    async def _renamed(self, request: int, fields: Fields, *, replaces: bool) -> bytes:
        old, new = place_of(fields.string()), place_of(fields.string())
        fields.end()
        if old.area is not Area.UPLOAD or new.area is not Area.UPLOAD:
            await self._attributes(old)
            raise Denied(Status.PERMISSION_DENIED, "Only files of the inbox are renamed, within it")
        await self._inbox.rename(old.name, new.name, replaces=replaces)
        return packets.status_answer(request, Status.OK)

    async def _refuse_folder(self, _request: int, _fields: Fields) -> bytes:
        raise Denied(Status.PERMISSION_DENIED, "Folders are the engine's own")

    async def _extended(self, request: int, fields: Fields) -> bytes:
        match EXTENSIONS.get(fields.string(longest=packets.HANDLE_BYTES_MAX)):
            case Extension.POSIX_RENAME:
                return await self._renamed(request, fields, replaces=True)
            case Extension.FSYNC:
                handle = self._handle(fields)
                if isinstance(handle, Writing):
                    await self._inbox.store(handle)
                return packets.status_answer(request, Status.OK)
            case Extension.LIMITS:
                return packets.limits_answer(request, handles_max=HANDLES_MAX)
        raise Denied(Status.OP_UNSUPPORTED, "Not supported")

    async def _reading(self, place: Place) -> Reading:
        if place.area is Area.RESULT:
            return await self._inbox.result(place.name)
        return await self._outbox.open(place)

    async def _attributes(self, place: Place) -> Attributes:
        """The attributes of whatever is there.

        Raises:
            Denied: nothing is.
        """
        match place.area:
            case Area.DAY:
                return await self._outbox.day_attributes(place.day)
            case Area.FILE | Area.RESULT:
                return (await self._reading(place)).attributes
            case Area.UPLOAD:
                return await self._inbox.attributes(place.name)
            case _:
                return self._fixed(place.area)

    def _fixed(self, area: Area) -> Attributes:
        now_s = int(self._clock.wall_s())
        return inbox_attributes(mtime_s=now_s) if area is Area.INBOX else folder_attributes(mtime_s=now_s)

    def _make_room(self) -> None:
        if len(self._handles) >= HANDLES_MAX:
            raise Denied(Status.FAILURE, f"No more than {HANDLES_MAX} files are open at once")

    def _keep(self, request: int, handle: Handle) -> bytes:
        self._opened += 1
        key = self._opened.to_bytes(8)
        self._handles[key] = handle
        return packets.handle_answer(request, key)

    def _handle(self, fields: Fields) -> Handle:
        handle = self._handles.get(fields.string(longest=packets.HANDLE_BYTES_MAX))
        if handle is None:
            raise _no_such_handle()
        return handle


def _no_such_handle() -> Denied:
    return Denied(Status.FAILURE, "No such handle")


def _read_only() -> Denied:
    return Denied(Status.PERMISSION_DENIED, "Read only")


_TOP: Final = (("inbox", Area.INBOX), ("outbox", Area.OUTBOX))
_ANSWERS: Final[Mapping[int, Answering]] = {
    Ask.OPEN: Requests._open,
    Ask.CLOSE: Requests._close,
    Ask.READ: Requests._read,
    Ask.WRITE: Requests._write,
    Ask.LSTAT: Requests._stat,
    Ask.STAT: Requests._stat,
    Ask.FSTAT: Requests._fstat,
    Ask.SETSTAT: Requests._setstat,
    Ask.FSETSTAT: Requests._fsetstat,
    Ask.OPENDIR: Requests._opendir,
    Ask.READDIR: Requests._readdir,
    Ask.REMOVE: Requests._remove,
    Ask.MKDIR: Requests._refuse_folder,
    Ask.RMDIR: Requests._refuse_folder,
    Ask.REALPATH: Requests._realpath,
    Ask.RENAME: Requests._rename,
    Ask.EXTENDED: Requests._extended,
}
