"""What the embedded servers have in common: one owner a data folder, others attach, nobody starts twice."""

import abc
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import BinaryIO, ClassVar, Final, NoReturn, Self

from engine.embedded.claim import Claim, Record, claim_holder, read_record, write_record
from engine.embedded.faults import ServiceMissing
from engine.embedded.identity import Identity, identity_for, own_like_folder
from engine.embedded.process import end, is_listening, spawn
from engine.embedded.sockets import empty, socket_folder

NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})

POLL_S: Final = 0.02
# A server whose data another process has is given this long to appear or to go away.
ATTACH_PATIENCE_S: Final = 120.0
CLAIM_PATIENCE_S: Final = 5.0
# PostgreSQL replays up to max_wal_size after a crash, a minute on a slow disk.
READY_PATIENCE_S: Final = 300.0
LOG_BYTES_MAX: Final = 16 * 2**20
LOG_TAIL_BYTES: Final = 1_500
LOG_TAIL_LINES: Final = 5


class EmbeddedServer(abc.ABC):
    """The server of one data folder: started and owned by this process, or found running and only used.

    All methods block. `start` and `attach_or_start` belong before the event loop, `restart` into a thread.
    """

    service: ClassVar[str]
    stem: ClassVar[str]
    url_variable: ClassVar[str]
    socket_name: ClassVar[str]
    port: ClassVar[int]
    death_signal: ClassVar[signal.Signals]
    # What to send to end it, each with the seconds it is given.
    stop_ladder: ClassVar[Sequence[tuple[signal.Signals, float]]]

    def __init__(
        self,
        data_dir: Path,
        *,
        environ: Mapping[str, str] = os.environ,
        extra_settings: Mapping[str, str] = NO_SETTINGS,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self._environ = environ
        self._extra_settings = extra_settings
        self._changing = threading.RLock()  # a stop waits for a restart in another thread
        self._claim: Claim | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._record: Record | None = None
        self._sockets: Path | None = None

    @property
    def owned(self) -> bool:
        """True in the process that started the server and will stop it; false in processes forked from it."""
        return self._claim is not None and self._claim.holder_pid == os.getpid()

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._running.pid

    @property
    def socket_dir(self) -> Path:
        """The folder of the server's unix socket; the same after every `restart`."""
        return Path(self._running.socket_dir)

    @property
    def _running(self) -> Record:
        assert self._record is not None, f"{self.service} was not started"
        return self._record

    def start(self) -> None:
        """The server runs and belongs to this process.

        Raises:
            ServiceMissing: it is not installed, does not start, or another process owns it.
        """
        with self._changing:
            self._enter(may_attach=False, patience_s=CLAIM_PATIENCE_S)

    def attach_or_start(self) -> None:
        """The server runs: the one another process owns, else one started here. See `owned`.

        Raises:
            ServiceMissing: it is not installed, does not start, or its owner does not get it to answer.
        """
        with self._changing:
            self._enter(may_attach=True, patience_s=ATTACH_PATIENCE_S)

    def stop(self) -> None:
        """An owned server has ended in good order; one that is only used is left alone. May be called again."""
        with self._changing:
            if self.owned:
                self._path("json").unlink(missing_ok=True)  # first, so that nobody attaches to what is ending
                self._end_process()
                if self._sockets is not None:
                    shutil.rmtree(self._sockets, ignore_errors=True)
            if self._claim is not None:
                self._claim.release()
            self._claim = self._process = self._record = self._sockets = None

    def is_alive(self) -> bool:
        """True if the server's process is there; a short look, at most a second."""
        if self._record is None:
            return False
        if self.owned:
            return self._process is not None and self._process.poll() is None
        return is_listening(self._socket_of(self._record))

    def restart(self) -> None:
        """The server runs anew at the same address. One that another process owns is only looked up again, and
        taken over if that process has ended.

        Raises:
            ServiceMissing: it does not start; address and claim are kept, so that this may be called again.
        """
        with self._changing:
            if self.owned:
                self._end_process()
                self._launch()
            elif not self.is_alive():
                earlier, self._record = self._record, None
                try:
                    self.attach_or_start()
                except ServiceMissing:
                    self._record = earlier
                    raise

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _enter(self, *, may_attach: bool, patience_s: float) -> None:
        assert self._record is None, f"{self.service} was started before"
        deadline = time.monotonic() + patience_s
        while not self._take_claim():
            record = read_record(self._path("json"))
            if may_attach and record is not None and is_listening(self._socket_of(record)):
                self._record = record
                return
            if time.monotonic() >= deadline:
                self._give_up_on_owner()
            time.sleep(POLL_S)
        try:
            self._launch()
        except BaseException:
            self.stop()
            raise

    def _take_claim(self) -> bool:
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._claim = Claim.take(self._path("lock"))
        except OSError as error:
            raise self._unusable_folder(error) from error
        return self._claim is not None

    def _give_up_on_owner(self) -> NoReturn:
        holder = claim_holder(self._path("lock"))
        raise ServiceMissing(
            self.service,
            f"process {holder} keeps the one of {self.data_dir} and it is not to be had",
            f"Stop that process, choose another --data-dir, or set {self.url_variable}",
        )

    def _unusable_folder(self, error: OSError) -> ServiceMissing:
        return ServiceMissing(
            self.service,
            f"{error.filename or self.data_dir} cannot be used ({error.strerror})",
            f"Choose a --data-dir that this user may write, or set {self.url_variable}",
        )

    def _launch(self) -> None:
        try:
            self._path("json").unlink(missing_ok=True)
            identity = identity_for(self.data_dir / self.stem, self.data_dir)
            program = self._prepare(identity)
            if self._sockets is None or not self._sockets.exists():
                self._sockets = socket_folder(self.data_dir, self.stem, identity)
            command = self._command(program, identity, self._sockets)
            empty(self._sockets)
            self._process = self._run_until_ready(command, identity)
            self._record = Record(socket_dir=str(self._sockets), pid=self._process.pid, port=self.port)
            self._complete()
            write_record(self._path("json"), self._record)
        except BaseException as error:
            self._end_process()
            if isinstance(error, OSError):
                raise self._unusable_folder(error) from error
            if isinstance(error, subprocess.TimeoutExpired):
                raise self._failed(f"{error.cmd[0]} did not end within {error.timeout:.0f} s") from error
            raise

    def _run_until_ready(self, command: Sequence[str], identity: Identity) -> subprocess.Popen[bytes]:
        with self._open_log() as log:
            log_start = log.tell()
            process = self._spawn(command, self._home, identity, log)
        if self._becomes_ready(process):
            return process
        end(process, self.stop_ladder)
        raise self._failed(f"the server of {self.data_dir} did not start: {self._log_since(log_start)}")

    def _failed(self, problem: str) -> ServiceMissing:
        return ServiceMissing(self.service, problem, f"See {self._path('log')}, or set {self.url_variable}")

    def _spawn(
        self, command: Sequence[str], folder: Path, identity: Identity, log: BinaryIO
    ) -> subprocess.Popen[bytes]:
        return spawn(
            command,
            folder=folder,
            identity=identity,
            death_signal=self.death_signal,
            environ=self._environ,
            log=log,
        )

    def _becomes_ready(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + READY_PATIENCE_S
        try:
            while time.monotonic() < deadline:
                if self._is_ready(process):
                    return True
                try:
                    process.wait(POLL_S)
                except subprocess.TimeoutExpired:
                    continue
                return False
        except BaseException:
            end(process, self.stop_ladder)
            raise
        return False

    def _end_process(self) -> None:
        if self._process is not None and self._process.poll() is None:
            end(self._process, self.stop_ladder)
        self._process = None

    def _socket_of(self, record: Record) -> Path:
        return Path(record.socket_dir) / self.socket_name

    def _path(self, suffix: str) -> Path:
        return self.data_dir / f"{self.stem}.{suffix}"

    def _open_log(self) -> BinaryIO:
        path = self._path("log")
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(self._path("log.1"))
        path.touch(mode=0o600)
        own_like_folder(path)
        return path.open("ab")

    def _log_since(self, start: int) -> str:
        """The end of what was written to the log after *start*, on one line."""
        with self._path("log").open("rb") as log:
            log.seek(max(start, self._path("log").stat().st_size - LOG_TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        return " / ".join(line.strip() for line in lines[-LOG_TAIL_LINES:]).rstrip(".") or "it said nothing"

    @property
    @abc.abstractmethod
    def _home(self) -> Path:
        """The folder the server runs in; it is there after `_command`."""

    @abc.abstractmethod
    def _prepare(self, identity: Identity) -> Path:
        """The data are ready, no earlier server has them, and *identity* can execute what is returned."""

    @abc.abstractmethod
    def _command(self, program: Path, identity: Identity, sockets: Path) -> Sequence[str]:
        """What starts the server; no earlier one is left in *sockets*."""

    @abc.abstractmethod
    def _is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """True once the server answers."""

    @abc.abstractmethod
    def _complete(self) -> None:
        """What is left to do when it answers, before others are told where it is."""
