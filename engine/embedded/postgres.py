"""Starts PostgreSQL as a child of the engine, on a cluster inside the engine's data folder."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final
from urllib.parse import quote

from engine.embedded.faults import ServiceMissing
from engine.embedded.identity import Identity, own
from engine.embedded.leftovers import PidFile, clear_cluster, read_pid_file
from engine.embedded.postgres_binaries import find_postgres_bin, readable_postgres_bin
from engine.embedded.process import end, server_environ
from engine.embedded.server import NO_SETTINGS, EmbeddedServer

DATABASE: Final = "engine"
USER: Final = "engine"
VERSION_MIN: Final = 17  # the first with a built-in locale, whose order no system update can change
SHARED_BUFFERS_BYTES_MAX: Final = 2 * 2**30
SHARED_BUFFERS_BYTES_MIN: Final = 32 * 2**20
_INITDB_S: Final = 120.0
_CLIENT_S: Final = 60.0
_CGROUP_MEMORY: Final = Path("/sys/fs/cgroup/memory.max")

# No wal_compression: the wheel knows only pglz. On two cores, right after a checkpoint, it made the WAL five times
# smaller and pgbench slower in five of seven pairs of runs; later there are few whole pages to compress.
SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "listen_addresses": "",  # the unix socket is the only door
        "max_connections": "64",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "20min",
        "synchronous_commit": "on",
        "fsync": "on",
        "jit": "off",  # costs more than it saves on statements of a few milliseconds
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_error_verbosity": "terse",  # the DETAIL of an error quotes rows, and rows are personal data
    }
)


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL with a database `engine` that its user `engine` owns, behind a unix socket in a closed folder.

    Whoever can enter that folder is trusted: the account that the server runs as, and root.
    *extra_settings* are PostgreSQL's own, by name, and win over `SETTINGS`. With ``fsync=off`` the cluster is
    made without it as well.
    """

    service: ClassVar[str] = "PostgreSQL"
    stem: ClassVar[str] = "postgres"
    url_variable: ClassVar[str] = "DATABASE_URL"
    port: ClassVar[int] = 5432  # only a part of the socket's name
    socket_name: ClassVar[str] = f".s.PGSQL.{port}"
    death_signal: ClassVar[signal.Signals] = signal.SIGINT  # fast shutdown: disconnects, writes all, ends
    stop_ladder: ClassVar[Sequence[tuple[signal.Signals, float]]] = (
        (signal.SIGINT, 60.0),
        (signal.SIGQUIT, 10.0),
        (signal.SIGKILL, 5.0),
    )

    def __init__(
        self,
        data_dir: Path,
        *,
        environ: Mapping[str, str] = os.environ,
        extra_settings: Mapping[str, str] = NO_SETTINGS,
    ) -> None:
        super().__init__(data_dir, environ=environ, extra_settings=extra_settings)
        self._bin: Path | None = None
        self._is_new = False

    @property
    def cluster(self) -> Path:
        """The folder of PostgreSQL's own files."""
        return self.data_dir / "postgres"

    @property
    def dsn(self) -> str:
        """The address of the database `engine`, for asyncpg and for PostgreSQL's own programs."""
        folder = quote(str(self.socket_dir), safe="/")
        return f"postgresql://{USER}@/{DATABASE}?host={folder}&port={self.port}"

    def program(self, name: str) -> Path:
        """The path of one of PostgreSQL's programs, such as ``psql`` or ``pgbench``.

        Raises:
            ServiceMissing: this installation does not have it.
        """
        path = (self._bin or find_postgres_bin(self._environ)) / name
        if not path.is_file():
            raise ServiceMissing(self.service, f"{path} does not exist", "Set ENGINE_PG_BIN to a full installation")
        return path

    @property
    def _home(self) -> Path:
        return self.cluster

    def _prepare(self, identity: Identity) -> Path:
        self._bin = readable_postgres_bin(self._environ, identity)
        if not (self.cluster / "PG_VERSION").exists():
            self._initialise(self._bin, identity)
        clear_cluster(self.cluster)
        return self._bin / "postgres"

    def _command(self, program: Path, identity: Identity, sockets: Path) -> Sequence[str]:
        settings = {
            "shared_buffers": f"{default_shared_buffers_bytes() // 2**20}MB",
            **SETTINGS,
            **self._extra_settings,
            "port": str(self.port),
            "unix_socket_directories": str(sockets),
        }
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(program), "-D", _name_of(self.cluster, identity), *arguments]

    def _initialise(self, bin_dir: Path, identity: Identity) -> None:
        """The cluster is there as a whole: it is made beside its place and moved there when it is finished."""
        _refuse_old(bin_dir)
        for unfinished in self.data_dir.glob("postgres.new-*"):
            clear_cluster(unfinished)
            shutil.rmtree(unfinished, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self.data_dir))
        own(draft, identity)
        command = [
            *(str(bin_dir / "initdb"), "-D", _name_of(draft, identity), "-U", USER, "-A", "trust", "-E", "UTF8"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *(["--no-sync"] if self._extra_settings.get("fsync") == "off" else []),
        ]
        with self._open_log() as log:
            log_start = log.tell()
            process = self._spawn(command, draft, identity, log)
        try:
            process.wait(_INITDB_S)
        except BaseException:
            end(process, self.stop_ladder)
            shutil.rmtree(draft, ignore_errors=True)
            raise
        if process.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            raise self._failed(f"no cluster could be made in {self.data_dir}: {self._log_since(log_start)}")
        draft.rename(self.cluster)
        # Without this a power cut could undo the move after payments were answered in the cluster.
        for folder in (self.data_dir, self.data_dir.parent):
            _sync_folder(folder)
        self._is_new = True

    def _is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        return read_pid_file(self.cluster) == PidFile(process.pid, "ready")

    def _complete(self) -> None:
        # A look first, except where it must fail: both programs leave an error in the log when they do.
        if not self._is_new and self._client("psql", "-X", "-c", "", DATABASE).returncode == 0:
            return
        made = self._client("createdb", DATABASE)
        if made.returncode != 0:
            raise self._failed(f"the database {DATABASE} could not be made: {made.stderr.strip()}")
        self._is_new = False

    def _client(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program(name), "-h", self.socket_dir, "-p", str(self.port), "-U", USER, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_CLIENT_S,
            env=server_environ(self._environ),
        )


def attach_or_start(
    data_dir: Path,
    *,
    environ: Mapping[str, str] = os.environ,
    extra_settings: Mapping[str, str] = NO_SETTINGS,
) -> EmbeddedPostgres:
    """The running PostgreSQL of *data_dir*: another process's, else one started and owned here.

    Raises:
        ServiceMissing: it is not installed or cannot be started.
    """
    server = EmbeddedPostgres(data_dir, environ=environ, extra_settings=extra_settings)
    server.attach_or_start()
    return server


def default_shared_buffers_bytes() -> int:
    """A quarter of the memory that this machine or container has, between 32 MiB and 2 GiB."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if _CGROUP_MEMORY.is_file() and (limit := _CGROUP_MEMORY.read_text().strip()).isdigit():
        memory = min(memory, int(limit))
    return max(SHARED_BUFFERS_BYTES_MIN, min(memory // 4, SHARED_BUFFERS_BYTES_MAX))


def _name_of(folder: Path, identity: Identity) -> str:
    """What the server calls the folder it runs in.

    An account that is not ours may not be allowed to walk there; the kernel resolves its own working folder
    for it all the same, and each of the server's processes stays in that folder.
    """
    return str(folder) if identity.uid == os.geteuid() else "/proc/self/cwd"


def _sync_folder(folder: Path) -> None:
    folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder_fd)
    finally:
        os.close(folder_fd)


def _refuse_old(bin_dir: Path) -> None:
    said = subprocess.run([bin_dir / "postgres", "--version"], capture_output=True, text=True, check=False)
    # "postgres (PostgreSQL) 18.4 (Debian 18.4-1)", also "19beta1"
    number = said.stdout.partition("(PostgreSQL) ")[2]
    major = "".join(character for character in number[:2] if character.isdigit())
    if not major or int(major) < VERSION_MIN:
        raise ServiceMissing(
            "PostgreSQL",
            f"{bin_dir} has version {number.strip() or 'unknown'}, and at least {VERSION_MIN} is needed",
            "Set ENGINE_PG_BIN to a newer installation, or leave it out to use the package's",
        )
