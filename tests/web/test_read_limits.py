"""A caller that reads too much is told so, and nobody else notices."""

import asyncio

from engine.hints.read_limits import BURST_S, READS_A_SECOND, WAIT_S_MAX
from tests.web.api import Api, Reply


async def read_by(city: Api, count: int, *, caller: str = "merchant-0") -> list[Reply]:
    """That many reads at once."""
    return await asyncio.gather(*(city.get("/v1/payments?limit=1", caller=caller) for _ in range(count)))


async def test_reads_above_the_limit_are_refused_and_payments_are_not(api: Api) -> None:
    held_s = api.clock.steady_s()
    api.clock.steady_s = lambda: held_s  # type: ignore[method-assign]  # no share of a second goes by
    allowed = round(READS_A_SECOND * (BURST_S + WAIT_S_MAX))
    replies = await read_by(api, allowed + 20)
    refused = [reply for reply in replies if reply.status != 200]
    assert 20 <= len(refused) <= 21  # one may be a rounding away
    assert {(reply.status, reply.code) for reply in refused} == {(429, "too-many-attempts")}
    assert {reply.headers["Retry-After"] for reply in refused} == {"1"}
    assert (await api.pay()).status == 201
    assert (await api.get("/v1/payments?limit=1", caller="merchant-1")).status == 200
