"""Grants over HTTP: operators let departments and channels look, and stop them; these see their own."""

from aiohttp import web

from engine.core.consents import GRANT_HOLDERS, Scope
from engine.core.ids import IdKind, MalformedId
from engine.core.participants import NATIONAL, Right, regions_of
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.approve import Asking
from engine.flows.consents.grants import WantedGrant, ask_grant, end_grant, parse_holder
from engine.store.consents import GrantsWanted, load_grant, load_grants
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY, CALLER, caller_id
from engine.web.card_callers import today_of
from engine.web.consents.wire import GrantList, GrantRequest, grant_view
from engine.web.lists import no_parameters, page_of
from engine.web.node import NODE
from engine.web.operator_requests import (
    asked_for,
    do_once,
    done_response,
    operator_of_request,
    reading_operator,
    wish_of,
)
from engine.web.paths import id_in_path
from engine.web.payments import json_response
from engine.web.render import encode_json
from engine.web.wire_participants import ReasonRequest


async def post_grant(request: web.Request) -> web.Response:
    """`POST /v1/grants`: ask for a department or a channel to be let look at something."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], GrantRequest)
    if len(set(given.scopes)) != len(given.scopes):
        raise refuse_field("/scopes", "each once")
    _holder_in(given.holder)
    today = await today_of(request)
    wanted = WantedGrant(
        holder=given.holder,
        scopes=given.scopes,
        purpose=given.purpose,
        region=given.region,
        valid_from=given.valid_from,
        valid_until=given.valid_until,
    )

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_grant(asked, wanted, today=today, reason=given.reason))

    facts: dict[str, object] = {
        "holder": given.holder,
        "scopes": sorted(given.scopes),
        "purpose": given.purpose,
        "region": given.region,
        "valid_from": given.valid_from,
        "valid_until": given.valid_until,
        "reason": given.reason,
    }
    return done_response(await do_once(request, wish_of(request, "ask_grant", facts), step))


async def get_grants(request: web.Request) -> web.Response:
    """`GET /v1/grants`: what may be looked at by whom; departments and channels see their own."""
    page = page_of(request, IdKind.GRANT, filters=("holder", "scope"))
    is_holder = request[CALLER].kind in GRANT_HOLDERS
    holder, regions = page.filters.get("holder"), regions_of(NATIONAL)
    if not is_holder:
        regions = regions_of((await reading_operator(request)).region)
    elif holder is not None:
        raise refuse_field("/holder", "for operators")
    wanted = GrantsWanted(
        regions=regions,
        holder=caller_id(request) if is_holder else _holder_in(holder) if holder is not None else None,
        scope=_scope_in(page.filters.get("scope")),
        before=page.before,
        count=page.limit + 1,
    )
    found = await load_grants(request.app[NODE].pool, wanted)
    today = await today_of(request)
    items = tuple(grant_view(one, today=today) for one in found[: page.limit])
    cursor = items[-1].id if len(found) > page.limit else None
    return json_response(encode_json(GrantList(items=items, next_cursor=cursor)))


async def get_grant(request: web.Request) -> web.Response:
    """`GET /v1/grants/{id}`: one of them."""
    no_parameters(request)
    operator = None if request[CALLER].kind in GRANT_HOLDERS else await reading_operator(request)
    grant = await load_grant(request.app[NODE].pool, _grant_in(request))
    if grant is None:
        raise Refused(Refusal.NOT_FOUND)
    is_own = operator is None and grant.holder == caller_id(request)
    if not is_own and (operator is None or not operator.may(Right.READ, grant.region)):
        raise Refused(Refusal.NOT_FOUND)
    return json_response(encode_json(grant_view(grant, today=await today_of(request))))


async def post_grant_revocation(request: web.Request) -> web.Response:
    """`POST /v1/grants/{id}/revoke`: once this is answered, the grant lets no look in, nor the next page of one."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ReasonRequest)
    identifier, today = _grant_in(request), await today_of(request)

    async def step(asked: Asking) -> Done | NotDone:
        ended = await end_grant(asked, identifier, reason=given.reason)
        return ended if isinstance(ended, NotDone) else Done(200, encode_json(grant_view(ended, today=today)))

    facts = {"id": request.match_info["id"], "reason": given.reason}
    return done_response(await do_once(request, wish_of(request, "revoke_grant", facts), step))


def _holder_in(text: str) -> bytes:
    try:
        return parse_holder(text)
    except MalformedId:
        raise refuse_field("/holder", "the id of a department or a channel") from None


def _scope_in(text: str | None) -> Scope | None:
    if text is None:
        return None
    try:
        return Scope(text)
    except ValueError:
        raise refuse_field("/scope", f"one of {', '.join(Scope)}") from None


def _grant_in(request: web.Request) -> bytes:
    return id_in_path(request, "id", IdKind.GRANT)
