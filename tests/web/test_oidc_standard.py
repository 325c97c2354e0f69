"""What OpenID Connect asks of every provider, and what strangers try on the addresses that anybody may ask."""

import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]  # it has no stubs

from engine.core.ids import IdKind, parse_id
from engine.flows.login.sessions import UNANSWERED_KEPT_FOR
from engine.web.docs import LANGUAGES
from engine.web.login.page_html import TEXTS
from tests.web.api import Api
from tests.web.register import issue, open_register, sealed
from tests.web.test_oidc import (
    BACK,
    Browser,
    asked,
    confirmed,
    holder,
    logged_in,
    portal_of,
    registered,
    scanned,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

FULL_DISK = """
    ALTER TABLE login RENAME TO login_kept;
    CREATE FUNCTION full_disk() RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$;
    CREATE VIEW login AS SELECT k.* FROM login_kept k WHERE full_disk();
"""
ROOM_AGAIN = "DROP VIEW login; DROP FUNCTION full_disk; ALTER TABLE login_kept RENAME TO login;"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> Api:
    """The city with a register."""
    await open_register(city)
    return city


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def portal(desk: Api) -> Any:
    """A portal that people may log in at."""
    return portal_of(desk, await registered(desk))


def url_of(api: Api, path: str) -> str:
    """An address of the engine."""
    return str(api.base_url.join(api.base_url.with_path(path)))


async def sent(
    method: str, url: str, *, data: dict[str, str] | None = None, address: str = "127.0.0.1", **more: Any
) -> httpx.Response:
    """The answer to a request from this address of the machine; no redirect is followed."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        return await client.request(method, url, data=data, **more)


async def test_portal_may_ask_by_a_form(desk: Api, portal: Any) -> None:
    went = urlsplit((await portal.create_authorization_url(BACK, nonce="n"))["url"])
    url, form = url_of(desk, "/oauth2/authorize"), {name: v[0] for name, v in parse_qs(went.query).items()}
    shown = await sent("POST", url, data=form)
    assert (shown.status_code, shown.headers["Location"][:5]) == (303, "/q/l/")
    assert shown.headers["Set-Cookie"].startswith("login=")
    empty = await sent("POST", url, data=form | {"state": "", "nonce": ""})  # the same as if they were not there
    assert (empty.status_code, empty.headers["Location"][:5]) == (303, "/q/l/")
    refused = await sent("POST", url, data=form | {"code_challenge_method": "plain"})
    told = parse_qs(urlsplit(refused.headers["Location"]).query)
    assert (told["error"], told["state"]) == (["invalid_request"], [form["state"]])
    assert refused.headers["Location"].startswith(BACK)
    for wrong in (
        await sent("POST", url, data=form | {"redirect_uri": "https://portal.example.other.example/"}),
        await sent("POST", url, json=form),
        await sent("POST", f"{url}?{went.query}"),
    ):
        assert (wrong.status_code, wrong.json()["code"]) == (400, "redirect-not-allowed")
        assert "Location" not in wrong.headers


async def test_scopes_that_are_not_ours_are_ignored(desk: Api, portal: Any) -> None:
    who, going = await holder(desk, 1), await asked(portal, scope="openid email offline_access")
    assert (await scanned(desk, going, who))["scopes"] == ["openid"]


async def test_userinfo_is_told_by_post_and_says_what_it_needs(desk: Api, portal: Any) -> None:
    _, tokens = await logged_in(desk, portal, await holder(desk, 2))
    url, bearer = url_of(desk, "/oauth2/userinfo"), {"Authorization": f"Bearer {tokens['access_token']}"}
    by_get, by_post = [await sent(method, url, headers=bearer) for method in ("GET", "POST")]
    assert (by_post.status_code, by_post.json()) == (200, by_get.json())
    assert by_post.headers["Cache-Control"] == "no-store"
    form = {"access_token": tokens["access_token"]}
    assert (await sent("POST", url, data=form)).json() == by_get.json()
    twice = await sent("POST", url, data=form, headers=bearer)
    assert (twice.status_code, twice.json()["error"]) == (400, "invalid_request")
    nobody, wrong = [await sent("POST", url, headers=headers) for headers in ({}, {"Authorization": "Bearer x"})]
    assert (nobody.status_code, nobody.headers["WWW-Authenticate"]) == (401, 'Bearer realm="login"')
    assert wrong.headers["WWW-Authenticate"].endswith('error="invalid_token"')


async def test_secret_comes_as_basic_or_in_the_form_and_not_in_both(desk: Api, portal: Any) -> None:
    who, going = await holder(desk, 3), await asked(portal)
    await scanned(desk, going, who)
    await confirmed(desk, going, who)
    code = (await going.returned())["code"]
    secret = {"client_id": portal.client_id, "client_secret": portal.client_secret}
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": going.verifier,
    }
    url = url_of(desk, "/oauth2/token")
    both = await sent("POST", url, data=form | secret, auth=(portal.client_id, portal.client_secret))
    assert (both.status_code, both.json()["error"]) == (400, "invalid_request")
    for wrong in ({"client_id": portal.client_id}, secret | {"client_secret": "x"}, secret | {"client_id": "x"}):
        refused = await sent("POST", url, data=form | wrong)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    told = await sent("POST", url, data=form | secret)
    assert told.status_code == 200, told.text
    revoked = await sent("POST", url_of(desk, "/oauth2/revoke"), data={"token": told.json()["access_token"]} | secret)
    assert revoked.status_code == 200
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        await portal.userinfo(token=told.json())


async def test_who_tries_secrets_is_slowed_down_and_the_portal_is_not(desk: Api, portal: Any) -> None:
    limits, line = desk.node.read_limits, parse_id(portal.client_id, IdKind.LOGIN_CLIENT) + b"127.0.0.2"
    url, guess = url_of(desk, "/oauth2/token"), {"client_id": portal.client_id, "client_secret": "x"}
    while limits.wait_s(line, now_s=desk.clock.steady_s() + 60) is not None:
        pass
    refused = await sent("POST", url, data=guess, address="127.0.0.2")
    assert (refused.status_code, refused.json()["error"]) == (429, "temporarily_unavailable")
    assert refused.headers["Retry-After"] == "1"
    assert (await sent("POST", url, data=guess)).status_code == 401
    with pytest.raises(OAuthError, match="invalid_grant"):
        await portal.fetch_access_token(redirect_uri=BACK, code="x", code_verifier="y")


async def test_looks_at_a_person_come_one_after_the_other(desk: Api, portal: Any) -> None:
    going, tokens = await logged_in(desk, portal, await holder(desk, 4))
    token = await desk.sql.fetchval("SELECT token FROM login WHERE nonce = $1", going.nonce)
    while desk.node.read_limits.wait_s(b"userinfo" + token, now_s=desk.clock.steady_s() + 60) is not None:
        pass
    with pytest.raises(httpx.HTTPStatusError, match="429"):
        await portal.userinfo(token=tokens)


async def test_code_and_tokens_die_with_the_card_in_the_app(desk: Api, portal: Any) -> None:
    who = await holder(desk, 5)
    _, tokens = await logged_in(desk, portal, who)
    going = await asked(portal)
    await scanned(desk, going, who)
    await confirmed(desk, going, who)
    sign_no = str((await issue(desk, who))["sign_no"])
    body = {"password_block": await sealed(desk, f"{sign_no}/unlink")}
    assert (await desk.post(f"{who.path}/signs/{sign_no}/unlink", body, caller="channel")).status == 200
    with pytest.raises(OAuthError, match="invalid_grant"):
        await going.redeemed((await going.returned())["code"])
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        await portal.userinfo(token=tokens)


async def test_nothing_is_told_of_who_was_erased(desk: Api, portal: Any) -> None:
    who = await holder(desk, 6)
    _, tokens = await logged_in(desk, portal, who)
    assert "name" in await portal.userinfo(token=tokens)
    erased = """UPDATE person_key SET secret = NULL, destroyed_at = now()
                 WHERE person = (SELECT person FROM card WHERE id = $1)"""
    assert await desk.sql.execute(erased, who.card) == "UPDATE 1"
    assert set(await portal.userinfo(token=tokens)) == {"sub"}


async def test_logins_that_nobody_agreed_to_go_within_the_hour(desk: Api, portal: Any) -> None:
    going, _ = await logged_in(desk, portal, await holder(desk, 7))
    unseen, refused = await asked(portal), await asked(portal)
    who = await holder(desk, 8)
    await scanned(desk, refused, who)
    await desk.post(f"{refused.path}/cancel", {"card_id": who.id}, caller="channel")
    await desk.sql.execute("UPDATE login SET expires_at = expires_at - $1::interval", UNANSWERED_KEPT_FOR)
    assert (await unseen.browser.get(unseen.page)).status_code == 200
    await desk.sql.execute("UPDATE login SET expires_at = expires_at - interval '5 min'")
    await asked(portal)
    for gone in (unseen, refused):
        assert (await gone.browser.get(gone.page)).status_code == 404
    assert "used" in (await going.browser.get(f"{going.page}?lang=en")).text


async def test_person_is_told_that_the_database_is_away_and_the_log_names_no_code(
    desk: Api, portal: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    going = await asked(portal)
    await desk.sql.execute(FULL_DISK)
    try:
        for language in LANGUAGES:
            page = await going.browser.get(f"{going.page}?lang={language}")
            assert (page.status_code, TEXTS[language]["busy"] in page.text) == (503, True)
        status = await going.browser.get(f"{going.page}/status")
        assert (status.status_code, status.json()) == (503, {"status": "unknown"})
    finally:
        await desk.sql.execute(ROOM_AGAIN)
    assert (await going.browser.get(going.page)).status_code == 200
    assert going.token not in "".join(capfd.readouterr())


async def test_basic_is_form_encoded_as_the_standard_has_it(desk: Api, portal: Any) -> None:
    named = portal.client_id.replace("_", "%5F")
    basic = base64.b64encode(f"{named}:{portal.client_secret}".encode()).decode()
    reply = await sent(
        "POST",
        url_of(desk, "/oauth2/token"),
        data={"grant_type": "password", "client_id": portal.client_id},
        headers={"Authorization": f"Basic {basic}"},
    )
    assert (reply.status_code, reply.json()["error"]) == (400, "unsupported_grant_type")


async def test_browser_that_comes_again_has_one_login_at_a_time_each(portal: Any) -> None:
    first, second = await asked(portal), await asked(portal)
    both = Browser()
    for going in (first, second):
        both.cookies.update(going.browser.cookies)
    for going in (first, second):
        assert (await both.get(going.page)).status_code == 200
