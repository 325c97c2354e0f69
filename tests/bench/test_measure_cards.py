"""`engine bench cards`, small: every right line comes in, every wrong one is found, and anything else is a failure."""

from pathlib import Path

from engine.bench.cluster import Cluster
from engine.bench.figures import GOALS
from engine.bench.measure_cards import ROWS_MIN, measure_cards
from engine.embedded.postgres import EmbeddedPostgres


async def test_a_file_and_a_tenth_of_it_come_in(tmp_path: Path) -> None:
    said: list[str] = []
    with EmbeddedPostgres(tmp_path / "cluster", extra_settings={"fsync": "off"}) as server:
        result = await measure_cards(Cluster(server), tmp_path, rows=ROWS_MIN, say=said.append)
    assert result.failures == {}
    assert [figure.id for figure in result.figures] == ["P13", "P13.memory", "P13.flat"]
    assert {figure.id for figure in result.figures} <= GOALS.keys()
    assert all(figure.value > 0 for figure in result.figures)
    assert len(said) == 4
