"""Approvals over HTTP: what waits for a second operator, and what is decided on it."""

from collections.abc import Mapping
from typing import TypeVar

from aiohttp import web

from engine.core.approvals import ApprovalId, ApprovalMove, ApprovalOutcome
from engine.core.ids import IdKind, id_text
from engine.core.participants import Right, regions_of
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone, keep_answer
from engine.flows.approve import Asking, Decided, Decision, carry_out, decide
from engine.store.approvals import ApprovalsWanted, load_approval, load_approvals, load_events
from engine.store.participants import load_clocks
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY
from engine.web.executors import executors_of
from engine.web.lists import no_parameters, page_of
from engine.web.node import NODE
from engine.web.operator_requests import do_once, done_response, operator_of_request, reading_operator, wish_of
from engine.web.paths import id_in_path
from engine.web.payments import json_response
from engine.web.render import encode_json
from engine.web.render_participants import approval_view
from engine.web.wire_participants import (
    APPROVAL_KIND_NAMES,
    APPROVAL_STATE_NAMES,
    ApprovalList,
    DecisionRequest,
)

T = TypeVar("T")

_KINDS = {name: kind for kind, name in APPROVAL_KIND_NAMES.items()}
_STATES = {name: state for state, name in APPROVAL_STATE_NAMES.items()}


async def get_approvals(request: web.Request) -> web.Response:
    """`GET /v1/approvals`: what was asked for in the operator's region, newest first."""
    operator = await reading_operator(request)
    pool = request.app[NODE].pool
    page = page_of(request, IdKind.APPROVAL, filters=("kind", "status"))
    clocks = await load_clocks(pool)
    wanted = ApprovalsWanted(
        regions=regions_of(operator.region),
        before=ApprovalId(page.before) if page.before is not None else None,
        kind=_filter(page.filters, "kind", _KINDS),
        state=_filter(page.filters, "status", _STATES),
        now=clocks.business,
        count=page.limit + 1,
    )
    approvals = await load_approvals(pool, wanted)
    items = tuple(approval_view(Decided(approval), clocks) for approval in approvals[: page.limit])
    cursor = items[-1].id if len(approvals) > page.limit else None
    return json_response(encode_json(ApprovalList(items=items, next_cursor=cursor)))


async def get_approval(request: web.Request) -> web.Response:
    """`GET /v1/approvals/{id}`: one of them, with everything that happened to it."""
    operator = await reading_operator(request)
    no_parameters(request)
    pool = request.app[NODE].pool
    approval = await load_approval(pool, approval_in(request))
    if approval is None or not operator.may(Right.READ, approval.region):
        raise Refused(Refusal.NOT_FOUND)
    view = approval_view(Decided(approval), await load_clocks(pool), await load_events(pool, approval.id))
    return json_response(encode_json(view))


async def post_approve(request: web.Request) -> web.Response:
    """`POST /v1/approvals/{id}/approve`: agree to what another operator has asked for, which is then done."""
    return await _decide(request, ApprovalMove.APPROVE)


async def post_reject(request: web.Request) -> web.Response:
    """`POST /v1/approvals/{id}/reject`: refuse what another operator has asked for, or take back what one asked for."""
    return await _decide(request, ApprovalMove.REJECT)


def approval_in(request: web.Request) -> ApprovalId:
    """The approval that the path names. A malformed id names none."""
    return ApprovalId(id_in_path(request, "id", IdKind.APPROVAL))


async def _decide(request: web.Request, move: ApprovalMove) -> web.Response:
    node = request.app[NODE]
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY] or b"{}", DecisionRequest)
    decision = Decision(approval=approval_in(request), move=move, note=given.note)
    facts = {"id": id_text(decision.approval), "note": given.note}
    wish = wish_of(request, f"{move.name.lower()}_approval", facts)
    executors = executors_of(node)
    under_way: list[Decided] = []

    async def step(asked: Asking) -> Done | NotDone:
        decided = await decide(asked, decision, executors)
        if isinstance(decided, NotDone):
            return decided
        if decided.approval.outcome is ApprovalOutcome.UNDER_WAY:
            under_way.append(decided)
        return Done(200, encode_json(approval_view(decided, asked.clocks)))

    answer = await do_once(request, wish, step)
    node.callers.forget()
    node.channels.forget()
    for decided in under_way:
        # Decided for good, and done now; if it cannot be done now, it is done soon, and the answer says so.
        approval = await carry_out(node.pool, decided.approval, executors)
        answer = Done(200, encode_json(approval_view(Decided(approval), await load_clocks(node.pool))))
        await keep_answer(node.pool, node.keyring, node.ids, wish, answer)
    return done_response(answer)


def _filter(filters: dict[str, str], name: str, values: Mapping[str, T]) -> T | None:
    text = filters.get(name)
    if text is not None and text not in values:
        raise refuse_field(f"/{name}", f"one of {', '.join(values)}")
    return values[text] if text is not None else None
