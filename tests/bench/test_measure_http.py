"""The machinery of `engine bench http`, with runs too short to say anything about speed."""

from pathlib import Path

import pytest

from engine.bench import echo
from engine.bench.children import ChildFailed, running, serving
from engine.bench.figures import GOALS
from engine.bench.generator import CREATED, run_closed
from engine.bench.measure_http import measure_http
from engine.bench.signed_payments import written_request
from engine.embedded.postgres import EmbeddedPostgres
from engine.flows.verify_books import verify_books


async def test_the_echo_answers_as_many_bytes_as_it_is_told(tmp_path: Path) -> None:
    request = written_request(echo.PATH, {}, b'{"pay_code": "91"}')
    async with serving(echo, "--answer-bytes", "700", log=tmp_path / "log") as port:
        load = await run_closed(port, [request] * 20, seconds=60, connections=4)
    assert load.statuses == {CREATED: 20}
    assert load.answer_bytes == 700


async def test_a_child_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ChildFailed, match="answer-bytes"):
        async with serving(echo, log=tmp_path / "log"):
            pass


async def test_a_child_ends_with_what_started_it(tmp_path: Path) -> None:
    async with running("-m", echo.__name__, "--answer-bytes", "1", log=tmp_path / "log") as process:
        assert process.stdout is not None
        assert process.stdin is not None
        await process.stdout.readline()
        process.stdin.close()
        assert await process.wait() == 0


@pytest.mark.timeout(600)
async def test_the_whole_of_it(tmp_path: Path) -> None:
    said: list[str] = []
    result = await measure_http(tmp_path, rate=50, seconds=0.3, turns=1, say=said.append)
    assert [line.id for line in result.figures] == [
        "P2",
        "P2m",
        "P3",
        "P8",
        "P4.p50",
        "P4.p99",
        "P4.p99.9",
        "P12",
        "P9",
    ]
    assert {line.id for line in result.figures} <= GOALS.keys()
    assert result.failures == {}
    assert all(line.ratio > 0 for line in result.figures)
    with EmbeddedPostgres(tmp_path) as server:
        report = await verify_books(server.dsn, public_keys=None, progress=lambda *_: None)
    assert report.violation is None, report.violation.text
    assert report.counts.payments > 0
