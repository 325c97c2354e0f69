"""Ends what a crash has left of a PostgreSQL server in its cluster folder."""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

from engine.embedded.faults import ServiceMissing

_POLL_S: Final = 0.02
# Between the end of the owner and the moment its server has noticed.
_NOTICE_S: Final = 5.0
# A fast shutdown writes all dirty buffers first.
_SHUTDOWN_S: Final = 60.0
_KILL_S: Final = 5.0


def clear_leftovers(cluster: Path) -> None:
    """No process of an earlier server lives in *cluster* and no stale file there hinders the next one.

    Call only with the claim on the data folder. A server in its fast shutdown is waited for. Orphans of a killed
    postmaster get SIGQUIT at once: they can no longer commit for anyone who waits, and the next server refuses
    to start beside them.

    Raises:
        ServiceMissing: a server that nobody is shutting down has the cluster; the engine did not start it.
    """
    deadline = time.monotonic() + _NOTICE_S
    while (postmaster := _postmaster_pid(cluster)) in (living := _processes_in(cluster)):
        if _is_stopping(cluster):
            _wait_for_end(cluster, _SHUTDOWN_S)
            break
        if time.monotonic() >= deadline:
            raise ServiceMissing(
                "PostgreSQL",
                f"process {postmaster} already serves {cluster} and was not started by this engine",
                "Stop it, or set DATABASE_URL to it",
            )
        time.sleep(_POLL_S)
    for number in (signal.SIGQUIT, signal.SIGKILL):
        living = _processes_in(cluster)
        for pid in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if living:
            _wait_for_end(cluster, _KILL_S)
    if postmaster is not None and _is_someone_else(postmaster, cluster):
        # After a reboot or in a new container the number may name any process; PostgreSQL would not start.
        (cluster / "postmaster.pid").unlink(missing_ok=True)


def _wait_for_end(cluster: Path, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while _processes_in(cluster) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _postmaster_pid(cluster: Path) -> int | None:
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
        return int((cluster / "postmaster.pid").read_text().splitlines()[0])
    return None


def _is_stopping(cluster: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return "stopping" in (cluster / "postmaster.pid").read_text()
    return True


def _processes_in(cluster: Path) -> frozenset[int]:
    """Every process of a server lives in its cluster folder; a shell that an operator left there does not count."""
    return frozenset(
        pid
        for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        if _lives_in(pid, cluster) and _is_postgres(pid)
    )


def _lives_in(pid: int, folder: Path) -> bool:
    # A foreign process's links may be unreadable; then it is of another user and thus not of this server.
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cwd").samefile(folder)
    return False


def _is_postgres(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/exe").readlink().name.removesuffix(" (deleted)") == "postgres"
    return False


def _is_someone_else(pid: int, cluster: Path) -> bool:
    """True if *pid* certainly is not a server of *cluster*; what cannot be looked into is left to PostgreSQL."""
    try:
        Path(f"/proc/{pid}/cwd").stat()
    except PermissionError:
        return False
    except FileNotFoundError:
        return Path(f"/proc/{pid}").exists()  # ended, its parent has not noticed
    return not (_lives_in(pid, cluster) and _is_postgres(pid))
