"""The sandbox's clock: business time moves on, once a key, and what falls due is done before the answer."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from engine.core.calendar import business_date_at
from engine.flows.sandbox_time import SandboxTime
from engine.store.faults import StoreUnavailable
from tests.web.api import BANK_ALLOWANCE, PERSONAL_ACCOUNT, Api, Reply, a_key

CLOCK = "/v1/sandbox/clock"
DAY_S = 86_400


def now_in(reply: Reply) -> datetime:
    """The business time of an answer."""
    return datetime.fromisoformat(str(reply["now"]))


async def advance(api: Api, seconds: int, *, key: str | None = None) -> Reply:
    """Move business time, and this test's codes with it."""
    reply = await api.post(CLOCK, {"advance_s": seconds}, key=key)
    assert reply.status == 200, reply.body
    api.clock.offset_s = (await api.node.reads.business_now()).offset_us / 1e6
    return reply


async def test_clock_is_that_of_the_world_until_it_is_moved(api: Api) -> None:
    asked = await api.get(CLOCK, caller="bank-0")
    assert abs(now_in(asked) - datetime.now(UTC)) < timedelta(minutes=1)
    moved = await advance(api, 3 * DAY_S)
    assert timedelta(days=3) <= now_in(moved) - now_in(asked) < timedelta(days=3, minutes=1)
    assert set(moved.json) == {"now", "business_date"}
    assert moved["business_date"] == str(business_date_at(now_in(moved)))
    assert now_in(await api.get(CLOCK)) >= now_in(moved)


async def test_what_falls_due_is_done_before_the_answer(api: Api) -> None:
    held = await api.paid(capture=False, hold_s=60, order_no="held")
    longer = await api.paid(capture=False, hold_s=61 + DAY_S)
    paid = await api.paid(card=1)
    await advance(api, 60)
    lapsed = await api.get(held)
    assert (lapsed["status"], lapsed["cashier_text"]) == ("expired", {"zh": "授权已过期", "en": "Expired"})
    assert (await api.post(f"{held}/capture")).refused == (409, "payment-state-conflict")
    assert (await api.pay(order_no="held")).refused == (409, "order-number-used")
    assert (await api.get(longer))["status"] == "authorized"
    assert await api.sql.fetchval("SELECT sum(debits_pending) FROM payer") == 500

    await advance(api, DAY_S)
    settled = await api.get(paid)
    assert settled["clearing_status"] == "published"
    listed = (await api.get("/v1/clearing/files", caller="bank-0")).items
    assert settled["cycle"] in {manifest["cycle"] for manifest in listed}
    assert str((await api.get(await api.paid()))["business_date"]) > str(settled["business_date"])


async def test_clock_moves_once_a_key(api: Api) -> None:
    key = a_key()
    first = await api.post(CLOCK, {"advance_s": 3_600}, key=key)
    again = await api.post(CLOCK, {"advance_s": 3_600}, key=key)
    assert (first.is_replay, again.is_replay) == (False, True)
    assert (again.status, again.body) == (first.status, first.body)
    other = await api.post(CLOCK, {"advance_s": 3_601}, key=key)
    assert (other.refused, other.pointers) == ((422, "idempotency-key-reused"), ["/advance_s"])
    theirs = await api.post(CLOCK, {"advance_s": 60}, key=key, caller="merchant-1")
    assert (theirs.status, theirs.is_replay) == (200, False)
    shared = a_key()
    await asyncio.gather(*(api.post(CLOCK, {"advance_s": 40}, key=shared) for _ in range(4)))
    assert (await api.node.reads.business_now()).offset_us == 3_700 * 1_000_000

    for wrong in (0, -1, 1.5, True, "60", None, 366 * DAY_S + 1):
        refused = await api.post(CLOCK, {"advance_s": wrong})
        assert (refused.refused, refused.pointers) == ((400, "field-invalid"), ["/advance_s"])


async def test_what_failed_to_be_done_is_done_when_the_key_comes_again(api: Api) -> None:
    failing = [StoreUnavailable("not now")]

    async def catch_up() -> None:
        if failing:
            raise failing.pop()

    sandbox_time = SandboxTime(api.node.pool, api.node.reads, api.clock, catch_up=catch_up)
    with pytest.raises(StoreUnavailable):
        await sandbox_time.advance(b"caller", "key", advance_s=60)
    failing.append(StoreUnavailable("still not"))
    with pytest.raises(StoreUnavailable):
        await sandbox_time.advance(b"caller", "key", advance_s=60)
    answer = await sandbox_time.advance(b"caller", "key", advance_s=60)
    assert answer is not None
    now, is_replay = answer
    assert (now.offset_us, is_replay) == (60 * 1_000_000, False)
    assert await sandbox_time.advance(b"caller", "key", advance_s=60) == (now, True)


async def test_clock_moves_codes_limits_and_due_dates_but_no_signatures(api: Api) -> None:
    code_of_today = api.pay_code(refresh=5)
    await api.paid(amount=PERSONAL_ACCOUNT)
    payment = await api.paid(amount=BANK_ALLOWANCE, scenario="outpatient")
    assert (await api.pay(amount=1)).refused == (402, "insufficient-funds")
    await advance(api, DAY_S)
    assert (await api.pay(pay_code=code_of_today)).refused == (422, "pay-code-wrong")
    assert (await api.pay(amount=BANK_ALLOWANCE))["tenders"] == [{"kind": "bank_card", "amount": BANK_ALLOWANCE}]

    await advance(api, 364 * DAY_S - 3_600)
    refund = {"refund_no": "R-1", "amount": 1}
    assert (await api.post(f"{payment}/refunds", refund)).status == 201
    await advance(api, 3_600)
    late = await api.post(f"{payment}/refunds", refund | {"refund_no": "R-2"})
    assert late.refused == (422, "refund-window-closed")
    positions = (await api.get("/v1/clearing/positions", caller="bank-0")).items
    assert msgspec.convert(positions[-1], dict[str, int | str])["net"] != 0
