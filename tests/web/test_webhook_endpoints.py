"""Webhook endpoints over HTTP: registered, shown, changed and removed by their owner alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.background import webhook_parts
from engine.core.ids import CallerId, IdKind, parse_id
from engine.core.webhooks import ENDPOINTS_MAX, EVENT_TYPES
from engine.flows.deliver_webhooks import WebhookSender
from tests.agencies import a_bill, an_agency
from tests.web.api import Api, a_key, nobodys_id, open_api
from tests.web.operators import add_keys
from tests.web.webhook_receiver import (
    ENDPOINTS,
    NOT_FOUND,
    URL,
    Receiver,
    a_receiver,
    delete,
    messages,
    registered,
    spool,
    tell,
)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on this machine."""
    async with a_receiver() as opened:
        yield opened


async def test_secret_is_shown_once_and_kept_sealed(api: Api) -> None:
    key = a_key()
    body = {"url": URL, "types": ["payment.captured"], "description": "收费系统"}
    made = await api.post(ENDPOINTS, body, key=key)
    assert made.status == 201, made.body
    assert (made["url"], made["types"], made["description"]) == (URL, ["payment.captured"], "收费系统")
    assert (made["state"], made["is_gone"], made["earlier_secret_ends_at"]) == ("enabled", False, None)
    assert str(made["secret"]).startswith("whsec_")
    again = await api.post(ENDPOINTS, body, key=key)
    assert (again.body, again.is_replay) == (made.body, True)
    shown = await api.get(f"{ENDPOINTS}/{made['id']}")
    assert shown.json == {name: value for name, value in made.json.items() if name != "secret"}
    kept = str(await api.sql.fetch("SELECT * FROM webhook_endpoint, request_answer"))
    assert str(made["secret"]) not in kept


async def test_list_is_the_owners_own_newest_first(api: Api) -> None:
    made = [(await registered(api, URL))["id"] for _ in range(3)]
    await registered(api, URL, caller="merchant-1")
    page = await api.get(f"{ENDPOINTS}?limit=2")
    rest = await api.get(f"{ENDPOINTS}?cursor={page['next_cursor']}")
    assert [item["id"] for item in (*page.items, *rest.items)] == made[::-1]
    assert rest["next_cursor"] is None


async def test_outside_the_sandbox_this_machine_is_not_called(dsn: str, tmp_path: Path) -> None:
    async with open_api(dsn, tmp_path, is_sandbox=False) as api:
        for url in (URL, "https://127.0.0.1/", "https://localhost/", "https://[::1]/"):
            assert (await api.post(ENDPOINTS, {"url": url})).refused == (422, "callback-url-not-allowed")


async def test_owner_has_so_many_endpoints_and_no_more(api: Api) -> None:
    made = [await registered(api, URL, types=list(EVENT_TYPES)) for _ in range(ENDPOINTS_MAX)]
    assert (await api.post(ENDPOINTS, {"url": URL})).refused == (400, "field-invalid")
    assert (await delete(api, made[0]["id"])).status == 204
    await registered(api, URL)
    await registered(api, URL, caller="merchant-1")


async def test_removed_endpoint_does_not_exist(api: Api) -> None:
    endpoint = (await registered(api, URL))["id"]
    assert (await delete(api, endpoint, caller="merchant-1")).refused == NOT_FOUND
    assert (await delete(api, endpoint)).status == 204
    assert (await delete(api, endpoint)).refused == NOT_FOUND
    assert (await api.post(f"{ENDPOINTS}/{endpoint}/enable")).refused == NOT_FOUND
    assert (await api.get(ENDPOINTS)).items == []
    assert await api.sql.fetchval("SELECT length(secret) FROM webhook_endpoint") == 0


async def test_disabled_endpoint_is_told_nothing(api: Api, receiver: Receiver) -> None:
    endpoint = await registered(api, receiver.url())
    path = f"{ENDPOINTS}/{endpoint['id']}"
    before = await api.pay()
    await spool(api)
    for _ in range(2):
        assert (await api.post(f"{path}/disable"))["state"] == "disabled"
    await api.pay()
    assert await tell(api) == 0
    async with WebhookSender(webhook_parts(api.node)) as sender:
        assert await sender.send_next(parse_id(str(endpoint["id"]), IdKind.WEBHOOK_ENDPOINT)) == 0
    assert [message["attempts"] for message in await messages(api, endpoint)] == [0]
    assert (await api.post(f"{path}/enable"))["state"] == "enabled"
    after = await api.pay()
    await tell(api)
    assert {told.payment["id"] for told in receiver.received} == {before["id"], after["id"]}


async def test_only_what_an_endpoint_wants_is_told_and_only_to_whose_it_is(api: Api, receiver: Receiver) -> None:
    await registered(api, receiver.url("/refunds"), types=["payment.refunded"])
    await registered(api, receiver.url("/other"), caller="merchant-1")
    path = await api.paid()
    await api.post(f"{path}/refunds", {"refund_no": "R-1", "amount": 500})
    await tell(api)
    assert [(told.path, told.json["type"]) for told in receiver.received] == [("/refunds", "payment.refunded")]


async def test_agency_is_told_who_has_paid_its_bill(api: Api, receiver: Receiver) -> None:
    agency = await an_agency(api.sql, api.world)
    await add_keys(api, {"exam": CallerId(agency)})
    await registered(api, receiver.url(), caller="exam")
    bill_no = await a_bill(api.sql, agency)
    await api.pay()
    paid = await api.pay(bill_no=bill_no)
    assert paid.status == 201, paid.body
    await tell(api)
    assert [told.payment["bill_no"] for told in receiver.received] == [bill_no]


async def test_test_message_is_about_nothing(api: Api, receiver: Receiver) -> None:
    endpoint = await registered(api, receiver.url())
    sent = await api.post(f"{ENDPOINTS}/{endpoint['id']}/test")
    assert (sent.status, sent["type"], sent["payment_id"], sent["sequence"]) == (200, "webhook.test", None, None)
    await tell(api)
    (told,) = receiver.received
    assert (told.id, told.json["type"], told.json["data"]) == (sent["id"], "webhook.test", {})


async def test_messages_are_listed_newest_first_by_state(api: Api, receiver: Receiver) -> None:
    endpoint = await registered(api, receiver.url())
    paid = [(await api.pay())["id"] for _ in range(3)]
    await tell(api)
    path = f"{ENDPOINTS}/{endpoint['id']}/messages"
    page = await api.get(f"{path}?limit=2&state=delivered")
    rest = await api.get(f"{path}?limit=2&state=delivered&cursor={page['next_cursor']}")
    assert [item["payment_id"] for item in (*page.items, *rest.items)] == paid[::-1]
    assert (await api.get(f"{path}?state=dead")).items == []
    assert (await api.get(f"{path}?state=lost")).pointers == ["/state"]
    assert (await api.get(f"{path}?cursor=pay_1")).pointers == ["/cursor"]


async def test_delivered_message_may_be_sent_again_and_an_unknown_one_not(api: Api, receiver: Receiver) -> None:
    endpoint = await registered(api, receiver.url())
    await api.pay()
    await tell(api)
    path = f"{ENDPOINTS}/{endpoint['id']}/messages"
    (message,) = await messages(api, endpoint)
    assert (await api.post(f"{path}/{message['id']}/resend"))["state"] == "pending"
    await tell(api)
    assert [told.id for told in receiver.received] == [message["id"]] * 2
    assert (await api.post(f"{path}/{nobodys_id(IdKind.EVENT)}/resend")).refused == NOT_FOUND
    assert (await api.post(f"{path}/1/resend")).refused == NOT_FOUND
