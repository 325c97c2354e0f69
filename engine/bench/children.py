"""Starting the processes that are measured, and ending them."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Final

READY_S: Final = 300.0
STOP_S: Final = 60.0
LOG_TAIL_BYTES: Final = 2_000
_OUTSIDE: Final = ("DATABASE_URL", "REDIS_URL")  # a benchmark runs on services of its own


class ChildFailed(Exception):
    """A process that was to be measured does not run; the message is the end of what it wrote."""


@asynccontextmanager
async def running(*arguments: str, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python process with *arguments* runs, and has ended in good order afterwards.

    Its standard input is a pipe that ends when this process does, however that comes about; see `ended_with`.

    Raises:
        ChildFailed: it had to be killed, or ended with an exit code of its own.
    """
    environ = {name: value for name, value in os.environ.items() if name not in _OUTSIDE}
    with log.open("ab") as log_file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log_file,
            env=environ,
        )
    try:
        yield process
    finally:
        await _end(process, log)


@asynccontextmanager
async def serving(module: ModuleType, *arguments: str, log: Path) -> AsyncIterator[int]:
    """*module* runs as a process; yields the port that it wrote when it was ready.

    Raises:
        ChildFailed: it ended before that, or has not come to it within minutes.
    """
    async with running("-m", module.__name__, *arguments, log=log) as process:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(READY_S):
                line = await process.stdout.readline()
        except TimeoutError as error:
            raise ChildFailed(f"{module.__name__} is not ready after {READY_S:.0f} s: {_tail(log)}") from error
        if not line.strip().isdigit():
            raise ChildFailed(f"{module.__name__} did not start: {_tail(log)}")
        yield int(line)


def tell_port(port: int) -> None:
    """Tell the process that started this one (with `serving`) that it may begin."""
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


def ended_with(stopping: asyncio.Event) -> None:
    """Set *stopping* when the process that started this one (with `running`) has ended."""
    loop = asyncio.get_running_loop()
    stdin = sys.stdin.fileno()

    def end() -> None:
        loop.remove_reader(stdin)
        stopping.set()

    loop.add_reader(stdin, end)


async def _end(process: asyncio.subprocess.Process, log: Path) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    if process.returncode != 0:
        raise ChildFailed(f"exit code {process.returncode}: {_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip() or "it said nothing"
