"""Real processes: an engine as its users start it, and ways to end it that nobody wishes for."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from engine.sandbox.guide import SandboxGuide, read_guide

ENGINE = [sys.executable, "-m", "engine"]
START_S = 120.0


def engine_environ() -> dict[str, str]:
    """This environment without addresses of services, so that the engine brings its own."""
    left_out = {"DATABASE_URL", "REDIS_URL", "ENGINE_PG_BIN", "ENGINE_MASTER_KEY", "ENGINE_PUBLIC_URL"}
    return {name: value for name, value in os.environ.items() if name not in left_out}


def run_engine(
    *arguments: str, timeout_s: float = 300.0, database_url: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, on services of its own or on one database.

    Never within this process: a command sets up logging for good, on streams that a test takes away from it.
    """
    own = {"DATABASE_URL": database_url} if database_url is not None else {}
    return subprocess.run(
        [*ENGINE, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=engine_environ() | own,
        check=False,
    )


class EngineProcess:
    """`engine serve --sandbox` on a data folder; ready once it says so."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        """Start it and wait until it serves."""
        self.data_dir = data_dir
        self._process = subprocess.Popen(
            [*ENGINE, "serve", "--sandbox", "--port", "0", "--data-dir", str(data_dir), *options],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=engine_environ(),
        )
        assert self._process.stderr is not None
        self.log: list[str] = []
        _read_until(self._process.stderr, "sandbox on http", self.log)
        self._drain = subprocess.Popen(["cat"], stdin=self._process.stderr, stdout=subprocess.DEVNULL)
        self.guide = _guide_of(data_dir)

    @property
    def is_alive(self) -> bool:
        """True until it has ended."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to end; returns its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=60)

    def end(self) -> None:
        """Make sure that nothing is left, whatever a test did."""
        if self.is_alive:
            self._process.kill()
        self._process.wait()
        self._drain.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()

    def kill_database(self) -> None:
        """End the postmaster as a power cut would; its children notice."""
        record = json.loads((self.data_dir / "postgres.json").read_text())
        with suppress(ProcessLookupError):
            os.kill(record["pid"], signal.SIGKILL)


def _guide_of(data_dir: Path) -> SandboxGuide:
    guide = read_guide(data_dir)
    assert guide is not None, "a sandbox that serves has written its guide"
    return guide


def _read_until(stream: IO[bytes], wanted: str, log: list[str]) -> None:
    while True:
        line = stream.readline().decode()
        if not line:
            raise AssertionError("the engine ended before it served:\n" + "".join(log))
        log.append(line)
        if wanted in line:
            return
