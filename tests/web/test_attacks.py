"""Ways around the rules, as a dishonest merchant, cardholder or visitor would try them over HTTP."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

import pytest

from engine.hints.attempts import WRONG_MAX
from tests.web.api import Api, Json, Reply, a_key
from tests.web.counter import QUOTES, entered, give_number, give_password, open_counter, wire_bill
from tests.web.operators import add_operators
from tests.web.test_cashier import FORM, led_back, link, pay
from tests.web.test_orders import an_order, token_of
from tests.web.test_risk import DECISIONS, REVIEWS, set_rule

RULES_OF_PLACES = ("terminal_velocity", "merchant_velocity")


@pytest.fixture
async def office(api: Api) -> Api:
    """A node with operators."""
    await add_operators(api)
    return api


async def pay_in_the_app(api: Api, **changes: object) -> Reply:
    """A cardholder agrees to an order in a channel's app."""
    order = await api.post("/v1/orders", an_order())
    body = {"card_id": api.card_path().rpartition("/")[2], "amount": 500} | changes
    return await api.post(f"/v1/orders/{token_of(order)}/payments", body, caller="channel")


@pytest.mark.parametrize("rule", [*RULES_OF_PLACES, "payer_velocity", "channel_velocity"])
async def test_order_that_is_shown_is_no_way_around_the_rules_of_risk(office: Api, rule: str) -> None:
    assert (await pay_in_the_app(office)).status == 201
    await set_rule(office, rule=rule)
    refused = await pay_in_the_app(office)
    assert refused.refused == (403, "risk-declined")
    await office.node.risk.write_waiting()
    (decision,) = (await office.get(f"{DECISIONS}?payment_id={refused['payment_id']}", caller="alpha")).items
    assert (decision["action"], decision["terminal_id"]) == ("deny", "T-01")


@pytest.mark.parametrize("rule", [*RULES_OF_PLACES, "payer_velocity"])
async def test_orders_page_is_no_way_around_the_rules_of_risk(office: Api, rule: str) -> None:
    await set_rule(office, rule=rule)
    path = await link(office)
    assert led_back(await pay(office, path), path) == "risk-declined"


async def test_payment_in_an_app_that_has_to_be_reviewed_is_brought_before_an_operator(office: Api) -> None:
    await set_rule(office, action="hold_for_review")
    reply = await pay_in_the_app(office)
    assert (reply.status, reply["status"]) == (201, "awaiting_user"), reply.body
    (review,) = (await office.get(f"{REVIEWS}?state=open", caller="alpha")).items
    assert review["payment_id"] == reply["id"]


async def test_form_of_too_many_fields_is_a_bad_request_and_no_bug(api: Api) -> None:
    path = await link(api)
    body = urlencode([("amount", "500")] * 20).encode()
    assert (await api.send("POST", f"{path}/pay", headers=FORM, body=body)).status == 400


async def by_number(api: Api, number: str) -> Reply:
    """A payment by a card of this number."""
    order_no = a_key()
    body: Json = api.payment(order_no=order_no, card_no=number, password_block=await entered(api, order_no))
    del body["pay_code"]
    return await api.pay(body)


async def dry_by_number(api: Api, number: str) -> Reply:
    """What such a payment would be."""
    order_no = a_key()
    body: Json = api.payment(order_no=order_no, card_no=number, password_block=await entered(api, order_no))
    del body["pay_code"]
    return await api.post("/v1/payments?dry_run=true", body)


async def quote_by_number(api: Api, number: str) -> Reply:
    """What an insurance would pay for the holder of a card of this number."""
    body = {"card_no": number, "scenario": "outpatient", "terminal_id": "T-01", "bill": wire_bill()}
    return await api.post(QUOTES, body)


@pytest.mark.parametrize("ask", [by_number, dry_by_number, quote_by_number])
async def test_numbers_of_cards_cannot_be_guessed_one_after_the_other(
    api: Api, ask: Callable[[Api, str], Awaitable[Reply]]
) -> None:
    await open_counter(api)
    codes = [(await ask(api, f"Z9Y8X7W{n:03d}")).code for n in range(WRONG_MAX + 1)]
    assert codes == ["not-found"] * WRONG_MAX + ["too-many-attempts"]
    assert (await ask(api, await give_number(api))).code == "too-many-attempts"


async def test_number_of_a_card_does_not_tell_what_its_holder_has(api: Api) -> None:
    await give_password(api)
    shown = await dry_by_number(api, await give_number(api))
    assert (shown["would_be_refused"], shown["balances"]) == (False, [])


async def test_deposit_is_not_raised_by_a_hospital_that_was_suspended(api: Api) -> None:
    await open_counter(api)
    path = await api.paid(scenario="inpatient", capture=False)
    body = {"pay_code": api.pay_code(), "amount": 100}
    await api.sql.execute("UPDATE merchant SET is_suspended = true WHERE id = $1", api.world.merchants[0])
    assert (await api.post(f"{path}/raise", body)).refused == (403, "merchant-suspended")
    await api.sql.execute("UPDATE merchant SET is_suspended = false WHERE id = $1", api.world.merchants[0])
    assert (await api.post(f"{path}/raise", body)).status == 200
