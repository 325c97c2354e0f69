"""What stops a channel: at once, as far as the order goes, and nothing that was paid before."""

import asyncio
import base64

import pytest
import pytest_asyncio

from engine.core.channels import Product
from engine.core.ids import CallerId, IdKind, id_text
from tests.builders import an_id
from tests.channels import add_channel
from tests.web.api import Api, Json, Reply, a_key
from tests.web.operators import approve
from tests.web.register import Carried, Phone, account_of, bring_in, issue, open_register

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOPPED = (403, "channel-suspended")
REASON: Json = {"reason": "wrong amounts shown"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> Api:
    """The city with a register."""
    await open_register(city)
    return city


async def channel_of(api: Api, name: str) -> CallerId:
    """The channel that signs with this key."""
    return CallerId(await api.sql.fetchval("SELECT caller FROM caller_key WHERE keyid = $1", name))


async def path_of(api: Api, name: str) -> str:
    """Its path."""
    return f"/v1/channels/{id_text(await channel_of(api, name))}"


async def paying(api: Api, n: int, channel: str) -> tuple[Carried, Phone]:
    """The *n*-th person, let pay by a channel, with a phone that it has registered."""
    who = await bring_in(api, n)
    await issue(api, who, channel=channel)
    assert (await api.post(f"{who.path}/level-2", account_of(who), caller=channel)).status == 200
    reply = await api.post(f"{who.path}/devices", caller=channel)
    return who, Phone(int(str(reply["device_no"])), base64.b64decode(str(reply["totp_key"])))


async def shown_token(api: Api) -> str:
    """The token of an order that merchant-0 shows."""
    body = {"order_no": a_key(), "amount": 500, "scenario": "pharmacy", "terminal_id": "T-01"}
    return str((await api.post("/v1/orders", body))["cashier_url"]).rpartition("/")[2]


async def stop(api: Api, path: str, *, kind: str = "suspend", by: str = "alpha", **body: object) -> Reply:
    """An operator stops a channel."""
    reply = await api.post(f"{path}/{kind}", REASON | body, caller=by)
    assert reply.status == 200, reply.body
    return reply


async def let_go_on(api: Api, path: str, **body: object) -> None:
    """Two operators let a channel go on."""
    asked = await api.post(f"{path}/resume", REASON | body, caller="alpha")
    assert (await approve(api, asked)).status == 200


async def test_suspended_under_load_nothing_is_authorized_after_the_answer(desk: Api) -> None:
    who, phone = await paying(desk, 1, "channel")
    _, other_phone = await paying(desk, 2, "channel-2")
    held = await desk.pay(pay_code=phone.pay_code(desk, 0), amount=2, capture=False)
    taken = await desk.pay(pay_code=phone.pay_code(desk, 1), amount=2)
    pay_order = f"/v1/orders/{await shown_token(desk)}/payments"
    agreed, key = {"card_id": who.id, "amount": 500}, a_key()
    paid = await desk.post(pay_order, agreed, caller="channel", key=key)
    assert [held.status, taken.status, paid.status] == [201] * 3
    path = await path_of(desk, "channel")
    racing = [asyncio.ensure_future(desk.pay(pay_code=phone.pay_code(desk, n), amount=1)) for n in range(2, 18)]
    stopped = await stop(desk, path)
    query = "SELECT count(*) FROM payment WHERE payer = $1 AND captured > 0"
    before = await desk.sql.fetchval(query, who.card)
    answers = await asyncio.gather(*racing)
    assert (stopped["status"], await desk.sql.fetchval(query, who.card)) == ("suspended", before)
    assert {answer.refused for answer in answers if answer.status != 201} <= {STOPPED}

    # Nothing new: neither by its phones nor in its app, and nobody more.
    assert (await desk.pay(pay_code=phone.pay_code(desk, 18), amount=1)).refused == STOPPED
    assert (await desk.pay(pay_code=phone.pay_code(desk, 18), amount=1)).refused == STOPPED  # it is not used up
    assert (await desk.post(f"/v1/orders/{await shown_token(desk)}/payments", agreed, caller="channel")).refused == (
        STOPPED
    )
    for target, body in ((f"{who.path}/devices", {}), (f"{who.path}/level-2", account_of(who))):
        assert (await desk.post(target, body, caller="channel")).refused == STOPPED
    raised = {"pay_code": phone.pay_code(desk, 19), "amount": 1}
    assert (await desk.post(f"/v1/payments/{held['id']}/raise", raised)).refused == STOPPED

    # All that was: its answer, its capture, its refund, its looks; and other channels.
    replay = await desk.post(pay_order, agreed, caller="channel", key=key)
    assert (replay.body, replay.is_replay) == (paid.body, True)
    assert (await desk.post(f"/v1/payments/{held['id']}/capture", {}))["status"] == "captured"
    assert (await desk.post(f"/v1/payments/{taken['id']}/refunds", {"refund_no": "R-1", "amount": 2})).status == 201
    assert (await desk.get(who.path, caller="channel")).status == 200
    assert (await desk.pay(pay_code=other_phone.pay_code(desk, 0), amount=1)).status == 201
    await let_go_on(desk, path)
    assert (await desk.pay(pay_code=phone.pay_code(desk, 18), amount=1)).status == 201


async def test_order_about_a_product_or_a_region_goes_no_further(desk: Api) -> None:
    who, phone = await paying(desk, 3, "channel-2")
    path = await path_of(desk, "channel-2")
    await stop(desk, path, product="payment", region="310000")
    await stop(desk, path, product="inquiry")
    assert (await desk.pay(pay_code=phone.pay_code(desk, 0), amount=1)).status == 201
    beyond = await desk.post(f"{path}/suspend", REASON | {"region": "310000"}, caller="beijing")
    assert beyond.refused == (403, "region-not-permitted")
    here = await stop(desk, path, by="beijing", product="payment", region="110100", evidence="letters 1 to 7")
    assert here["status"] == "live"
    assert (await desk.pay(pay_code=phone.pay_code(desk, 1), amount=1)).refused == STOPPED
    # Whom it has, it keeps; what it may do elsewhere, it may.
    assert (await desk.post(f"{who.path}/signs", who.person.identity, caller="channel-2")).status == 201
    newest = (await desk.get(f"{path}/stops?limit=1", caller="channel-2")).items[0]
    assert (newest["region"], newest["product"], newest["evidence"]) == ("110100", "payment", "letters 1 to 7")
    await let_go_on(desk, path, stop_order_id=newest["id"])
    assert (await desk.pay(pay_code=phone.pay_code(desk, 1), amount=1)).status == 201
    again = await desk.post(f"{path}/resume", REASON | {"stop_order_id": newest["id"]}, caller="alpha")
    assert again.refused == (409, "channel-state-conflict")
    for order in (await desk.get(f"{path}/stops", caller="alpha")).items:
        if order["lifted_at"] is None:
            await let_go_on(desk, path, stop_order_id=order["id"])


async def test_tier_2_channel_stops_with_its_tier_1_channel(desk: Api) -> None:
    _, phone = await paying(desk, 4, "channel-2")
    first = CallerId(an_id(IdKind.CHANNEL))
    await add_channel(desk.sql, first)
    await desk.sql.execute("UPDATE channel SET parent = $1 WHERE id = $2", first, await channel_of(desk, "channel-2"))
    path = f"/v1/channels/{id_text(first)}"
    await stop(desk, path)
    assert (await desk.pay(pay_code=phone.pay_code(desk, 0), amount=1)).refused == STOPPED
    who = await bring_in(desk, 5)
    refused = await desk.post(f"{who.path}/signs", who.person.identity, caller="channel-2")
    assert refused.refused == STOPPED
    numbers = {item["channel_no"] for item in (await desk.send("GET", "/v1/channels/directory")).items}
    assert (await desk.get(await path_of(desk, "channel-2"), caller="channel-2"))["channel_no"] not in numbers
    await let_go_on(desk, path)
    assert (await desk.pay(pay_code=phone.pay_code(desk, 0), amount=1)).status == 201


async def test_channel_that_rectifies_keeps_whom_it_has_and_takes_on_nobody(desk: Api) -> None:
    _, phone = await paying(desk, 6, "channel")
    path, who = await path_of(desk, "channel"), await bring_in(desk, 7)
    assert (await stop(desk, path, kind="rectify"))["status"] == "rectifying"
    assert (await desk.pay(pay_code=phone.pay_code(desk, 0), amount=1)).status == 201
    assert (await desk.post(f"{who.path}/signs", who.person.identity, caller="channel")).refused == STOPPED
    assert (await desk.post(f"{path}/rectify", REASON, caller="alpha")).refused == (409, "channel-state-conflict")
    assert (await stop(desk, path))["status"] == "suspended"
    await let_go_on(desk, path)
    lifted = [order["lifted_at"] for order in (await desk.get(f"{path}/stops", caller="alpha")).items]
    assert None not in lifted


async def test_what_is_not_granted_is_not_to_be_had(desk: Api) -> None:
    who = await bring_in(desk, 8)
    await issue(desk, who)
    channel = await channel_of(desk, "channel")
    await desk.sql.execute("UPDATE channel SET products = $1 WHERE id = $2", [Product.CARDS], channel)
    refused = await desk.post(f"{who.path}/devices", {}, caller="channel")
    assert refused.refused == (403, "channel-not-authorized")
    await desk.sql.execute("UPDATE channel SET products = $1 WHERE id = $2", list(Product), channel)
    assert (await desk.post(f"{who.path}/devices", {}, caller="channel")).status == 201


async def test_terminated_channel_never_comes_back(desk: Api) -> None:
    who, phone = await paying(desk, 9, "channel-2")
    path = await path_of(desk, "channel-2")
    assert (await stop(desk, path, kind="terminate"))["status"] == "terminated"
    assert (await desk.pay(pay_code=phone.pay_code(desk, 0), amount=1)).refused == STOPPED
    # Its keys open nothing any more but its own record: they may be in anybody's hands.
    for target in (f"{who.path}/loss-report", f"{who.path}/reinstate", f"{who.path}/password"):
        assert (await desk.post(target, {}, caller="channel-2")).refused == STOPPED
    for target in (who.path, f"{who.path}/devices"):
        assert (await desk.get(target, caller="channel-2")).refused == STOPPED
    assert (await desk.get(path, caller="channel-2"))["status"] == "terminated"
    assert (await desk.post(f"{path}/resume", REASON, caller="alpha")).refused == (409, "channel-state-conflict")
