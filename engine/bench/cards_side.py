"""``python -m engine.bench.cards_side --dsn D --file F``: one file of cards, brought in.

A process of its own, so that its peak of memory is its own. It writes what it took and found as one line of JSON.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
import uvloop

from engine.bench.statement_side import peak_mb
from engine.codes.keys import MASTER_BYTES, Keyring
from engine.core.ids import NO_ID
from engine.core.participants import NATIONAL
from engine.flows.clock import IdSource
from engine.flows.import_cards import Importing, digest_of, import_cards
from engine.store.connection import READ_SETTINGS, connect, open_pool
from engine.store.reads import Reads

_PIECE_BYTES: Final = 1 << 16


class CardsRun(msgspec.Struct, frozen=True, kw_only=True):
    """What one file took, and what became of its lines. Units: seconds, megabytes of 1,000,000 bytes."""

    took_s: float
    peak_mb: float
    fresh: int
    faulty: int


def main(dsn: Annotated[str, typer.Option("--dsn")], file: Annotated[Path, typer.Option("--file")]) -> None:
    """Bring one file in, and tell."""
    run = uvloop.run(_run(dsn, file))
    sys.stdout.write(msgspec.json.encode(run).decode() + "\n")


async def _run(dsn: str, file: Path) -> CardsRun:
    pool = await open_pool(dsn, size_max=1, application_name="bench")
    business = await Reads(pool).business_now()
    await pool.close()
    importing = Importing(
        keyring=Keyring(bytes(MASTER_BYTES)),
        ids=IdSource(),
        operator=NO_ID,
        region=NATIONAL,
        today=business.control.business_date,
        now=business.now,
    )
    connection = await connect(dsn, READ_SETTINGS | {"statement_timeout": "0"}, application_name="bench")
    try:
        started = time.perf_counter()
        report = await import_cards(connection, importing, digest_of(_pieces(file)), _pieces(file))
        took_s = time.perf_counter() - started
    finally:
        await connection.close()
    return CardsRun(took_s=took_s, peak_mb=peak_mb(), fresh=report.fresh, faulty=report.faulty)


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE_BYTES):
            yield piece


if __name__ == "__main__":
    typer.run(main)
