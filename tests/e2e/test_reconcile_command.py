"""`engine clearing reconcile` on a database: what it prints, and how it ends."""

import asyncio
import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from engine.cli.options import Exit
from engine.core.ids import id_text
from engine.store.connection import READ_SETTINGS, connect
from tests.builders import World, a_world
from tests.e2e.processes import run_engine
from tests.flows.statement_books import OWN, an_item, changed, give_files, line_of, statement

ITEMS = [an_item(n) for n in range(3)]
LINES = [line_of(item) for item in ITEMS]


@pytest.fixture
def world(dsn: str) -> World:
    """A bank with files, in the database that commands find."""

    async def prepare() -> World:
        sql = await connect(dsn, READ_SETTINGS, application_name="test")
        world = await a_world(sql)
        await give_files(sql, world.banks[0], ITEMS)
        await sql.close()
        return world

    return asyncio.run(prepare())


def reconcile(dsn: str, folder: Path, *arguments: str) -> CompletedProcess[str]:
    """Run the command."""
    return run_engine("clearing", "reconcile", "--data-dir", str(folder / "data"), *arguments, database_url=dsn)


def a_file(folder: Path, content: bytes) -> str:
    """The path of a file."""
    path = folder / "statement.txt"
    path.write_bytes(content)
    return str(path)


def test_a_true_statement_ends_well_and_is_listed(dsn: str, world: World, tmp_path: Path) -> None:
    done = reconcile(dsn, tmp_path, a_file(tmp_path, statement(LINES)), "--bank", OWN)
    assert (done.returncode, done.stdout) == (
        Exit.DONE,
        f"2026-11-19 {id_text(world.banks[0])} ST-1: balanced; matched 3\n",
    )
    assert reconcile(dsn, tmp_path).stdout == done.stdout


def test_a_difference_is_told_and_is_an_exit_code(dsn: str, world: World, tmp_path: Path) -> None:
    lines = [changed(LINES[0], amount=1), *LINES[1:]]
    done = reconcile(dsn, tmp_path, a_file(tmp_path, statement(lines)), "--bank", OWN, "--json")
    assert done.returncode == Exit.CHECK_FAILED
    (shown,) = json.loads(done.stdout)
    assert (shown["state"], shown["counts"]["matched"], shown["counts"]["amount_diff"]) == ("different", 2, 1)


def test_a_refused_file_names_its_faults(dsn: str, world: World, tmp_path: Path) -> None:
    content = statement(LINES).replace(b"D|2|", b"D|3|")
    done = reconcile(dsn, tmp_path, a_file(tmp_path, content), "--bank", OWN)
    assert done.returncode == Exit.CHECK_FAILED
    assert "/lines/3/seq: not the line's place" in done.stderr
    assert "REFUSED: file-malformed" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("--bank", OWN), ("FILE",), ("FILE", "--bank", "1"), ("FILE", "--bank", "9" * 12)]
)
def test_wrong_usage_is_told(dsn: str, world: World, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    path = a_file(tmp_path, statement(LINES))
    done = reconcile(dsn, tmp_path, *(path if argument == "FILE" else argument for argument in arguments))
    assert done.returncode == Exit.WRONG_USAGE
