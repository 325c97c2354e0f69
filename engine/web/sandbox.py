"""The sandbox's clock over HTTP. Outside the sandbox these paths do not exist."""

from aiohttp import web

from engine.core.refusals import Refusal
from engine.store.reads import BusinessNow
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
    no_parameters(request)
    wished = read_body(request[BODY], ClockRequest)
    key = idempotency_key(request)
    answer = await sandbox_time.advance(caller_id(request), key, advance_s=wished.advance_s)
    if answer is None:
        raise Refused(Refusal.IDEMPOTENCY_KEY_REUSED, (FieldError("/advance_s", "differs"),))
    now, is_replay = answer
    response = _clock_response(now)
    if is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return response


async def get_clock(request: web.Request) -> web.Response:
    """`GET /v1/sandbox/clock`."""
    sandbox_time = request.app[NODE].sandbox_time
    assert sandbox_time is not None
    no_parameters(request)
    return _clock_response(await sandbox_time.now())


def _clock_response(now: BusinessNow) -> web.Response:
    return json_response(encode_json(ClockView(now=now.now, business_date=now.control.business_date)))
