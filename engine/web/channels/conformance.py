"""Runs in which channels show that they work, over HTTP. Outside of a sandbox there are none."""

import hashlib

from aiohttp import web

from engine.codes.webhook_signature import secret_text
from engine.core.channel_conformance import BY_NAME, Answered, Called, Step, Told, answer_to
from engine.core.channels import ChannelMove
from engine.core.ids import IdKind, id_text
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.approve import Asking
from engine.flows.channels.admission import ask_move
from engine.flows.channels.conformance import note_step, open_run, send_probes
from engine.store.channel_conformance import SECRET_PLACE, ConformanceRun, load_run, load_steps
from engine.store.channels import lock_channel
from engine.store.connection import AnyConnection
from engine.web.body import Refused, read_body
from engine.web.boundary import BODY, SIGNED_S, caller_id, idempotency_key
from engine.web.card_callers import channel_of_request
from engine.web.channels.handlers import channel_in, visible_channel
from engine.web.channels.wire_conformance import (
    ConclusionRequest,
    ConformanceReportRequest,
    PracticeRequest,
    PracticeView,
    run_view,
)
from engine.web.doing_once import once, refused_by
from engine.web.lists import no_parameters
from engine.web.node import NODE
from engine.web.operator_requests import asked_for, do_once, done_response, operator_of_request, wish_of
from engine.web.paths import id_in_path
from engine.web.payments import json_response
from engine.web.render import encode_json
from engine.web.wire import NothingRequest

BUSY_S = 1


async def post_conformance_run(request: web.Request) -> web.Response:
    """`POST /v1/channels/{id}/conformance`: open a run; its answer has the secret that its notifications bear."""
    identifier = _own_channel(request)
    no_parameters(request)
    read_body(request[BODY] or b"{}", NothingRequest)
    node = request.app[NODE]

    async def work(connection: AnyConnection) -> Done | NotDone:
        channel = await lock_channel(connection, identifier)
        assert channel is not None, "it has signed"
        opened = await open_run(connection, node.keyring, node.ids, channel)
        if isinstance(opened, NotDone):
            return opened
        run, secret = opened
        return Done(201, encode_json(run_view(run, [], secret=secret_text(secret))))

    return done_response(await once(request, "open_conformance_run", {"id": id_text(identifier)}, work))


async def get_conformance_run(request: web.Request) -> web.Response:
    """`GET /v1/channels/{id}/conformance/{run}`: what the run has shown, case by case; for operators too."""
    no_parameters(request)
    _refuse_outside_sandbox(request)
    channel, _ = await visible_channel(request)
    return await _report(request, await _run_of(request, channel.id))


async def post_practice_order(request: web.Request) -> web.Response:
    """`POST /v1/channels/{id}/conformance/{run}/practice`: a practice order, answered as its case wants it."""
    identifier = _own_channel(request)
    no_parameters(request)
    given = read_body(request[BODY], PracticeRequest)
    key = idempotency_key(request)
    run = await _run_of(request, identifier)
    case = BY_NAME[given.case]
    answered = answer_to(case, await load_steps(request.app[NODE].pool, run.id), given.order_no)
    if answered in ("declined", "busy"):
        await _note_call(request, run, given, key, answered)
        if answered == "declined":
            raise Refused(Refusal.INSUFFICIENT_FUNDS)
        raise Refused(Refusal.OVERLOADED, retry_after_s=BUSY_S)
    view = PracticeView(case=given.case, order_no=given.order_no, amount=given.amount, outcome="paid")

    async def work(_: AnyConnection) -> Done | NotDone:
        return Done(201, encode_json(view))

    facts = {"run": id_text(run.id), "case": given.case, "order_no": given.order_no, "amount": given.amount}
    try:
        done = await once(request, "practise", facts, work)
    except Refused as refused:
        if refused.refusal is Refusal.IDEMPOTENCY_KEY_REUSED:
            await _note_call(request, run, given, key, "reused")
        raise
    await _note_call(request, run, given, key, "replayed" if done.is_replay else answered)
    if answered == "cut" and not done.is_replay and request.transport is not None:
        request.transport.abort()  # that it was done is for the channel to find out
    return done_response(done)


async def post_conclusion(request: web.Request) -> web.Response:
    """`POST /v1/channels/{id}/conformance/{run}/conclusions`: what the channel knows of a practice order."""
    identifier = _own_channel(request)
    no_parameters(request)
    given = read_body(request[BODY], ConclusionRequest)
    run = await _run_of(request, identifier)
    told = Told(case=given.case, order_no=given.order_no, outcome=given.outcome)

    async def work(_: AnyConnection) -> Done | NotDone:
        return Done(200, b"{}")

    facts = {"run": id_text(run.id), "case": given.case, "order_no": given.order_no, "outcome": given.outcome}
    done = await once(request, "conclude", facts, work)
    if not done.is_replay:
        await _note(request, run, told)
    return await _report(request, run)


async def post_test_notifications(request: web.Request) -> web.Response:
    """`POST /v1/channels/{id}/conformance/{run}/notifications`: have each kind sent to the channel, now."""
    identifier = _own_channel(request)
    no_parameters(request)
    read_body(request[BODY] or b"{}", NothingRequest)
    idempotency_key(request)
    run, node = await _run_of(request, identifier), request.app[NODE]
    secret = node.keyring.unseal(run.secret, place=SECRET_PLACE)
    refused = await send_probes(node.pool, node.callbacks, node.ids, run, secret, now_s=node.clock.wall_s())
    if refused is not None:
        raise refused_by(refused)
    return await _report(request, run)


async def post_test_report(request: web.Request) -> web.Response:
    """`POST /v1/channels/{id}/test-reports`: ask for what a sandbox's run has shown to count here."""
    operator_of_request(request)
    if request.app[NODE].sandbox_time is not None:
        raise Refused(Refusal.NOT_FOUND)  # here the runs themselves count
    no_parameters(request)
    given = read_body(request[BODY], ConformanceReportRequest)
    identifier, move = channel_in(request), ChannelMove[f"PASS_{given.part.upper()}"]

    async def step(asked: Asking) -> Done | NotDone:
        asking = await ask_move(asked, identifier, move, reason=given.reason, report=given.report_sha256)
        return asked_for(asked, asking)

    facts = {
        "id": id_text(identifier),
        "part": given.part,
        "report_sha256": given.report_sha256,
        "reason": given.reason,
    }
    return done_response(await do_once(request, wish_of(request, "count_test_report", facts), step))


def _own_channel(request: web.Request) -> bytes:
    """The channel of the path, which is the caller.

    Raises:
        Refused: it is another, or this is no sandbox.
    """
    _refuse_outside_sandbox(request)
    identifier = channel_in(request)
    if channel_of_request(request) != identifier:
        raise Refused(Refusal.NOT_FOUND)
    return identifier


def _refuse_outside_sandbox(request: web.Request) -> None:
    if request.app[NODE].sandbox_time is None:
        raise Refused(Refusal.NOT_FOUND)


async def _run_of(request: web.Request, channel: bytes) -> ConformanceRun:
    identifier = id_in_path(request, "run", IdKind.CONFORMANCE_RUN)
    run = await load_run(request.app[NODE].pool, identifier, channel)
    if run is None:
        raise Refused(Refusal.NOT_FOUND)
    return run


async def _note_call(
    request: web.Request, run: ConformanceRun, given: PracticeRequest, key: str, answered: Answered
) -> None:
    digest = hashlib.sha256(caller_id(request) + key.encode()).hexdigest()[:32]
    skew_s = request[SIGNED_S] - int(request.app[NODE].clock.wall_s())
    call = Called(case=given.case, order_no=given.order_no, key=digest, answered=answered, skew_s=skew_s)
    await _note(request, run, call)


async def _note(request: web.Request, run: ConformanceRun, step: Step) -> None:
    noted = await note_step(request.app[NODE].pool, run, step)
    if isinstance(noted, NotDone):
        raise refused_by(noted)


async def _report(request: web.Request, run: ConformanceRun) -> web.Response:
    return json_response(encode_json(run_view(run, await load_steps(request.app[NODE].pool, run.id))))
