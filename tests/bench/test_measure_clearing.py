"""`engine bench clearing`, small: the same cycle is closed again and again, and its last files stand."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from engine.bench.cluster import Cluster
from engine.bench.measure_clearing import DATABASE, LIMIT_S, measure_clearing
from engine.embedded.postgres import EmbeddedPostgres
from engine.flows.verify_books import verify_books

ROWS = 300


def test_a_cycle_is_closed_in_each_way_and_its_books_balance(tmp_path: Path) -> None:
    said: list[str] = []
    with EmbeddedPostgres(tmp_path / "cluster", extra_settings={"fsync": "off"}) as server:
        cluster = Cluster(server)
        result = asyncio.run(measure_clearing(cluster, tmp_path, rows=ROWS, turns=2, say=said.append))
        found = asyncio.run(_published(cluster.dsn(DATABASE)))
        report = asyncio.run(verify_books(result.books, public_keys=None, progress=lambda *_: None))
    assert result.failures == {}
    assert [(figure.id, figure.runs) for figure in result.figures] == [("P5", 2), ("P5.both", 2), ("P5.memory", 2)]
    assert all(figure.value > 0 and figure.yardstick_value > 0 for figure in result.figures)
    assert result.figures[1].yardstick_value == pytest.approx(LIMIT_S * ROWS / 1_000_000)
    assert len([line for line in said if line.startswith("turn ")]) == 2
    # One posting a payment: a line of one bank's files, and a line of another's.
    assert found == [("ADVICE", "xml", 2 * ROWS), ("COLLECT", "flat", ROWS), ("COLLECT", "xml", ROWS)]
    assert report.violation is None, report.violation.text


async def _published(dsn: str) -> list[tuple[str, str, int]]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT kind, form, sum(item_count)::bigint FROM clearing_file "
            "WHERE kind IN ('ADVICE', 'COLLECT') AND published_at IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2"
        )
        return [tuple(row) for row in rows]
    finally:
        await connection.close()
