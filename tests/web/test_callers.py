"""How soon a key that is suspended, or new, is known: after a moment, however busy or idle the key was."""

import asyncio

import pytest

from engine.web.callers import FRESH_S
from tests.ledger.conftest import LoopClock
from tests.web.api import Api

PAY = "/v1/payments"
SUSPEND = "UPDATE caller_key SET is_suspended = true WHERE keyid = 'merchant-0'"


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> LoopClock:
    """The clock of this test's loop."""
    return LoopClock(monkeypatch)


@pytest.mark.parametrize("idle_s", [2 * FRESH_S, 3_600.0])
async def test_key_that_was_suspended_is_refused_to_all_who_come_at_once(
    api: Api, clock: LoopClock, idle_s: float
) -> None:
    assert (await api.get(PAY)).status == 200
    await api.sql.execute(SUSPEND)
    clock.advance(idle_s)
    replies = await asyncio.gather(*(api.get(PAY) for _ in range(8)))
    assert {reply.refused for reply in replies} == {(403, "caller-suspended")}


async def test_busy_key_is_read_again_by_one_request_and_refused_to_the_next(api: Api, clock: LoopClock) -> None:
    assert (await api.get(PAY)).status == 200
    await api.sql.execute(SUSPEND)
    clock.advance(FRESH_S + 0.1)
    replies = await asyncio.gather(*(api.get(PAY) for _ in range(8)))
    assert (403, "caller-suspended") in {reply.refused for reply in replies}
    assert (await api.get(PAY)).refused == (403, "caller-suspended")


async def test_new_key_is_known_after_a_moment(api: Api, clock: LoopClock) -> None:
    await api.sql.execute("UPDATE caller_key SET keyid = 'merchant-9' WHERE keyid = 'merchant-1'")
    for caller in ("merchant-1", "merchant-8"):
        assert (await api.get(PAY, caller=caller)).refused == (401, "signature-key-unknown")
    await api.sql.execute("UPDATE caller_key SET keyid = 'merchant-8' WHERE keyid = 'merchant-9'")
    clock.advance(2 * FRESH_S)
    assert (await api.get(PAY, caller="merchant-8")).status == 200
