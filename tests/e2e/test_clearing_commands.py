"""`engine clearing` by hand, as an operator types it, on a database of its own."""

import json
import subprocess
from pathlib import Path

import asyncpg
import pytest

from tests.builders import a_world
from tests.e2e.processes import engine_environ, run_engine
from tests.flows.busy_books import a_ledger
from tests.flows.clearing_books import pay_and_refund


@pytest.fixture
def engine(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Engine":
    """Commands on this test's database."""
    # Valkey is not asked by these commands, so its address may lead nowhere.
    environ = {**engine_environ(), "DATABASE_URL": dsn, "REDIS_URL": "redis://127.0.0.1:1"}
    monkeypatch.setattr("tests.e2e.processes.engine_environ", lambda: environ)
    return Engine(tmp_path)


class Engine:
    """The command line."""

    def __init__(self, data_dir: Path) -> None:
        """On this folder."""
        self._data_dir = data_dir

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command to its end."""
        return run_engine(*words, "--data-dir", str(self._data_dir))

    def shown(self, *words: str) -> dict[str, object]:
        """What a command prints for scripts."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        read: dict[str, object] = json.loads(done.stdout)
        return read


async def test_a_cycle_from_its_close_to_its_settlement(engine: Engine, dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_ledger(dsn) as ledger:
        await pay_and_refund(ledger, world)
    closed = engine.run("clearing", "close")
    assert closed.returncode == 0, closed.stderr
    cycle = closed.stdout.split()[-1]
    assert engine.shown("clearing", "status")["unsettled"] == [cycle]
    early = engine.run("clearing", "settle", "--cycle", cycle, "--confirmed", "C-1")
    assert (early.returncode, "settlement-not-instructed" in early.stderr) == (1, True)
    assert "1 cycles instructed" in engine.run("clearing", "settle").stdout
    settled = engine.run("clearing", "settle", "--cycle", cycle, "--confirmed", "C-1")
    assert settled.stdout.startswith(f"{cycle} confirmed")
    assert engine.shown("clearing", "status")["unsettled"] == []
    for wrong in (("--confirmed", "C-1"), ("--cycle", "today"), ("--confirmed", "C", "--failed", "F")):
        assert engine.run("clearing", "settle", *wrong).returncode == 2


async def test_a_cap_that_would_be_exceeded_is_named(engine: Engine, dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    await sql.execute(
        "INSERT INTO net_debit_cap (bank, n, cap, set_at, approval) VALUES ($1, 1, 10, now(), 'a')", world.banks[-1]
    )
    async with a_ledger(dsn) as ledger:
        await pay_and_refund(ledger, world)
    closed = engine.run("clearing", "close")
    assert closed.returncode == 1
    assert "2350 of 10 fen" in closed.stderr
    assert engine.shown("clearing", "status")["unpublished"] != []


async def test_the_timetable_is_shown_and_changed(engine: Engine, sql: asyncpg.Connection) -> None:
    assert engine.shown("clearing", "timetable")["cut_offs"] == ["23:00"]
    changed = engine.shown("clearing", "timetable", "--cut-offs", "11:00, 17:00,23:00", "--publish-after-s", "5400")
    assert (changed["cut_offs"], changed["publish_after_s"]) == (["11:00", "17:00", "23:00"], 5_400)
    for wrong in (("--cut-offs", "11:00"), ("--cut-offs", "noon,23:00"), ("--net-after-s", "9999")):
        assert engine.run("clearing", "timetable", *wrong).returncode == 2
    assert engine.shown("clearing", "timetable") == changed
    assert engine.run("clearing", "working-day", "2026-13-01", "--off", "--reason", "r").returncode == 2
    assert engine.run("clearing", "working-day", "2027-02-08", "--off", "--reason", "notice 7").returncode == 0
    assert engine.shown("clearing", "timetable")["exceptions"] == ["2027-02-08 off"]


async def test_a_year_whose_holidays_nobody_knows_is_a_loud_warning(engine: Engine, sql: asyncpg.Connection) -> None:
    ten_years = "UPDATE control SET sandbox_offset_us = 10 * 366 * 86400000000, cutoff_at = cutoff_at + interval '11 y'"
    await sql.execute(ten_years)
    told = engine.run("doctor")
    (line,) = [line for line in told.stdout.splitlines() if "holidays" in line]
    assert line.startswith("WARN")
    year = line.split("weekends are known for ")[1][:4]
    assert engine.run("clearing", "working-day", f"{year}-10-01", "--off", "--reason", "notice").returncode == 0
    following = f"{int(year) + 1}-01-01"
    assert engine.run("clearing", "working-day", following, "--off", "--reason", "notice").returncode == 0
    assert "ok   holidays are known for the days ahead" in engine.run("doctor").stdout
