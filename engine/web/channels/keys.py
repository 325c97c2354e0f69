"""Keys of channels over HTTP: listed, added, rotated, revoked."""

from aiohttp import web

from engine.core.ids import id_text
from engine.flows.answer_once import Done, NotDone
from engine.flows.approve import Asking
from engine.flows.channels.keys import ask_channel_key, revoke_channel_key
from engine.flows.participant_keys import NewKey
from engine.store.participants import load_keys
from engine.web.body import read_body
from engine.web.boundary import BODY
from engine.web.channels.handlers import channel_in, visible_channel
from engine.web.lists import no_parameters
from engine.web.node import NODE
from engine.web.operator_requests import asked_for, do_once, done_response, operator_of_request, wish_of
from engine.web.payments import json_response
from engine.web.public_key import key_given
from engine.web.render import encode_json
from engine.web.render_participants import key_view
from engine.web.wire_participants import KeyList, KeyRequest, ReasonRequest, RotationRequest


async def get_channel_keys(request: web.Request) -> web.Response:
    """`GET /v1/channels/{id}/keys`: every key that it has or had."""
    no_parameters(request)
    channel, _ = await visible_channel(request)
    items = tuple(key_view(key) for key in await load_keys(request.app[NODE].pool, channel.id))
    return json_response(encode_json(KeyList(items=items, next_cursor=None)))


async def post_channel_key(request: web.Request) -> web.Response:
    """`POST /v1/channels/{id}/keys`: ask for one more key."""
    operator_of_request(request)
    return await _ask(request, read_body(request[BODY], KeyRequest), overlap_s=None)


async def post_channel_rotation(request: web.Request) -> web.Response:
    """`POST /v1/channels/{id}/keys/rotate`: ask for a key in place of all others, which go on for a while."""
    operator_of_request(request)
    given = read_body(request[BODY], RotationRequest)
    return await _ask(request, given, overlap_s=given.overlap_s)


async def post_channel_revocation(request: web.Request) -> web.Response:
    """`POST /v1/channels/{id}/keys/{keyid}/revoke`: take a key away; every process refuses it within seconds."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ReasonRequest)
    identifier, keyid = channel_in(request), request.match_info["keyid"]

    async def step(asked: Asking) -> Done | NotDone:
        key = await revoke_channel_key(asked, identifier, keyid, reason=given.reason)
        return key if isinstance(key, NotDone) else Done(200, encode_json(key_view(key)))

    facts = {"id": id_text(identifier), "keyid": keyid, "reason": given.reason}
    answer = await do_once(request, wish_of(request, "revoke_channel_key", facts), step)
    request.app[NODE].callers.forget()
    return done_response(answer)


async def _ask(request: web.Request, given: KeyRequest | RotationRequest, *, overlap_s: int | None) -> web.Response:
    no_parameters(request)
    alg, public_key = key_given(given.alg, given.public_key)
    identifier = channel_in(request)
    wanted = NewKey(id=id_text(identifier), alg=alg, public_key=public_key, overlap_s=overlap_s)

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_channel_key(asked, identifier, wanted, reason=given.reason))

    facts = {"wanted": wanted, "reason": given.reason}
    operation = "add_channel_key" if overlap_s is None else "rotate_channel_keys"
    return done_response(await do_once(request, wish_of(request, operation, facts), step))
