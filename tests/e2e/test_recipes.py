"""The README's recipes, carried out on a copy of the engine."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECIPE = re.compile(
    r"^\*\*A new payment scenario\*\*.*?^```python\n(?P<value>(?P<constant>[A-Z_]+): Final.*?)^```",
    re.MULTILINE | re.DOTALL,
)
LISTED = re.compile(r"(^SCENARIOS: Final = \(\n.*?)(?=^\)\n)", re.MULTILINE | re.DOTALL)
COPIED = ("engine", "tests", "schemas")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the engine and its tests."""
    for folder in COPIED:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def add_scenario(table: Path, recipe: re.Match[str]) -> None:
    """Do what the recipe says: a value, and its name at the end of the list."""
    before, listed, after = LISTED.split(table.read_text())
    table.write_text(f"{before}{recipe['value']}\n{listed}    {recipe['constant']},\n{after}")


def test_new_scenario_pays_refunds_and_clears_once_it_is_in_the_table(checkout: Path) -> None:
    recipe = RECIPE.search((ROOT / "README.md").read_text())
    assert recipe is not None
    name = re.search(r'name="([a-z_]+)"', recipe["value"])
    assert name is not None
    add_scenario(checkout / "engine" / "core" / "scenarios.py", recipe)
    chosen = f"{name[1]} or scenarios_are_listed"
    tests = ("tests/core/test_scenarios.py", "tests/web/test_every_scenario.py", "tests/web/test_openapi.py")
    done = subprocess.run(
        # The copy comes first on the path, ahead of the engine that is installed.
        [
            sys.executable,
            "-m",
            "pytest",
            "-n0",
            "-v",
            "-p",
            "no:cacheprovider",
            "-k",
            chosen,
            *tests,
        ],
        cwd=checkout,
        env={key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.findall(r"^\S+::(\w+)(?:\[\w+\])? PASSED", done.stdout, re.MULTILINE)
    assert {"test_scenario_pays_refunds_and_clears", "test_scenarios_are_listed"} <= set(passed)
