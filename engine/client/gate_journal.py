"""What a gate has taken, in a file that outlives a power cut: a signed ticket a line, on disk before a door opens.

The first line says whose tickets they are, the number of the last one that is not in the file any more, and up to which
number they have been brought in. Every other line is a ticket, numbered without gaps.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from engine.codes.ride_ticket import LINE_BYTES_MAX, SignedTicket, read_ticket, ticket_line

JOURNAL: Final = "tickets.ndjson"
_LOCK: Final = "lock"


class JournalFailed(Exception):
    """The file cannot be read or written. What was being added may be in it or not: opening it again tells."""


class JournalHeading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line. `last` is the number before the first ticket in the file."""

    merchant_id: str
    terminal_id: str
    last: int = 0
    brought_in: int = 0


class TicketJournal:
    """The tickets of one terminal; one process at a time."""

    def __init__(self, folder: Path, *, merchant_id: str, terminal_id: str) -> None:
        """Open what *folder* holds, or begin.

        Raises:
            JournalFailed: another process has it open, it is another terminal's, or it is damaged before its end.
            OSError: the folder cannot be used.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / JOURNAL
        self._file: int | None = None
        self._lock: int | None = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            own = JournalHeading(merchant_id=merchant_id, terminal_id=terminal_id)
            if not self._path.exists():
                self._write_anew(own, ())
            self._heading, self._tickets = self._read(own)
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        except BlockingIOError:
            self.close()
            raise JournalFailed("another process has the journal open") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others have it."""
        for descriptor in (self._file, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._file = self._lock = None

    @property
    def tickets(self) -> Sequence[SignedTicket]:
        """What is in the file, oldest first."""
        return self._tickets

    @property
    def last_sequence(self) -> int:
        """The number of the newest ticket; 0 before the first."""
        return self._heading.last + len(self._tickets)

    @property
    def brought_in(self) -> int:
        """The number up to which tickets have been brought in."""
        return self._heading.brought_in

    def add(self, signed: SignedTicket) -> None:
        """The ticket is on disk, and its number will not be given again.

        Raises:
            JournalFailed: nobody knows whether it is; nothing more can be added until the journal is opened again.
        """
        assert signed.ticket.sequence == self.last_sequence + 1, "numbers have no gaps"
        if self._file is None:
            raise JournalFailed("the journal is closed")
        try:
            _write(self._file, ticket_line(signed))
        except OSError as error:
            self.close()
            raise JournalFailed(f"{self._path.name}: {error.strerror}") from error
        self._tickets.append(signed)

    def note_brought_in(self, through: int, *, keep_from_s: int) -> None:
        """Tickets up to this number need not be brought in again; those taken before *keep_from_s* are dropped.

        Raises:
            ValueError: there is no such ticket.
            JournalFailed: it could not be noted; bringing them in again does no harm.
        """
        if not self.brought_in <= through <= self.last_sequence:
            raise ValueError(f"{through} is not from {self.brought_in} to {self.last_sequence}")
        if self._file is None:
            raise JournalFailed("the journal is closed")
        dropped = 0
        while dropped < through - self._heading.last and self._tickets[dropped].ticket.taken_s < keep_from_s:
            dropped += 1
        heading = msgspec.structs.replace(self._heading, last=self._heading.last + dropped, brought_in=through)
        kept = self._tickets[dropped:]
        try:
            self._write_anew(heading, kept)
            fresh = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            self.close()
            raise JournalFailed(f"{self._path.name}: {error.strerror}") from error
        os.close(self._file)
        self._file, self._heading, self._tickets = fresh, heading, kept

    def _read(self, own: JournalHeading) -> tuple[JournalHeading, list[SignedTicket]]:
        """What the file says. What a power cut has left of a last line is cut off: nobody went through by it."""
        content = self._path.read_bytes()
        first, *lines = content.splitlines(keepends=True) or [b""]
        try:
            heading = msgspec.json.decode(first, type=JournalHeading)
        except msgspec.MsgspecError:
            raise JournalFailed("the journal has no heading") from None
        if (heading.merchant_id, heading.terminal_id) != (own.merchant_id, own.terminal_id):
            raise JournalFailed("the journal is another terminal's")
        tickets: list[SignedTicket] = []
        whole = len(first)
        for line, signed in zip(lines, _read_lines(lines), strict=True):
            if signed is None or signed.ticket.sequence != heading.last + len(tickets) + 1:
                break
            tickets.append(signed)
            whole += len(line)
        # A line is on disk before the next one is written, so a power cut spoils one line, and nothing comes behind it.
        is_damaged = any(signed is not None for signed in _read_lines(lines[len(tickets) :]))
        if is_damaged or len(content) - whole > LINE_BYTES_MAX:
            raise JournalFailed(f"the journal is damaged after ticket {heading.last + len(tickets)}")
        if whole < len(content):
            descriptor = os.open(self._path, os.O_WRONLY)
            try:
                os.ftruncate(descriptor, whole)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        return heading, tickets

    def _write_anew(self, heading: JournalHeading, tickets: Sequence[SignedTicket]) -> None:
        """The file has its new content, or its old one: never a part of either."""
        write_whole(self._path, msgspec.json.encode(heading) + b"\n" + b"".join(map(ticket_line, tickets)))


def write_whole(path: Path, content: bytes) -> None:
    """The file has this content, on disk; after a power cut it has this or the one before.

    Raises:
        OSError: it has the one before.
    """
    fresh = path.with_name(f"{path.name}.part")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        _write(descriptor, content)
    finally:
        os.close(descriptor)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def _read_lines(lines: Sequence[bytes]) -> Iterator[SignedTicket | None]:
    """The ticket of each line; None where a line holds none, or has no end."""
    for line in lines:
        signed = read_ticket(line) if line.endswith(b"\n") else ()
        yield signed if isinstance(signed, SignedTicket) else None
