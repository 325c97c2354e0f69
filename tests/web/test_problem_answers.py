"""Answers that say no: what they carry, in which language, and what they never give away."""

import re

import pytest
import structlog

from engine.core.ids import id_text
from engine.core.refusals import Refusal
from tests.web.api import Api, a_key

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
FIELDS = {"type", "title", "status", "detail", "instance", "code", "trace_id", "retryable"}


async def test_problem_has_every_field_and_its_own_media_type(city: Api) -> None:
    reply = await city.get("/v1/payments?limit=0")
    assert (reply.status, reply.headers["Content-Type"]) == (400, "application/problem+json")
    assert set(reply.json) == FIELDS | {"errors"}
    assert reply.json | {"title": "", "detail": "", "trace_id": ""} == {
        "type": "/problems/field-invalid",
        "title": "",
        "status": 400,
        "detail": "",
        "instance": "/v1/payments",
        "code": "field-invalid",
        "trace_id": "",
        "retryable": False,
        "errors": [{"pointer": "/limit", "reason": "1 to 200"}],
    }
    assert re.fullmatch(r"[0-9a-f]{32}", str(reply["trace_id"]))


async def test_fields_that_say_nothing_are_left_out(city: Api) -> None:
    assert set((await city.send("GET", "/nowhere")).json) == FIELDS


async def test_problem_of_a_stored_attempt_names_it(city: Api) -> None:
    reply = await city.pay(amount=10_000_000)
    assert set(reply.json) == FIELDS | {"payment_id"}
    assert (await city.get(f"/v1/payments/{reply['payment_id']}")).status == 200


@pytest.mark.parametrize("language", ["zh", "zh-CN,zh;q=0.9,en;q=0.8", "ZH-Hans"])
async def test_chinese_is_spoken_to_who_asks_for_it(city: Api, language: str) -> None:
    for reply in (
        await city.send("GET", "/nowhere", headers={"Accept-Language": language}),
        await city.get("/v1/payments?limit=0", headers={"Accept-Language": language}),
        await city.pay(amount=10_000_000, headers={"Accept-Language": language}),
    ):
        assert CHINESE.search(str(reply["title"]))
        assert CHINESE.search(str(reply["detail"]))


@pytest.mark.parametrize("language", ["en", "fr", "", "*", "en, zh;q=0.1"])
async def test_english_is_spoken_to_everybody_else(city: Api, language: str) -> None:
    reply = await city.pay(amount=10_000_000, headers={"Accept-Language": language})
    assert not CHINESE.search(f"{reply['title']}{reply['detail']}")


@pytest.mark.parametrize("target", ["/v1/payments", "/v1/payments?limit=0", "/v1/payments/pay_1"])
async def test_trace_is_taken_over_and_handed_back(city: Api, target: str) -> None:
    reply = await city.get(target, headers={"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"})
    match = re.fullmatch(rf"00-{TRACE_ID}-([0-9a-f]{{16}})-01", reply.headers["traceparent"])
    assert match is not None
    assert match[1] != SPAN_ID
    assert reply.json.get("trace_id", TRACE_ID) == TRACE_ID


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "00",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID.upper()}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{SPAN_ID}-01-more",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        "\udcff",
    ],
)
async def test_trace_that_is_none_is_replaced(city: Api, traceparent: str) -> None:
    reply = await city.send("GET", "/nowhere", headers={"traceparent": traceparent})
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", reply.headers["traceparent"])
    assert reply.headers["traceparent"].split("-")[1] == reply["trace_id"]
    assert reply["trace_id"] not in (TRACE_ID, TRACE_ID.upper(), "0" * 32)


async def test_replayed_refusal_keeps_the_trace_of_the_first(city: Api) -> None:
    key, sent = a_key(), city.payment(pay_code="1")
    first = await city.pay(sent, key=key, headers={"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"})
    again = await city.pay(sent, key=key)
    assert (first["trace_id"], again["trace_id"]) == (TRACE_ID, TRACE_ID)
    assert TRACE_ID not in again.headers["traceparent"]


async def test_refusals_give_nobody_away(city: Api) -> None:
    device_no = f"{city.world.device_no(1):011d}"
    for changes in (
        {"pay_code": city.pay_code(card=1, refresh=0), "amount": 10_000_000},
        {"pay_code": city.pay_code(card=1, refresh=0, age_s=90)},
        {"pay_code": city.pay_code(card=1, refresh=0)[:-1] + "x"},
        {"pay_code": city.pay_code(card=1, refresh=0), "terminal_id": "T-99"},
    ):
        sent = city.payment(**changes)
        reply = await city.pay(sent)
        assert reply.status >= 400
        for secret in (str(sent["pay_code"]), device_no, id_text(city.world.cards[1])):
            assert secret.encode() not in reply.body


async def test_bug_tells_nothing_of_itself(city: Api) -> None:
    payment = await city.paid()
    await city.sql.execute("ALTER TABLE refund RENAME TO mislaid")
    try:
        with structlog.testing.capture_logs() as logs:
            reply = await city.get(f"{payment}/refunds", headers={"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"})
    finally:
        await city.sql.execute("ALTER TABLE mislaid RENAME TO refund")
    assert (reply.refused, reply.headers["Content-Type"]) == ((500, "internal-error"), "application/problem+json")
    assert (set(reply.json), reply["retryable"], reply["trace_id"]) == (FIELDS, True, TRACE_ID)
    for inside in (b"refund ", b"relation", b"Traceback", b"asyncpg", b"SELECT"):
        assert inside not in reply.body
    assert [(line["event"], line["log_level"], line["trace_id"]) for line in logs] == [
        ("request.failed", "error", TRACE_ID)
    ]


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("slug", ["insufficient-funds", "pay-code-expired", "signature-missing"])
async def test_every_problem_has_a_page(city: Api, slug: str, language: str) -> None:
    reply = await city.send("GET", f"/problems/{slug}", headers={"Accept-Language": language})
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert f'<html lang="{language}"' in reply.body.decode()
    assert slug in reply.body.decode()


async def test_type_of_a_problem_leads_to_its_page(city: Api) -> None:
    reply = await city.send("GET", "/nowhere")
    assert (await city.send("GET", str(reply["type"]))).status == 200


@pytest.mark.parametrize("slug", ["nothing", Refusal.PAY_CODE_USED.value, "%00", "insufficient-funds%2F"])
async def test_problem_that_there_is_not(city: Api, slug: str) -> None:
    assert (await city.send("GET", f"/problems/{slug}")).refused == (404, "not-found")


async def test_keys_of_the_engine_are_public(city: Api) -> None:
    keys = (await city.send("GET", "/v1/keys")).json["keys"]
    assert isinstance(keys, list)
    assert [sorted(key) for key in keys] == [
        ["alg", "crv", "kid", "kty", "use", "x"],
        ["alg", "crv", "kid", "kty", "use", "x", "y"],
    ]
    assert {("kty", "OKP"), ("crv", "Ed25519"), ("use", "sig")} <= set(keys[0].items())
    assert {("kty", "EC"), ("crv", "P-256"), ("use", "enc"), ("alg", "ECDH-ES")} <= set(keys[1].items())


async def test_contract_is_served(city: Api) -> None:
    assert (await city.send("GET", "/openapi.json"))["openapi"] == "3.1.0"
