"""Login codes as people and their enemies meet them: scanned by two, photographed, expired, replayed; and portals."""

import asyncio
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]  # it has no stubs

from engine.core.ids import IdKind
from engine.web.docs import LANGUAGES
from engine.web.login.page_html import TEXTS
from tests.web.api import Api, Reply, a_key, nobodys_id
from tests.web.register import WRONG, Carried, issued, open_register, sealed
from tests.web.test_oidc import (
    BACK,
    Browser,
    Going,
    a_portal,
    asked,
    confirmed,
    holder,
    logged_in,
    portal_of,
    registered,
    scanned,
)
from tests.web.test_passkeys import challenge, with_passkey

pytestmark = pytest.mark.asyncio(loop_scope="module")

USED, EXPIRED = (409, "login-code-used"), (410, "login-code-expired")
BOUND = (409, "login-code-bound-to-other")
NOT_FOUND = (404, "not-found")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> Api:
    """The city with a register."""
    await open_register(city)
    return city


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def portal(desk: Api) -> Any:
    """A portal that people may log in at."""
    return portal_of(desk, await registered(desk))


async def answered(api: Api, going: Going, who: Carried, answer: str, *, key: str | None = None) -> Reply:
    """The person says yes or no."""
    body: dict[str, object] = {"card_id": who.id}
    if answer == "confirm":
        body |= {"scopes": ["openid"], "password_block": await sealed(api, f"{going.token}/login")}
    return await api.post(f"{going.path}/{answer}", body, caller="channel", key=key)


async def tries_of(api: Api, who: Carried) -> int:
    """How many wrong passwords count against a card."""
    found: int = await api.sql.fetchval("SELECT password_tries FROM payer WHERE id = $1", who.card)
    return found


async def test_of_many_who_scan_at_once_one_has_the_code(desk: Api, portal: Any) -> None:
    people = [await holder(desk, n) for n in range(1, 7)]
    going = await asked(portal)
    scans = await asyncio.gather(*(scanned(desk, going, who) for who in people))
    won = [who for who, scan in zip(people, scans, strict=True) if scan.status == 200]
    assert len(won) == 1
    assert [scan.refused for scan in scans if scan.status != 200] == [BOUND] * 5
    again = await scanned(desk, going, won[0])  # it may have lost the answer
    assert (again.status, again["status"]) == (200, "scanned")
    other = next(who for who in people if who is not won[0])
    assert (await answered(desk, going, other, "confirm")).refused == BOUND
    assert (await answered(desk, going, other, "cancel")).refused == BOUND
    assert (await answered(desk, going, won[0], "confirm")).status == 200


async def test_picture_of_the_code_logs_nobody_in(desk: Api, portal: Any) -> None:
    who, going, thief = await holder(desk, 8), await asked(portal), Browser()
    for language in LANGUAGES:
        page = await thief.get(f"{going.page}?lang={language}")
        assert (page.status_code, "<svg" in page.text) == (403, False)
        assert TEXTS[language]["elsewhere"] in page.text
    await scanned(desk, going, who)
    await confirmed(desk, going, who)
    for headers in ({}, {"Cookie": "login="}, {"Cookie": f"login={going.token}"}):
        stolen = await thief.get(going.page, headers=headers)
        assert (stolen.status_code, "Location" in stolen.headers) == (403, False)
        assert (await thief.get(f"{going.page}/status", headers=headers)).status_code == 404
    (cookie,) = going.browser.cookies.jar
    assert (cookie.path, cookie.has_nonstandard_attr("HttpOnly")) == (f"/q/l/{going.token}", True)
    assert cookie.get_nonstandard_attr("SameSite") == "Lax"
    assert (await going.returned())["code"]


async def test_cookie_of_one_login_is_none_of_another(desk: Api, portal: Any) -> None:
    first, second = await asked(portal), await asked(portal)
    (cookie,) = first.browser.cookies.jar
    page = await Browser().get(second.page, headers={"Cookie": f"login={cookie.value}"})
    assert page.status_code == 403


async def test_expired_code_is_good_for_nothing(desk: Api, portal: Any) -> None:
    who, unseen, unanswered = await holder(desk, 9), await asked(portal), await asked(portal)
    await scanned(desk, unanswered, who)
    await desk.sql.execute("UPDATE login SET expires_at = expires_at - interval '120 s' WHERE state < 3")
    for going in (unseen, unanswered):
        assert (await scanned(desk, going, who)).refused == EXPIRED
        assert (await going.browser.get(f"{going.page}/status")).json() == {"status": "expired"}
        page = await going.browser.get(f"{going.page}?lang=en")
        assert TEXTS["en"]["expired"] in page.text
        assert f"{BACK}&amp;error=access_denied" in page.text
    assert (await answered(desk, unanswered, who, "confirm")).refused == EXPIRED
    assert (await answered(desk, unanswered, who, "cancel")).refused == EXPIRED


async def test_code_is_shown_for_two_minutes_and_answered_in_two_more(desk: Api, portal: Any) -> None:
    who, going = await holder(desk, 10), await asked(portal)
    times = "SELECT extract(epoch FROM expires_at - created_at) FROM login WHERE challenge = $1"
    challenge = await desk.sql.fetchval("SELECT challenge FROM login ORDER BY created_at DESC LIMIT 1")
    assert await desk.sql.fetchval(times, challenge) == 120
    await desk.sql.execute(
        "UPDATE login SET expires_at = expires_at - interval '110 s' WHERE challenge = $1", challenge
    )
    await scanned(desk, going, who)
    assert await desk.sql.fetchval(times, challenge) >= 120


@pytest.mark.parametrize(("n", "answer"), [(11, "confirm"), (12, "cancel")])
async def test_answer_is_given_once(desk: Api, portal: Any, n: int, answer: str) -> None:
    who, going, key = await holder(desk, n), await asked(portal), a_key()
    assert (await answered(desk, going, who, answer)).refused == NOT_FOUND  # it was not scanned
    await scanned(desk, going, who)
    first = await answered(desk, going, who, answer, key=key)
    assert first.status == 200, first.body
    assert await tries_of(desk, who) == 0
    for other in ("confirm", "cancel"):
        assert (await answered(desk, going, who, other)).refused == USED
    assert (await scanned(desk, going, who)).refused == USED
    if answer == "cancel":
        back = await going.returned()
        assert (back["error"], back["state"], "code" in back) == ("access_denied", going.state, False)


async def test_lost_answer_is_given_again(desk: Api, portal: Any) -> None:
    who, going, key = await holder(desk, 13), await asked(portal), a_key()
    await scanned(desk, going, who)
    body = {"card_id": who.id, "scopes": ["openid"], "password_block": await sealed(desk, f"{going.token}/login")}
    first, again = [await desk.post(f"{going.path}/confirm", body, caller="channel", key=key) for _ in range(2)]
    assert (first.status, again.body, again.is_replay) == (200, first.body, True)
    other = await desk.post(
        f"{going.path}/confirm", body | {"scopes": ["openid", "profile"]}, caller="channel", key=key
    )
    assert other.refused == (422, "idempotency-key-reused")


async def test_yes_and_no_at_once_is_one_of_them(desk: Api, portal: Any) -> None:
    who, going = await holder(desk, 14), await asked(portal)
    await scanned(desk, going, who)
    answers = ("confirm", "cancel", "confirm", "cancel")
    replies = await asyncio.gather(*(answered(desk, going, who, answer) for answer in answers))
    assert sorted(reply.status for reply in replies) == [200, 409, 409, 409]


async def test_nobody_is_logged_in_without_an_act_for_just_this(desk: Api, portal: Any) -> None:
    who, going, other = await holder(desk, 15), await asked(portal), await asked(portal)
    await scanned(desk, going, who)
    blocks = {
        (403, "reauthentication-required"): None,
        (403, "password-incorrect"): await sealed(desk, f"{going.token}/login", WRONG),
        (422, "password-block-invalid"): await sealed(desk, f"{other.token}/login"),
    }
    for refused, block in blocks.items():
        changes = {"password_block": block} if block is not None else {}
        body = {"card_id": who.id, "scopes": ["openid"]} | changes
        assert (await desk.post(f"{going.path}/confirm", body, caller="channel")).refused == refused
    assert (await confirmed(desk, going, who, scopes=("profile",))).refused == (400, "field-invalid")
    assert (await going.browser.get(f"{going.page}/status")).json() == {"status": "scanned"}


async def test_passkey_logs_in_at_what_it_has_signed_for(desk: Api, portal: Any) -> None:
    who, going, other = await holder(desk, 29), await asked(portal), await asked(portal)
    device = await with_passkey(desk, who)
    for one in (going, other):
        await scanned(desk, one, who)
    signed = device.sign(await challenge(desk, who, "login", going.token))
    body, key = {"card_id": who.id, "scopes": ["openid", "profile"], "passkey": signed}, a_key()
    assert (await desk.post(f"{other.path}/confirm", body, caller="channel")).refused == (422, "passkey-invalid")
    signed = device.sign(await challenge(desk, who, "login", going.token))
    replies = [
        await desk.post(f"{going.path}/confirm", body | {"passkey": signed}, caller="channel", key=key)
        for _ in range(2)  # the first answer was lost
    ]
    assert [(reply.status, reply.is_replay) for reply in replies] == [(200, False), (200, True)], replies[0].body
    tokens = await going.redeemed((await going.returned())["code"])
    assert (await portal.parse_id_token(tokens, nonce=going.nonce))["amr"] == ["pop", "user"]
    assert await desk.sql.fetchval("SELECT evidence_kind FROM consent WHERE card = $1", who.card) == "passkey"


async def test_wrong_code_costs_no_try(desk: Api, portal: Any) -> None:
    who, other, going = await holder(desk, 16), await holder(desk, 17), await asked(portal)
    await scanned(desk, going, other)
    block = await sealed(desk, f"{going.token}/login", WRONG)
    assert (await confirmed(desk, going, who, password_block=block)).refused == BOUND
    assert await tries_of(desk, who) == 0


async def test_scope_that_was_not_asked_for_is_not_agreed_to(desk: Api, portal: Any) -> None:
    going = await asked(portal, scope="openid")
    who = await holder(desk, 18)
    assert (await scanned(desk, going, who))["scopes"] == ["openid"]
    assert (await confirmed(desk, going, who)).refused == (403, "scope-not-authorized")
    assert (await answered(desk, going, who, "confirm"))["agreed_scopes"] == ["openid"]


@pytest.mark.parametrize(
    ("n", "operation", "refused"),
    [(19, "loss-report", (403, "card-reported-lost")), (20, "suspend", (403, "card-not-usable"))],
)
async def test_card_out_of_use_logs_nobody_in(
    desk: Api, portal: Any, n: int, operation: str, refused: tuple[int, str]
) -> None:
    who, going, fresh = await holder(desk, n), await asked(portal), await asked(portal)
    await scanned(desk, going, who)
    body = {"reason": "so"} if operation == "suspend" else {}
    await desk.post(f"{who.path}/{operation}", body, caller="alpha")
    assert (await scanned(desk, fresh, who)).refused == refused
    assert (await answered(desk, going, who, "confirm")).refused == refused


@pytest.mark.parametrize("token", ["A" * 22, "1", "A" * 21 + "B", "%00", "files"])
async def test_code_that_there_is_not(desk: Api, token: str) -> None:
    who = await issued(desk, 21 + ["A" * 22, "1", "A" * 21 + "B", "%00", "files"].index(token))
    body = {"card_id": who.id}
    for act in ("scan", "cancel"):
        assert (await desk.post(f"/v1/identity/logins/{token}/{act}", body, caller="channel")).refused == NOT_FOUND
    page = await desk.send("GET", f"/q/l/{token}")
    assert (page.status, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


async def test_channels_side_is_for_channels_and_their_cards(desk: Api, portal: Any) -> None:
    who, going = await holder(desk, 27), await asked(portal)
    for caller in ("merchant-0", "bank-0", "alpha", "agency", "channel-2"):
        assert (await scanned(desk, going, who, channel=caller)).status in (403, 404)
    for card in (nobodys_id(IdKind.CARD), who.id):
        expected = 404 if card != who.id else 200
        assert (await desk.post(f"{going.path}/scan", {"card_id": card}, caller="channel")).status == expected
    reply = await desk.post(f"{going.path}/scan", {"card_id": "x"}, caller="channel")
    assert (reply.refused, reply.pointers) == ((400, "field-invalid"), ["/card_id"])


async def test_channel_logs_people_in_where_it_is_granted(desk: Api, portal: Any) -> None:
    who, going = await holder(desk, 30), await asked(portal)
    grant = "UPDATE channel SET regions = $1 WHERE id = (SELECT caller FROM caller_key WHERE keyid = 'channel')"
    await desk.sql.execute(grant, [310000])
    try:
        assert (await scanned(desk, going, who)).refused == (403, "channel-not-authorized")
    finally:
        await desk.sql.execute(grant, [0])
    assert (await scanned(desk, going, who)).status == 200


async def test_old_logins_go_with_new_ones(desk: Api, portal: Any) -> None:
    going = await asked(portal)
    await desk.sql.execute("UPDATE login SET expires_at = expires_at - interval '8 days' WHERE state < 3")
    await asked(portal)
    assert (await going.browser.get(going.page)).status_code == 404


async def test_person_is_in_no_row_of_a_login(desk: Api, portal: Any) -> None:
    who = await holder(desk, 28)
    going, tokens = await logged_in(desk, portal, who)
    rows = await desk.sql.fetch("SELECT l::text FROM login l WHERE card = $1", who.card)
    kept = "".join(str(row["l"]) for row in rows)
    (cookie,) = going.browser.cookies.jar
    for secret in (*who.person.secrets, tokens["access_token"], going.verifier, str(cookie.value)):
        assert secret not in kept
        assert secret.encode().hex() not in kept


# Portals, as operators have them.


async def test_portal_takes_two_operators_and_its_secret_is_shown_once(desk: Api) -> None:
    key = a_key()
    made, again = [await desk.post("/v1/identity/clients", a_portal(), caller="alpha", key=key) for _ in range(2)]
    assert (made.status, made["status"], again.body, again.is_replay) == (201, "registered", made.body, True)
    path = f"/v1/identity/clients/{made['id']}"
    went = await portal_of(desk, made).create_authorization_url(BACK)
    assert (await Browser().get(went["url"])).json()["code"] == "redirect-not-allowed"
    assert (await desk.post(f"{path}/enable", caller="alpha")).refused == (403, "approval-required")
    assert (await desk.post(f"{path}/enable", caller="delta")).refused == (403, "scope-not-authorized")
    assert (await desk.post(f"{path}/enable", caller="gamma"))["status"] == "active"
    assert (await Browser().get(went["url"])).status_code == 303
    assert (await desk.post(f"{path}/suspend", caller="beijing"))["status"] == "suspended"
    assert (await desk.post(f"{path}/enable", caller="beijing")).refused == (403, "approval-required")
    shown = await desk.get(path, caller="delta")
    assert (shown["status"], "client_secret" in shown.json) == ("suspended", False)
    kept = await desk.sql.fetchval("SELECT c::text FROM login_client c ORDER BY created_at DESC LIMIT 1")
    assert str(made["client_secret"]) not in kept


async def test_portals_are_their_regions_operators(desk: Api) -> None:
    made = await registered(desk)
    path = f"/v1/identity/clients/{made['id']}"
    for caller in ("shanghai", "merchant-0", "channel"):
        assert (await desk.get(path, caller=caller)).refused == NOT_FOUND
        for act in ("rotate-secret", "enable", "suspend"):
            assert (await desk.post(f"{path}/{act}", caller=caller)).refused == NOT_FOUND
    assert (await desk.post("/v1/identity/clients", a_portal(), caller="shanghai")).refused == (
        403,
        "region-not-permitted",
    )
    assert made["id"] not in [item["id"] for item in (await desk.get("/v1/identity/clients", caller="shanghai")).items]
    first = await desk.get("/v1/identity/clients?limit=1", caller="beijing")
    assert [item["id"] for item in first.items] == [made["id"]]
    second = await desk.get(f"/v1/identity/clients?limit=1&cursor={first['next_cursor']}", caller="beijing")
    assert second.items != first.items


@pytest.mark.parametrize(
    ("changes", "refused", "pointer"),
    [
        ({"region": "990000"}, None, None),
        ({"region": "000001"}, (422, "region-unknown"), "/region"),
        ({"redirect_uris": []}, (400, "field-invalid"), "/redirect_uris"),
        ({"redirect_uris": [BACK, BACK]}, (400, "field-invalid"), "/redirect_uris/1"),
        ({"redirect_uris": ["http://portal.example/"]}, (400, "field-invalid"), "/redirect_uris/0"),
        ({"scopes": ["profile"]}, (400, "field-invalid"), "/scopes"),
        ({"scopes": ["openid", "openid"]}, (400, "field-invalid"), "/scopes"),
        ({"scopes": ["openid", "email"]}, (400, "field-invalid"), "/scopes/1"),
        ({"name_en": "a\nb"}, (400, "field-invalid"), "/name_en"),
    ],
)
async def test_portal_that_cannot_be(
    desk: Api, changes: dict[str, object], refused: tuple[int, str] | None, pointer: str | None
) -> None:
    reply = await desk.post("/v1/identity/clients", a_portal(**changes), caller="alpha")
    if refused is None:
        assert reply.status == 201
    else:
        assert (reply.refused, reply.pointers) == (refused, [pointer])


async def test_new_secret_and_the_one_before_it(desk: Api) -> None:
    made = await registered(desk)
    path = f"/v1/identity/clients/{made['id']}/rotate-secret"
    newer = await desk.post(path, {"overlap_s": 3600}, caller="alpha")

    async def works(reply: Reply) -> bool:
        with pytest.raises(OAuthError) as refused:
            await portal_of(desk, made, secret=str(reply["client_secret"])).fetch_access_token(
                redirect_uri=BACK, code="x", code_verifier="y"
            )
        return bool(refused.value.error == "invalid_grant")

    assert [await works(reply) for reply in (made, newer)] == [True, True]
    ended = "UPDATE login_client SET earlier_ends_at = earlier_ends_at - interval '1 h' WHERE name_en = $1"
    await desk.sql.execute(ended, made["name_en"])
    assert [await works(reply) for reply in (made, newer)] == [False, True]
    newest = await desk.post(path, {"overlap_s": 0}, caller="alpha")
    assert [await works(reply) for reply in (made, newer, newest)] == [False, False, True]
    assert msgspec.json.decode(newest.body)["client_secret"] != newer["client_secret"]
