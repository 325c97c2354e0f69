"""Corrections over HTTP: an operator asks, another approves, and then they are carried out."""

from aiohttp import web

from engine.core.differences import Handling
from engine.core.ids import IdKind, MalformedId, parse_id
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.approve import Asking
from engine.flows.correct import ManualPosting, ask_posting, ask_reissue, ask_resolution
from engine.web.body import Refused, read_body
from engine.web.boundary import BODY
from engine.web.lists import no_parameters
from engine.web.operator_requests import Facts, Step, asked_for, do_once, done_response, operator_of_request, wish_of
from engine.web.wire_corrections import PostingRequest, ResolutionRequest
from engine.web.wire_participants import ReasonRequest


async def post_reissue(request: web.Request) -> web.Response:
    """`POST /v1/clearing/files/{name}/reissue`: ask for a published file to be made again as its next version."""
    given = read_body(request[BODY], ReasonRequest)
    name = request.match_info["name"]

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_reissue(asked, name, reason=given.reason))

    return await _ask(request, "reissue_file", {"name": name, "reason": given.reason}, step)


async def post_posting(request: web.Request) -> web.Response:
    """`POST /v1/postings`: ask for a posting between two accounts."""
    given = read_body(request[BODY], PostingRequest)
    posting = ManualPosting(debit=given.debit, credit=given.credit, amount=given.amount)

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_posting(asked, posting, reason=given.reason))

    return await _ask(request, "manual_posting", {"posting": posting, "reason": given.reason}, step)


async def post_resolution(request: web.Request) -> web.Response:
    """`POST /v1/reconciliations/{id}/items/{n}/resolution`: ask for something to be done about a difference."""
    given = read_body(request[BODY], ResolutionRequest)
    reconciliation, n = _place_of(request)
    handling = Handling[given.handling.upper()]

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_resolution(asked, reconciliation, n, handling, reason=given.reason))

    return await _ask(request, "resolve_difference", {"path": request.path, "given": given}, step)


async def _ask(request: web.Request, operation: str, facts: Facts, step: Step) -> web.Response:
    operator_of_request(request)
    no_parameters(request)
    return done_response(await do_once(request, wish_of(request, operation, facts), step))


def _place_of(request: web.Request) -> tuple[bytes, int]:
    try:
        return parse_id(request.match_info["id"], IdKind.RECONCILIATION), int(request.match_info["n"])
    except (MalformedId, ValueError):
        raise Refused(Refusal.NOT_FOUND) from None
