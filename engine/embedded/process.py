"""Starts, watches and ends server processes."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import BinaryIO, Final

from engine.embedded.identity import Identity

_CHILD_SCRIPT: Final = Path(__file__).with_name("child.py")
_ENVIRON_KEPT: Final = ("PATH", "LD_LIBRARY_PATH")
_CONNECT_S: Final = 1.0

Spawn = Callable[[], subprocess.Popen[bytes]]


def server_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a server: no secrets of the engine, no PG* settings of the caller, English messages."""
    return {name: environ[name] for name in _ENVIRON_KEPT if name in environ} | {"LC_ALL": "C"}


def spawn(
    command: Sequence[str],
    *,
    folder: Path,
    identity: Identity,
    death_signal: signal.Signals,
    environ: Mapping[str, str],
    log: BinaryIO,
) -> subprocess.Popen[bytes]:
    """*command* runs in *folder* as *identity* and gets *death_signal* when this process ends, however it ends.

    It leads its own session, so a Ctrl-C at the terminal reaches the engine alone and the server lives until the
    engine has drained. May be called from any thread.

    Raises:
        OSError: the process could not be created. What fails after that is in *log*, with a non-zero exit.
    """
    launcher = [sys.executable, "-I", "-S", str(_CHILD_SCRIPT)]
    facts = [str(number) for number in (os.getpid(), identity.uid, identity.gid, int(death_signal))]

    def create() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*launcher, *facts, str(folder), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=server_environ(environ),
            start_new_session=True,
        )

    # The signal is tied to the creating *thread*: a server made by a short-lived one would end with it.
    if threading.current_thread() is threading.main_thread():
        return create()
    return _LASTING_THREAD.call(create)


class _LastingThread:
    """Creates processes in a thread that ends only with this process; it exists from the first call on."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Spawn, Future[subprocess.Popen[bytes]]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def call(self, create: Spawn) -> subprocess.Popen[bytes]:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():  # not alive: we are in a forked process
                self._thread = threading.Thread(target=self._serve, name="embedded-servers", daemon=True)
                self._thread.start()
        created: Future[subprocess.Popen[bytes]] = Future()
        self._calls.put((create, created))
        return created.result()

    def _serve(self) -> None:
        while True:
            create, created = self._calls.get()
            try:
                created.set_result(create())
            except OSError as error:
                created.set_exception(error)


_LASTING_THREAD: Final = _LastingThread()


def end(process: subprocess.Popen[bytes], ladder: Sequence[tuple[signal.Signals, float]]) -> None:
    """*process* has ended and is reaped: each signal of *ladder* is given its seconds before the next is sent."""
    for number, patience_s in ladder:
        process.send_signal(number)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            continue
        return


def is_listening(socket_path: Path) -> bool:
    """True if a process accepts connections on the unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_CONNECT_S)
        try:
            probe.connect(str(socket_path))
        except BlockingIOError:
            return True  # its queue of waiting connections is full: busy, not gone
        except OSError:
            return False
    return True
