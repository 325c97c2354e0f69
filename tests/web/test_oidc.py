"""An ordinary OpenID Connect client logs a person in by QR code; what goes wrong is told in its own words."""

import base64
import re
import secrets
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest
import pytest_asyncio
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]  # it has no stubs
from authlib.integrations.base_client.async_app import AsyncOAuth2Mixin  # type: ignore[import-untyped]  # it has no stubs
from authlib.integrations.base_client.async_openid import AsyncOpenIDMixin  # type: ignore[import-untyped]  # it has no stubs
from authlib.integrations.base_client.sync_app import BaseApp  # type: ignore[import-untyped]  # it has no stubs
from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]  # it has no stubs
from joserfc.errors import JoseError

from engine.flows.login.keys import PUBLISHED_AFTER, ROTATE_AFTER
from tests.web.api import Api, Json, Reply
from tests.web.register import Carried, give_password, issue, issued, open_register, sealed

pytestmark = pytest.mark.asyncio(loop_scope="module")

BACK = "https://portal.example/back?from=card"


class Portal(AsyncOAuth2Mixin, AsyncOpenIDMixin, BaseApp):  # type: ignore[misc]  # it has no stubs
    """The library's client, as its integrations put it together."""

    client_cls = AsyncOAuth2Client


class Browser:
    """A browser's cookies, and no connection that somebody would have to close."""

    def __init__(self) -> None:
        """Nothing is kept yet."""
        self.cookies = httpx.Cookies()

    async def get(self, url: str, *, headers: dict[str, str] | None = None) -> httpx.Response:
        """What is there; no redirect is followed."""
        async with httpx.AsyncClient(cookies=self.cookies, trust_env=False) as client:
            response = await client.get(url, headers=headers)
            self.cookies = client.cookies
        return response


class Going(msgspec.Struct, frozen=True):
    """A person in front of a portal's page: a browser, and what the portal has remembered of it."""

    portal: Any
    browser: Browser
    page: str
    verifier: str
    nonce: str
    state: str

    @property
    def token(self) -> str:
        """What the QR code says last."""
        return urlsplit(self.page).path.rpartition("/")[2]

    @property
    def path(self) -> str:
        """Where channels answer."""
        return f"/v1/identity/logins/{self.token}"

    async def returned(self) -> dict[str, str]:
        """What the browser brings back to the portal."""
        response = await self.browser.get(self.page)
        assert response.status_code == 303, response.text
        assert response.headers["Location"].startswith(BACK + "&")
        return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()}

    async def redeemed(self, code: str, **changes: str) -> Any:
        """The tokens, as the portal's library gets them."""
        sent = {"redirect_uri": BACK, "code": code, "code_verifier": self.verifier} | changes
        return await self.portal.fetch_access_token(**sent)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> Api:
    """The city with a register."""
    await open_register(city)
    return city


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def portal(desk: Api) -> AsyncIterator[Any]:
    """A portal that people may log in at."""
    made = await registered(desk)
    yield portal_of(desk, made)


def a_portal(**changes: object) -> Json:
    """The body of a portal's registration."""
    body: Json = {
        "region": "110100",
        "name_zh": "北京市人社<大厅>",
        "name_en": "Beijing <Hall>",
        "place": "永定门西街5号",
        "redirect_uris": [BACK, "http://127.0.0.1:9/back"],
    }
    return body | changes


async def registered(api: Api, **changes: object) -> Reply:
    """A portal that two operators have let in."""
    made = await api.post("/v1/identity/clients", a_portal(**changes), caller="alpha")
    assert made.status == 201, made.body
    enabled = await api.post(f"/v1/identity/clients/{made['id']}/enable", caller="beta")
    assert (enabled.status, enabled["status"]) == (200, "active"), enabled.body
    return made


def portal_of(api: Api, made: Reply, *, secret: str | None = None) -> Any:
    """The library, set up by discovery and the portal's own id and secret alone."""
    return Portal(
        None,
        "portal",
        client_id=str(made["id"]),
        client_secret=secret or str(made["client_secret"]),
        server_metadata_url=str(api.base_url.join(api.base_url.with_path("/.well-known/openid-configuration"))),
        client_kwargs={"scope": "openid profile", "code_challenge_method": "S256"},
    )


async def asked(portal: Any, **changes: str) -> Going:
    """A browser that a portal has sent to be shown a code."""
    went = await portal.create_authorization_url(BACK, **({"nonce": secrets.token_urlsafe(8)} | changes))
    browser = Browser()
    response = await browser.get(went["url"])
    assert response.status_code == 303, response.text
    page = str(response.url.join(response.headers["Location"]))
    return Going(portal, browser, page, went["code_verifier"], went["nonce"], went["state"])


async def scanned(api: Api, going: Going, who: Carried, *, channel: str = "channel") -> Reply:
    """The person's app scans the code."""
    return await api.post(f"{going.path}/scan", {"card_id": who.id}, caller=channel)


async def confirmed(
    api: Api, going: Going, who: Carried, *, scopes: tuple[str, ...] = ("openid", "profile"), **changes: object
) -> Reply:
    """The person agrees in the app, by password."""
    body = {"card_id": who.id, "scopes": scopes, "password_block": await sealed(api, f"{going.token}/login")}
    return await api.post(f"{going.path}/confirm", body | changes, caller="channel")


async def holder(api: Api, n: int) -> Carried:
    """Somebody with a card in the app, and a password."""
    who = await issued(api, n)
    await give_password(api, who)
    return who


async def logged_in(api: Api, portal: Any, who: Carried) -> tuple[Going, Any]:
    """Somebody who has logged in, and what the portal was told."""
    going = await asked(portal)
    assert (await scanned(api, going, who)).status == 200
    assert (await confirmed(api, going, who)).status == 200
    return going, await going.redeemed((await going.returned())["code"])


async def test_ordinary_client_logs_a_person_in(desk: Api, portal: Any) -> None:
    who, going = await holder(desk, 1), await asked(portal)
    page = await going.browser.get(going.page, headers={"Accept-Language": "en"})
    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
    assert "Beijing &lt;Hall&gt; asks you" in page.text
    assert (await going.browser.get(f"{going.page}/status")).json() == {"status": "created"}

    shown = await scanned(desk, going, who)
    assert (shown.status, shown["status"], shown["place"]) == (200, "scanned", "永定门西街5号")
    assert (shown["scopes"], shown["agreed_scopes"]) == (["openid", "profile"], None)
    assert "Scanned" in (await going.browser.get(f"{going.page}?lang=en")).text
    assert (await confirmed(desk, going, who))["status"] == "confirmed"
    assert (await going.browser.get(f"{going.page}/status")).json() == {"status": "confirmed"}

    first, again = await going.returned(), await going.returned()  # the first answer was lost
    assert first == again
    assert (first["state"], first["iss"]) == (going.state, str(desk.base_url).rstrip("/"))
    tokens = await going.redeemed(first["code"])
    told = await portal.parse_id_token(tokens, nonce=going.nonce)
    expected = {"name": who.person.name, "masked_id_number": f"1****{who.person.id_number[-1]}", "region": "110101"}
    assert expected == {name: told[name] for name in expected}
    assert told["amr"] == ["pin"]
    info = await portal.userinfo(token=tokens)
    assert {"sub": told["sub"], **expected} == dict(info)
    assert "used" in (await going.browser.get(f"{going.page}?lang=en")).text


async def test_person_is_the_same_at_a_portal_and_another_elsewhere(desk: Api, portal: Any) -> None:
    who, elsewhere = await holder(desk, 2), portal_of(desk, await registered(desk))
    subjects = []
    for at in (portal, portal, elsewhere):
        going, tokens = await logged_in(desk, at, who)
        subjects.append((await at.parse_id_token(tokens, nonce=going.nonce))["sub"])
    assert subjects[0] == subjects[1] != subjects[2]


async def test_nothing_is_told_that_was_not_agreed_to(desk: Api, portal: Any) -> None:
    who, going = await holder(desk, 3), await asked(portal)
    await scanned(desk, going, who)
    await confirmed(desk, going, who, scopes=("openid",))
    tokens = await going.redeemed((await going.returned())["code"])
    assert tokens["scope"] == "openid"
    assert set(await portal.userinfo(token=tokens)) == {"sub"}
    assert "name" not in await portal.parse_id_token(tokens, nonce=going.nonce)
    assert await desk.sql.fetchval("SELECT count(*) FROM consent WHERE card = $1", who.card) == 0


async def test_what_was_agreed_to_can_be_taken_back_and_each_look_is_on_record(desk: Api, portal: Any) -> None:
    who = await holder(desk, 4)
    _, tokens = await logged_in(desk, portal, who)
    assert "name" in await portal.userinfo(token=tokens)
    (consent,) = await desk.sql.fetch("SELECT scope, purpose, evidence_kind FROM consent WHERE card = $1", who.card)
    assert tuple(consent) == ("profile", "login", "password")
    await desk.sql.execute("UPDATE consent SET revoked_at = now(), revoked_by = channel WHERE card = $1", who.card)
    assert set(await portal.userinfo(token=tokens)) == {"sub"}
    looks = await desk.sql.fetch("SELECT action, result FROM audit_entry WHERE subject = $1 ORDER BY n", who.card)
    assert [tuple(look) for look in looks] == [("login.profile", "allowed")] * 2 + [
        ("login.profile", "consent-required")
    ]


async def test_code_that_comes_again_takes_back_what_it_was_worth(desk: Api, portal: Any) -> None:
    who, going = await holder(desk, 5), await asked(portal)
    await scanned(desk, going, who)
    await confirmed(desk, going, who)
    code = (await going.returned())["code"]
    tokens = await going.redeemed(code)
    assert (await portal.userinfo(token=tokens))["sub"]
    with pytest.raises(OAuthError, match="invalid_grant"):
        await going.redeemed(code)
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        await portal.userinfo(token=tokens)


@pytest.mark.parametrize(
    ("n", "changes"),
    [
        (6, {"code_verifier": "x" * 43}),
        (7, {"redirect_uri": "http://127.0.0.1:9/back"}),
        (8, {"code": "A" * 66}),
    ],
)
async def test_code_alone_is_worth_nothing(desk: Api, portal: Any, n: int, changes: dict[str, str]) -> None:
    who, going = await holder(desk, n), await asked(portal)
    await scanned(desk, going, who)
    await confirmed(desk, going, who)
    code = (await going.returned())["code"]
    with pytest.raises(OAuthError, match="invalid_grant"):
        await going.redeemed(**({"code": code} | changes))
    other = portal_of(desk, await registered(desk))
    with pytest.raises(OAuthError, match="invalid_grant"):
        await msgspec.structs.replace(going, portal=other).redeemed(code)
    assert (await going.redeemed(code))["token_type"] == "Bearer"


async def test_client_notices_another_logins_id_token(desk: Api, portal: Any) -> None:
    who = await holder(desk, 9)
    _, tokens = await logged_in(desk, portal, who)
    with pytest.raises(JoseError, match="nonce"):
        await portal.parse_id_token(tokens, nonce="of another login")


async def test_code_and_tokens_die_with_time_and_with_the_card(desk: Api, portal: Any) -> None:
    who, late = await holder(desk, 10), await asked(portal)
    await scanned(desk, late, who)
    await confirmed(desk, late, who)
    code = (await late.returned())["code"]
    await desk.sql.execute("UPDATE login SET confirmed_at = confirmed_at - interval '61 s' WHERE card = $1", who.card)
    with pytest.raises(OAuthError, match="invalid_grant"):
        await late.redeemed(code)
    assert "access_denied" in (await late.browser.get(late.page)).text
    _, tokens = await logged_in(desk, portal, who)
    going = await asked(portal)
    await scanned(desk, going, who)
    await confirmed(desk, going, who)
    await desk.post(f"{who.path}/loss-report", caller="channel")
    with pytest.raises(OAuthError, match="invalid_grant"):
        await going.redeemed((await going.returned())["code"])
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        await portal.userinfo(token=tokens)
    await desk.post(f"{who.path}/reinstate", caller="channel")


async def test_tokens_live_for_ten_minutes_or_until_given_back(desk: Api, portal: Any) -> None:
    who = await holder(desk, 11)
    _, tokens = await logged_in(desk, portal, who)
    assert tokens["expires_in"] == 600
    await desk.sql.execute("UPDATE login SET redeemed_at = redeemed_at - interval '600 s' WHERE card = $1", who.card)
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        await portal.userinfo(token=tokens)
    _, tokens = await logged_in(desk, portal, who)
    url = str(desk.base_url.join(desk.base_url.with_path("/oauth2/revoke")))
    async with httpx.AsyncClient(trust_env=False, auth=(portal.client_id, portal.client_secret)) as client:
        for token in (tokens["access_token"], tokens["access_token"], "nobody's"):
            assert (await client.post(url, data={"token": token})).status_code == 200
        assert (await client.post(url, data={})).json()["error"] == "invalid_request"
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        await portal.userinfo(token=tokens)


@pytest.mark.parametrize(
    ("headers", "body", "status", "error"),
    [
        ({}, b"grant_type=authorization_code", 401, "invalid_client"),
        ({"Authorization": "Basic !"}, b"", 401, "invalid_client"),
        ({"Authorization": "Basic /w=="}, b"", 401, "invalid_client"),
        ({"Authorization": "Bearer x"}, b"", 401, "invalid_client"),
        (None, b"grant_type=password", 400, "unsupported_grant_type"),
        (None, b"", 400, "unsupported_grant_type"),
        (None, b"grant_type=authorization_code", 400, "invalid_request"),
        (None, b"grant_type=authorization_code&code=1&code=2", 400, "invalid_request"),
        (None, b"code=%ff&" + b"a=1&" * 20, 400, "invalid_request"),
        (None, b"client_id=cli_other", 401, "invalid_client"),
    ],
)
async def test_tokens_are_refused_in_oauths_words(
    desk: Api, portal: Any, headers: dict[str, str] | None, body: bytes, status: int, error: str
) -> None:
    url = str(desk.base_url.join(desk.base_url.with_path("/oauth2/token")))
    basic = base64.b64encode(f"{portal.client_id}:{portal.client_secret}".encode()).decode()
    sent = headers if headers is not None else {"Authorization": f"Basic {basic}"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.post(url, content=body, headers=form | sent)
        json = await client.post(url, json={"grant_type": "authorization_code"}, headers=sent)
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert response.headers["Cache-Control"] == "no-store"
    assert (status == 401) == ("WWW-Authenticate" in response.headers)
    assert json.status_code == (400 if headers is None else 401)


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://portal.example/back"},
        {"redirect_uri": "https://portal.example.other.example/back?from=card"},
        {"redirect_uri": ""},
        {"client_id": "cli_" + "0" * 26},
        {"client_id": "\x00"},
    ],
)
async def test_browser_is_sent_nowhere_that_is_not_registered(desk: Api, portal: Any, changes: dict[str, str]) -> None:
    went = await portal.create_authorization_url(BACK)
    url = httpx.URL(went["url"]).copy_merge_params(changes)
    for address in (url, url.copy_add_param("redirect_uri", BACK)):
        response = await Browser().get(str(address))
        assert (response.status_code, response.json()["code"]) == (400, "redirect-not-allowed")
        assert "Location" not in response.headers


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("&prompt=none", "login_required"),
        ("&code_challenge=x", "invalid_request"),  # given twice
        ("&code_challenge_method=plain", "invalid_request"),
        ("&request=x", "request_not_supported"),
    ],
)
async def test_what_cannot_be_is_told_to_the_portal(desk: Api, portal: Any, query: str, error: str) -> None:
    went = await portal.create_authorization_url(BACK)
    response = await Browser().get(went["url"] + query)
    told = parse_qs(urlsplit(response.headers["Location"]).query)
    assert (response.status_code, told["error"], told["state"]) == (303, [error], [went["state"]])
    assert response.headers["Location"].startswith(BACK)


async def test_keys_follow_each_other_and_old_tokens_stay_good(desk: Api, portal: Any) -> None:
    who = await holder(desk, 12)
    _, tokens = await logged_in(desk, portal, who)
    age = "UPDATE login_key SET created_at = created_at - $1::interval WHERE key_id = $2"
    await desk.sql.execute(age, ROTATE_AFTER, "login-1")
    _, newer = await logged_in(desk, portal, who)
    fresh = portal_of(desk, await registered(desk))
    fresh.client_id = portal.client_id
    for one in (tokens, newer):
        assert await fresh.parse_id_token(one, nonce=None)
    assert await portal.parse_id_token(newer, nonce=None)  # which has the old list, and asks for the new one
    await desk.sql.execute(age, PUBLISHED_AFTER, "login-2")
    published = await desk.send("GET", "/oauth2/jwks")
    assert re.findall(r'"kid":"([^"]+)"', published.body.decode()) == ["login-2"]
    assert b'"d"' not in published.body


async def test_portal_that_is_suspended_is_told_nothing(desk: Api) -> None:
    made = await registered(desk)
    stopped, who = portal_of(desk, made), await holder(desk, 13)
    _, tokens = await logged_in(desk, stopped, who)
    waiting = await asked(stopped)
    await desk.post(f"/v1/identity/clients/{made['id']}/suspend", caller="gamma")
    assert (await scanned(desk, waiting, who)).refused == (410, "login-code-expired")
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        await stopped.userinfo(token=tokens)
    went = await stopped.create_authorization_url(BACK)
    assert (await Browser().get(went["url"])).json()["code"] == "redirect-not-allowed"
    with pytest.raises(OAuthError, match="invalid_client"):
        await waiting.redeemed("any")


async def test_second_channel_sees_its_own_cards_only(desk: Api, portal: Any) -> None:
    who, going = await holder(desk, 14), await asked(portal)
    assert (await scanned(desk, going, who, channel="channel-2")).refused == (404, "not-found")
    await issue(desk, who, channel="channel-2")
    assert (await scanned(desk, going, who)).status == 200
    assert (await scanned(desk, going, who, channel="channel-2")).refused == (409, "login-code-bound-to-other")
