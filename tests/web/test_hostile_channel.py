"""What a channel tries that is none of its business: strangers' cards, other regions, and what it is stopped for."""

import pytest
import pytest_asyncio

from engine.core.channels import Product
from engine.core.ids import CallerId, IdKind, id_text
from engine.core.payer import NO_PASSWORD_UP_TO_FEN
from tests.agencies import an_agency
from tests.builders import an_id
from tests.web.api import Api, Json, a_key
from tests.web.counter import confirm, sealer
from tests.web.operators import add_keys, approve
from tests.web.register import (
    PASSWORD,
    Carried,
    account_of,
    bring_in,
    give_password,
    issue,
    issued,
    open_register,
    sealed,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_FOUND = (404, "not-found")
NOT_GRANTED = (403, "channel-not-authorized")
STOPPED = (403, "channel-suspended")
REASON: Json = {"reason": "complaints"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> Api:
    """The city with a register, whose second channel is the hostile one."""
    await open_register(city)
    return city


async def order_of(api: Api, amount: int = 500) -> str:
    """The token of an order that merchant-0 shows."""
    body = {"order_no": a_key(), "amount": amount, "scenario": "pharmacy", "terminal_id": "T-01"}
    return str((await api.post("/v1/orders", body))["cashier_url"]).rpartition("/")[2]


async def awaiting(api: Api, who: Carried) -> str:
    """A payment in the first channel's app that waits for its cardholder's password."""
    amount = NO_PASSWORD_UP_TO_FEN + 1
    target = f"/v1/orders/{await order_of(api, amount)}/payments"
    reply = await api.post(target, {"card_id": who.id, "amount": amount}, caller="channel")
    assert (reply.status, reply["status"]) == (201, "awaiting_user"), reply.body
    return str(reply["id"])


async def as_it_is(api: Api, who: Carried) -> object:
    """Everything that a payer's row says."""
    return await api.sql.fetchrow("SELECT * FROM payer WHERE id = $1", who.card)


async def test_strangers_card_is_no_card(desk: Api) -> None:
    who = await issued(desk, 1, level=2)
    seal = (await sealer(desk)).seal
    token, before = await order_of(desk), await as_it_is(desk, who)
    tries: list[tuple[str, Json]] = [
        (f"{who.path}/loss-report", {}),
        (f"{who.path}/reinstate", {}),
        (f"{who.path}/settings", {"no_password_up_to": 100_000}),
        (f"{who.path}/password", {"new_password_block": seal("820517", card_id=who.id)}),  # it has none yet
        (f"/v1/orders/{token}/payments", {"card_id": who.id, "amount": 500}),
    ]
    for target, body in tries:
        assert (await desk.post(target, body, caller="channel-2")).refused == NOT_FOUND, target
    assert (await desk.get(f"/v1/orders/lookup?code={token}&card_id={who.id}", caller="channel-2")).refused == NOT_FOUND
    assert await as_it_is(desk, who) == before
    await give_password(desk, who)
    payment = await awaiting(desk, who)
    before = await as_it_is(desk, who)
    for password in (PASSWORD, "704193"):
        assert (await confirm(desk, payment, password, caller="channel-2")).refused == (404, "payment-not-found")
    assert await as_it_is(desk, who) == before, "nobody locks a stranger's password"
    assert (await confirm(desk, payment, caller="channel")).status == 200


async def test_channel_that_was_unlinked_or_never_let_it_pay_takes_nothing(desk: Api) -> None:
    who = await issued(desk, 2, level=2)
    await give_password(desk, who)
    sign = await issue(desk, who, channel="channel-2")  # it shows who somebody is, and no more
    agreed: Json = {"card_id": who.id, "amount": 500}
    paying = f"/v1/orders/{await order_of(desk)}/payments"
    assert (await desk.post(paying, agreed, caller="channel-2")).refused == (403, "payment-not-enabled")
    assert (await desk.post(f"{who.path}/level-2", account_of(who), caller="channel-2")).status == 200
    body = {"password_block": await sealed(desk, f"{sign['sign_no']}/unlink")}
    ended = await desk.post(f"{who.path}/signs/{sign['sign_no']}/unlink", body, caller="channel-2")
    assert ended.status == 200, ended.body
    assert (await desk.post(paying, agreed, caller="channel-2")).refused == NOT_FOUND
    assert (await desk.post(f"{who.path}/loss-report", caller="channel-2")).refused == NOT_FOUND
    assert (await desk.post(paying, agreed, caller="channel")).status == 201


async def test_agency_stops_cards_of_its_region_only(desk: Api) -> None:
    who = await issued(desk, 3)
    here = await an_agency(desk.sql, desk.world, region=110000)
    there = await an_agency(desk.sql, desk.world, region=310000)
    callers = {"agency-here": here, "agency-there": there, "agency-unknown": an_id(IdKind.AGENCY)}
    await add_keys(desk, {name: CallerId(caller) for name, caller in callers.items()})
    for caller, refused in (
        ("agency-there", (403, "region-not-permitted")),
        ("agency-unknown", (403, "scope-not-authorized")),
    ):
        for operation in ("loss-report", "reinstate"):
            assert (await desk.post(f"{who.path}/{operation}", caller=caller)).refused == refused
    assert (await desk.post(f"{who.path}/loss-report", caller="agency-here"))["status"] == "lost"
    assert (await desk.post(f"{who.path}/reinstate", caller="agency-here"))["status"] == "active"


async def test_grant_binds_by_the_cards_region_whatever_the_product(desk: Api) -> None:
    who, other = await issued(desk, 4, level=2), await bring_in(desk, 5)
    channel = await desk.sql.fetchval("SELECT caller FROM caller_key WHERE keyid = 'channel'")
    token = await order_of(desk)
    tries: list[tuple[str, Json]] = [
        ("/v1/cards/search", other.person.identity),
        (f"{other.path}/signs", other.person.identity),
        (f"{who.path}/level-2", account_of(who)),
        (f"{who.path}/devices", {}),
        (f"{who.path}/settings", {"no_password_up_to": 20_000}),
        ("/v1/identity/passkeys/assertion-options", {"card_id": who.id, "act": "cancel", "bound_to": who.id}),
        (f"/v1/orders/{token}/payments", {"card_id": who.id, "amount": 500}),
    ]
    await desk.sql.execute("UPDATE channel SET regions = '{310000}' WHERE id = $1", channel)
    desk.node.channels.forget()
    for target, body in tries:
        assert (await desk.post(target, body, caller="channel")).refused == NOT_GRANTED, target
    certified = f"/v1/identity/certifications?card_id={who.id}"
    assert (await desk.get(certified, caller="channel")).refused == NOT_GRANTED
    # The person is not kept from what protects the card.
    assert (await desk.post(f"{who.path}/loss-report", caller="channel"))["status"] == "lost"
    await desk.sql.execute("UPDATE channel SET regions = '{310000, 110000}' WHERE id = $1", channel)
    desk.node.channels.forget()
    assert (await desk.post(f"{who.path}/reinstate", caller="channel"))["status"] == "active"
    for target, body in tries:
        assert (await desk.post(target, body, caller="channel")).status in (200, 201), target
    # Rectifying in one region is no less than that: nobody more from there.
    path = f"/v1/channels/{id_text(channel)}"
    more = await bring_in(desk, 6)
    assert (await desk.post(f"{path}/rectify", REASON | {"region": "110100"}, caller="alpha")).status == 200
    assert (await desk.post(f"{more.path}/signs", more.person.identity, caller="channel")).refused == STOPPED
    assert (await desk.post(f"{who.path}/devices", {}, caller="channel")).status == 201
    (order,) = [one for one in (await desk.get(f"{path}/stops", caller="alpha")).items if one["lifted_at"] is None]
    resume = await desk.post(f"{path}/resume", REASON | {"stop_order_id": order["id"]}, caller="alpha")
    assert (await approve(desk, resume)).status == 200


async def test_stopped_channel_moves_nothing_on_that_lets_somebody_pay(desk: Api) -> None:
    who = await issued(desk, 7, level=2)
    await give_password(desk, who)
    payment = await awaiting(desk, who)
    channel = await desk.sql.fetchval("SELECT caller FROM caller_key WHERE keyid = 'channel'")
    settings, key = {"no_password_up_to": 20_000}, a_key()
    taken = await desk.post(f"{who.path}/settings", settings, caller="channel", key=key)
    assert taken.status == 200
    path = f"/v1/channels/{id_text(channel)}"
    assert (await desk.post(f"{path}/suspend", REASON, caller="alpha")).status == 200
    # What began in its app goes on nowhere, not at the till either.
    for caller in ("channel", "merchant-0"):
        assert (await confirm(desk, payment, caller=caller)).refused == STOPPED
    seal = (await sealer(desk)).seal
    blocks = {
        "password_block": seal(PASSWORD, card_id=who.id),
        "new_password_block": seal("820517", card_id=who.id),
    }
    for target, body in ((f"{who.path}/settings", {"no_password_up_to": 50_000}), (f"{who.path}/password", blocks)):
        assert (await desk.post(target, body, caller="channel")).refused == STOPPED
    again = await desk.post(f"{who.path}/settings", settings, caller="channel", key=key)
    assert (again.body, again.is_replay) == (taken.body, True)
    # It may stop a card, and lets none go on.
    assert (await desk.post(f"{who.path}/loss-report", caller="channel"))["status"] == "lost"
    assert (await desk.post(f"{who.path}/reinstate", caller="channel")).refused == STOPPED
    assert (await desk.post(f"{who.path}/reinstate", caller="beijing"))["status"] == "active"
    asked = await desk.post(f"{path}/resume", REASON, caller="alpha")
    assert (await approve(desk, asked)).status == 200
    assert (await confirm(desk, payment, caller="channel")).status == 200


async def test_what_is_not_granted_is_not_had_in_the_moment_that_a_stop_ends(desk: Api) -> None:
    who = await issued(desk, 8, level=2)
    channel = CallerId(await desk.sql.fetchval("SELECT caller FROM caller_key WHERE keyid = 'channel'"))
    without = [product for product in Product if product is not Product.PAYMENT]
    await desk.sql.execute("UPDATE channel SET products = $1, state = 7 WHERE id = $2", without, channel)
    desk.node.channels.forget()
    target, agreed = f"/v1/orders/{await order_of(desk)}/payments", {"card_id": who.id, "amount": 500}
    assert (await desk.post(target, agreed, caller="channel")).refused == NOT_GRANTED
    # What the node has kept of it says "suspended" for some seconds more, and the lane knows already that it is not.
    await desk.sql.execute("UPDATE channel SET state = 5 WHERE id = $1", channel)
    assert (await desk.post(target, agreed, caller="channel")).refused == NOT_GRANTED
    waiting = f"/v1/payments/{id_text(an_id(IdKind.PAYMENT))}/confirmation"
    assert (await desk.post(waiting, {"password_block": "a.b.c.d.e"}, caller="channel")).refused == NOT_GRANTED
    await desk.sql.execute("UPDATE channel SET products = $1 WHERE id = $2", list(Product), channel)
    desk.node.channels.forget()
