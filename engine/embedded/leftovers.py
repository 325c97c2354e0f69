"""Ends what a crash has left of a server before the next one starts in the same folder."""

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from engine.embedded.faults import ServiceMissing

_POLL_S: Final = 0.02
# Between the end of the owner and the moment its server has noticed.
_NOTICE_S: Final = 5.0
# A fast shutdown writes all dirty buffers first.
_SHUTDOWN_S: Final = 60.0
_KILL_S: Final = 5.0
_POSTGRES_PROGRAMS: Final = frozenset({"postgres", "initdb"})


class PidFile(NamedTuple):
    """What PostgreSQL says about itself in its cluster: ``state`` is ``starting``, ``ready`` or ``stopping``."""

    pid: int
    state: str


def read_pid_file(cluster: Path) -> PidFile | None:
    """The pid file, or None if there is none or it is not yet written (src/include/utils/pidfile.h: lines 1, 8)."""
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
        lines = (cluster / "postmaster.pid").read_text(errors="replace").splitlines()
        return PidFile(pid=int(lines[0]), state=lines[7].strip() if len(lines) > 7 else "starting")
    return None


def clear_cluster(cluster: Path) -> None:
    """No process of an earlier server lives in *cluster* and no stale file there hinders the next one.

    Call only with the claim on the data folder. A server in its fast shutdown is waited for. Orphans of a killed
    postmaster get SIGQUIT at once: they can no longer commit for anyone who waits, and the next server refuses
    to start beside them.

    Raises:
        ServiceMissing: a server that nobody is shutting down has the cluster; the engine did not start it.
    """
    deadline = time.monotonic() + _NOTICE_S
    named = read_pid_file(cluster)
    while named is not None and _is_server_of(named.pid, cluster):
        if named.state == "stopping":
            _wait_for_end(cluster, _POSTGRES_PROGRAMS, _SHUTDOWN_S)
            break
        if time.monotonic() >= deadline:
            raise ServiceMissing(
                "PostgreSQL",
                f"process {named.pid} already serves {cluster} and was not started by this engine",
                "Stop it, or set DATABASE_URL to it",
            )
        time.sleep(_POLL_S)
        named = read_pid_file(cluster)
    _end_all(cluster, _POSTGRES_PROGRAMS, (signal.SIGQUIT, signal.SIGKILL))
    if named is not None and _is_someone_else(named.pid, cluster):
        # After a reboot or in a new container the number may name any process; PostgreSQL would not start.
        (cluster / "postmaster.pid").unlink(missing_ok=True)


def end_all_in(folder: Path) -> None:
    """No process that works in *folder* is left: for folders that only our servers can enter and that keep nothing."""
    _end_all(folder, None, (signal.SIGKILL,))


def _end_all(folder: Path, programs: frozenset[str] | None, signals: Sequence[signal.Signals]) -> None:
    for number in signals:
        for pid in _processes_in(folder, programs):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        _wait_for_end(folder, programs, _KILL_S)


def _wait_for_end(folder: Path, programs: frozenset[str] | None, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while _processes_in(folder, programs) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _processes_in(folder: Path, programs: frozenset[str] | None) -> frozenset[int]:
    """The processes of a server, which all work in its folder; not a shell that an operator left there."""
    return frozenset(
        pid
        for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        if _works_in(pid, folder, programs)
    )


def _works_in(pid: int, folder: Path, programs: frozenset[str] | None) -> bool:
    # A process whose links cannot be read is of another user, thus not of this server; or it has ended.
    with contextlib.suppress(OSError):
        if not Path(f"/proc/{pid}/cwd").samefile(folder):
            return False
        return programs is None or _program_of(pid) in (None, *programs)
    return False


def _program_of(pid: int) -> str | None:
    """The name of the program, or None while a dying process gives its memory back.

    The kernel takes the program's name before the memory and the working folder after it; a server cannot start
    while an earlier one's shared memory is in use.
    """
    try:
        return Path(f"/proc/{pid}/exe").readlink().name.removesuffix(" (deleted)")
    except FileNotFoundError:
        return None


def _is_server_of(pid: int, cluster: Path) -> bool:
    return _works_in(pid, cluster, _POSTGRES_PROGRAMS)


def _is_someone_else(pid: int, cluster: Path) -> bool:
    """True if *pid* certainly is not a server of *cluster*; what cannot be looked into is left to PostgreSQL."""
    try:
        Path(f"/proc/{pid}/cwd").stat()
    except PermissionError:
        return False
    except FileNotFoundError:
        return Path(f"/proc/{pid}").exists()  # it has ended, its parent has not noticed
    return not _is_server_of(pid, cluster)
