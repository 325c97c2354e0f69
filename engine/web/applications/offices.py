"""Offices over HTTP: operators say who takes which applications where, everybody may know."""

from aiohttp import web

from engine.flows.answer_once import Done, NotDone
from engine.flows.applications.offices import OfficeWish, ask_office, office_id_fault, stop_office
from engine.flows.approve import Asking
from engine.store.applications import load_offices
from engine.web.applications.wire import KINDS, OfficeList, OfficeRequest, office_view
from engine.web.body import read_body, refuse_field
from engine.web.boundary import BODY
from engine.web.lists import no_parameters, parameters
from engine.web.node import NODE
from engine.web.operator_requests import Facts, asked_for, do_once, done_response, operator_of_request, wish_of
from engine.web.payments import json_response
from engine.web.render import encode_json


async def get_offices(request: web.Request) -> web.Response:
    """`GET /v1/applications/offices`: who takes applications, by kind and region."""
    kind = parameters(request, ("kind",)).get("kind")
    if kind is not None and kind not in KINDS:
        raise refuse_field("/kind", f"one of {', '.join(KINDS)}")
    found = await load_offices(request.app[NODE].pool, KINDS[kind] if kind is not None else None)
    return json_response(encode_json(OfficeList(items=tuple(office_view(one) for one in found))))


async def post_office(request: web.Request) -> web.Response:
    """`POST /v1/applications/offices`: ask for an agency or a bank to be handed applications."""
    given, wish = _given(request)

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_office(asked, wish, reason=given.reason))

    return done_response(await do_once(request, wish_of(request, "open_office", _facts(given)), step))


async def post_office_closure(request: web.Request) -> web.Response:
    """`POST /v1/applications/offices/close`: an office is handed no more; what it has it goes on with."""
    given, wish = _given(request)

    async def step(asked: Asking) -> Done | NotDone:
        refused = await stop_office(asked, wish)
        if refused is not None:
            return refused
        found = await load_offices(asked.connection, wish.application_kind)
        return Done(200, encode_json(OfficeList(items=tuple(office_view(one) for one in found))))

    return done_response(await do_once(request, wish_of(request, "close_office", _facts(given)), step))


def _given(request: web.Request) -> tuple[OfficeRequest, OfficeWish]:
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], OfficeRequest)
    wish = OfficeWish(kind=given.kind, region=given.region, office_id=given.office_id)
    wrong = office_id_fault(wish)
    if wrong is not None:
        raise refuse_field(f"/{wrong.field}", wrong.reason)
    return given, wish


def _facts(given: OfficeRequest) -> Facts:
    return {"kind": given.kind, "region": given.region, "office_id": given.office_id, "reason": given.reason}
