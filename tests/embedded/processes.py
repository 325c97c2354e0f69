"""Real processes for the tests of the embedded servers, and what to ask and wait for."""

import asyncio
import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
import pytest

PROJECT: Final = Path(__file__).parents[2]
WAIT_S: Final = 60.0
as_root: Final = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a server as another user")


class Facts(msgspec.Struct, frozen=True):
    owned: bool
    pid: int
    address: str


class Owner:
    """A process of `owning_process`; `facts` waits for it to have its server."""

    def __init__(self, kind: str, data_dir: Path, *, extra_groups: Sequence[int] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.embedded.owning_process", kind, str(data_dir)],
            cwd=PROJECT,
            extra_groups=extra_groups,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def facts(self) -> Facts:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return msgspec.json.decode(line, type=Facts)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(WAIT_S)

    def finish(self) -> None:
        """Ends in good order, if it has not ended yet."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(WAIT_S)
        self.process.stdout.close()


@contextmanager
def owner(kind: str, data_dir: Path, *, extra_groups: Sequence[int] | None = None) -> Iterator[Owner]:
    running = Owner(kind, data_dir, extra_groups=extra_groups)
    try:
        yield running
    finally:
        running.finish()


def wait_for_end(pid: int) -> None:
    """The process, which need not be a child of ours, has ended."""
    try:
        process_fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([process_fd], [], [], WAIT_S)
    finally:
        os.close(process_fd)
    assert ended, f"process {pid} still runs"


def wait_until(is_true: Callable[[], bool]) -> None:
    for _ in range(int(WAIT_S / 0.02)):
        if is_true():
            return
        select.select([], [], [], 0.02)
    pytest.fail("the condition did not come true")


def ask(dsn: str, sql: str) -> str:
    """The first value of the answer, as text."""

    async def answer() -> str:
        connection = await asyncpg.connect(dsn)
        try:
            return str(await connection.fetchval(sql))
        finally:
            await connection.close()

    return asyncio.run(answer())


def owner_uid(pid: int) -> int:
    """The account that a process runs as."""
    return Path(f"/proc/{pid}").stat().st_uid


def environ_of(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def as_text(record: Path) -> Mapping[str, object]:
    decoded: dict[str, object] = json.loads(record.read_text())
    return decoded
