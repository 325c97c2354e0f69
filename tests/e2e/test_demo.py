"""The demo, as a newcomer runs it, and the same on books that somebody has edited in between."""

import asyncio
import json
import os
import re
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from engine.embedded.postgres import EmbeddedPostgres
from tests.e2e.processes import engine_environ, run_engine
from tests.formats.iso_checks import message_of, parsed, validate

NO_SCHEMAS = "ISO20022_XSD_DIR is not set: what the demo publishes is NOT validated against the official schemas"


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that goes with the test, with a space in its path."""
    with tempfile.TemporaryDirectory(prefix="engine demo ") as folder:
        yield Path(folder) / "data"


@pytest.mark.filterwarnings("default::pytest.PytestWarning")
@pytest.mark.timeout(600)
def test_a_demo_from_its_first_run_to_edited_books(data_dir: Path, tmp_path: Path) -> None:
    _demo_ends_with_balanced_books(data_dir)
    _everybody_else_reads_the_messages_too(data_dir)
    _bank_pulls_its_files_afterwards(data_dir, tmp_path)
    _verify_says_so_too(data_dir)
    _cycle_is_closed_by_hand(data_dir)
    _doctor_finds_nothing(data_dir)
    _unknown_name_is_wrong_usage(data_dir)
    _second_run_on_edited_books_fails(data_dir)
    _city_of_an_earlier_version_is_not_taken(data_dir)


def _demo_ends_with_balanced_books(data_dir: Path) -> None:
    done = run_engine("demo", "--once", "--payments", "400", "--port", "0", "--data-dir", str(data_dir))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("books balance")
    assert "1 amount_diff" in done.stdout
    assert done.stdout.count("balanced") == 5
    said = " ".join(done.stdout.replace("│", " ").split())
    for way in ("show_code", "scan_order", "card_read", "cashier", "gate without a network"):
        assert f"{way} " in said, said
    for source in ("pool_fund", "personal_account", "bank_card"):
        assert re.search(rf"{source} [1-9]\d*\.\d %", said), said
    assert re.search(r"confirmed by password [1-9]\d*, and \d+ let go without", said), said


def _everybody_else_reads_the_messages_too(data_dir: Path) -> None:
    """An independent library always, the official schemas where there are any."""
    folder = os.environ.get("ISO20022_XSD_DIR")
    if folder is None:
        warnings.warn(pytest.PytestWarning(NO_SCHEMAS), stacklevel=1)
    messages = set()
    for path in (data_dir / "banks").glob("*/*.xml"):
        content = path.read_bytes()
        parsed(content)
        messages.add(message_of(content))
        if folder is not None:
            validate(content, Path(folder))
    assert messages == {"pacs.003.001.08", "pacs.008.001.08", "pacs.029.001.02", "camt.054.001.08"}


def _bank_pulls_its_files_afterwards(data_dir: Path, folder: Path) -> None:
    done = run_engine("bank", "pull", "--as", "demo-bank-c", "--to", str(folder), "--data-dir", str(data_dir))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(folder.glob("SSC_*.txt"))) == len(list(folder.glob("SSC_*.txt.json"))) == 3


def _verify_says_so_too(data_dir: Path) -> None:
    done = run_engine("verify", "--json", "--data-dir", str(data_dir))
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == {"balanced": True, "violation": None}


def _cycle_is_closed_by_hand(data_dir: Path) -> None:
    done = run_engine("clearing", "close", "--data-dir", str(data_dir))
    assert done.returncode == 0, done.stdout + done.stderr
    closed = done.stdout.split()[-1]
    shown = run_engine("clearing", "status", "--json", "--data-dir", str(data_dir))
    assert json.loads(shown.stdout)["open_cycle"] > closed
    assert json.loads(shown.stdout)["unpublished"] == []
    listed = run_engine("clearing", "files", "--json", "--data-dir", str(data_dir))
    files = [file for file in json.loads(listed.stdout) if closed.replace("-", "_") in file["name"]]
    assert len(files) == 6 * 4 + 2 * 2, (
        "three flat files and an advice each; two banks have messages of what is presented again"
    )
    collected = [file["count"] for file in files if "_COLLECT_" in file["name"] and file["name"].endswith(".txt")]
    assert sorted(collected) == [0, 0, 0, 0, 0, 2], "nothing was paid since, and what was given back is presented again"


def _doctor_finds_nothing(data_dir: Path) -> None:
    done = run_engine("doctor", "--json", "--data-dir", str(data_dir))
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(finding["ok"] for finding in json.loads(done.stdout))


def _unknown_name_is_wrong_usage(data_dir: Path) -> None:
    done = run_engine("call", "GET", "/v1/payments", "--as", "nobody", "--data-dir", str(data_dir))
    assert done.returncode == 2
    assert "pharmacy-01" in done.stderr


def _second_run_on_edited_books_fails(data_dir: Path) -> None:
    _edit_a_posting(data_dir)
    verified = run_engine("verify", "--data-dir", str(data_dir))
    assert verified.returncode == 1
    assert "books DO NOT balance" in verified.stdout
    done = run_engine("demo", "--once", "--payments", "50", "--port", "0", "--data-dir", str(data_dir))
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("books DO NOT balance")


def _city_of_an_earlier_version_is_not_taken(data_dir: Path) -> None:
    """Its cards cannot be given what they lack, so it is said at once, and which way leads on."""
    _on_database(data_dir, "UPDATE payer SET password_version = 0")
    done = run_engine("demo", "--once", "--payments", "1", "--port", "0", "--data-dir", str(data_dir))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Use a new folder" in " ".join(done.stderr.split())


def test_a_missing_database_is_exit_code_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = {**engine_environ(), "DATABASE_URL": "postgresql://engine@127.0.0.1:1/engine"}
    monkeypatch.setattr("tests.e2e.processes.engine_environ", lambda: nowhere)
    done = run_engine("verify", "--data-dir", str(tmp_path))
    assert done.returncode == 3
    assert "DATABASE_URL" in done.stderr


def _edit_a_posting(data_dir: Path) -> None:
    done = _on_database(
        data_dir,
        "UPDATE posting SET amount = amount + 1"
        " WHERE (lane, seq, n) IN (SELECT lane, seq, n FROM posting ORDER BY seq DESC LIMIT 1)",
    )
    assert done == "UPDATE 1"


def _on_database(data_dir: Path, statement: str) -> str:
    """What the database of a data folder says to a statement."""
    server = EmbeddedPostgres(data_dir)
    server.start()
    try:
        return asyncio.run(_executed(server.dsn, statement))
    finally:
        server.stop()


async def _executed(dsn: str, statement: str) -> str:
    connection = await asyncpg.connect(dsn)
    done: str = await connection.execute(statement)
    await connection.close()
    return done
