"""What operators take up with banks over HTTP: cases, and who sees to a difference."""

import msgspec
from aiohttp import web

from engine.core.ids import BankId, IdKind, MalformedId, id_text, parse_id
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.approve import Asking
from engine.flows.assign_difference import assign_difference
from engine.flows.post_returns import CASE_REJECTED, CASE_SUSPENSE
from engine.store.cases import CasesWanted, load_case, load_cases
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY
from engine.web.lists import no_parameters, page_of
from engine.web.node import NODE
from engine.web.operator_requests import do_once, done_response, operator_of_request, reading_operator, wish_of
from engine.web.payments import json_response
from engine.web.render import encode_json
from engine.web.wire_cases import AssignmentRequest, AssignmentView, CaseList, case_id, case_view, parse_case_id

_KINDS = (CASE_SUSPENSE, CASE_REJECTED)


async def get_cases(request: web.Request) -> web.Response:
    """`GET /v1/clearing/cases`: what has to be taken up with banks, newest first."""
    await reading_operator(request)
    page = page_of(request, filters=("kind", "bank"))
    before = parse_case_id(page.cursor) if page.cursor is not None else None
    pool = request.app[NODE].pool
    if page.cursor is not None and (before is None or await load_case(pool, before) is None):
        raise refuse_field("/cursor", "not a cursor of this list")
    kind = page.filters.get("kind")
    if kind not in (None, *_KINDS):
        raise refuse_field("/kind", f"one of {', '.join(_KINDS)}")
    wanted = CasesWanted(kind=kind, bank=_bank_of(page.filters.get("bank")), before=before, count=page.limit + 1)
    found = await load_cases(pool, wanted)
    shown = found[: page.limit]
    cursor = case_id(shown[-1].key) if len(found) > page.limit else None
    return json_response(encode_json(CaseList(items=tuple(map(case_view, shown)), next_cursor=cursor)))


async def get_case(request: web.Request) -> web.Response:
    """`GET /v1/clearing/cases/{id}`: one of them."""
    await reading_operator(request)
    no_parameters(request)
    key = parse_case_id(request.match_info["id"])
    case = await load_case(request.app[NODE].pool, key) if key is not None else None
    if case is None:
        raise Refused(Refusal.NOT_FOUND)
    return json_response(encode_json(case_view(case)))


async def post_assignment(request: web.Request) -> web.Response:
    """`POST /v1/reconciliations/{id}/items/{n}/assign`: an operator sees to a difference from now on."""
    asking = operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], AssignmentRequest)
    place = _place_of(request)
    owner = given.owner if given.owner is not None else id_text(asking)

    async def step(asked: Asking) -> Done | NotDone:
        refused = await assign_difference(asked, place, owner=owner)
        if refused is not None:
            return refused
        view = AssignmentView(reconciliation_id=id_text(place[0]), n=place[1], owner=owner)
        return Done(200, encode_json(view))

    facts = {"path": request.path, "given": msgspec.to_builtins(given)}
    return done_response(await do_once(request, wish_of(request, "assign_difference", facts), step))


def _bank_of(text: str | None) -> BankId | None:
    if text is None:
        return None
    try:
        return BankId(parse_id(text, IdKind.BANK))
    except MalformedId:
        raise refuse_field("/bank", "not the id of a bank") from None


def _place_of(request: web.Request) -> tuple[bytes, int]:
    n = request.match_info["n"]
    if not (n.isascii() and n.isdigit() and len(n) <= 9):
        raise Refused(Refusal.NOT_FOUND)
    try:
        return parse_id(request.match_info["id"], IdKind.RECONCILIATION), int(n)
    except MalformedId:
        raise Refused(Refusal.NOT_FOUND) from None
