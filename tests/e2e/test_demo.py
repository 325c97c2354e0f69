"""The demo, as a newcomer runs it, and the same on books that somebody has edited in between."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from engine.embedded.postgres import EmbeddedPostgres
from tests.e2e.processes import engine_environ, run_engine


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A folder that the tests of this module share, with a space in its path."""
    with tempfile.TemporaryDirectory(prefix="engine demo ") as folder:
        yield Path(folder) / "data"


@pytest.mark.xdist_group("demo")
@pytest.mark.timeout(600)
class TestDemo:
    """One folder, in this order."""

    def test_the_demo_ends_with_balanced_books(self, data_dir: Path) -> None:
        done = run_engine("demo", "--once", "--payments", "300", "--port", "0", "--data-dir", str(data_dir))
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.rstrip().endswith("books balance")
        assert "files pulled and checked: demo-bank-f" in done.stdout

    def test_a_bank_pulls_its_files_afterwards(self, data_dir: Path, tmp_path: Path) -> None:
        done = run_engine("bank", "pull", "--as", "demo-bank-c", "--to", str(tmp_path), "--data-dir", str(data_dir))
        assert done.returncode == 0, done.stdout + done.stderr
        assert 3 == len(list(tmp_path.glob("SSC_*.txt"))) == len(list(tmp_path.glob("SSC_*.txt.json")))

    def test_verify_says_so_too(self, data_dir: Path) -> None:
        done = run_engine("verify", "--json", "--data-dir", str(data_dir))
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout) == {"balanced": True, "violation": None}

    def test_a_cycle_is_closed_by_hand(self, data_dir: Path) -> None:
        done = run_engine("clearing", "close", "--data-dir", str(data_dir))
        assert done.returncode == 0, done.stdout + done.stderr
        closed = done.stdout.split()[-1]
        shown = run_engine("clearing", "status", "--json", "--data-dir", str(data_dir))
        assert json.loads(shown.stdout)["open_cycle"] > closed
        assert json.loads(shown.stdout)["unpublished"] == []
        listed = run_engine("clearing", "files", "--json", "--data-dir", str(data_dir))
        files = [file for file in json.loads(listed.stdout) if closed.replace("-", "_") in file["name"]]
        assert len(files) == 6 * 3
        assert {0} == {file["count"] for file in files}  # nothing was paid since the demo's own close

    def test_the_doctor_finds_nothing(self, data_dir: Path) -> None:
        done = run_engine("doctor", "--json", "--data-dir", str(data_dir))
        assert done.returncode == 0, done.stdout + done.stderr
        assert all(finding["ok"] for finding in json.loads(done.stdout))

    def test_a_second_run_on_edited_books_fails(self, data_dir: Path) -> None:
        _edit_a_posting(data_dir)
        verified = run_engine("verify", "--data-dir", str(data_dir))
        assert verified.returncode == 1
        assert "books DO NOT balance" in verified.stdout
        done = run_engine("demo", "--once", "--payments", "50", "--port", "0", "--data-dir", str(data_dir))
        assert done.returncode == 1, done.stdout + done.stderr
        assert done.stdout.rstrip().endswith("books DO NOT balance")

    def test_an_unknown_name_is_wrong_usage(self, data_dir: Path) -> None:
        done = run_engine("call", "GET", "/v1/payments", "--as", "nobody", "--data-dir", str(data_dir))
        assert done.returncode == 2
        assert "pharmacy-01" in done.stderr


def test_a_missing_database_is_exit_code_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = {**engine_environ(), "DATABASE_URL": "postgresql://engine@127.0.0.1:1/engine"}
    monkeypatch.setattr("tests.e2e.processes.engine_environ", lambda: nowhere)
    done = run_engine("verify", "--data-dir", str(tmp_path))
    assert done.returncode == 3
    assert "DATABASE_URL" in done.stderr


def _edit_a_posting(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir)
    server.start()
    try:
        asyncio.run(_add_a_fen(server.dsn))
    finally:
        server.stop()


async def _add_a_fen(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    edited = await connection.execute(
        "UPDATE posting SET amount = amount + 1"
        " WHERE (lane, seq, n) IN (SELECT lane, seq, n FROM posting ORDER BY seq DESC LIMIT 1)"
    )
    await connection.close()
    assert edited == "UPDATE 1"
