"""The sandbox's clock over HTTP. Outside the sandbox these paths do not exist."""

from aiohttp import web

from engine.core.refusals import Refusal
from engine.web.body import Refused, read_body
from engine.web.boundary import BODY, caller_id, idempotency_key
from engine.web.lists import no_parameters
from engine.web.node import NODE
from engine.web.payments import json_response
from engine.web.problems import FieldError
from engine.web.render import encode_json
from engine.web.wire import ClockRequest, ClockView


async def post_clock(request: web.Request) -> web.Response:
    """`POST /v1/sandbox/clock`: move business time, and do what falls due by it before answering."""
    sandbox_time = request.app[NODE].sandbox_time
    assert sandbox_time is not None
    key = idempotency_key(request)
    wished = read_body(request[BODY], ClockRequest)
    moved = await sandbox_time.advance(caller_id(request), key, advance_s=wished.advance_s)
    if moved != wished.advance_s:
        raise Refused(Refusal.IDEMPOTENCY_KEY_REUSED, (FieldError("/advance_s", "differs"),))
    return await _clock_response(request)


async def get_clock(request: web.Request) -> web.Response:
    """`GET /v1/sandbox/clock`."""
    no_parameters(request)
    return await _clock_response(request)


async def _clock_response(request: web.Request) -> web.Response:
    sandbox_time = request.app[NODE].sandbox_time
    assert sandbox_time is not None
    now = await sandbox_time.now()
    return json_response(encode_json(ClockView(now=now.now, business_date=now.control.business_date)))
