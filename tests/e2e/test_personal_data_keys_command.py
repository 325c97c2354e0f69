"""`engine personal-data rotate`: a new key, everything under it, and nothing to do when it is resumed."""

import json
from pathlib import Path

from engine.cli.options import Exit
from tests.e2e.processes import run_engine


def test_rotation_makes_a_key_and_is_resumed_without_one(dsn: str, tmp_path: Path) -> None:
    options = ("--json", "--data-dir", str(tmp_path))
    first = run_engine("personal-data", "rotate", *options, database_url=dsn)
    assert first.returncode == Exit.DONE, first.stderr
    told = json.loads(first.stdout)
    assert (told["key"], told["cipher"], told["left"]) == (2, "aes_256_gcm", {})
    assert told["sealed_anew"]["engine_key.secret"] == 1
    again = run_engine("personal-data", "rotate", "--resume", *options, database_url=dsn)
    assert again.returncode == Exit.DONE, again.stderr
    told = json.loads(again.stdout)
    assert (told["key"], set(told["sealed_anew"].values())) == (2, {0})
