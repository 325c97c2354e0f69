"""Where portals bring codes and access tokens. Errors are in OAuth's own form, for ordinary clients read nothing else.

Source: RFC 6749 sections 2.3.1, 4.1.3 and 5, RFC 6750 section 3, RFC 7009, OpenID Connect Core 1.0 section 5.3.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus

from aiohttp import web

from engine.codes.login_code import read_bearer
from engine.core.logins import ClientState, CodeBrought, LoginClient, OAuthFault
from engine.flows.login.tokens import Teller, person_told, redeem_code, revoke_access
from engine.store.faults import translated
from engine.store.participants import load_clocks
from engine.web.boundary import READS_RETRY_AFTER_S, TRACE_ID
from engine.web.login.forms import FORM, fields_in
from engine.web.login.provider import NO_STORE, client_named, published_keys
from engine.web.login.wire import OAuthErrorDocument, TokenDocument
from engine.web.node import NODE
from engine.web.orders import origin_of
from engine.web.render import encode_json

_NO_CACHE: Final = {**NO_STORE, "Pragma": "no-cache"}
_BAD_FORM: Final = OAuthFault("invalid_request", f"a form ({FORM}) with each field once")
_BAD_CODE: Final = OAuthFault("invalid_grant", "the code is not good, or what came with it does not fit")
_BAD_CLIENT: Final = OAuthFault("invalid_client", "client_id and client_secret, as HTTP Basic or in the form")
_BAD_TOKEN: Final = OAuthFault("invalid_token", "the access token opens nothing, or not any more")
_SHOWN: Final = frozenset({"client_id", "client_secret"})


async def post_token(request: web.Request) -> web.Response:
    """`POST /oauth2/token`: a portal brings a code, once, and is told who has logged in."""
    node, asking = request.app[NODE], await _asking(request)
    if isinstance(asking, web.Response):
        return asking
    client, form = asking
    if form.get("grant_type") != "authorization_code":
        return _error(OAuthFault("unsupported_grant_type", "grant_type is authorization_code"))
    if missing := [name for name in ("code", "redirect_uri", "code_verifier") if not form.get(name)]:
        return _error(OAuthFault("invalid_request", f"{missing[0]} is missing"))
    token = read_bearer(node.keyring, form["code"], "code")
    if token is None:
        return _error(_BAD_CODE)
    brought = CodeBrought(client=client.id, redirect_uri=form["redirect_uri"], verifier=form["code_verifier"])
    teller = await _teller(request)
    with translated():
        async with node.pool.acquire() as connection, connection.transaction():
            tokens = await redeem_code(connection, teller, token, brought)
    if tokens is None:
        return _error(_BAD_CODE)
    said = TokenDocument(
        access_token=tokens.access_token,
        token_type="Bearer",  # noqa: S106  # a kind of token, not one
        expires_in=tokens.expires_in,
        id_token=tokens.id_token,
        scope=" ".join(tokens.scopes),
    )
    return web.Response(body=encode_json(said), content_type="application/json", headers=_NO_CACHE)


async def get_userinfo(request: web.Request) -> web.Response:
    """`GET /oauth2/userinfo`: what the person has agreed to tell the portal, for its access token."""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    if not scheme:
        return _unauthorized("Bearer", _BAD_TOKEN)
    return await _told(request, bearer.strip() if scheme.lower() == "bearer" else "")


async def post_userinfo(request: web.Request) -> web.Response:
    """`POST /oauth2/userinfo`: the same, with the access token in the same header or in a form (RFC 6750, section 2.2).

    Raises:
        HTTPRequestTimeout: the form does not come to its end.
    """
    form = (await fields_in(request) if request.body_exists else None) or {}
    if "access_token" not in form:
        return await get_userinfo(request)
    if "Authorization" in request.headers:
        return _error(OAuthFault("invalid_request", "the access token comes in one way"))
    return await _told(request, form["access_token"])


async def _told(request: web.Request, bearer: str) -> web.Response:
    node = request.app[NODE]
    token, told = read_bearer(node.keyring, bearer, "access"), None
    if token is not None:
        if not await node.read_limits.admit(b"userinfo" + token, now_s=node.clock.steady_s()):
            return _too_many()  # each look at a person is on record
        teller = await _teller(request)
        with translated():
            async with node.pool.acquire() as connection, connection.transaction():
                told = await person_told(connection, teller, token)
    if told is None:
        return _unauthorized("Bearer", _BAD_TOKEN, is_named=True)
    return web.Response(body=encode_json(told), content_type="application/json", headers=_NO_CACHE)


async def post_revocation_of_token(request: web.Request) -> web.Response:
    """`POST /oauth2/revoke`: a portal gives its access token back; from then on it opens nothing (RFC 7009)."""
    node, asking = request.app[NODE], await _asking(request)
    if isinstance(asking, web.Response):
        return asking
    client, form = asking
    if "token" not in form:
        return _error(_BAD_FORM)
    token = read_bearer(node.keyring, form["token"], "access")
    if token is not None:
        with translated():
            async with node.pool.acquire() as connection, connection.transaction():
                await revoke_access(connection, client, token)
    return web.Response(status=200, headers=_NO_CACHE)


async def _teller(request: web.Request) -> Teller:
    node = request.app[NODE]
    return Teller(
        keyring=node.keyring,
        keys=await published_keys(node),
        issuer=origin_of(request),
        trace_id=request[TRACE_ID],
    )


async def _asking(request: web.Request) -> tuple[LoginClient, Mapping[str, str]] | web.Response:
    """The portal that has shown its secret, and its form; or what is the matter with one of them.

    Raises:
        HTTPRequestTimeout: the form does not come to its end.
    """
    node, form = request.app[NODE], await fields_in(request)
    if "Authorization" in request.headers:
        given = _basic_in(request)
        if form is not None and "client_secret" in form:
            return _error(OAuthFault("invalid_request", "client_secret comes in one way"))
    else:
        given = (form["client_id"], form["client_secret"]) if form and _SHOWN.issubset(form) else None
    client = await client_named(request, given[0]) if given is not None else None
    if given is None or client is None or client.state is not ClientState.ACTIVE:
        return _unauthorized("Basic", _BAD_CLIENT)
    # For each address a line of its own: whoever tries secrets does not keep the portal out.
    line = client.id + (request.remote or "").encode()
    if not await node.read_limits.admit(line, now_s=node.clock.steady_s()):
        return _too_many()
    if not client.is_secret(given[1], now=(await load_clocks(node.pool)).wall):
        return _unauthorized("Basic", _BAD_CLIENT)
    if form is None:
        return _error(_BAD_FORM)
    if form.get("client_id", given[0]) != given[0]:
        return _unauthorized("Basic", _BAD_CLIENT)
    return client, form


def _basic_in(request: web.Request) -> tuple[str, str] | None:
    scheme, _, coded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, is_there, secret = base64.b64decode(coded.strip(), validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        return None
    return (unquote_plus(name), unquote_plus(secret)) if is_there else None


def _error(fault: OAuthFault, *, status: int = 400, headers: Mapping[str, str] | None = None) -> web.Response:
    document = OAuthErrorDocument(error=fault.error, error_description=fault.description)
    return web.Response(
        status=status,
        body=encode_json(document),
        content_type="application/json",
        headers={**_NO_CACHE, **(headers or {})},
    )


def _unauthorized(scheme: str, fault: OAuthFault, *, is_named: bool = False) -> web.Response:
    """401, with the scheme that would do; what is wrong is named to whoever has shown a token (RFC 6750, section 3.1).

    A description is plain ASCII without quotes.
    """
    challenge = f'{scheme} realm="login"' + (f', error="{fault.error}"' if is_named else "")
    return _error(fault, status=401, headers={"WWW-Authenticate": challenge})


def _too_many() -> web.Response:
    fault = OAuthFault("temporarily_unavailable", "too many at once")
    return _error(fault, status=429, headers={"Retry-After": str(READS_RETRY_AFTER_S)})
