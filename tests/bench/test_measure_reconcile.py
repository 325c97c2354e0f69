"""`engine bench reconcile`, small: exactly what was planted is found, and anything else is a failure."""

from pathlib import Path

import pytest

from engine.bench import measure_reconcile
from engine.bench.cluster import Cluster
from engine.bench.measure_reconcile import ReconcileResult
from engine.embedded.postgres import EmbeddedPostgres

ROWS = 2_000


@pytest.fixture
def cluster(tmp_path: Path) -> "EmbeddedPostgres":
    """A server of this test's own."""
    return EmbeddedPostgres(tmp_path / "cluster", extra_settings={"fsync": "off"})


async def _measured(server: EmbeddedPostgres, folder: Path) -> tuple[ReconcileResult, list[str]]:
    said: list[str] = []
    with server:
        result = await measure_reconcile.measure_reconcile(Cluster(server), folder, rows=ROWS, turns=2, say=said.append)
    return result, said


async def test_what_was_planted_is_found_and_both_figures_are_told(cluster: EmbeddedPostgres, tmp_path: Path) -> None:
    result, said = await _measured(cluster, tmp_path)
    assert result.failures == {}
    assert [(figure.id, figure.runs) for figure in result.figures] == [("P6", 2), ("P6.memory", 2)]
    assert all(figure.value > 0 for figure in result.figures)
    assert result.figures[0].yardstick_value == pytest.approx(measure_reconcile.LIMIT_S * ROWS / 1_000_000)
    assert len(said) == 3


async def test_anything_else_is_a_failure(
    cluster: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = measure_reconcile._plant

    def planted_otherwise(lines: list[measure_reconcile.BankLine]) -> object:
        expected = plant(lines)
        lines[700].amount += 1
        return expected

    monkeypatch.setattr(measure_reconcile, "_plant", planted_otherwise)
    result, _ = await _measured(cluster, tmp_path)
    assert result.failures == {"AMOUNT_DIFF": 2, "MATCHED": 2}
