"""The client asks again with the same key when an answer is lost, never when it was told no."""

from collections.abc import Callable

import aiohttp
import msgspec
import pytest

from engine.client import EngineClient, Refused, Unreachable
from engine.client.client import ATTEMPTS_MAX
from engine.core.ids import id_text
from engine.core.refusals import Refusal
from engine.sandbox.camera import scan
from engine.web.problems import problem_document
from engine.web.wire import PaymentView
from tests.client.relay import Answer, Lost, Relay
from tests.web.api import Api, a_key, credentials

pytestmark = pytest.mark.asyncio(loop_scope="module")


def losing(times: int) -> Callable[[str, Answer], Answer]:
    """Loses that many answers."""
    left = [Lost] * times

    def change(_path: str, answer: Answer) -> Answer:
        if left:
            raise left.pop()
        return answer

    return change


def a_problem(refusal: Refusal) -> Answer:
    """The engine's answer when it says this."""
    document = problem_document(refusal, instance="/", trace_id="0" * 32, in_chinese=False)
    return Answer(document.status, msgspec.json.encode(document), "application/problem+json")


async def pay(client: EngineClient, city: Api, *, key: str | None = None, **changes: object) -> PaymentView:
    """Pay with what a valid payment has."""
    body = city.payment(**changes)
    return await client.pay(
        pay_code=str(body["pay_code"]),
        order_no=str(body["order_no"]),
        amount=int(str(body["amount"])),
        scenario="pharmacy",
        terminal_id="T-01",
        capture=bool(body.get("capture", True)),
        hold_s=60,
        description="一盒药",
        key=key,
    )


async def test_payment_whose_answer_was_lost_is_made_once(city: Api, relay: Relay) -> None:
    relay.change = losing(2)
    async with EngineClient(relay.url, credentials("merchant-0")) as client:
        payment = await pay(client, city)
        assert [item.id for item in (await client.payments(order_no=payment.order_no)).items] == [payment.id]
    asked = [headers for method, _, headers, _ in relay.requests if method == "POST"]
    assert len(asked) == 3
    assert len({headers["Idempotency-Key"] for headers in asked}) == 1
    assert len({headers["Signature-Input"] for headers in asked}) == 3


async def test_reading_is_repeated_as_well(city: Api, relay: Relay) -> None:
    async with EngineClient(relay.url, credentials("merchant-0")) as client:
        relay.change = losing(1)
        assert (await client.payments(limit="1")).items is not None
        answers = [a_problem(Refusal.OVERLOADED), a_problem(Refusal.STORE_UNAVAILABLE)]
        relay.change = lambda _, answer: answers.pop() if answers else answer
        assert (await client.payments(limit="1")).items is not None


async def test_request_that_somebody_on_the_way_sends_twice_is_signed_anew(city: Api, relay: Relay) -> None:
    answers = [a_problem(Refusal.REQUEST_REPLAYED)] * 2
    relay.change = lambda _, answer: answers.pop() if answers else answer
    async with EngineClient(relay.url, credentials("merchant-0")) as client:
        assert (await pay(client, city)).status == "captured"
    assert len({headers["Signature-Input"] for _, _, headers, _ in relay.requests}) == 3


async def test_refusal_is_not_repeated_and_carries_the_problem(city: Api, relay: Relay) -> None:
    async with EngineClient(relay.url, credentials("merchant-0")) as client:
        with pytest.raises(Refused) as caught:
            await pay(client, city, amount=10_000_000)
        problem = caught.value.problem
        assert (problem.status, problem.code, problem.retryable) == (402, "insufficient-funds", False)
        assert (await client.payment(str(problem.payment_id))).status == "declined"
        assert "insufficient-funds" in str(caught.value)
    assert len(relay.requests) == 2


@pytest.mark.parametrize(
    "refusal", [Refusal.IDEMPOTENCY_KEY_IN_PROGRESS, Refusal.OVERLOADED, Refusal.STORE_UNAVAILABLE]
)
async def test_what_was_not_decided_is_asked_again_with_the_same_key(city: Api, relay: Relay, refusal: Refusal) -> None:
    answers = [a_problem(refusal)] * (ATTEMPTS_MAX - 1)
    relay.change = lambda _, answer: answers.pop() if answers else answer
    async with EngineClient(relay.url, credentials("merchant-0")) as client:
        assert (await pay(client, city)).status == "captured"
    assert len(relay.requests) == ATTEMPTS_MAX
    assert len({headers["Idempotency-Key"] for _, _, headers, _ in relay.requests}) == 1


@pytest.mark.parametrize(
    "refusal", [Refusal.TOO_MANY_ATTEMPTS, Refusal.CLEARING_FILE_NOT_READY, Refusal.PAY_CODE_USED, Refusal.NOT_FOUND]
)
async def test_what_would_be_said_again_is_not_asked_again(lonely_relay: Relay, refusal: Refusal) -> None:
    lonely_relay.change = lambda *_: a_problem(refusal)
    async with EngineClient(lonely_relay.url, credentials("bank-0")) as client:
        with pytest.raises(Refused, match=refusal.slug):
            await client.request("POST", "/anything")
        with pytest.raises(Refused, match=refusal.slug):
            await client.request("GET", "/anything")
    assert len(lonely_relay.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [
        Answer(502, b"<h1>Bad gateway</h1>", "text/html"),
        Answer(500, b"", "text/plain"),
        Answer(307, b"", "text/plain", {"Location": "/elsewhere"}),
        Answer(302, b"", "text/plain", {"Location": "/elsewhere"}),
    ],
)
async def test_answer_that_is_not_the_engines_is_none(lonely_relay: Relay, answer: Answer) -> None:
    lonely_relay.change = lambda *_: answer
    async with EngineClient(lonely_relay.url, credentials("merchant-0")) as client:
        with pytest.raises(Unreachable):
            await client.void("pay_1")
    assert {path for _, path, _, _ in lonely_relay.requests} == {"/v1/payments/pay_1/void"}
    assert len(lonely_relay.requests) == ATTEMPTS_MAX


async def test_attempts_come_to_an_end(lonely_relay: Relay) -> None:
    lonely_relay.change = losing(1_000)
    async with EngineClient(lonely_relay.url, credentials("merchant-0")) as client:
        with pytest.raises(Unreachable):
            await client.cancel("A-1")
    assert len(lonely_relay.requests) == ATTEMPTS_MAX


async def test_nobody_listening_is_unreachable() -> None:
    async with EngineClient("http://127.0.0.1:1", credentials("merchant-0")) as client:
        with pytest.raises(Unreachable):
            await client.payments()


async def test_callers_own_key_gets_the_same_answer_later(city: Api) -> None:
    key = a_key()
    async with EngineClient(str(city.base_url), credentials("merchant-0")) as client:
        held = await pay(client, city, capture=False)
        captured = await client.capture(held.id, key=key)
        await client.refund(held.id, refund_no="R", amount=500)
        assert await client.capture(held.id, key=key) == captured


async def test_merchants_day(city: Api) -> None:
    async with EngineClient(str(city.base_url) + "/", credentials("merchant-0")) as client:
        held = await pay(client, city, capture=False)
        assert (held.status, held.description) == ("authorized", "一盒药")
        assert (await client.capture(held.id, amount=200, final=False)).captured_amount == 200
        assert (await client.capture(held.id)).captured_amount == 500
        refund = await client.refund(held.id, refund_no="R", amount=100, reason="退")
        assert (refund.amount, refund.reason) == (100, "退")
        assert (await client.refunds(held.id, limit="1")).items == (refund,)
        assert (await client.payment(held.id)).status == "partially_refunded"
        assert (await client.void((await pay(client, city, capture=False)).id)).status == "voided"
        paid = await pay(client, city)
        assert (await client.cancel(paid.order_no)).outcome == "refunded"
        assert (await client.payments(order_no=paid.order_no, status="refunded")).items[0].id == paid.id


async def test_channels_day(city: Api) -> None:
    card = id_text(city.world.cards[6])
    async with EngineClient(str(city.base_url), credentials("channel")) as client:
        picture = await client.pay_code_image(card, shape="code128")
        assert (await client.report_loss(card)).status == "lost"
        assert (await city.pay(pay_code=scan(picture))).code == "card-reported-lost"
        assert (await client.reinstate(card)).status == "active"


async def test_session_that_was_lent_is_left_open(city: Api) -> None:
    async with aiohttp.ClientSession() as session:
        for caller in ("merchant-0", "merchant-1"):
            async with EngineClient(str(city.base_url), credentials(caller), session=session) as client:
                await client.payments()
        assert not session.closed


async def test_query_is_sent_as_it_was_signed(city: Api) -> None:
    async with EngineClient(str(city.base_url), credentials("merchant-0")) as client:
        assert (await client.payments(order_no="a b/c?d=e&f+g%20中")).items == ()
