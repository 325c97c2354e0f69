"""Where portals bring codes and access tokens. Errors are in OAuth's own form, for ordinary clients read nothing else.

Source: RFC 6749 sections 2.3.1, 4.1.3 and 5, RFC 6750 section 3, RFC 7009, OpenID Connect Core 1.0 section 5.3.
"""

import asyncio
import base64
import binascii
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, unquote_plus

from aiohttp import web

from engine.codes.login_code import read_bearer
from engine.core.logins import ClientState, CodeBrought, LoginClient, OAuthFault
from engine.flows.login.tokens import Teller, person_told, redeem_code, revoke_access
from engine.store.faults import translated
from engine.store.participants import load_clocks
from engine.web.boundary import BODY_S_MAX, TRACE_ID
from engine.web.login.provider import NO_STORE, client_named, published_keys
from engine.web.login.wire import OAuthErrorDocument, TokenDocument
from engine.web.node import NODE
from engine.web.orders import origin_of
from engine.web.render import encode_json

FORM: Final = "application/x-www-form-urlencoded"
FORM_BYTES_MAX: Final = 8_192
FORM_FIELDS_MAX: Final = 16
_NO_CACHE: Final = {**NO_STORE, "Pragma": "no-cache"}
_BAD_FORM: Final = OAuthFault("invalid_request", f"a form ({FORM}) with each field once")
_BAD_CODE: Final = OAuthFault("invalid_grant", "the code is not good, or what came with it does not fit")
_BAD_CLIENT: Final = OAuthFault("invalid_client", "client_id and client_secret as HTTP Basic")


async def post_token(request: web.Request) -> web.Response:
    """`POST /oauth2/token`: a portal brings a code, once, and is told who has logged in."""
    node = request.app[NODE]
    form, client = await _form(request), await _authenticated(request)
    if client is None:
        return _unauthorized("Basic", _BAD_CLIENT)
    if form is None:
        return _error(_BAD_FORM)
    if form.get("client_id") not in (None, _name_in(request)):
        return _unauthorized("Basic", _BAD_CLIENT)
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
    node = request.app[NODE]
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    token = read_bearer(node.keyring, bearer.strip(), "access") if scheme.lower() == "bearer" else None
    told = None
    if token is not None:
        teller = await _teller(request)
        with translated():
            async with node.pool.acquire() as connection, connection.transaction():
                told = await person_told(connection, teller, token)
    if told is None:
        return _unauthorized("Bearer", OAuthFault("invalid_token", "the access token opens nothing, or not any more"))
    return web.Response(body=encode_json(told), content_type="application/json", headers=_NO_CACHE)


async def post_revocation_of_token(request: web.Request) -> web.Response:
    """`POST /oauth2/revoke`: a portal gives its access token back; from then on it opens nothing (RFC 7009)."""
    node = request.app[NODE]
    form, client = await _form(request), await _authenticated(request)
    if client is None:
        return _unauthorized("Basic", _BAD_CLIENT)
    if form is None or not form.get("token"):
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


async def _authenticated(request: web.Request) -> LoginClient | None:
    """The portal whose id and secret have come as HTTP Basic, each form-encoded; None if they are nobody's."""
    given = _basic_in(request)
    client = await client_named(request, given[0]) if given is not None else None
    if given is None or client is None or client.state is not ClientState.ACTIVE:
        return None
    now = (await load_clocks(request.app[NODE].pool)).wall
    return client if client.is_secret(given[1], now=now) else None


def _basic_in(request: web.Request) -> tuple[str, str] | None:
    scheme, _, coded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, is_there, secret = base64.b64decode(coded.strip(), validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        return None
    return (unquote_plus(name), unquote_plus(secret)) if is_there else None


def _name_in(request: web.Request) -> str | None:
    given = _basic_in(request)
    return given[0] if given is not None else None


async def _form(request: web.Request) -> Mapping[str, str] | None:
    """The fields of a form; None if it is none, or has a field twice.

    Raises:
        HTTPRequestTimeout: it does not come to its end.
    """
    if request.content_type != FORM or "Content-Encoding" in request.headers:
        return None
    if request.content_length is None or request.content_length > FORM_BYTES_MAX:
        return None
    try:
        async with asyncio.timeout(BODY_S_MAX):
            body = await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    try:
        fields = parse_qs(body.decode(), max_num_fields=FORM_FIELDS_MAX)
    except ValueError:  # there are more, or it is not UTF-8
        return None
    if any(len(values) > 1 for values in fields.values()):
        return None
    return {name: values[0] for name, values in fields.items()}


def _error(fault: OAuthFault, *, status: int = 400, headers: Mapping[str, str] | None = None) -> web.Response:
    document = OAuthErrorDocument(error=fault.error, error_description=fault.description)
    return web.Response(
        status=status,
        body=encode_json(document),
        content_type="application/json",
        headers={**_NO_CACHE, **(headers or {})},
    )


def _unauthorized(scheme: str, fault: OAuthFault) -> web.Response:
    """401, with the scheme that would do. A description is plain ASCII without quotes."""
    challenge = f'{scheme} realm="login", error="{fault.error}"' if scheme == "Bearer" else f'{scheme} realm="login"'
    return _error(fault, status=401, headers={"WWW-Authenticate": challenge})
