"""`engine inquiry import`: records come in from a file, each fault is told, and the exit says whether there was one."""

from pathlib import Path

import msgspec
import pytest

from tests.e2e.processes import run_engine
from tests.people import person

HEADER = "id_number,region,occupation,level,certificate_no,issued_on,institution"


@pytest.mark.usefixtures("sql")
def test_command_brings_records_in_and_tells_each_fault(dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "skills.csv"
    cells = "110101,电工,{},S-1,2025-05-01,鉴定站"
    lines = [f"{person(n).id_number},{cells.format(level)}" for n, level in ((1, 1), (2, 6), (3, 5))]
    file.write_text("\n".join((HEADER, *lines, "")))
    command = ("inquiry", "import", "skill_levels", str(file), "--data-dir", str(tmp_path))
    for _ in range(2):
        done = run_engine(*command, database_url=dsn)
        assert done.returncode == 1, done.stderr
        told = msgspec.json.decode(done.stdout, type=dict[str, object])
        assert (told["lines"], told["taken"], told["faulty"]) == (3, 2, 1)
        assert "line 3, level: a whole number within its bounds" in done.stderr
        assert not [n for n in (1, 2, 3) if person(n).id_number in done.stdout + done.stderr]
    file.write_text("\n".join((HEADER, lines[0], "")))
    assert run_engine(*command, database_url=dsn).returncode == 0
    unknown = run_engine("inquiry", "import", "shoe_sizes", str(file), "--data-dir", str(tmp_path), database_url=dsn)
    missing = run_engine(*command[:3], str(tmp_path / "none.csv"), *command[4:], database_url=dsn)
    assert (unknown.returncode, missing.returncode) == (2, 2)
