"""Webhook endpoints over HTTP: owners register them, rotate their secrets, look at messages and send them again."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from engine.core.ids import IdKind, id_text
from engine.core.refusals import Refusal
from engine.core.webhooks import EndpointState, MessageState
from engine.flows.answer_once import Done, NotDone, Wish, answer_once
from engine.flows.webhook_endpoints import (
    OWNER_KINDS,
    Desk,
    EndpointWish,
    EndpointWithSecret,
    change_state,
    drop_endpoint,
    register_endpoint,
    resend,
    rotate_secret,
    send_test,
)
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.webhooks import Endpoint, Message, load_endpoint, load_endpoints, load_messages
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY, CALLER, caller_id, idempotency_key
from engine.web.lists import no_parameters, page_of
from engine.web.node import NODE
from engine.web.operator_requests import Facts, done_response
from engine.web.paths import id_in_path
from engine.web.payments import json_response
from engine.web.problems import FieldError
from engine.web.render import encode_json
from engine.web.wire import NothingRequest
from engine.web.wire_webhooks import (
    MESSAGE_NAMES,
    WebhookEndpointList,
    WebhookEndpointRequest,
    WebhookMessageList,
    endpoint_view,
    endpoint_with_secret,
    message_view,
)

_STATES = {name: state for state, name in MESSAGE_NAMES.items()}
Step = Callable[[Desk], Awaitable[Endpoint | EndpointWithSecret | Message | NotDone]]


async def post_webhook_endpoint(request: web.Request) -> web.Response:
    """`POST /v1/webhook-endpoints`: be told what happens to one's payments."""
    _owner_of(request)
    no_parameters(request)
    given = read_body(request[BODY], WebhookEndpointRequest)
    reason = await request.app[NODE].callbacks.why_not(given.url)
    if reason is not None:
        raise Refused(Refusal.CALLBACK_URL_NOT_ALLOWED, (FieldError("/url", reason),))
    wish = EndpointWish(url=given.url, types=given.types, description=given.description)

    async def step(desk: Desk) -> EndpointWithSecret | NotDone:
        return await register_endpoint(desk, wish)

    facts = msgspec.structs.asdict(given)
    return done_response(await _once(request, "register_webhook_endpoint", facts, step, status=201))


async def get_webhook_endpoints(request: web.Request) -> web.Response:
    """`GET /v1/webhook-endpoints`: one's own, newest first."""
    owner = _owner_of(request)
    page = page_of(request, IdKind.WEBHOOK_ENDPOINT)
    found = await load_endpoints(request.app[NODE].pool, owner, before=page.before, count=page.limit + 1)
    items = tuple(endpoint_view(endpoint) for endpoint in found[: page.limit])
    cursor = items[-1].id if len(found) > page.limit else None
    return json_response(encode_json(WebhookEndpointList(items=items, next_cursor=cursor)))


async def get_webhook_endpoint(request: web.Request) -> web.Response:
    """`GET /v1/webhook-endpoints/{id}`: one of one's own."""
    owner = _owner_of(request)
    no_parameters(request)
    return json_response(encode_json(endpoint_view(await _own(request, owner))))


async def delete_webhook_endpoint(request: web.Request) -> web.Response:
    """`DELETE /v1/webhook-endpoints/{id}`: nothing is sent there any more, and what waited is gone."""
    owner = _owner_of(request)
    no_parameters(request)
    identifier = _endpoint_in(request)
    with translated():
        async with request.app[NODE].pool.acquire() as connection, connection.transaction():
            is_dropped = await drop_endpoint(_desk(request, connection, owner), identifier)
    if not is_dropped:
        raise Refused(Refusal.NOT_FOUND)
    return web.Response(status=204)


async def post_webhook_rotation(request: web.Request) -> web.Response:
    """`POST /v1/webhook-endpoints/{id}/rotate-secret`: a new secret; the one before signs along for a day."""

    async def step(desk: Desk) -> EndpointWithSecret | NotDone:
        return await rotate_secret(desk, _endpoint_in(request))

    return await _act(request, "rotate_webhook_secret", step)


async def post_webhook_enabling(request: web.Request) -> web.Response:
    """`POST /v1/webhook-endpoints/{id}/enable`: be told again; doing it twice is no mistake."""

    async def step(desk: Desk) -> Endpoint | NotDone:
        return await change_state(desk, _endpoint_in(request), EndpointState.ENABLED)

    return await _act(request, "enable_webhook_endpoint", step)


async def post_webhook_disabling(request: web.Request) -> web.Response:
    """`POST /v1/webhook-endpoints/{id}/disable`: be told nothing until it is enabled again."""

    async def step(desk: Desk) -> Endpoint | NotDone:
        return await change_state(desk, _endpoint_in(request), EndpointState.DISABLED)

    return await _act(request, "disable_webhook_endpoint", step)


async def post_webhook_test(request: web.Request) -> web.Response:
    """`POST /v1/webhook-endpoints/{id}/test`: send a message about nothing, signed like every other."""

    async def step(desk: Desk) -> Message | NotDone:
        return await send_test(desk, _endpoint_in(request))

    return await _act(request, "test_webhook_endpoint", step)


async def get_webhook_messages(request: web.Request) -> web.Response:
    """`GET /v1/webhook-endpoints/{id}/messages`: what an endpoint was told, newest first; dead letters among it."""
    owner = _owner_of(request)
    page = page_of(request, IdKind.EVENT, filters=("state",))
    state: MessageState | None = None
    if "state" in page.filters:
        state = _STATES.get(page.filters["state"])
        if state is None:
            raise refuse_field("/state", f"one of {', '.join(_STATES)}")
    endpoint = await _own(request, owner)
    pool = request.app[NODE].pool
    found = await load_messages(pool, endpoint.id, before=page.before, state=state, count=page.limit + 1)
    items = tuple(message_view(message) for message in found[: page.limit])
    cursor = items[-1].id if len(found) > page.limit else None
    return json_response(encode_json(WebhookMessageList(items=items, next_cursor=cursor)))


async def post_webhook_resend(request: web.Request) -> web.Response:
    """`POST /v1/webhook-endpoints/{id}/messages/{message}/resend`: send a message once more, under the same id."""
    message = id_in_path(request, "message", IdKind.EVENT)

    async def step(desk: Desk) -> Message | NotDone:
        return await resend(desk, _endpoint_in(request), message)

    return await _act(request, "resend_webhook_message", step, message=id_text(message))


async def _act(request: web.Request, operation: str, step: Step, **facts: str) -> web.Response:
    """Do what the path says."""
    _owner_of(request)
    no_parameters(request)
    read_body(request[BODY] or b"{}", NothingRequest)
    endpoint = id_text(_endpoint_in(request))
    return done_response(await _once(request, operation, {"endpoint": endpoint, **facts}, step))


async def _once(request: web.Request, operation: str, facts: Facts, step: Step, *, status: int = 200) -> Done:
    """Take a step, once a key.

    Raises:
        Refused: it was refused; nothing was done.
        Fault: the database cannot do it.
    """
    node, owner = request.app[NODE], _owner_of(request)
    wish = Wish(
        caller=owner,
        operation=operation,
        key=idempotency_key(request),
        facts=msgspec.json.encode(facts, order="sorted"),
    )

    async def work(connection: AnyConnection) -> Done | NotDone:
        made = await step(_desk(request, connection, owner))
        return made if isinstance(made, NotDone) else Done(status, _shown(made))

    answer = await answer_once(node.pool, node.keyring, node.ids, wish, work)
    if isinstance(answer, NotDone):
        raise Refused(answer.refusal, tuple(FieldError(f"/{one.field}", one.reason) for one in answer.fields))
    return answer


def _shown(made: Endpoint | EndpointWithSecret | Message) -> bytes:
    match made:
        case Endpoint():
            return encode_json(endpoint_view(made))
        case EndpointWithSecret():
            return encode_json(endpoint_with_secret(made))
        case Message():
            return encode_json(message_view(made))


def _desk(request: web.Request, connection: AnyConnection, owner: bytes) -> Desk:
    node = request.app[NODE]
    now = datetime.fromtimestamp(node.clock.wall_s(), UTC)
    return Desk(connection=connection, keyring=node.keyring, ids=node.ids, owner=owner, now=now)


def _owner_of(request: web.Request) -> bytes:
    """Whoever has payments that it may be told of. For everybody else these paths do not exist."""
    if request[CALLER].kind not in OWNER_KINDS:
        raise Refused(Refusal.NOT_FOUND)
    return caller_id(request)


def _endpoint_in(request: web.Request) -> bytes:
    return id_in_path(request, "id", IdKind.WEBHOOK_ENDPOINT)


async def _own(request: web.Request, owner: bytes) -> Endpoint:
    endpoint = await load_endpoint(request.app[NODE].pool, _endpoint_in(request), owner)
    if endpoint is None:
        raise Refused(Refusal.NOT_FOUND)
    return endpoint
