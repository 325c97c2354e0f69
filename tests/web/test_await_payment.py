"""A read that waits: answered the moment the payment is final, and only to whose it is."""

import asyncio

import pytest

from engine.web.waiting import WAIT_S_MAX
from tests.web.api import Api


async def somebody_waits(api: Api, *, count: int = 1) -> None:
    """So many requests are waiting."""
    while api.node.payment_watch.waiter_count != count:  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0)


@pytest.mark.parametrize(("move", "status"), [("capture", "captured"), ("void", "voided")])
async def test_read_that_waits_is_answered_once_the_payment_is_final(api: Api, move: str, status: str) -> None:
    path = await api.paid(capture=False)
    waiting = [asyncio.create_task(api.get(f"{path}?wait={WAIT_S_MAX}")) for _ in range(3)]
    await somebody_waits(api, count=3)
    assert (await api.post(f"{path}/{move}")).status == 200
    answers = await asyncio.gather(*waiting)
    assert [answer["status"] for answer in answers] == [status] * 3
    assert answers[0].body == (await api.get(path)).body


async def test_part_of_a_capture_is_not_the_end(api: Api) -> None:
    path = await api.paid(capture=False)
    waiting = asyncio.create_task(api.get(f"{path}?wait={WAIT_S_MAX}"))
    await somebody_waits(api)
    assert (await api.post(f"{path}/capture", {"amount": 100, "final": False})).status == 200
    assert (await api.post(f"{path}/capture", {"amount": 200})).status == 200
    assert (await waiting)["captured_amount"] == 300


async def test_time_that_is_over_shows_the_payment_as_it_is(api: Api) -> None:
    path = await api.paid(capture=False)
    assert (await api.get(f"{path}?wait=1"))["status"] == "authorized"


async def test_final_payment_is_shown_at_once(api: Api) -> None:
    path = await api.paid()
    assert (await api.get(f"{path}?wait={WAIT_S_MAX}")).body == (await api.get(path)).body


@pytest.mark.parametrize("wait", [str(WAIT_S_MAX + 1), "-1", "1.5", "", "x", "030", "%EF%BC%91"])
async def test_wait_is_a_whole_number_of_seconds(api: Api, wait: str) -> None:
    refused = await api.get(f"{await api.paid()}?wait={wait}")
    assert (refused.refused, refused.pointers) == ((400, "field-invalid"), ["/wait"])


async def test_nobody_waits_for_what_is_not_his(api: Api) -> None:
    path = await api.paid(capture=False)
    assert (await api.get(f"{path}?wait={WAIT_S_MAX}", caller="merchant-1")).refused == (404, "payment-not-found")
