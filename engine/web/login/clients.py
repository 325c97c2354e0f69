"""Portals over HTTP: operators register, enable and suspend them, and give them new secrets."""

from datetime import timedelta

import msgspec
from aiohttp import web

from engine.core.ids import IdKind, id_text
from engine.core.logins import LoginClient, LoginScope
from engine.core.participants import Right, regions_of
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.approve import Asking
from engine.flows.login.clients import (
    ClientWish,
    ClientWithSecret,
    enable_client,
    register_client,
    rotate_client_secret,
    suspend_client,
)
from engine.store.logins import load_client, load_clients
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY
from engine.web.lists import no_parameters, page_of
from engine.web.login.wire import (
    LoginClientList,
    LoginClientRequest,
    LoginSecretRequest,
    client_view,
    new_client_view,
)
from engine.web.node import NODE
from engine.web.operator_requests import do_once, done_response, operator_of_request, reading_operator, wish_of
from engine.web.paths import id_in_path
from engine.web.payments import json_response
from engine.web.render import encode_json
from engine.web.wire import NothingRequest


async def post_login_client(request: web.Request) -> web.Response:
    """`POST /v1/identity/clients`: register a portal; another operator has to let it ask anybody."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], LoginClientRequest)
    if "openid" not in given.scopes or len(set(given.scopes)) != len(given.scopes):
        raise refuse_field("/scopes", "openid among them, each once")
    wish = ClientWish(
        region=int(given.region),
        name_zh=given.name_zh,
        name_en=given.name_en,
        place=given.place,
        redirect_uris=given.redirect_uris,
        scopes=tuple(map(LoginScope, given.scopes)),
    )

    async def step(asked: Asking) -> Done | NotDone:
        return _answer(await register_client(asked, wish), status=201)

    facts = msgspec.structs.asdict(given)
    return done_response(await do_once(request, wish_of(request, "register_login_client", facts), step))


async def get_login_clients(request: web.Request) -> web.Response:
    """`GET /v1/identity/clients`: the portals of one's region, newest first."""
    operator = await reading_operator(request)
    page = page_of(request, IdKind.LOGIN_CLIENT)
    found = await load_clients(
        request.app[NODE].pool, regions=regions_of(operator.region), before=page.before, count=page.limit + 1
    )
    items = tuple(client_view(client) for client in found[: page.limit])
    cursor = items[-1].id if len(found) > page.limit else None
    return json_response(encode_json(LoginClientList(items=items, next_cursor=cursor)))


async def get_login_client(request: web.Request) -> web.Response:
    """`GET /v1/identity/clients/{id}`: one portal."""
    operator = await reading_operator(request)
    no_parameters(request)
    client = await load_client(request.app[NODE].pool, _client_in(request))
    if client is None or not operator.may(Right.READ, client.region):
        raise Refused(Refusal.NOT_FOUND)
    return json_response(encode_json(client_view(client)))


async def post_login_client_secret(request: web.Request) -> web.Response:
    """`POST /v1/identity/clients/{id}/rotate-secret`: a new secret; the one before works on for a while."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY] or b"{}", LoginSecretRequest)
    client = _client_in(request)

    async def step(asked: Asking) -> Done | NotDone:
        return _answer(await rotate_client_secret(asked, client, earlier_lasts=timedelta(seconds=given.overlap_s)))

    facts = {"id": id_text(client), "overlap_s": given.overlap_s}
    return done_response(await do_once(request, wish_of(request, "rotate_login_client_secret", facts), step))


async def post_login_client_enabling(request: web.Request) -> web.Response:
    """`POST /v1/identity/clients/{id}/enable`: let people log in at a portal that another operator has asked for."""
    return await _change(request, "enable_login_client", is_enabled=True)


async def post_login_client_suspension(request: web.Request) -> web.Response:
    """`POST /v1/identity/clients/{id}/suspend`: from now on nobody logs in there, and its tokens open nothing."""
    return await _change(request, "suspend_login_client", is_enabled=False)


async def _change(request: web.Request, operation: str, *, is_enabled: bool) -> web.Response:
    operator_of_request(request)
    no_parameters(request)
    read_body(request[BODY] or b"{}", NothingRequest)
    client = _client_in(request)

    async def step(asked: Asking) -> Done | NotDone:
        return _answer(await (enable_client if is_enabled else suspend_client)(asked, client))

    return done_response(await do_once(request, wish_of(request, operation, {"id": id_text(client)}), step))


def _answer(made: LoginClient | ClientWithSecret | NotDone, *, status: int = 200) -> Done | NotDone:
    match made:
        case NotDone():
            return made
        case LoginClient():
            return Done(status, encode_json(client_view(made)))
        case ClientWithSecret():
            return Done(status, encode_json(new_client_view(made)))


def _client_in(request: web.Request) -> bytes:
    return id_in_path(request, "id", IdKind.LOGIN_CLIENT)
