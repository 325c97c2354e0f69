"""Without the database nothing is decided and nothing is lost; without Valkey only hints are."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from engine.embedded.valkey import EmbeddedValkey
from tests.ledger.conftest import LoopClock
from tests.ledger.wire import Wire
from tests.web.api import Api, Json, Reply, a_key, open_api

PAY = "/v1/payments"
END_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> LoopClock:
    """The clock of this test's loop, by which nobody waits longer than a test says."""
    return LoopClock(monkeypatch)


@pytest.fixture
async def wire(dsn: str) -> AsyncIterator[Wire]:
    """The only way of the node to its database."""
    async with Wire(dsn).opened() as opened:
        yield opened


@pytest.fixture
async def wired(dsn: str, wire: Wire, tmp_path: Path) -> AsyncIterator[Api]:
    """A node that can be cut off from its database."""
    async with open_api(dsn, tmp_path, node_dsn=wire.dsn) as opened:
        yield opened
        wire.is_shut = False


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A Valkey of this test's own."""
    with EmbeddedValkey(tmp_path / "valkey") as server:
        yield server


async def cut_off(api: Api, wire: Wire) -> None:
    """End every session of the node, and let no new one begin."""
    wire.is_shut = True
    await api.sql.execute(END_SESSIONS)


async def until_ready(api: Api) -> None:
    """Return when the node says that it can pay."""
    while (await api.send("GET", "/readyz")).status != 200:
        pass


async def gauge(api: Api, name: str) -> float:
    """The value of a gauge."""
    text = (await api.send("GET", "/metrics")).body.decode()
    (value,) = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]
    return value


async def pay_until_answered(api: Api, sent: Json) -> Reply:
    """Repeat with the same key, as every answer of 503 says."""
    key = a_key()
    while (reply := await api.pay(sent, key=key)).status == 503:
        assert reply["retryable"] is True
    return reply


async def test_node_without_its_database_says_so_and_comes_back(wired: Api, wire: Wire, clock: LoopClock) -> None:
    key, sent = a_key(), wired.payment()
    assert (await wired.pay()).status == 201
    await cut_off(wired, wire)

    with structlog.testing.capture_logs() as logs:
        asked = await wired.get(PAY)
        stranger = await wired.get(PAY, caller="merchant-1")
        assert "database" in msgspec.convert((await wired.send("GET", "/readyz"))["failing"], list[str])
        paying = asyncio.ensure_future(wired.pay(sent, key=key))
        while not paying.done():
            assert (await wired.send("GET", "/healthz")).status == 200
            clock.advance(0.5)
        paid = await paying
    ready = await wired.send("GET", "/readyz")
    for reply in (asked, stranger, paid):
        assert (reply.refused, reply.headers["Retry-After"]) == ((503, "store-unavailable"), "2")
    assert (ready.status, ready["status"]) == (503, "not_ready")
    assert ready["failing"] == ["lanes", "database"]
    assert await gauge(wired, "engine_lanes_serving") == 0
    assert {line["log_level"] for line in logs if line["event"] == "request.store_unavailable"} == {"error"}

    wire.is_shut = False
    await until_ready(wired)
    assert await gauge(wired, "engine_lanes_serving") == 1
    assert (await wired.get(PAY)).status == 200
    again = await wired.pay(sent, key=key)
    assert (again.status, again["order_no"]) == (201, sent["order_no"])
    assert len((await wired.get(f"{PAY}?order_no={sent['order_no']}")).items) == 1


async def test_payments_are_made_once_while_sessions_are_ended_again_and_again(api: Api) -> None:
    orders = [api.payment(card=n % 8, amount=7) for n in range(48)]
    paying = [asyncio.ensure_future(pay_until_answered(api, sent)) for sent in orders]
    for done_min in range(4, 48, 8):
        while sum(task.done() for task in paying) < done_min:
            await api.send("GET", "/healthz")
        await api.sql.execute(END_SESSIONS)
    replies = await asyncio.gather(*paying)
    await until_ready(api)
    listed = (await api.get(f"{PAY}?limit=200")).items
    assert sorted(str(payment["id"]) for payment in listed) == sorted(str(reply["id"]) for reply in replies)
    assert {payment["order_no"] for payment in listed} == {sent["order_no"] for sent in orders}
    assert await api.sql.fetchval("SELECT sum(debits_posted) FROM payer") == 48 * 7


async def test_readiness_names_what_is_missing(api: Api) -> None:
    for ahead_s, failing in ((0.0, []), (1.5, ["clock"]), (-1.5, ["clock"])):
        with api.clock.held(api.clock.wall_s() + ahead_s):
            ready = await api.send("GET", "/readyz")
        assert (ready.status, ready["failing"]) == (503 if failing else 200, failing)
    for table in await api.sql.fetch("SELECT relname FROM pg_class WHERE relname ~ '^posting_[0-9]+$'"):
        await api.sql.execute(f"ALTER TABLE {table['relname']} RENAME TO mislaid_{table['relname']}")
    ready = await api.send("GET", "/readyz")
    assert (ready.status, ready["failing"]) == (503, ["partitions"])


async def test_without_valkey_everything_goes_on(dsn: str, tmp_path: Path, valkey: EmbeddedValkey) -> None:
    async with open_api(dsn, tmp_path, redis_url=valkey.url) as api:
        assert (await api.get(PAY)).status == 200
        assert await gauge(api, "engine_hints_degraded") == 0
        os.kill(valkey.pid, signal.SIGKILL)
        while valkey.is_alive():
            pass
        with structlog.testing.capture_logs() as logs:
            for _ in range(3):
                assert (await api.pay()).status == 201
                assert (await api.get(PAY)).status == 200
        assert await gauge(api, "engine_hints_degraded") == 1
        told = {(line["event"], line["log_level"]) for line in logs}
        # Each kind of hint says so once, when it first misses Valkey: that of outcomes when its listener notices.
        assert ("nonces.degraded", "warning") in told
        assert {event for event, _ in told} <= {"nonces.degraded", "outcomes.degraded", "risk_counters.degraded"}
        assert (await api.send("GET", "/readyz")).status == 200
        headers = api.signed("GET", PAY)
        assert [(await api.send("GET", PAY, headers=headers)).status for _ in range(2)] == [200, 401]
        valkey.restart()
        assert (await api.get(PAY)).status == 200
        assert await gauge(api, "engine_hints_degraded") == 0
