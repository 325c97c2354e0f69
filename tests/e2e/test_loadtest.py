"""The load test's user, headless for ten seconds against a real sandbox."""

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.e2e.processes import EngineProcess, engine_environ, run_engine

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
def test_a_pharmacy_pays_by_shown_codes_without_a_failure(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="engine-load-") as folder:
        data_dir = Path(folder) / "data"
        engine = EngineProcess(data_dir)
        try:
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py")),
                    *("--headless", "-u", "10", "-r", "10", "-t", "10s", "--only-summary"),
                    *("--csv", str(tmp_path / "load")),
                ],
                capture_output=True,
                text=True,
                cwd=ROOT,
                env=engine_environ() | {"ENGINE_DATA_DIR": str(data_dir), "PATH": os.environ["PATH"]},
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert engine.stop() == 0
        finally:
            engine.end()
        verified = run_engine("verify", "--data-dir", str(data_dir))
    with (tmp_path / "load_stats.csv").open() as file:
        total = next(row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    assert int(total["Failure Count"]) == 0
    assert int(total["Request Count"]) > 10
    assert verified.returncode == 0, verified.stdout + verified.stderr
