"""Publishing by a process of its own: once, whoever else is at it, and never half."""

import asyncio
import os
import sys

import asyncpg
import msgspec
import pytest

from engine.core.calendar import CycleNumber
from engine.core.timetable import Timetable
from engine.store.clearing_session import ClearingBusy, load_clearing_state, open_clearing
from engine.store.settlement import set_timetable
from engine.workers import publisher
from engine.workers.publisher import PublisherFailed, PublisherProcess
from engine.workers.timetable import close_due_cycles
from tests.builders import a_world
from tests.flows.busy_books import KEY, a_ledger
from tests.flows.clearing_books import close, pay_and_refund, stored_bytes
from tests.flows.settlement_books import UNPOSTED


async def _closed(dsn: str, sql: asyncpg.Connection) -> CycleNumber:
    world = await a_world(sql)
    async with a_ledger(dsn) as ledger:
        await pay_and_refund(ledger, world)
    return await close(dsn)


async def test_a_process_publishes_what_this_one_would(dsn: str, sql: asyncpg.Connection) -> None:
    first = await _closed(dsn, sql)
    by_process = PublisherProcess(dsn, KEY, asyncio.Event())
    async with open_clearing(dsn) as session:
        assert (await by_process(session)).published == (first,)
        assert (await by_process(session)).published == ()
        files = await stored_bytes(sql, first)
        second = await close(dsn)
        assert await close_due_cycles(dsn, KEY, books=UNPOSTED) == (second,)
    assert files
    assert all(files.values())
    assert {name.split("_")[0] for name in await stored_bytes(sql, second)} == {name.split("_")[0] for name in files}


async def test_nothing_starts_before_it_is_time(
    dsn: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _closed(dsn, sql)
    await set_timetable(sql, Timetable(net_after_s=3_600, publish_after_s=7_200))
    monkeypatch.setattr(sys, "executable", "/nowhere")
    async with open_clearing(dsn) as session:
        assert (await PublisherProcess(dsn, KEY, asyncio.Event())(session)).published == ()
        await set_timetable(sql, Timetable())
        with pytest.raises(FileNotFoundError):  # now it would
            await PublisherProcess(dsn, KEY, asyncio.Event())(session)


async def test_another_closer_is_told_of_and_what_fails_is_a_fault(dsn: str, sql: asyncpg.Connection) -> None:
    await _closed(dsn, sql)
    async with open_clearing(dsn) as other, open_clearing(dsn) as session:
        await other.lock(wait_s=1.0)
        with pytest.raises(ClearingBusy):
            await PublisherProcess(dsn, KEY, asyncio.Event())(session)
        await other.unlock()
        with pytest.raises(PublisherFailed):
            await PublisherProcess("postgres://nobody@127.0.0.1:1/nothing", KEY, asyncio.Event())(session)


async def test_a_node_that_stops_waits_for_nothing(dsn: str, sql: asyncpg.Connection) -> None:
    cycle = await _closed(dsn, sql)
    stopping = asyncio.Event()
    stopping.set()
    async with open_clearing(dsn) as other, open_clearing(dsn) as session:
        await other.lock(wait_s=1.0)  # it would wait for this
        assert (await PublisherProcess(dsn, KEY, stopping)(session)).published == ()
    assert (await load_clearing_state(sql)).unpublished == (cycle,)


async def test_it_ends_with_the_process_that_started_it(dsn: str, sql: asyncpg.Connection) -> None:
    """Its standard input ends when that one does, however it came about."""
    cycle = await _closed(dsn, sql)
    order = {"dsn": dsn, "key_id": KEY.key_id, "key_der": KEY.to_der()}
    async with open_clearing(dsn) as other:
        await other.lock(wait_s=1.0)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", publisher.__name__, stdin=asyncio.subprocess.PIPE, env=dict(os.environ)
        )
        assert child.stdin is not None
        child.stdin.write(msgspec.json.encode(order) + b"\n")
        child.stdin.close()
        assert await child.wait() == 1
    assert (await load_clearing_state(sql)).unpublished == (cycle,)
