"""Logging in: what a portal may ask, who may scan and answer, and what a code is worth."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from engine.core.ids import IdKind
from engine.core.logins import (
    CODE_LASTS,
    SHOWN_FOR,
    TOKENS_LAST,
    Ask,
    ClientState,
    CodeBrought,
    Login,
    LoginClient,
    LoginScope,
    LoginState,
    OAuthFault,
    Redemption,
    are_tokens_good,
    decide_redemption,
    read_ask,
    scanned,
    why_no_redirect,
    why_not_answered,
    why_not_scanned,
)
from engine.core.refusals import Refusal
from tests.builders import an_id

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CLIENT, CARD, CHANNEL = an_id(IdKind.LOGIN_CLIENT), an_id(IdKind.CARD), an_id(IdKind.CHANNEL)
# RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
BACK = "https://portal.example/back"

PORTAL = LoginClient(
    id=CLIENT,
    region=110000,
    name_zh="大厅",
    name_en="Hall",
    place="北京",
    redirect_uris=(BACK,),
    scopes=(LoginScope.OPENID,),
    secret_hash=bytes(32),
    earlier_secret_hash=None,
    earlier_ends_at=None,
    state=ClientState.ACTIVE,
    changed_by=an_id(IdKind.OPERATOR),
    changed_at=NOW,
    created_at=NOW,
)
ASKED = {
    "response_type": "code",
    "redirect_uri": BACK,
    "scope": "openid",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "something_new": "is ignored",
}


def a_login(state: LoginState = LoginState.CREATED, **changes: object) -> Login:
    """A login that was asked for now."""
    bound = {} if state is LoginState.CREATED else {"card": CARD, "channel": CHANNEL}
    confirmed = {"confirmed_at": NOW} if state in (LoginState.CONFIRMED, LoginState.CONSUMED) else {}
    redeemed = {"redeemed_at": NOW} if state is LoginState.CONSUMED else {}
    login = Login(
        token=bytes(16),
        client=CLIENT,
        redirect_uri=BACK,
        scopes=(LoginScope.OPENID,),
        client_state=None,
        nonce=None,
        challenge=CHALLENGE,
        browser_hash=bytes(32),
        state=state,
        created_at=NOW,
        expires_at=NOW + SHOWN_FOR,
    )
    return msgspec.structs.replace(login, **(bound | confirmed | redeemed | changes))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, None),
        ({"state": "x y~", "nonce": "n"}, None),
        ({"state": "é"}, "invalid_request"),
        ({"nonce": "a\nb"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": "openid profile"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
        ({"request": "ey"}, "request_not_supported"),
    ],
)
def test_portal_asks_in_one_way(changes: dict[str, str], error: str | None) -> None:
    ask = read_ask(ASKED | changes, PORTAL)
    assert error == (ask.error if isinstance(ask, OAuthFault) else None)
    if isinstance(ask, Ask):
        assert (ask.scopes, ask.client_state) == ((LoginScope.OPENID,), changes.get("state"))


@pytest.mark.parametrize(
    ("uri", "is_let"),
    [
        (BACK, True),
        ("https://portal.example:8443/back?x=1", True),
        ("http://127.0.0.1:8000/back", True),
        ("http://portal.example/back", False),
        ("https://portal.example/#x", False),
        ("https://user@portal.example/", False),
        ("https:///back", False),
        ("https://portal.example\\@other.example/", False),
        ("https://portal.example/a b", False),
        ("https://portal.example:port/", False),
        ("javascript:alert(1)", False),
        ("/back", False),
        ("https://门户.example/", False),
    ],
)
def test_browsers_come_back_to_whole_addresses_only(uri: str, is_let: bool) -> None:
    assert (why_no_redirect(uri) is None) == is_let


@pytest.mark.parametrize(
    ("state", "late", "is_same", "refusal"),
    [
        (LoginState.CREATED, False, True, None),
        (LoginState.CREATED, True, True, Refusal.LOGIN_CODE_EXPIRED),
        (LoginState.SCANNED, False, True, None),
        (LoginState.SCANNED, False, False, Refusal.LOGIN_CODE_BOUND_TO_OTHER),
        (LoginState.SCANNED, True, False, Refusal.LOGIN_CODE_EXPIRED),
        (LoginState.CONFIRMED, True, True, Refusal.LOGIN_CODE_USED),
        (LoginState.CONSUMED, False, False, Refusal.LOGIN_CODE_USED),
        (LoginState.CANCELLED, False, True, Refusal.LOGIN_CODE_USED),
    ],
)
def test_first_card_has_the_code(state: LoginState, late: bool, is_same: bool, refusal: Refusal | None) -> None:
    now = NOW + SHOWN_FOR - (0 if late else 1) * SECOND
    login, channel = a_login(state), CHANNEL if is_same else an_id(IdKind.CHANNEL)
    assert why_not_scanned(login, card=CARD, channel=channel, now=now) is refusal
    expected = Refusal.NOT_FOUND if state is LoginState.CREATED and not late else refusal
    assert why_not_answered(login, card=CARD, channel=channel, now=now) is expected


def test_scan_gives_the_person_time_once() -> None:
    bound = scanned(a_login(), card=CARD, channel=CHANNEL, now=NOW + SECOND)
    assert (bound.state, bound.card, bound.channel) == (LoginState.SCANNED, CARD, CHANNEL)
    assert bound.expires_at == NOW + SECOND + SHOWN_FOR
    assert scanned(bound, card=CARD, channel=CHANNEL, now=NOW + 2 * SECOND) == bound


@pytest.mark.parametrize(
    ("login", "changes", "after", "worth"),
    [
        (a_login(LoginState.CONFIRMED), {}, CODE_LASTS - SECOND, Redemption.TOKENS),
        (a_login(LoginState.CONFIRMED), {}, CODE_LASTS, Redemption.NOTHING),
        (a_login(LoginState.CONFIRMED), {"verifier": VERIFIER[:-1] + "l"}, SECOND, Redemption.NOTHING),
        (a_login(LoginState.CONFIRMED), {"verifier": ""}, SECOND, Redemption.NOTHING),
        (a_login(LoginState.CONFIRMED), {"redirect_uri": BACK + "/"}, SECOND, Redemption.NOTHING),
        (a_login(LoginState.CONFIRMED), {"client": an_id(IdKind.LOGIN_CLIENT)}, SECOND, Redemption.NOTHING),
        (a_login(LoginState.CONSUMED), {}, SECOND, Redemption.REVOKES),
        (a_login(LoginState.CONSUMED), {"verifier": "stolen"}, SECOND, Redemption.REVOKES),
        (a_login(LoginState.CONSUMED), {"client": an_id(IdKind.LOGIN_CLIENT)}, SECOND, Redemption.NOTHING),
        (a_login(LoginState.SCANNED), {}, SECOND, Redemption.NOTHING),
        (a_login(LoginState.CANCELLED), {}, SECOND, Redemption.NOTHING),
    ],
)
def test_code_is_worth_tokens_once(
    login: Login, changes: dict[str, object], after: timedelta, worth: Redemption
) -> None:
    brought = CodeBrought(client=CLIENT, redirect_uri=BACK, verifier=VERIFIER)
    brought = msgspec.structs.replace(brought, **changes)
    assert decide_redemption(login, brought, now=NOW + after) is worth
    assert VERIFIER not in repr(brought)


def test_tokens_die_by_time_and_by_revocation() -> None:
    login = a_login(LoginState.CONSUMED)
    assert are_tokens_good(login, now=NOW + TOKENS_LAST - SECOND)
    assert not are_tokens_good(login, now=NOW + TOKENS_LAST)
    assert not are_tokens_good(msgspec.structs.replace(login, revoked_at=NOW), now=NOW)
    assert not are_tokens_good(a_login(LoginState.CONFIRMED), now=NOW)
