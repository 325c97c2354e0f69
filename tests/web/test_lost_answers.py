"""Whoever hangs up, waits too long or finds no room: money moves once, and the answer can be had later."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest
import structlog

from engine.ledger import router
from engine.ledger.router import Ledger
from engine.store.lane_session import LaneSessions
from tests.ledger.wire import Wire
from tests.web.api import Api, Json, a_key, open_api

PAY = "/v1/payments"
QUEUE_MAX = 3


def one_lane(*, queue_max: int, wait_s: float) -> Callable[[str], AbstractAsyncContextManager[Ledger]]:
    """Makes a ledger of one lane with little room and little patience."""

    @asynccontextmanager
    async def make(dsn: str) -> AsyncIterator[Ledger]:
        ledger = Ledger(LaneSessions(dsn, node="small"), lane_count=1, queue_max=queue_max, wait_s=wait_s)
        await ledger.open()
        running = asyncio.create_task(ledger.run())
        yield ledger
        ledger.close()
        await running

    return make


@pytest.fixture
async def wire(dsn: str) -> AsyncIterator[Wire]:
    """The way of the node's statements to its database."""
    async with Wire(dsn).opened() as opened:
        yield opened


@pytest.fixture
async def wired(dsn: str, wire: Wire, tmp_path: Path) -> AsyncIterator[Api]:
    """A node of one lane, whose statements a test can hold up."""
    make_ledger = one_lane(queue_max=QUEUE_MAX, wait_s=60.0)
    async with open_api(dsn, tmp_path, node_dsn=wire.dsn, make_ledger=make_ledger) as opened:
        yield opened


def paying(api: Api, sent: Json, *, key: str | None = None) -> "asyncio.Task[object]":
    """A payment that is under way."""
    return asyncio.ensure_future(api.pay(sent, key=key))


async def found(api: Api, sent: Json) -> Json:
    """The payment of an order, as soon as there is one."""
    while True:
        items = (await api.get(f"{PAY}?order_no={sent['order_no']}")).items
        if items:
            (payment,) = items
            return payment


async def has_queued(api: Api, count: int) -> None:
    """Return when so many commands wait."""
    while api.node.ledger.queued_count < count:
        await api.send("GET", "/healthz")


async def hang_up(task: "asyncio.Task[object]") -> None:
    """Go away without waiting for the answer."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_payment_whose_caller_hung_up_during_its_commit_is_found_by_its_order(wired: Api, wire: Wire) -> None:
    gate = wire.hold("commit")
    key, sent = a_key(), wired.payment()
    task = paying(wired, sent, key=key)
    await gate.reached.wait()
    await hang_up(task)
    gate.open()
    payment = await found(wired, sent)
    assert payment["status"] == "captured"
    repeated = await wired.pay(sent, key=key)
    assert (repeated.status, repeated.is_replay, repeated["id"]) == (201, True, payment["id"])
    assert wired.node.ledger.queued_count == 0
    assert not wired.node.ledger._waiting
    assert not wired.node.ledger._deciding


async def test_payment_whose_caller_hung_up_before_its_turn_is_made_all_the_same(wired: Api, wire: Wire) -> None:
    gate = wire.hold("commit")
    first = paying(wired, wired.payment())
    await gate.reached.wait()
    sent = wired.payment()
    second = paying(wired, sent)
    await has_queued(wired, 1)
    await hang_up(second)
    gate.open()
    await first
    assert (await found(wired, sent))["status"] == "captured"


async def test_many_that_hang_up_leave_nothing_behind(api: Api) -> None:
    orders = [api.payment(amount=1) for _ in range(24)]
    tasks = [paying(api, sent) for sent in orders]
    await api.send("GET", "/healthz")
    for task in tasks:
        await hang_up(task)
    cancelled = [await api.post(f"{PAY}/cancel", {"order_no": sent["order_no"]}) for sent in orders]
    assert {reply["outcome"] for reply in cancelled} <= {"refunded", "nothing_to_cancel"}
    for sent in orders:
        listed = (await api.get(f"{PAY}?order_no={sent['order_no']}")).items
        assert [payment["status"] for payment in listed] in ([], ["refunded"])
    assert not api.node.ledger._waiting


async def test_same_key_while_it_is_decided_is_told_to_wait(
    wired: Api, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "SAME_KEY_WAIT_S", 0.01)
    gate = wire.hold("commit")
    key, sent = a_key(), wired.payment()
    first = asyncio.ensure_future(wired.pay(sent, key=key))
    await gate.reached.wait()
    meanwhile = await wired.pay(sent, key=key)
    assert meanwhile.refused == (409, "idempotency-key-in-progress")
    assert (meanwhile.headers["Retry-After"], meanwhile["retryable"]) == ("1", True)
    gate.open()
    answered = await first
    later = await wired.pay(sent, key=key)
    assert (answered.status, later.status, later.is_replay, later.body) == (201, 201, True, answered.body)


async def test_no_room_is_said_at_once_and_not_remembered(wired: Api, wire: Wire) -> None:
    gate = wire.hold("commit")
    orders = [wired.payment() for _ in range(QUEUE_MAX + 1)]
    taken = [paying(wired, orders[0])]
    await gate.reached.wait()
    taken += [paying(wired, sent) for sent in orders[1:]]
    await has_queued(wired, QUEUE_MAX)
    key, sent = a_key(), wired.payment()
    for caller in ("merchant-0", "merchant-1"):
        refused = await wired.pay(sent, key=key, caller=caller)
        assert refused.refused == (503, "overloaded")
        assert (refused.headers["Retry-After"], refused["retryable"]) == ("1", True)
    assert (await wired.get(PAY)).status == 200  # reading needs no room
    gate.open()
    await asyncio.gather(*taken)
    assert len((await wired.get(PAY)).items) == len(orders)
    again = await wired.pay(sent, key=key)
    assert (again.status, again.is_replay) == (201, False)


async def test_answer_that_comes_too_late_can_be_fetched(dsn: str, wire: Wire, tmp_path: Path) -> None:
    make_ledger = one_lane(queue_max=QUEUE_MAX, wait_s=0.2)
    async with open_api(dsn, tmp_path, node_dsn=wire.dsn, make_ledger=make_ledger) as api:
        gate = wire.hold("commit")
        key, sent = a_key(), api.payment()
        late = await api.pay(sent, key=key)
        assert late.refused == (503, "store-unavailable")
        assert (late.headers["Retry-After"], late["retryable"]) == ("2", True)
        gate.open()
        await found(api, sent)
        fetched = await api.pay(sent, key=key)
        assert (fetched.status, fetched.is_replay) == (201, True)


async def test_caller_that_goes_in_the_middle_of_its_request_is_nobodys_fault(api: Api) -> None:
    content = msgspec.json.encode(api.payment())
    lines = {"Host": "engine", "Content-Length": str(len(content) + 1)}
    lines |= api.signed("POST", PAY, body=content, key_header=a_key())
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with structlog.testing.capture_logs() as logs:
        reader, writer = await asyncio.open_connection(api.base_url.host, api.base_url.port)
        writer.write(f"POST {PAY} HTTP/1.1\r\n{head}\r\n".encode() + content)
        await writer.drain()
        await api.send("GET", "/healthz")  # it has been read by now
        writer.close()
        await writer.wait_closed()
        assert await reader.read() == b""
        assert (await api.pay()).status == 201
    assert logs == []
