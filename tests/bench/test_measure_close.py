"""P10, with runs too short to say anything about speed: cycles are closed under payments, and every payment is one."""

from pathlib import Path

import asyncpg
import pytest

from engine.bench.figures import GOALS
from engine.bench.measure_close import measure_close
from engine.embedded.postgres import EmbeddedPostgres
from engine.flows.verify_books import verify_books

TURNS = 2


@pytest.mark.timeout(600)
async def test_cycles_are_closed_under_payments(tmp_path: Path) -> None:
    said: list[str] = []
    result = await measure_close(tmp_path, seconds=0.5, turns=TURNS, say=said.append)
    (line,) = result.figures
    assert (line.id, line.runs, line.unit) == ("P10", TURNS, "ms")
    assert line.id in GOALS
    assert line.ratio == line.value - line.yardstick_value
    assert result.failures == {}
    assert len([text for text in said if "published after" in text]) == TURNS
    with EmbeddedPostgres(tmp_path) as server:
        report = await verify_books(server.dsn, public_keys=None, progress=lambda *_: None)
        connection = await asyncpg.connect(server.dsn)
        cycles = await connection.fetchval("SELECT count(*) FROM clearing_run WHERE published_at IS NOT NULL")
        await connection.close()
    assert report.violation is None, report.violation.text
    assert cycles == TURNS
    assert report.counts.files > 0
