"""``python -m engine.bench.statement_side --dsn D --bank CNAPS --file F``: one statement, received and compared.

A process of its own, so that its peak of memory is its own: the whole way of an upload, from the first byte to the
receipt. It writes what it took and found as one line of JSON.
"""

import re
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
import uvloop

from engine.core.bank_lines import UploadKind
from engine.flows.clock import IdSource
from engine.flows.receive_upload import Rejected, UploadSource, receive_upload
from engine.flows.reconcile_statement import Statements
from engine.store.connection import open_pool
from engine.store.reconciliation import Reconciliations
from engine.store.uploads import Uploads

_PIECE_BYTES: Final = 1 << 16
_PEAK: Final = re.compile(r"^VmHWM:\s+([0-9]+) kB", re.MULTILINE)


class StatementRun(msgspec.Struct, frozen=True, kw_only=True):
    """What one statement took, and what was found. Units: seconds, megabytes of 1,000,000 bytes."""

    took_s: float
    peak_mb: float
    line_count: int
    matched: int
    counts: dict[str, int]  # by class


def main(
    dsn: Annotated[str, typer.Option("--dsn")],
    bank: Annotated[str, typer.Option("--bank")],
    file: Annotated[Path, typer.Option("--file")],
) -> None:
    """Receive one statement, and tell."""
    run = uvloop.run(_run(dsn, bank, file))
    sys.stdout.write(msgspec.json.encode(run).decode() + "\n")


async def _run(dsn: str, cnaps: str, file: Path) -> StatementRun:
    pool = await open_pool(dsn, size_max=4, application_name="bench")
    try:
        bank = await Uploads(pool).bank_of(cnaps)
        assert bank is not None, "the benchmark has made this bank"
        ids, reads = IdSource(), Reconciliations(pool)
        started = time.perf_counter()
        outcome = await receive_upload(
            pool,
            _pieces(file),
            UploadSource(bank=bank, kind=UploadKind.STATEMENT, name=file.name),
            handlers={UploadKind.STATEMENT: Statements(pool, dsn, ids)},
            ids=ids,
        )
        took_s = time.perf_counter() - started
        assert not isinstance(outcome, Rejected), outcome
        found = await reads.of_upload(outcome.upload.id)
        reconciliation = await reads.load(found) if found is not None else None
        assert reconciliation is not None, "a statement is accepted together with its reconciliation"
        counts: Counter[str] = Counter()
        for one in (await reads.counts([reconciliation.id]))[reconciliation.id]:
            counts[one.kind.name] += one.count
        return StatementRun(
            took_s=took_s,
            peak_mb=peak_mb(),
            line_count=reconciliation.line_count,
            matched=reconciliation.matched_count or 0,
            counts=dict(counts),
        )
    finally:
        await pool.close()


async def _pieces(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE_BYTES):
            yield piece


def peak_mb() -> float:
    """The most memory that this process ever had resident."""
    found = _PEAK.search(Path("/proc/self/status").read_text())
    return int(found[1]) * 1_024 / 1_000_000 if found is not None else 0.0


if __name__ == "__main__":
    typer.run(main)
