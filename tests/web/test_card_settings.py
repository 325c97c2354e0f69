"""A card's password and its holder's settings, as an app sends them; and the password as an operator sets it anew."""

import asyncio

import pytest

from engine.core.ids import IdKind, id_text
from engine.core.payer import NO_PASSWORD_UP_TO_FEN, PASSWORD_TRIES_MAX
from tests.web.api import Api, Json, Reply, a_key, nobodys_id
from tests.web.counter import PASSWORD, WRONG, confirm, give_password, sealer, tenders_of
from tests.web.operators import add_operators

NEW = "820517"
ABOVE = NO_PASSWORD_UP_TO_FEN + 1


@pytest.fixture
async def app(api: Api) -> Api:
    """The first cardholder has a password, the second has none; and there are operators."""
    await give_password(api)
    await add_operators(api)
    await api.sql.execute("UPDATE payer SET password_version = 0 WHERE id = $1", api.world.cards[1])
    return api


async def body_of(api: Api, old: str | None = PASSWORD, new: str = NEW, *, card: int = 0) -> Json:
    """What an app sends that has both passwords."""
    seal = (await sealer(api)).seal
    card_id = id_text(api.world.cards[card])
    body: Json = {"new_password_block": seal(new, card_id=card_id)}
    return body if old is None else body | {"password_block": seal(old, card_id=card_id)}


async def change(
    api: Api, old: str | None = PASSWORD, new: str = NEW, *, card: int = 0, caller: str = "channel"
) -> Reply:
    """A password is changed."""
    return await api.post(f"{api.card_path(card)}/password", await body_of(api, old, new, card=card), caller=caller)


async def is_right(api: Api, password: str, *, card: int = 0) -> bool:
    """Whether the password confirms a payment."""
    waiting = await api.pay(api.payment(amount=ABOVE, card=card))
    assert waiting["status"] == "awaiting_user", waiting.body
    confirmed = await confirm(api, waiting["id"], password)
    await api.post("/v1/payments/cancel", {"order_no": waiting["order_no"]})
    return confirmed.status == 200


async def lock(api: Api) -> None:
    """Somebody guesses until the password is locked."""
    await api.sql.execute("UPDATE payer SET password_tries = $1", PASSWORD_TRIES_MAX)


async def test_new_password_is_right_from_the_answer_on_and_the_old_one_wrong(app: Api) -> None:
    changed = await change(app)
    assert (changed.status, changed["id"], changed["status"]) == (200, id_text(app.world.cards[0]), "active")
    assert not await is_right(app, PASSWORD)
    assert await is_right(app, NEW)
    assert (await change(app, NEW, PASSWORD)).status == 200
    assert await is_right(app, PASSWORD)


async def test_wrong_old_password_changes_nothing_and_costs_a_try(app: Api) -> None:
    for left in range(PASSWORD_TRIES_MAX - 1, -1, -1):
        no = await change(app, WRONG)
        assert (no.refused, no.pointers) == ((403, "password-incorrect"), ["/password_block"])
        assert (f"{left} more" if left else "locked") in no.body.decode()
    assert (await change(app)).refused == (423, "password-locked")
    assert await app.sql.fetchval("SELECT max(password_version) FROM payer") == 1


async def test_operator_ends_a_lock_out(app: Api) -> None:
    await lock(app)
    reset = await change(app, None, caller="alpha")
    assert reset.status == 200, reset.body
    assert await is_right(app, NEW)


async def test_operator_needs_the_right_and_the_region(app: Api) -> None:
    for caller, refused in (
        ("delta", (403, "scope-not-authorized")),  # may read only
        ("shanghai", (404, "not-found")),
        ("operator", (403, "scope-not-authorized")),  # signs, and is not registered
        ("merchant-0", (404, "not-found")),
        ("bank-0", (404, "not-found")),
        ("agency", (404, "not-found")),
    ):
        assert (await change(app, None, caller=caller)).refused == refused, caller
    assert (await change(app, None, caller="beijing")).status == 200


async def test_first_password_needs_no_old_one_and_any_other_does(app: Api) -> None:
    no = await change(app, None)
    assert (no.refused, no.pointers) == ((403, "password-incorrect"), ["/password_block"])
    assert await is_right(app, PASSWORD)
    assert (await change(app, None, PASSWORD, card=1)).status == 200
    await app.sql.execute("UPDATE payer SET no_password_up_to = $1", NO_PASSWORD_UP_TO_FEN)
    assert await is_right(app, PASSWORD, card=1)
    assert (await change(app, None, NEW, card=1)).refused == (403, "password-incorrect")
    # An old one that there is not is wrong, and costs nothing.
    await app.sql.execute("UPDATE payer SET password_version = 0, password_tries = 0")
    assert (await change(app)).refused == (403, "password-incorrect")


@pytest.mark.parametrize("new", ["111111", "123456", "876543"])
async def test_password_that_is_easily_guessed_is_not_taken(app: Api, new: str) -> None:
    no = await change(app, new=new)
    assert (no.refused, no.pointers) == ((400, "field-invalid"), ["/new_password_block"])
    assert await is_right(app, PASSWORD)


async def test_same_key_gets_the_same_answer_and_takes_no_other_password(app: Api) -> None:
    path, key, body = f"{app.card_path()}/password", a_key(), await body_of(app)
    first = await app.post(path, body, caller="channel", key=key)
    again = await app.post(path, body, caller="channel", key=key)
    assert (first.status, again.body, again.is_replay) == (200, first.body, True)
    other = await app.post(path, await body_of(app, NEW, "704195"), caller="channel", key=key)
    assert (other.refused, other.pointers) == ((422, "idempotency-key-reused"), ["/new_password_block"])
    assert await is_right(app, NEW)


async def test_of_changes_at_once_one_holds(app: Api) -> None:
    replies = await asyncio.gather(*(change(app, new=f"82051{n}") for n in range(4)))
    assert sorted(reply.status for reply in replies if reply.status == 200) == [200]
    assert {reply.code for reply in replies} <= {None, "password-incorrect", "overloaded"}
    (winner,) = (n for n, reply in enumerate(replies) if reply.status == 200)
    assert await is_right(app, f"82051{winner}")


async def test_block_for_something_else_is_none(app: Api) -> None:
    seal = (await sealer(app)).seal
    good = await body_of(app)
    path = f"{app.card_path()}/password"
    others = (
        seal(NEW, card_id=id_text(app.world.cards[1])),
        seal(NEW, order_no="A-1"),
        seal(NEW, payment_id=nobodys_id(IdKind.PAYMENT)),
        "a.b.c.d.e",
    )
    for field in ("new_password_block", "password_block"):
        for block in others:
            no = await app.post(path, good | {field: block}, caller="channel")
            assert (no.refused, no.pointers) == ((422, "password-block-invalid"), [f"/{field}"])
    assert await app.sql.fetchval("SELECT max(password_tries) FROM payer") == 0
    # And a block that changes a password pays nothing.
    waiting = await app.pay(amount=ABOVE)
    confirmation = {"password_block": good["password_block"]}
    no = await app.post(f"/v1/payments/{waiting['id']}/confirmation", confirmation)
    assert no.refused == (422, "password-block-invalid")


async def test_card_that_there_is_not(app: Api) -> None:
    body = await body_of(app)
    for card in (nobodys_id(IdKind.CARD), "card_1"):
        assert (await app.post(f"/v1/cards/{card}/password", body, caller="channel")).refused == (404, "not-found")
        settings = {"tender_order": "bank_card_only"}
        assert (await app.post(f"/v1/cards/{card}/settings", settings, caller="channel")).refused == (404, "not-found")
    assert await app.sql.fetchval("SELECT count(*) FROM card_password") == 1


async def settings(api: Api, body: Json, *, caller: str = "channel", key: str | None = None) -> Reply:
    """A cardholder chooses."""
    return await api.post(f"{api.card_path()}/settings", body, caller=caller, key=key)


async def test_cardholder_chooses_up_to_what_no_password_is_asked_for(app: Api) -> None:
    assert (await settings(app, {"no_password_up_to": 20_000})).status == 200
    assert (await app.pay(amount=20_000))["status"] == "captured"
    assert (await app.pay(amount=20_001))["status"] == "awaiting_user"
    assert (await settings(app, {"no_password_up_to": 0})).status == 200
    assert (await app.pay(amount=1))["status"] == "awaiting_user"


async def test_cardholder_chooses_what_pays_first(app: Api) -> None:
    assert (await settings(app, {"tender_order": "bank_card_only"})).status == 200
    assert tenders_of(await app.pay(amount=100)) == {"bank_card": 100}
    assert (await settings(app, {"tender_order": "personal_account_only"})).status == 200
    assert tenders_of(await app.pay(amount=100)) == {"personal_account": 100}
    assert (await settings(app, {"tender_order": "personal_account_first", "no_password_up_to": 200_000})).status == 200
    row = await app.sql.fetchrow("SELECT tender_order, no_password_up_to FROM payer WHERE id = $1", app.world.cards[0])
    assert row is not None
    assert tuple(row) == (1, 200_000)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"no_password_up_to": 30_000}, "/no_password_up_to"),
        ({"no_password_up_to": -1}, "/no_password_up_to"),
        ({"no_password_up_to": "20000"}, "/no_password_up_to"),
        ({"tender_order": "family_first"}, "/tender_order"),
        ({"tender_order": 1}, "/tender_order"),
    ],
)
async def test_what_cannot_be_chosen_is_named(app: Api, body: Json, pointer: str) -> None:
    refused = await settings(app, body)
    assert (refused.refused, refused.pointers) == ((400, "field-invalid"), [pointer])


async def test_choice_is_made_once_a_key_and_in_an_app_only(app: Api) -> None:
    key = a_key()
    first = await settings(app, {"no_password_up_to": 20_000}, key=key)
    await settings(app, {"no_password_up_to": 50_000})
    again = await settings(app, {"no_password_up_to": 20_000}, key=key)
    assert (again.body, again.is_replay) == (first.body, True)
    assert await app.sql.fetchval("SELECT no_password_up_to FROM payer WHERE id = $1", app.world.cards[0]) == 50_000
    other = await settings(app, {"no_password_up_to": 80_000}, key=key)
    assert (other.refused, other.pointers) == ((422, "idempotency-key-reused"), ["/no_password_up_to"])
    for caller in ("merchant-0", "bank-0", "agency", "operator", "alpha"):
        assert (await settings(app, {"no_password_up_to": 0}, caller=caller)).refused == (404, "not-found")
