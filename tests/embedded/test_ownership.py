"""One process owns the server of a data folder, others use it, and no crash needs a hand."""

import asyncio
import fcntl
import os
import signal
import subprocess
import threading
from pathlib import Path

import asyncpg
import pytest

from engine.embedded import leftovers, server
from engine.embedded.claim import read_record
from engine.embedded.faults import ServiceMissing
from engine.embedded.postgres import EmbeddedPostgres, attach_or_start
from engine.embedded.postgres_binaries import find_postgres_bin
from tests.embedded.owning_process import SMALL
from tests.embedded.processes import Owner, as_text, ask, owner, owner_uid, wait_for_end, wait_until


def test_second_process_uses_the_running_server_and_does_not_stop_it(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as owning:
        ask(owning.dsn, "CREATE TABLE seen AS SELECT 7 AS number")
        with owner("postgres", data_dir) as second:
            facts = second.facts()
            assert (facts.owned, facts.pid, facts.address) == (False, owning.pid, owning.dsn)
            assert ask(facts.address, "SELECT number FROM seen") == "7"
        assert owning.is_alive()
        assert ask(owning.dsn, "SELECT number FROM seen") == "7"


def test_record_tells_where_the_server_is(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as owning:
        expected = {"socket_dir": str(owning.socket_dir), "pid": owning.pid, "port": 5432}
        assert as_text(data_dir / "postgres.json") == expected


def test_torn_record_counts_as_none(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "postgres.json").write_text('{"socket_dir": "/tm')
    assert read_record(data_dir / "postgres.json") is None
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as owning:
        assert ask(owning.dsn, "SELECT 1") == "1"


def test_of_processes_that_start_at_once_exactly_one_owns(data_dir: Path) -> None:
    racing = [Owner("postgres", data_dir) for _ in range(4)]
    try:
        facts = [process.facts() for process in racing]
        assert sorted(fact.owned for fact in facts) == [False, False, False, True]
        assert len({(fact.pid, fact.address) for fact in facts}) == 1
        assert ask(facts[0].address, "SELECT 1") == "1"
    finally:
        for process in racing:
            process.finish()


def test_killed_owner_takes_the_server_down_in_good_order(data_dir: Path) -> None:
    with owner("postgres", data_dir) as first:
        facts = first.facts()
        ask(facts.address, "CREATE TABLE kept AS SELECT 42 AS answer")
        first.kill()
        wait_for_end(facts.pid)
    log_size = (data_dir / "postgres.log").stat().st_size

    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as second:
        assert ask(second.dsn, "SELECT answer FROM kept") == "42"
    said = (data_dir / "postgres.log").read_bytes()[log_size:]
    assert b"database system was shut down at" in said


def test_start_right_after_the_kill_waits_for_the_dying_server(data_dir: Path) -> None:
    with owner("postgres", data_dir) as first:
        facts = first.facts()
        ask(facts.address, "CREATE TABLE kept AS SELECT generate_series(1, 200000) AS answer")
        first.kill()
        with EmbeddedPostgres(data_dir, extra_settings=SMALL) as second:
            assert second.pid != facts.pid
            assert ask(second.dsn, "SELECT count(*) FROM kept") == "200000"
    assert "was interrupted" not in (data_dir / "postgres.log").read_text()


def test_owner_killed_during_the_first_start_leaves_a_folder_that_works(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "_KILL_S", 0.2)
    with owner("postgres", data_dir) as first:
        wait_until(lambda: any(data_dir.glob("postgres.new-*/global")))
        (initdb,) = _children_of(first.process.pid)
        os.kill(initdb, signal.SIGSTOP)  # it will not react to the end of its parent
        first.kill()
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as second:
        wait_for_end(initdb)
        assert ask(second.dsn, "SELECT current_database()") == "engine"
    assert not list(data_dir.glob("postgres.new-*"))


def _children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_killed_postmaster_is_noticed_and_restarted_at_the_same_address(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as owning:
        ask(owning.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        address, first_pid = owning.dsn, owning.pid
        os.kill(first_pid, signal.SIGKILL)
        wait_for_end(first_pid)
        assert not owning.is_alive()

        owning.restart()
        assert owning.is_alive()
        assert owning.pid != first_pid
        assert owning.dsn == address
        assert ask(address, "SELECT answer FROM kept") == "42"


async def test_backend_busy_when_its_postmaster_was_killed_does_not_block_the_restart(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as owning:
        connection = await asyncpg.connect(owning.dsn)
        backend = connection.get_server_pid()
        endless = asyncio.create_task(
            connection.fetchval("SELECT count(*) FROM generate_series(1, 1000000000000) AS n")
        )
        while await _state_of(owning.dsn, backend) != "active":
            pass
        os.kill(owning.pid, signal.SIGKILL)
        await asyncio.to_thread(owning.restart)
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await endless
        connection.terminate()
        wait_for_end(backend)


async def _state_of(dsn: str, pid: int) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        return str(await connection.fetchval("SELECT state FROM pg_stat_activity WHERE pid = $1", pid))
    finally:
        await connection.close()


def test_attached_process_finds_the_restarted_server_at_the_old_address(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as owning:
        attached = attach_or_start(data_dir)
        assert not attached.owned
        os.kill(owning.pid, signal.SIGKILL)
        wait_for_end(owning.pid)
        assert not attached.is_alive()
        owning.restart()
        assert attached.is_alive()
        assert ask(attached.dsn, "SELECT 1") == "1"


def test_attached_process_keeps_the_address_while_the_owner_struggles(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "ATTACH_PATIENCE_S", 0.0)
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as owning:
        attached = attach_or_start(data_dir)
        os.kill(owning.pid, signal.SIGKILL)
        wait_for_end(owning.pid)
        with pytest.raises(ServiceMissing):
            attached.restart()
        assert attached.dsn == owning.dsn
        owning.restart()
        attached.restart()
        assert attached.is_alive()
        assert not attached.owned


def test_attached_process_takes_over_when_the_owner_has_gone(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as owning:
        attached = attach_or_start(data_dir, extra_settings=SMALL)
    assert not attached.is_alive()
    attached.restart()
    try:
        assert attached.owned
        assert ask(attached.dsn, "SELECT 1") == "1"
    finally:
        attached.stop()
    assert not owning.owned


def test_restart_from_a_short_lived_thread_outlives_the_thread(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as owning:
        thread = threading.Thread(target=owning.restart)
        thread.start()
        thread.join()
        # Once the kernel has forgotten the thread, the signals of its end have been sent.
        wait_until(lambda: not Path(f"/proc/self/task/{thread.native_id}").exists())
        assert ask(owning.dsn, "SELECT 1") == "1"
        assert owning.is_alive()


def test_forked_worker_does_not_stop_the_server_of_its_parent(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as owning:
        worker = os.fork()
        if worker == 0:
            owning.stop()
            os._exit(0)
        assert os.waitpid(worker, 0)[1] == 0
        assert owning.is_alive()
        assert ask(owning.dsn, "SELECT 1") == "1"
        with pytest.raises(BlockingIOError):
            _lock_of(data_dir)


def _lock_of(data_dir: Path) -> None:
    with (data_dir / "postgres.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_start_refuses_a_folder_that_another_process_owns(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CLAIM_PATIENCE_S", 0.0)
    with owner("postgres", data_dir) as first:
        first.facts()
        with pytest.raises(ServiceMissing, match=f"process {first.process.pid} keeps"):
            EmbeddedPostgres(data_dir, extra_settings=SMALL).start()


def test_owner_without_a_working_server_is_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "ATTACH_PATIENCE_S", 0.0)
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as owning:
        os.kill(owning.pid, signal.SIGKILL)
        wait_for_end(owning.pid)
        with pytest.raises(ServiceMissing, match=f"process {os.getpid()} keeps"):
            attach_or_start(data_dir)


def test_pid_file_that_names_a_foreign_process_does_not_hinder_the_start(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as owning:
        uid = owner_uid(owning.pid)
        pid_file = owning.cluster / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    foreigner = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, user=uid if os.geteuid() == 0 else None)
    try:
        pid_file.write_text("\n".join([str(foreigner.pid), *lines[1:]]) + "\n")
        os.chown(pid_file, uid, -1)
        with EmbeddedPostgres(data_dir, extra_settings=SMALL) as again:
            assert ask(again.dsn, "SELECT 1") == "1"
        assert foreigner.poll() is None
    finally:
        foreigner.communicate()


def test_program_that_an_operator_runs_in_the_cluster_folder_is_left_alone(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as owning:
        uid = owner_uid(owning.pid)
        operator = subprocess.Popen(
            ["/bin/cat"],
            stdin=subprocess.PIPE,
            cwd=owning.cluster,
            user=uid if os.geteuid() == 0 else None,
        )
        os.kill(owning.pid, signal.SIGKILL)
        owning.restart()
        assert operator.poll() is None
        operator.communicate()
        assert operator.returncode == 0


def test_server_that_the_engine_did_not_start_is_left_alone(
    data_dir: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "_NOTICE_S", 0.5)
    with EmbeddedPostgres(data_dir, extra_settings=SMALL) as made:
        cluster, uid = made.cluster, owner_uid(made.pid)
    os.chown(open_folder, uid, -1)
    command = [str(find_postgres_bin({}) / "postgres"), "-D", "/proc/self/cwd", "-c", "listen_addresses="]
    foreign = subprocess.Popen(
        [*command, "-k", str(open_folder)],
        cwd=cluster,
        user=uid if os.geteuid() == 0 else None,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: (cluster / "postmaster.pid").exists())
        wait_until(lambda: "ready" in (cluster / "postmaster.pid").read_text())
        with pytest.raises(ServiceMissing, match=f"process {foreign.pid} already serves"):
            EmbeddedPostgres(data_dir, extra_settings=SMALL).start()
        assert foreign.poll() is None
    finally:
        foreign.send_signal(signal.SIGINT)
        foreign.wait(60)
