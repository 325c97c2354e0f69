"""Packets of the SSH File Transfer Protocol, version 3: what clients ask for, and what they are answered.

Source: draft-ietf-secsh-filexfer-02, and OpenSSH's PROTOCOL file for the extensions.
"""

import enum
import struct
import time
from collections.abc import Iterable
from stat import filemode
from typing import Final

import msgspec

VERSION: Final = 3
READ_BYTES_MAX: Final = 261_120
WRITE_BYTES_MAX: Final = 261_120
PACKET_BYTES_MAX: Final = 262_144
STRING_BYTES_MAX: Final = 4_096  # of names and texts; only what is written is longer
HANDLE_BYTES_MAX: Final = 256

_U32: Final = struct.Struct(">I")
_U64: Final = struct.Struct(">Q")


class Ask(enum.IntEnum):
    """What a client asks for (section 3)."""

    INIT = 1
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    SETSTAT = 9
    FSETSTAT = 10
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    REALPATH = 16
    STAT = 17
    RENAME = 18
    READLINK = 19
    SYMLINK = 20
    EXTENDED = 200


class Answer(enum.IntEnum):
    """What it is answered with (section 3)."""

    VERSION = 2
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED_REPLY = 201


class Status(enum.IntEnum):
    """How it went (section 7)."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4
    BAD_MESSAGE = 5
    OP_UNSUPPORTED = 8


class Mode(enum.IntFlag):
    """How a file is opened (section 6.3)."""

    READ = 1
    WRITE = 2
    APPEND = 4
    CREATE = 8
    TRUNCATE = 16
    EXCLUSIVE = 32


class Extension(enum.Enum):
    """What else a client may ask for; the value is its name and version."""

    POSIX_RENAME = (b"posix-rename@openssh.com", b"1")
    FSYNC = (b"fsync@openssh.com", b"1")
    LIMITS = (b"limits@openssh.com", b"1")


EXTENSIONS: Final = {extension.value[0]: extension for extension in Extension}


class BadPacket(Exception):
    """The bytes are no packet of this protocol. What follows them cannot be understood either."""


class Denied(Exception):
    """A request that is not done; `text` is for the person at the client."""

    def __init__(self, status: Status, text: str) -> None:
        """A status and its text."""
        super().__init__(text)
        self.status = status
        self.text = text


def no_such_file() -> Denied:
    """The one answer about everything that is not there, or not for this bank."""
    return Denied(Status.NO_SUCH_FILE, "No such file")


class Attributes(msgspec.Struct, frozen=True):
    """What is shown of a file (section 5). Units: bytes, unix seconds."""

    permissions: int  # with the bits that say what it is
    size: int | None = None
    mtime_s: int = 0

    def encoded(self) -> bytes:
        """Size, permissions and times; owners are nobody's business."""
        flags = 0x4 | 0x8 | (0x1 if self.size is not None else 0)
        size = _U64.pack(self.size) if self.size is not None else b""
        times = _U32.pack(self.mtime_s) * 2
        return _U32.pack(flags) + size + _U32.pack(self.permissions) + times


class Entry(msgspec.Struct, frozen=True):
    """A file as a listing shows it."""

    name: str
    attributes: Attributes

    def encoded(self) -> bytes:
        """Name, the line that `ls -l` shows, attributes."""
        attributes = self.attributes
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(attributes.mtime_s))
        line = f"{filemode(attributes.permissions)} 1 - - {attributes.size or 0:>12} {when} {self.name}"
        return string(self.name.encode()) + string(line.encode()) + attributes.encoded()


class Fields:
    """Reads the fields of one packet in their order. Every method raises `BadPacket` if the next field is no such."""

    def __init__(self, packet: bytes) -> None:
        """At the beginning."""
        self._packet = packet
        self._at = 0

    def u8(self) -> int:
        """A byte."""
        return self._take(1)[0]

    def u32(self) -> int:
        """Four bytes."""
        found: int = _U32.unpack(self._take(4))[0]
        return found

    def u64(self) -> int:
        """Eight bytes."""
        found: int = _U64.unpack(self._take(8))[0]
        return found

    def string(self, *, longest: int = STRING_BYTES_MAX) -> bytes:
        """A length and as many bytes."""
        length = self.u32()
        if length > longest:
            raise BadPacket(f"a string of {length} bytes")
        return self._take(length)

    def attributes(self) -> None:
        """The attributes that a client would like a file to have, which it never gets."""
        flags = self.u32()
        for flag, length in ((0x1, 8), (0x2, 8), (0x4, 4), (0x8, 8)):
            if flags & flag:
                self._take(length)

    def end(self) -> None:
        """No field is left."""
        if self._at != len(self._packet):
            raise BadPacket("a packet that is longer than its fields")

    def _take(self, length: int) -> bytes:
        taken = self._packet[self._at : self._at + length]
        if len(taken) != length:
            raise BadPacket("a packet that ends within a field")
        self._at += length
        return taken


def string(content: bytes) -> bytes:
    """Bytes behind their length."""
    return _U32.pack(len(content)) + content


def framed(kind: Answer, body: bytes) -> bytes:
    """A packet as it goes over the wire."""
    return _U32.pack(len(body) + 1) + bytes((kind,)) + body


def version_answer() -> bytes:
    """The answer to INIT."""
    offered = b"".join(string(name) + string(version) for name, version in (one.value for one in Extension))
    return framed(Answer.VERSION, _U32.pack(VERSION) + offered)


def status_answer(request: int, status: Status, text: str = "") -> bytes:
    """STATUS, in English."""
    return framed(Answer.STATUS, _U32.pack(request) + _U32.pack(status) + string(text.encode()) + string(b"en"))


def handle_answer(request: int, handle: bytes) -> bytes:
    """HANDLE."""
    return framed(Answer.HANDLE, _U32.pack(request) + string(handle))


def data_answer(request: int, content: bytes) -> bytes:
    """DATA."""
    return framed(Answer.DATA, _U32.pack(request) + string(content))


def attributes_answer(request: int, attributes: Attributes) -> bytes:
    """ATTRS."""
    return framed(Answer.ATTRS, _U32.pack(request) + attributes.encoded())


def names_answer(request: int, entries: Iterable[Entry]) -> bytes:
    """NAME."""
    encoded = [entry.encoded() for entry in entries]
    return framed(Answer.NAME, _U32.pack(request) + _U32.pack(len(encoded)) + b"".join(encoded))


def path_answer(request: int, path: str) -> bytes:
    """NAME, of one path without attributes, as REALPATH is answered."""
    encoded = path.encode()
    return framed(Answer.NAME, _U32.pack(request) + _U32.pack(1) + string(encoded) * 2 + _U32.pack(0))


def limits_answer(request: int, *, handles_max: int) -> bytes:
    """EXTENDED_REPLY to limits: packet, read and write in bytes, open handles."""
    limits = (PACKET_BYTES_MAX, READ_BYTES_MAX, WRITE_BYTES_MAX, handles_max)
    return framed(Answer.EXTENDED_REPLY, _U32.pack(request) + b"".join(map(_U64.pack, limits)))
