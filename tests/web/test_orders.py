"""Orders over HTTP: shown, shown anew, looked up by an app, and refused once their number is claimed."""

from urllib.parse import quote

import pytest

from engine.codes.merchant_qr import OrderQr, read_merchant_qr
from engine.codes.order_code import read_token
from engine.core.ids import IdKind, id_text
from tests.web.api import Api, Json, Reply, a_key, nobodys_id

NOT_FOUND = (404, "not-found")


def an_order(**changes: object) -> Json:
    """The body of a valid order, with *changes*."""
    body: Json = {"order_no": a_key(), "amount": 500, "scenario": "pharmacy", "terminal_id": "T-01"}
    return body | changes


async def shown(api: Api, **changes: object) -> Reply:
    """An order that merchant-0 shows."""
    reply = await api.post("/v1/orders", an_order(**changes))
    assert reply.status == 201, reply.body
    return reply


async def order(api: Api, shown_order: Reply) -> Reply:
    """The order as its merchant sees it now."""
    return await api.get(f"/v1/orders/{shown_order['id']}")


def token_of(shown_order: Reply) -> str:
    """The token in an order's link."""
    return str(shown_order["cashier_url"]).rpartition("/")[2]


async def lookup(api: Api, code: str, *, caller: str = "channel") -> Reply:
    """What an app is told of a scanned text."""
    return await api.get(f"/v1/orders/lookup?code={quote(code, safe='')}", caller=caller)


async def advance(api: Api, seconds: int) -> None:
    """Business time moves on."""
    assert (await api.post("/v1/sandbox/clock", {"advance_s": seconds}, caller="operator")).status == 200


async def test_order_is_shown_with_everything_that_leads_to_it(api: Api) -> None:
    items = [{"name": "阿莫西林", "quantity": 2, "amount": 300}, {"name": "Vitamin C", "quantity": 1, "amount": 200}]
    reply = await shown(api, order_no="A-1", items=items, description="柜台 3", return_url="https://shop.example/a?b=1")
    assert (reply["status"], reply["version"], reply["items"]) == ("open", 1, items)
    assert "payment" not in reply.json
    read = read_merchant_qr(str(reply["qr_text"]))
    assert isinstance(read, OrderQr)
    assert (read.amount, read.bill_no, read.terminal_id, read.mcc) == (500, "A-1", "T-01", "5912")
    assert (read.merchant_name, read.merchant_name_zh) == ("Pharmacy 0", "药店0")
    assert read.order == token_of(reply)
    assert str(reply["cashier_url"]).startswith(str(api.base_url))
    assert (await order(api, reply)).json == reply.json
    picture = await api.get(f"/v1/orders/{reply['id']}/qr.svg")
    assert (picture.status, picture.headers["Content-Type"]) == (200, "image/svg+xml")
    assert b"<svg" in picture.body


async def test_same_content_is_the_same_order_and_other_content_its_next_version(api: Api) -> None:
    first = await shown(api, order_no="A-1")
    again = await shown(api, order_no="A-1")
    assert again.json == first.json
    changed = await shown(api, order_no="A-1", amount=600)
    assert (changed["id"], changed["cashier_url"]) == (first["id"], first["cashier_url"])
    assert (changed["version"], changed["amount"]) == (2, 600)
    assert (await order(api, first)).json == changed.json
    longer = await shown(api, order_no="A-1", amount=600, expires_in_s=60)
    assert longer["version"] == 3


async def test_expired_order_can_be_shown_again(api: Api) -> None:
    first = await shown(api, order_no="A-1", expires_in_s=60)
    await advance(api, 59)
    assert (await order(api, first))["status"] == "open"
    await advance(api, 1)
    assert (await order(api, first))["status"] == "expired"
    again = await shown(api, order_no="A-1", expires_in_s=60)
    assert (again["id"], again["version"], again["status"]) == (first["id"], 2, "open")


async def test_same_key_is_answered_the_same_and_its_other_use_is_refused(api: Api) -> None:
    body, key = an_order(), a_key()
    first = await api.post("/v1/orders", body, key=key)
    again = await api.post("/v1/orders", body, key=key)
    assert (again.body, again.is_replay) == (first.body, True)
    other = await api.post("/v1/orders", body | {"amount": 1}, key=key)
    assert (other.refused, other.pointers) == ((422, "idempotency-key-reused"), ["/amount"])
    assert (await order(api, first))["amount"] == 500


async def test_order_that_is_paid_shows_its_payment_and_cannot_be_shown_again(api: Api) -> None:
    reply = await shown(api, order_no="A-1")
    paid = await api.pay(order_no="A-1")
    assert paid.status == 201
    seen = await order(api, reply)
    assert (seen["status"], seen["payment"]) == ("paid", (await api.get(f"/v1/payments/{paid['id']}")).json)
    for amount in (500, 600):
        refused = await api.post("/v1/orders", an_order(order_no="A-1", amount=amount))
        assert (refused.refused, refused.pointers) == ((409, "order-already-paid"), ["/order_no"])
    assert (await order(api, reply)).json == seen.json


async def test_order_whose_payment_is_given_back_is_over(api: Api) -> None:
    reply = await shown(api, order_no="A-1")
    path = await api.paid(order_no="A-1")
    assert (await api.post(f"{path}/refunds", {"refund_no": "R", "amount": 200})).status == 201
    assert (await order(api, reply))["status"] == "paid"
    assert (await api.post(f"{path}/refunds", {"refund_no": "S", "amount": 300})).status == 201
    assert (await order(api, reply))["status"] == "cancelled"
    assert (await api.post("/v1/orders", an_order(order_no="A-1"))).refused == (409, "order-number-used")


async def test_cancelling_beats_an_order_that_was_shown(api: Api) -> None:
    reply = await shown(api, order_no="A-1")
    cancelled = await api.post("/v1/payments/cancel", {"order_no": "A-1"})
    assert (cancelled.status, cancelled["outcome"]) == (200, "nothing_to_cancel")
    seen = await order(api, reply)
    assert (seen["status"], "payment" in seen.json) == ("cancelled", False)
    assert (await api.post("/v1/orders", an_order(order_no="A-1"))).refused == (409, "order-cancelled")
    assert (await api.pay(order_no="A-1")).refused == (409, "order-cancelled")
    assert (await lookup(api, token_of(reply)))["status"] == "cancelled"


@pytest.mark.parametrize(
    ("changes", "refused", "pointers"),
    [
        ({"terminal_id": "T-99"}, (403, "terminal-unknown"), []),
        ({"scenario": "transit"}, (403, "scenario-not-enabled"), []),
        ({"items": [{"name": "a", "amount": 499}]}, (422, "amount-not-balanced"), ["/items"]),
        ({"items": [{"name": "a", "amount": 500, "quantity": 0}]}, (400, "field-invalid"), ["/items/0/quantity"]),
        ({"items": [{"name": "", "amount": 500}]}, (400, "field-invalid"), ["/items/0/name"]),
        ({"items": [{"name": "a", "amount": 5}] * 101}, (400, "field-invalid"), ["/items"]),
        ({"amount": 0}, (400, "amount-invalid"), ["/amount"]),
        ({"expires_in_s": 86_401}, (400, "field-invalid"), ["/expires_in_s"]),
        ({"return_url": "http://shop.example/"}, (400, "field-invalid"), ["/return_url"]),
        ({"return_url": "javascript:alert(1)"}, (400, "field-invalid"), ["/return_url"]),
        ({"return_url": "https://user:word@shop.example/"}, (400, "field-invalid"), ["/return_url"]),
        ({"quote_id": "quo_1"}, (400, "unknown-field"), ["/quote_id"]),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_order_that_cannot_be_is_refused(
    api: Api, changes: Json, refused: tuple[int, str], pointers: list[str]
) -> None:
    reply = await api.post("/v1/orders", an_order(**changes))
    assert (reply.refused, reply.pointers) == (refused, pointers)
    assert await api.sql.fetchval("SELECT count(*) FROM pay_order") == 0


async def test_suspended_merchant_shows_nothing(api: Api) -> None:
    await api.sql.execute("UPDATE merchant SET is_suspended = true WHERE id = $1", api.world.merchants[0])
    assert (await api.post("/v1/orders", an_order())).refused == (403, "merchant-suspended")


async def test_merchants_see_their_own_orders_newest_first(api: Api) -> None:
    mine = [await shown(api, order_no=f"A-{n}") for n in range(3)]
    other = await api.post("/v1/orders", an_order(order_no="A-1"), caller="merchant-1")
    assert other.status == 201
    page = await api.get("/v1/orders?limit=2")
    rest = await api.get(f"/v1/orders?limit=2&cursor={page['next_cursor']}")
    assert [*page.items, *rest.items] == [one.json for one in mine[::-1]]
    assert rest["next_cursor"] is None
    assert (await api.get("/v1/orders?order_no=A-1")).items == [mine[1].json]
    for path in (f"/v1/orders/{other['id']}", f"/v1/orders/{other['id']}/qr.svg"):
        assert (await api.get(path)).refused == NOT_FOUND


@pytest.mark.parametrize("identifier", [nobodys_id(IdKind.ORDER), nobodys_id(IdKind.PAYMENT), "1"])
async def test_order_that_there_is_not(api: Api, identifier: str) -> None:
    assert (await api.get(f"/v1/orders/{identifier}")).refused == NOT_FOUND


@pytest.mark.parametrize("caller", ["bank-0", "operator", "channel", "agency"])
async def test_for_others_a_merchants_orders_do_not_exist(api: Api, caller: str) -> None:
    reply = await shown(api)
    path = f"/v1/orders/{reply['id']}"
    assert (await api.post("/v1/orders", an_order(), caller=caller)).refused == NOT_FOUND
    for target in ("/v1/orders", path, f"{path}/qr.svg"):
        assert (await api.get(target, caller=caller)).refused == NOT_FOUND


async def test_app_is_told_what_is_to_be_paid_however_it_was_led_there(api: Api) -> None:
    reply = await shown(api, order_no="A-1", items=[{"name": "阿莫西林", "quantity": 1, "amount": 500}])
    seen = [
        await lookup(api, code)
        for code in (str(reply["qr_text"]), str(reply["cashier_url"]), token_of(reply), f"{reply['qr_text']}\r\n")
    ]
    assert len({one.body for one in seen}) == 1
    assert (seen[0].status, seen[0]["token"], seen[0]["amount"]) == (200, token_of(reply), 500)
    assert (seen[0]["name_zh"], seen[0]["name_en"], seen[0]["items"]) == ("药店0", "Pharmacy 0", reply["items"])
    await shown(api, order_no="A-1", amount=600)
    assert (await lookup(api, str(reply["qr_text"])))["amount"] == 600


async def test_damaged_or_strange_codes_are_named(api: Api) -> None:
    reply = await shown(api)
    text = str(reply["qr_text"])
    for code in (text[:-1] + ("0" if text[-1] != "0" else "1"), text.replace("Pharmacy", "Pharmacx"), "6" * 513, "x"):
        refused = await lookup(api, code)
        assert (refused.refused, refused.pointers) == ((422, "order-code-malformed"), ["/code"]), code
    assert (await lookup(api, "A" * 22)).refused == NOT_FOUND
    assert (await api.get("/v1/orders/lookup", caller="channel")).pointers == ["/code"]
    assert (await api.get("/v1/orders/lookup?code=a&code=b", caller="channel")).refused == (400, "duplicate-field")
    assert (await api.get("/v1/orders/lookup?code=a&card_id=b&card_id=c", caller="channel")).pointers == ["/card_id"]
    assert (await api.get("/v1/orders/lookup?code=a&b=c", caller="channel")).refused == (400, "unknown-field")
    for caller in ("merchant-0", "bank-0", "operator"):
        assert (await lookup(api, text, caller=caller)).refused == NOT_FOUND


async def test_order_is_paid_in_the_cardholders_app(api: Api) -> None:
    reply = await shown(api, order_no="A-1")
    target = f"/v1/orders/{token_of(reply)}/payments"
    agreed: Json = {"card_id": id_text(api.world.cards[0]), "amount": 500}
    key = a_key()
    paid = await api.post(target, agreed, caller="channel", key=key)
    assert (paid.status, paid["status"], paid["mode"]) == (201, "captured", "scan_order"), paid.body
    assert (paid["order_no"], paid["merchant_id"]) == ("A-1", id_text(api.world.merchants[0]))
    assert (await order(api, reply))["status"] == "paid"
    again = await api.post(target, agreed, caller="channel", key=key)
    assert (again.body, again.is_replay) == (paid.body, True)
    assert (await api.post(target, agreed, caller="channel")).refused == (409, "order-already-paid")


async def test_what_the_app_has_shown_must_still_be_what_is_to_be_paid(api: Api) -> None:
    reply = await shown(api, order_no="A-1", expires_in_s=60)
    target = f"/v1/orders/{token_of(reply)}/payments"
    agreed: Json = {"card_id": id_text(api.world.cards[0]), "amount": 500}
    await shown(api, order_no="A-1", amount=600, expires_in_s=60)
    changed = await api.post(target, agreed, caller="channel")
    assert (changed.refused, changed.pointers) == ((409, "order-amount-changed"), ["/amount"])
    await advance(api, 60)
    assert (await api.post(target, agreed | {"amount": 600}, caller="channel")).refused == (409, "order-expired")
    await shown(api, order_no="A-1", amount=600)
    await api.post("/v1/payments/cancel", {"order_no": "A-1"})
    assert (await api.post(target, agreed | {"amount": 600}, caller="channel")).refused == (409, "order-cancelled")


async def test_password_that_cannot_be_opened_pays_nothing(api: Api) -> None:
    reply = await shown(api, order_no="A-1")
    agreed: Json = {"card_id": id_text(api.world.cards[0]), "amount": 500, "password_block": "a.b.c.d.e"}
    refused = await api.post(f"/v1/orders/{token_of(reply)}/payments", agreed, caller="channel")
    assert (refused.code, refused.pointers) == ("password-block-invalid", ["/password_block"])
    assert (await order(api, reply))["status"] == "open"


async def test_card_that_does_not_exist_pays_nothing(api: Api) -> None:
    reply = await shown(api)
    target = f"/v1/orders/{token_of(reply)}/payments"
    for card in (nobodys_id(IdKind.CARD), "card_1"):
        assert (await api.post(target, {"card_id": card, "amount": 500}, caller="channel")).status in (400, 404)
    assert (await order(api, reply))["status"] == "open"


@pytest.mark.parametrize("caller", ["merchant-0", "bank-0", "operator", "agency"])
async def test_only_channels_pay_for_their_cardholders(api: Api, caller: str) -> None:
    reply = await shown(api)
    agreed: Json = {"card_id": id_text(api.world.cards[0]), "amount": 500}
    assert (await api.post(f"/v1/orders/{token_of(reply)}/payments", agreed, caller=caller)).refused == NOT_FOUND


async def test_tokens_are_never_the_same(api: Api) -> None:
    tokens = {read_token(token_of(await shown(api))) for _ in range(5)}
    assert len(tokens) == 5
    assert None not in tokens
