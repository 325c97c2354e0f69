"""The commands by which a node is taken into service, as somebody types them."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import ENGINE, engine_environ, run_engine

EXAMPLE = Path(__file__).parents[2] / "schemas" / "participants.csv"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with a short name: sockets live in it."""
    with tempfile.TemporaryDirectory(prefix="engine-node-") as name:
        yield Path(name)


def operator_file(folder: Path, name: str) -> Path:
    """Where an operator's key is."""
    return folder / f"{name}.json"


@pytest.mark.timeout(300)
def test_a_node_is_taken_into_service_from_the_command_line(folder: Path) -> None:
    data = ("--data-dir", str(folder / "data"))
    serving = subprocess.Popen(
        [*ENGINE, "serve", "--port", "0", *data],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=engine_environ(),
        text=True,
    )
    try:
        assert serving.stderr is not None
        line = next(line for line in serving.stderr if "serving on http" in line)
        url = line.split("serving on ")[1].strip()
        for name in ("li-wei", "wang-fang"):
            file = operator_file(folder, name)
            added = run_engine(
                "operator", "add", name, "--region", "110000", "--key-file", str(file), "--url", url, *data
            )
            assert added.returncode == 0, added.stderr
            assert ("add a second one" in added.stderr) == (name == "li-wei")
            assert file.stat().st_mode & 0o777 == 0o600
            assert "PRIVATE KEY" not in added.stdout + added.stderr
        check_import(folder, data)
        participants = call(folder, "wang-fang", "GET", "/v1/participants?kind=merchant")
        assert len(participants["items"]) == 2  # type: ignore[arg-type]  # a list of the answer
        check_keys(folder, url, data)
    finally:
        serving.terminate()
        serving.communicate(timeout=60)
    assert serving.returncode == 0


def check_import(folder: Path, data: tuple[str, ...]) -> None:
    """A file is asked for by one and approved by the other."""
    given = ("--key-file", str(operator_file(folder, "li-wei")), "--reason", "roll-out", *data)
    bad = folder / "bad.csv"
    bad.write_text(EXAMPLE.read_text().replace("110101,", "110102,"))
    refused = run_engine("participants", "import", str(bad), *given)
    assert refused.returncode == 1
    assert "line 3, region:" in refused.stderr
    asked = run_engine("participants", "import", str(EXAMPLE), *given)
    assert asked.returncode == 0, asked.stderr
    approval = json.loads(asked.stdout)["approval"]
    decided = call(folder, "wang-fang", "POST", f"/v1/approvals/{approval}/approve")
    assert decided["outcome"] == "done"
    again = run_engine("participants", "import", str(EXAMPLE), *given)
    assert json.loads(again.stdout)["approval"] is None


def check_keys(folder: Path, url: str, data: tuple[str, ...]) -> None:
    """Whoever has no key of an operator gets nowhere, and a key is never written over."""
    file = operator_file(folder, "li-wei")
    content = file.read_bytes()
    over = run_engine("operator", "add", "zhao-min", "--region", "0", "--key-file", str(file), *data)
    assert (over.returncode, file.read_bytes()) == (2, content)
    swapped = folder / "swapped.json"
    swapped.write_text(json.dumps(json.loads(content) | {"keyid": "nobody.1"}))
    refused = run_engine("call", "GET", "/v1/participants", "--key-file", str(swapped), "--url", url)
    assert (refused.returncode, json.loads(refused.stdout)["code"]) == (1, "signature-key-unknown")
    forged = run_engine(*("participants", "import", str(EXAMPLE), "--reason", "r", "--key-file", str(swapped), *data))
    assert forged.returncode == 1
    swapped.write_text("{}")
    assert run_engine("call", "GET", "/v1/participants", "--key-file", str(swapped)).returncode == 2


def call(folder: Path, name: str, method: str, path: str) -> dict[str, object]:
    """What `engine call` prints for an operator."""
    done = run_engine("call", method, path, "--key-file", str(operator_file(folder, name)))
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@pytest.mark.timeout(300)
def test_operators_of_the_sandbox_are_registered(folder: Path) -> None:
    data = ("--data-dir", str(folder / "sandbox"))
    done = run_engine("call", "GET", "/v1/participants?kind=operator", "--as", "operator-2", *data)
    assert done.returncode == 0, done.stdout + done.stderr
    roles = {item["code"]: item["role"] for item in json.loads(done.stdout)["items"]}
    assert roles == {"operator-1": "operations", "operator-2": "review", "operator-3": "audit"}
