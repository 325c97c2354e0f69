"""Keys of gates' terminals over HTTP. A merchant gives them by itself: what its gates let through is its own risk."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from engine.codes.http_signature import Algorithm
from engine.core.ids import MerchantId
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone, Wish, answer_once
from engine.store.connection import AnyConnection
from engine.store.gates import GateState, load_gates, retire_terminal_key, set_terminal_key
from engine.web.body import Refused, read_body
from engine.web.boundary import ARRIVED_S, BODY, idempotency_key
from engine.web.lists import no_parameters
from engine.web.node import NODE
from engine.web.operator_requests import Facts, done_response
from engine.web.payments import json_response, merchant_of
from engine.web.problems import FieldError
from engine.web.public_key import key_given
from engine.web.render import encode_json
from engine.web.wire import NothingRequest
from engine.web.wire_bulk import TerminalKeyRequest, gate_view

_NO_GATE: Final = NotDone(Refusal.NOT_FOUND)


async def get_terminal_keys(request: web.Request) -> web.Response:
    """`GET /v1/terminals/{terminal_id}/keys`: a gate's keys, and up to which number its tickets have come in."""
    no_parameters(request)
    merchant, terminal = MerchantId(merchant_of(request)), _terminal_in(request)
    gate = (await load_gates(request.app[NODE].pool, merchant, [terminal])).get(terminal)
    if gate is None:
        raise Refused(Refusal.NOT_FOUND)
    return json_response(encode_json(gate_view(terminal, gate)))


async def post_terminal_key(request: web.Request) -> web.Response:
    """`POST /v1/terminals/{terminal_id}/keys`: tickets taken from now on are signed with this key."""
    merchant, terminal = MerchantId(merchant_of(request)), _terminal_in(request)
    no_parameters(request)
    _, pem = key_given(Algorithm.ED25519.value, read_body(request[BODY], TerminalKeyRequest).public_key)
    public_key = load_pem_public_key(pem.encode())
    assert isinstance(public_key, Ed25519PublicKey), "the key is one of the algorithm that was asked for"
    raw = public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)

    async def step(connection: AnyConnection) -> GateState | NotDone:
        if not await set_terminal_key(connection, merchant, terminal, raw, now=_whole_second(request)):
            return NotDone(Refusal.TERMINAL_UNKNOWN)
        return (await load_gates(connection, merchant, [terminal]))[terminal]

    facts = {"terminal_id": terminal, "public_key": raw.hex()}
    return await _once(request, "set_terminal_key", facts, step, status=201)


async def post_terminal_key_retirement(request: web.Request) -> web.Response:
    """`POST /v1/terminals/{terminal_id}/keys/retire`: what the terminal signs from now on does not count."""
    merchant, terminal = MerchantId(merchant_of(request)), _terminal_in(request)
    no_parameters(request)
    read_body(request[BODY] or b"{}", NothingRequest)

    async def step(connection: AnyConnection) -> GateState | NotDone:
        await retire_terminal_key(connection, merchant, terminal, now=_whole_second(request))
        return (await load_gates(connection, merchant, [terminal])).get(terminal, _NO_GATE)

    return await _once(request, "retire_terminal_key", {"terminal_id": terminal}, step)


async def _once(
    request: web.Request,
    operation: str,
    facts: Facts,
    step: Callable[[AnyConnection], Awaitable[GateState | NotDone]],
    *,
    status: int = 200,
) -> web.Response:
    """Take a step, once a key.

    Raises:
        Refused: it was refused; nothing was done.
        Fault: the database cannot do it.
    """
    node = request.app[NODE]
    wish = Wish(
        caller=merchant_of(request),
        operation=operation,
        key=idempotency_key(request),
        facts=msgspec.json.encode(facts, order="sorted"),
    )

    async def work(connection: AnyConnection) -> Done | NotDone:
        made = await step(connection)
        return made if isinstance(made, NotDone) else Done(status, encode_json(gate_view(_terminal_in(request), made)))

    answer = await answer_once(node.pool, node.keyring, node.ids, wish, work)
    if isinstance(answer, NotDone):
        raise Refused(answer.refusal, tuple(FieldError(f"/{one.field}", one.reason) for one in answer.fields))
    return done_response(answer)


def _terminal_in(request: web.Request) -> str:
    return request.match_info["terminal_id"]


def _whole_second(request: web.Request) -> datetime:
    """When the request arrived, in business time: tickets tell time in whole seconds."""
    return datetime.fromtimestamp(int(request[ARRIVED_S]), UTC)
