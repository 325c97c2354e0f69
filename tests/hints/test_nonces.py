"""Nonces: good once here, good once anywhere as long as Valkey knows, and never a reason to stop."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
from redis import asyncio as aioredis

from engine.embedded.valkey import EmbeddedValkey
from engine.hints import nonces
from engine.hints.connection import open_valkey
from engine.hints.nonces import KEEP_S, NonceGuard


@pytest.fixture(scope="module")
def valkey() -> Iterator[EmbeddedValkey]:
    """A Valkey that the tests of this module share; each uses its own key ids."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedValkey(Path(folder) / "data") as server:
        yield server


@asynccontextmanager
async def a_guard(server: EmbeddedValkey) -> AsyncIterator[NonceGuard]:
    """The guard of one process."""
    client = open_valkey(server.url)
    guard = NonceGuard(client)
    yield guard
    await guard.close()
    await client.aclose()


def test_nonce_is_fresh_once_a_key() -> None:
    guard = NonceGuard(None)
    seen = [guard.is_fresh_here(keyid, "n", now_s=1e9) for keyid in ("a", "a", "b", "a")]
    assert seen == [True, False, True, False]


@pytest.mark.parametrize("after_s", [0.0, 299.0, KEEP_S - 1.0, float(KEEP_S)])
@pytest.mark.parametrize("first_at_s", [0.0, 1.0, KEEP_S - 0.5])
def test_nonce_is_remembered_as_long_as_its_signature_may_be_good(first_at_s: float, after_s: float) -> None:
    guard = NonceGuard(None)
    guard.is_fresh_here("a", "starts the clock", now_s=1e9)
    guard.is_fresh_here("a", "n", now_s=1e9 + first_at_s)
    for step in range(0, int(after_s), 60):
        guard.is_fresh_here("a", f"meanwhile {step}", now_s=1e9 + first_at_s + step)
    assert guard.is_fresh_here("a", "n", now_s=1e9 + first_at_s + after_s) is False


def test_nonces_are_forgotten_in_the_end() -> None:
    guard = NonceGuard(None)
    for turn, nonce in enumerate(("n", "m", "o")):
        guard.is_fresh_here("a", nonce, now_s=1e9 + turn * KEEP_S)
    assert guard.is_fresh_here("a", "n", now_s=1e9 + 2 * KEEP_S)


def test_memory_is_bounded_and_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nonces, "GENERATION_MAX", 100)
    guard = NonceGuard(None)
    for n in range(1_000):
        guard.is_fresh_here("a", str(n), now_s=1e9)
    assert [guard.is_fresh_here("a", str(n), now_s=1e9) for n in (0, 998, 999)] == [True, False, False]


async def test_without_valkey_nobody_waits() -> None:
    guard = NonceGuard(None)
    guard.tell("a", "n")
    assert await guard.is_fresh_anywhere("a", "n")
    assert guard.is_degraded
    await guard.close()


async def test_nonce_that_another_process_has_seen_is_not_fresh(valkey: EmbeddedValkey) -> None:
    async with a_guard(valkey) as one, a_guard(valkey) as another:
        assert await one.is_fresh_anywhere("asked", "n")
        assert not await another.is_fresh_anywhere("asked", "n")
        assert await another.is_fresh_anywhere("asked", "m")
        assert (one.is_degraded, another.is_degraded) == (False, False)


async def test_nonce_of_a_money_command_is_told_to_the_others(valkey: EmbeddedValkey) -> None:
    async with a_guard(valkey) as one, a_guard(valkey) as another:
        one.tell("told", "n")
        await one.close()
        assert not await another.is_fresh_anywhere("told", "n")


async def test_many_at_once_are_asked_in_few_calls_and_each_gets_its_own_answer(valkey: EmbeddedValkey) -> None:
    async with a_guard(valkey) as one, a_guard(valkey) as another:
        await asyncio.gather(*(one.is_fresh_anywhere("many", str(n)) for n in range(0, 200, 2)))
        client = open_valkey(valkey.url)
        before = await calls(client)
        answers = await asyncio.gather(*(another.is_fresh_anywhere("many", str(n)) for n in range(200)))
        after = await calls(client)
        await client.aclose()
    assert answers == [n % 2 == 1 for n in range(200)]
    assert after - before <= 3


async def test_of_processes_that_ask_at_once_one_is_first(valkey: EmbeddedValkey) -> None:
    async with a_guard(valkey) as one, a_guard(valkey) as another:
        pairs = await asyncio.gather(
            *(asyncio.gather(*(guard.is_fresh_anywhere("race", str(n)) for guard in (one, another))) for n in range(50))
        )
    assert {sum(pair) for pair in pairs} == {1}


async def test_nonces_do_not_stay_in_valkey_for_ever(valkey: EmbeddedValkey) -> None:
    async with a_guard(valkey) as guard:
        await guard.is_fresh_anywhere("kept", "n")
    client = open_valkey(valkey.url)
    assert 0 < await client.ttl("nonce:kept:n") <= KEEP_S
    await client.aclose()


async def test_valkey_that_is_gone_stops_nobody_and_is_told_once(valkey: EmbeddedValkey) -> None:
    async with a_guard(valkey) as guard:
        assert await guard.is_fresh_anywhere("gone", "a")
        os.kill(valkey.pid, signal.SIGKILL)
        while valkey.is_alive():
            pass
        with structlog.testing.capture_logs() as logs:
            assert [await guard.is_fresh_anywhere("gone", name) for name in "abc"] == [True] * 3
            guard.tell("gone", "d")
            await guard.close()
        assert guard.is_degraded
        assert [(line["event"], line["log_level"]) for line in logs] == [("nonces.degraded", "warning")]
        valkey.restart()
        assert await guard.is_fresh_anywhere("gone", "e")
        assert not await guard.is_fresh_anywhere("gone", "e")  # the script is known to the new server as well
        assert not guard.is_degraded


async def test_valkey_that_hangs_is_not_waited_for(valkey: EmbeddedValkey) -> None:
    async with a_guard(valkey) as guard:
        assert await guard.is_fresh_anywhere("hangs", "a")
        os.kill(valkey.pid, signal.SIGSTOP)
        try:
            assert await guard.is_fresh_anywhere("hangs", "b")
        finally:
            os.kill(valkey.pid, signal.SIGCONT)
        assert guard.is_degraded


async def calls(client: "aioredis.Redis") -> int:
    """How often scripts were called."""
    statistics = await client.info("commandstats")
    return sum(int(entry["calls"]) for name, entry in statistics.items() if name.startswith("cmdstat_eval"))
