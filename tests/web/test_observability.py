"""What the people who run it see: metrics that can be read, one line for each refusal, and nobody's secrets."""

import base64
import json
from collections.abc import Iterator

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from tests.web.api import ED25519_PUBLIC, SECRET, Api, Json, a_key

pytestmark = pytest.mark.asyncio(loop_scope="module")

METRICS = {
    "engine_request_seconds": "histogram",
    "engine_batch_seconds": "histogram",
    "engine_commit_seconds": "histogram",
    "engine_batch_commands": "histogram",
    "engine_queued_commands": "gauge",
    "engine_lanes_serving": "gauge",
    "engine_hints_degraded": "gauge",
    "engine_worker_faults": "counter",
    "engine_clearing_alarms": "gauge",
}


async def samples(api: Api) -> dict[tuple[str, str, str], float]:
    """Every sample by its name, route and status."""
    text = (await api.send("GET", "/metrics")).body.decode()
    return {
        (sample.name, sample.labels.get("route", ""), sample.labels.get("status", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_metrics_are_in_prometheus_own_format(city: Api) -> None:
    await city.pay()
    reply = await city.send("GET", "/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family.type for family in text_string_to_metric_families(reply.body.decode())}
    assert families.items() >= METRICS.items()


async def test_requests_are_counted_by_route_and_status(city: Api) -> None:
    before = await samples(city)
    payment = await city.paid()
    await city.get(payment)
    await city.get(payment)
    await city.get("/v1/payments/pay_1")
    await city.send("GET", "/nowhere/in/particular")
    await city.send("PUT", "/v1/payments")
    after = await samples(city)
    counted = {
        key[1:]: int(value - before.get(key, 0))
        for key, value in after.items()
        if key[0] == "engine_request_seconds_count" and value != before.get(key, 0)
    }
    assert counted == {
        ("/v1/payments", "201"): 1,
        ("/v1/payments/{id}", "200"): 2,
        ("/v1/payments/{id}", "404"): 1,
        ("unmatched", "404"): 1,
        ("unmatched", "405"): 1,
        ("/metrics", "200"): 1,
    }


async def test_what_callers_send_is_no_label(city: Api) -> None:
    marks = [a_key() for _ in range(3)]
    await city.send("GET", f"/{marks[0]}")
    await city.get(f"/v1/payments?order_no={marks[1]}")
    await city.pay(order_no=marks[2])
    exposition = (await city.send("GET", "/metrics")).body.decode()
    assert not [mark for mark in marks if mark in exposition]


def texts_in(value: object) -> Iterator[str]:
    """Everything in a log line, as text."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from (str(name), *texts_in(inner))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_in(inner)
    else:
        yield f"{value} {value!r}"


async def a_mixed_run(api: Api) -> list[Json]:
    """Requests of every kind, those that are refused among them. Returns the payments that were asked for."""
    asked = [api.payment(card=n % 8, description=f"处方 {n}") for n in range(4)]
    asked.append(api.payment(amount=10_000_000))
    asked.append(api.payment(pay_code=api.pay_code(age_s=90)))
    asked.append(api.payment(pay_code=api.pay_code()[:-1] + "x"))
    asked.append(asked[0] | {"order_no": a_key()})
    asked.append(api.payment(terminal_id="T-99"))
    asked.append(api.payment(amount=0))
    for sent in asked:
        await api.pay(sent)
    payment = await api.paid()
    await api.post(f"{payment}/refunds", {"refund_no": "R", "amount": 500, "reason": "处方"})
    await api.get(f"/v1/payments?order_no={asked[0]['order_no']}&surprise=1")
    await api.send("GET", "/v1/payments", headers=api.signed("GET", "/v1/payments", created=1))
    await api.post(f"{api.card_path(7)}/loss-report", caller="channel")
    await api.pay(card=7)
    await api.post(f"{api.card_path(7)}/reinstate", caller="channel")
    await api.get(f"{api.card_path(6)}/pay-code.svg")
    await api.publish()
    return asked


async def test_logs_and_metrics_hold_no_secrets(city: Api) -> None:
    with structlog.testing.capture_logs() as logs:
        asked = await a_mixed_run(city)
    logged = "\n".join(text for line in logs for text in texts_in(line))
    logged += (await city.send("GET", "/metrics")).body.decode()
    secrets = [
        SECRET,
        base64.b64decode(SECRET).hex(),
        ED25519_PUBLIC.decode().splitlines()[1],
        "PRIVATE",
        "处方",
        "药店",
    ]
    secrets += [str(sent["pay_code"]) for sent in asked]
    secrets += [f"{city.world.device_no(card):011d}" for card in range(1, 8)]
    secrets += [name for row in await city.sql.fetch("SELECT name_zh, name_en FROM merchant") for name in row]
    assert not [secret for secret in secrets if secret in logged]
    assert json.dumps([list(line) for line in logs])


async def test_each_refusal_is_one_line_of_information(city: Api) -> None:
    with structlog.testing.capture_logs() as logs:
        replies = [await city.pay(amount=10_000_000), await city.pay(amount=0), await city.send("GET", "/nowhere")]
    assert [(line["event"], line["log_level"], line["refusal"], line["trace_id"]) for line in logs] == [
        ("request.refused", "info", reply.code, reply["trace_id"]) for reply in replies
    ]


async def test_what_goes_well_is_not_logged(city: Api) -> None:
    with structlog.testing.capture_logs() as logs:
        payment = await city.paid()
        await city.get(payment)
        await city.send("GET", "/healthz")
    assert logs == []


async def test_keys_do_not_show_themselves(city: Api) -> None:
    caller = await city.node.callers.find("merchant-0")
    assert caller is not None
    shown = "".join(texts_in([city.node, vars(city.node.keyring), caller, caller.key, *city.node.signing_keys]))
    for secret in (SECRET, base64.b64decode(SECRET).hex(), repr(base64.b64decode(SECRET))[2:-1]):
        assert secret not in shown
