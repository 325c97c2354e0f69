"""``python -m engine.bench.clearing_side --dsn D --form F …``: one cycle, closed and published in some forms.

A process of its own, so that its peak of memory is its own. It writes what it took as one line of JSON.
"""

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.codes.keys import SigningKey
from engine.flows.build_files import build_files
from engine.flows.close_cycle import close_cycle
from engine.flows.publish_cycle import net_cycle
from engine.heap import settle_heap
from engine.store.clearing_session import open_clearing
from engine.store.clearing_store import publish_files
from engine.store.file_store import load_files_of_cycle

_KEY: Final = SigningKey("bench", Ed25519PrivateKey.from_private_bytes(bytes(32)))
_PEAK: Final = re.compile(r"^VmHWM:\s+([0-9]+) kB", re.MULTILINE)


class ClearingTook(msgspec.Struct, frozen=True, kw_only=True):
    """What closing one cycle took, and what came of it. Units: seconds, megabytes of 1,000,000 bytes."""

    took_s: float
    peak_mb: float
    files: int
    lines: int  # over all files
    size_mb: float


def main(dsn: Annotated[str, typer.Option("--dsn")], form: Annotated[list[str], typer.Option("--form")]) -> None:
    """Close the open cycle, and tell."""
    took = uvloop.run(_run(dsn, form))
    sys.stdout.write(msgspec.json.encode(took).decode() + "\n")


async def _run(dsn: str, forms: Sequence[str]) -> ClearingTook:
    async with open_clearing(dsn) as session:
        settle_heap()
        started = time.perf_counter()
        cycle = await close_cycle(session, signing_key=_KEY)
        await net_cycle(session, cycle=cycle)
        await build_files(session, cycle=cycle, signing_key=_KEY, forms=forms)
        await publish_files(session, cycle=cycle, published_at=(await session.load_state()).now)
        took_s = time.perf_counter() - started
        files = await load_files_of_cycle(session, cycle)
    return ClearingTook(
        took_s=took_s,
        peak_mb=_peak_mb(),
        files=len(files),
        lines=sum(file.item_count for file in files),
        size_mb=sum(file.size for file in files) / 1e6,
    )


def _peak_mb() -> float:
    """The most memory that this process ever had resident."""
    found = _PEAK.search(Path("/proc/self/status").read_text())
    assert found is not None, "the kernel tells it"
    return int(found[1]) * 1_024 / 1e6


if __name__ == "__main__":
    typer.run(main)
