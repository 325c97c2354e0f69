"""Webhook endpoints as they are asked for wrongly: by others, without a key, with addresses that are not called."""

import pytest

from engine.core.ids import IdKind
from tests.web.api import Api, nobodys_id
from tests.web.webhook_receiver import ENDPOINTS, NOT_FOUND, URL, delete, registered

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("body", "refused", "pointer"),
    [
        ({"url": "https://10.0.0.1/"}, (422, "callback-url-not-allowed"), "/url"),
        ({"url": "http://hospital.example/"}, (422, "callback-url-not-allowed"), "/url"),
        ({"url": "gopher://127.0.0.1/"}, (422, "callback-url-not-allowed"), "/url"),
        ({"url": ""}, (400, "field-invalid"), "/url"),
        ({"url": "https://h/" + "x" * 500}, (400, "field-invalid"), "/url"),
        ({"url": URL, "types": ["payment.paid"]}, (400, "field-invalid"), "/types"),
        ({"url": URL, "types": ["payment.captured"] * 2}, (400, "field-invalid"), "/types"),
        ({"url": URL, "secret": "whsec_"}, (400, "unknown-field"), "/secret"),
        ({}, (400, "field-invalid"), "/url"),
    ],
)
async def test_endpoint_that_cannot_be_is_refused(
    city: Api, body: dict[str, object], refused: tuple[int, str], pointer: str
) -> None:
    reply = await city.post(ENDPOINTS, body, caller="merchant-1")
    assert (reply.refused, reply.pointers) == (refused, [pointer])
    assert (await city.get(ENDPOINTS, caller="merchant-1")).items == []


@pytest.mark.parametrize("caller", ["merchant-1", "agency", "channel"])
async def test_another_owners_endpoint_does_not_exist(city: Api, caller: str) -> None:
    endpoint = await registered(city, URL)
    message = await city.post(f"{ENDPOINTS}/{endpoint['id']}/test")
    path = f"{ENDPOINTS}/{endpoint['id']}"
    for action in ("rotate-secret", "enable", "disable", "test", f"messages/{message['id']}/resend"):
        assert (await city.post(f"{path}/{action}", caller=caller)).refused == NOT_FOUND, action
    for target in (path, f"{path}/messages"):
        assert (await city.get(target, caller=caller)).refused == NOT_FOUND
    assert (await delete(city, endpoint["id"], caller=caller)).refused == NOT_FOUND
    assert (await delete(city, endpoint["id"])).status == 204


@pytest.mark.parametrize("caller", ["bank-0", "operator"])
async def test_for_those_without_payments_there_are_no_endpoints(city: Api, caller: str) -> None:
    path = f"{ENDPOINTS}/{nobodys_id(IdKind.WEBHOOK_ENDPOINT)}"
    for reply in (
        await city.post(ENDPOINTS, {"url": URL}, caller=caller),
        await city.get(ENDPOINTS, caller=caller),
        await city.get(path, caller=caller),
        await city.get(f"{path}/messages", caller=caller),
        await city.post(f"{path}/test", caller=caller),
        await delete(city, nobodys_id(IdKind.WEBHOOK_ENDPOINT), caller=caller),
    ):
        assert reply.refused == NOT_FOUND


@pytest.mark.parametrize("action", ["rotate-secret", "enable", "disable", "test"])
async def test_action_needs_a_key_and_takes_no_parameters(city: Api, action: str) -> None:
    endpoint = await registered(city, URL)
    target = f"{ENDPOINTS}/{endpoint['id']}/{action}"
    unkeyed = await city.send("POST", target, headers=city.signed("POST", target))
    assert unkeyed.refused == (400, "idempotency-key-missing")
    assert (await city.post(f"{target}?surprise=1")).refused == (400, "unknown-field")
    assert (await city.post(target, {"surprise": 1})).refused == (400, "unknown-field")
    assert (await delete(city, endpoint["id"])).status == 204
