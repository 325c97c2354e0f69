"""`engine plans`: files are checked without a database, loaded whole or not at all, and listed."""

import json
from pathlib import Path
from subprocess import CompletedProcess

import msgspec

from engine.cli.options import Exit
from engine.formats import plan_json
from tests.core.medical import a_plan
from tests.e2e.processes import run_engine

SCHEMAS = Path(__file__).parents[2] / "schemas" / "plans"
EMPLOYEES, RESIDENTS = str(SCHEMAS / "employees.json"), str(SCHEMAS / "residents.json")


def a_file(folder: Path, **changes: object) -> str:
    """The path of a plan's file."""
    plan = a_plan(**changes)
    path = folder / f"{plan.id}-{len(list(folder.iterdir()))}.json"
    path.write_bytes(plan_json.write(plan))
    return str(path)


def test_right_plans_are_told_so(tmp_path: Path) -> None:
    done = run_engine("plans", "check", EMPLOYEES, RESIDENTS)
    assert (done.returncode, done.stderr) == (Exit.DONE, "")
    assert done.stdout.splitlines() == [
        "example-employees-2026 110000 310 from 2026-01-01, before 2027-01-01: right, 12 items",
        "example-residents-2026 110000 390 from 2026-01-01, no end decided: right, 12 items",
    ]


def test_every_fault_of_every_file_is_told(tmp_path: Path) -> None:
    document = json.loads(Path(EMPLOYEES).read_bytes())
    document["rates"]["11"]["3"] = "1.2"
    document["deductible"] = -1
    wrong, nonsense = tmp_path / "wrong.json", tmp_path / "nonsense.json"
    wrong.write_text(json.dumps(document))
    nonsense.write_text("{")
    done = run_engine("plans", "check", str(wrong), str(nonsense), RESIDENTS)
    assert (done.returncode, done.stdout) == (Exit.CHECK_FAILED, "")
    told = done.stderr.splitlines()
    assert len(told) == 3
    assert sorted(line.split(": ")[0] for line in told) == [
        str(nonsense),
        f"{wrong} /deductible",
        f"{wrong} /rates/11/3",
    ]


def test_two_plans_for_one_day_are_told(tmp_path: Path) -> None:
    done = run_engine("plans", "check", a_file(tmp_path, id="one"), a_file(tmp_path, id="two"))
    assert (done.returncode, done.stdout) == (Exit.CHECK_FAILED, "")
    assert done.stderr == "two: begins while one holds, for the same region and insurance\n"


def test_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert run_engine("plans", "check", str(tmp_path / "none.json")).returncode == Exit.WRONG_USAGE


def test_plans_are_loaded_once_and_listed(dsn: str, tmp_path: Path) -> None:
    def engine(*arguments: str) -> CompletedProcess[str]:
        return run_engine("plans", *arguments, "--data-dir", str(tmp_path / "data"), database_url=dsn)

    files = tmp_path / "files"
    files.mkdir()
    assert engine("list").stdout == ""
    loaded = engine("load", EMPLOYEES, RESIDENTS)
    assert (loaded.returncode, loaded.stdout) == (
        Exit.DONE,
        "added example-employees-2026\nadded example-residents-2026\n",
    )
    listed = engine("list").stdout
    assert listed.splitlines() == [
        "example-employees-2026 110000 310 from 2026-01-01, before 2027-01-01",
        "example-residents-2026 110000 390 from 2026-01-01, no end decided",
    ]

    refused = engine("load", a_file(files, id="other", region=110000), a_file(files, id="elsewhere", region=310000))
    assert (refused.returncode, refused.stdout) == (Exit.CHECK_FAILED, "")
    assert refused.stderr == "other: begins while example-employees-2026 holds, for the same region and insurance\n"
    assert engine("list").stdout == listed

    again = engine("load", EMPLOYEES)
    assert (again.returncode, again.stdout) == (Exit.DONE, "unchanged example-employees-2026\n")
    (first, second) = json.loads(engine("list", "--json").stdout)
    assert (first["id"], first["items"], second["valid_to"]) == ("example-employees-2026", 12, None)


def test_plan_ends_where_the_next_one_begins(dsn: str, tmp_path: Path) -> None:
    read = plan_json.read(Path(RESIDENTS).read_bytes())
    assert not isinstance(read, tuple)
    until = read.valid_from.replace(month=7)
    ended, following = tmp_path / "ended.json", tmp_path / "next.json"
    ended.write_bytes(plan_json.write(msgspec.structs.replace(read, valid_to=until)))
    following.write_bytes(plan_json.write(msgspec.structs.replace(read, id="next", valid_from=until)))
    options = ("--data-dir", str(tmp_path / "data"))
    assert run_engine("plans", "load", RESIDENTS, *options, database_url=dsn).returncode == Exit.DONE
    alone = run_engine("plans", "load", str(following), *options, database_url=dsn)
    assert alone.returncode == Exit.CHECK_FAILED
    both = run_engine("plans", "load", str(following), str(ended), *options, database_url=dsn)
    assert (both.returncode, both.stdout) == (Exit.DONE, "added next\nended example-residents-2026\n")
