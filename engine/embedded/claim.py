"""Who owns the running server of a data folder, and where others find it."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Self

import msgspec

from engine.embedded.identity import own_like_folder


class Claim:
    """The sole right to run one server on one data folder, held until `release` or the end of the process.

    The kernel gives it back when the last process that has the open file ends: a killed owner leaves nothing to
    clean up, and no pid has to be trusted. Forked workers share it, so they too must end with their parent.
    """

    def __init__(self, lock_fd: int) -> None:
        self._lock_fd = lock_fd
        self.holder_pid = os.getpid()

    @classmethod
    def take(cls, path: Path) -> Self | None:
        """The claim, or None while another open file holds it. Never waits.

        Raises:
            OSError: the lock file cannot be opened.
        """
        lock_fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock_fd)
            return None
        own_like_folder(path)
        os.ftruncate(lock_fd, 0)
        os.write(lock_fd, f"{os.getpid()}\n".encode())
        return cls(lock_fd)

    def release(self) -> None:
        """This process no longer holds the claim; a forked process that shares it still does."""
        os.close(self._lock_fd)


def claim_holder(path: Path) -> str:
    """The pid in a lock file, for a message to a person; it may have ended since."""
    return path.read_text().strip() or "unknown"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Where a running server is. ``port`` is a part of the socket's name for PostgreSQL, else 0."""

    socket_dir: str
    pid: int
    port: int


def read_record(path: Path) -> Record | None:
    """The record, or None if there is none or a crash has left half of one."""
    with contextlib.suppress(FileNotFoundError, msgspec.MsgspecError):
        return msgspec.json.decode(path.read_bytes(), type=Record)
    return None


def write_record(path: Path, record: Record) -> None:
    """The record is there as a whole, or the one before still is."""
    draft = path.with_suffix(".json.new")
    draft.write_bytes(msgspec.json.encode(record) + b"\n")
    own_like_folder(draft)
    draft.replace(path)
