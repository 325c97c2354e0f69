"""The engine as an OpenID Connect provider: what it can do, its keys, and where a portal sends a browser.

Source: OpenID Connect Discovery 1.0 section 3, OpenID Connect Core 1.0 section 3.1.2, RFC 7517, RFC 9207 (`iss`).
"""

from typing import Final
from urllib.parse import urlencode, urlsplit

from aiohttp import web
from multidict import MultiMapping

from engine.codes.login_code import ALGORITHM, LoginKey
from engine.codes.order_code import token_text
from engine.core.ids import IdKind, MalformedId, parse_id
from engine.core.logins import SHOWN_FOR, ClientState, LoginClient, LoginScope, OAuthFault, read_ask
from engine.core.refusals import Refusal
from engine.flows.login.keys import login_keys
from engine.flows.login.sessions import begin_login
from engine.store.logins import load_client
from engine.store.participants import load_clocks
from engine.web.body import Refused
from engine.web.login.forms import form_in, query_in, twice_in
from engine.web.node import NODE, Node
from engine.web.orders import origin_of
from engine.web.payments import json_response
from engine.web.render import encode_json

COOKIE: Final = "login"
CLIENT_METHODS: Final = ("client_secret_basic", "client_secret_post")
KEYS_AGE_S: Final = 300
_COOKIE_LASTS_S: Final = 3 * int(SHOWN_FOR.total_seconds())
NO_STORE: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


async def get_openid_configuration(request: web.Request) -> web.Response:
    """`GET /.well-known/openid-configuration`: what an OpenID Connect client needs to know of the engine."""
    issuer = origin_of(request)
    said = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth2/authorize",
        "token_endpoint": f"{issuer}/oauth2/token",
        "userinfo_endpoint": f"{issuer}/oauth2/userinfo",
        "revocation_endpoint": f"{issuer}/oauth2/revoke",
        "jwks_uri": f"{issuer}/oauth2/jwks",
        "scopes_supported": [scope.value for scope in LoginScope],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": list(CLIENT_METHODS),
        "revocation_endpoint_auth_methods_supported": list(CLIENT_METHODS),
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "amr", *PROFILE_CLAIMS],
        "ui_locales_supported": ["zh-CN", "en"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
    }
    response = json_response(encode_json(said))
    response.headers["Cache-Control"] = f"max-age={KEYS_AGE_S}"
    return response


PROFILE_CLAIMS: Final = ("name", "masked_id_number", "region")


async def get_login_keys(request: web.Request) -> web.Response:
    """`GET /oauth2/jwks`: what id tokens are verified with, the newest first (RFC 7517)."""
    keys = await published_keys(request.app[NODE])
    response = json_response(encode_json({"keys": [key.jwk for key in keys]}))
    response.headers["Cache-Control"] = f"max-age={KEYS_AGE_S}"
    return response


async def published_keys(node: Node) -> tuple[LoginKey, ...]:
    """The keys of id tokens, of which the first one signs.

    Raises:
        Fault: the database cannot answer.
    """
    return await login_keys(node.pool, node.keyring, node.ids, now=(await load_clocks(node.pool)).wall)


async def get_authorize(request: web.Request) -> web.Response:
    """`GET /oauth2/authorize`: a portal sends a browser here, which is shown a code to be scanned.

    Raises:
        Refused: the portal or the address to come back to is not registered. Then the browser is sent nowhere.
    """
    return await _shown_a_code(request, query_in(request))


async def post_authorize(request: web.Request) -> web.Response:
    """`POST /oauth2/authorize`: the same with a form, which a portal has its page send (Core, section 3.1.2.1).

    Raises:
        Refused: the portal or the address to come back to is not registered, or there is no form.
        HTTPRequestTimeout: the form does not come to its end.
    """
    given = await form_in(request)
    if given is None:
        raise Refused(Refusal.REDIRECT_NOT_ALLOWED)
    return await _shown_a_code(request, given)


async def _shown_a_code(request: web.Request, given: MultiMapping[str]) -> web.Response:
    node, client = request.app[NODE], await _asking_client(request, given)
    redirect_uri, twice = given["redirect_uri"], twice_in(given)
    if twice:
        state = given.get("state") if "state" not in twice else None
        return back(request, redirect_uri, state, OAuthFault("invalid_request", "a parameter is given twice"))
    ask = read_ask(given, client)
    if isinstance(ask, OAuthFault):
        return back(request, redirect_uri, given.get("state"), ask)
    if not await node.read_limits.admit(client.id, now_s=node.clock.steady_s()):
        return back(request, redirect_uri, ask.client_state, OAuthFault("temporarily_unavailable", "too many at once"))
    begun = await begin_login(node.pool, node.ids, client, ask)
    address = urlsplit(f"{origin_of(request)}/q/l/{token_text(begun.login.token)}")
    language = {"lang": given["ui_locales"][:2]} if given.get("ui_locales", "")[:2] in ("zh", "en") else {}
    response = web.Response(
        status=303, headers={**NO_STORE, "Location": f"{address.path}{'?' if language else ''}{urlencode(language)}"}
    )
    # Only this browser gets it: whoever has a picture of the code cannot take over what comes of it.
    response.set_cookie(
        COOKIE,
        begun.browser_secret,
        path=address.path,
        max_age=_COOKIE_LASTS_S,
        secure=address.scheme == "https",
        httponly=True,
        samesite="Lax",  # a portal on another site has sent the browser here
    )
    return response


def back(request: web.Request, redirect_uri: str, state: str | None, said: OAuthFault | str) -> web.Response:
    """The browser goes back to a portal's registered address, with a code or with what is the matter."""
    told = {"code": said} if isinstance(said, str) else {"error": said.error, "error_description": said.description}
    query = urlencode({**told, **({"state": state} if state is not None else {}), "iss": origin_of(request)})
    joint = "&" if "?" in redirect_uri else "?"
    return web.Response(status=303, headers={**NO_STORE, "Location": f"{redirect_uri}{joint}{query}"})


async def _asking_client(request: web.Request, given: MultiMapping[str]) -> LoginClient:
    """The portal that asks, to whose own address the browser will come back.

    Raises:
        Refused: there is none, it is suspended, or the address is another.
    """
    names, addresses = (given.getall(name, []) for name in ("client_id", "redirect_uri"))
    client = await client_named(request, names[0]) if len(names) == len(addresses) == 1 else None
    if client is None or client.state is not ClientState.ACTIVE or addresses[0] not in client.redirect_uris:
        raise Refused(Refusal.REDIRECT_NOT_ALLOWED)
    return client


async def client_named(request: web.Request, name: str) -> LoginClient | None:
    """The portal of this `client_id`."""
    try:
        identifier = parse_id(name, IdKind.LOGIN_CLIENT)
    except MalformedId:
        return None
    return await load_client(request.app[NODE].pool, identifier)
