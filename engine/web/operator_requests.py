"""What operators' requests share: who asks, once a key, in one transaction, and what is answered."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import msgspec
from aiohttp import web

from engine.core.approvals import Approval
from engine.core.ids import IdKind
from engine.core.participants import Operator
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone, Wish, answer_once
from engine.flows.approve import Asking, Decided, asking
from engine.store.connection import AnyConnection
from engine.store.participants import load_operator
from engine.web.body import Refused
from engine.web.boundary import CALLER, caller_id, idempotency_key
from engine.web.node import NODE
from engine.web.payments import json_response
from engine.web.problems import FieldError
from engine.web.render import encode_json
from engine.web.render_participants import approval_view

Facts: TypeAlias = Mapping[str, object]
Step: TypeAlias = Callable[[Asking], Awaitable[Done | NotDone]]


def operator_of_request(request: web.Request) -> bytes:
    """The operator that calls. For everybody else an operator's paths do not exist."""
    if request[CALLER].kind is not IdKind.OPERATOR:
        raise Refused(Refusal.NOT_FOUND)
    return caller_id(request)


async def reading_operator(request: web.Request) -> Operator:
    """The operator that calls, as far as reading goes.

    Raises:
        Refused: another caller, or an operator that is not registered or suspended.
    """
    operator = await load_operator(request.app[NODE].pool, operator_of_request(request))
    if operator is None:
        raise Refused(Refusal.SCOPE_NOT_AUTHORIZED)
    if operator.is_suspended:
        raise Refused(Refusal.CALLER_SUSPENDED)
    return operator


def wish_of(request: web.Request, operation: str, facts: Facts) -> Wish:
    """What an operator asks for under the request's key.

    Raises:
        Refused: another caller, or no key.
    """
    return Wish(
        caller=operator_of_request(request),
        operation=operation,
        key=idempotency_key(request),
        facts=msgspec.json.encode(facts, order="sorted"),
    )


async def do_once(request: web.Request, wish: Wish, step: Step) -> Done:
    """Let the operator take a step, once a key.

    Raises:
        Refused: the step was refused; nothing was done.
        Fault: the database cannot do it.
    """
    node = request.app[NODE]

    async def work(connection: AnyConnection) -> Done | NotDone:
        asked = await asking(connection, wish.caller, node.ids)
        return asked if isinstance(asked, NotDone) else await step(asked)

    answer = await answer_once(node.pool, node.keyring, node.ids, wish, work)
    if isinstance(answer, NotDone):
        errors = tuple(FieldError(f"/{wrong.field}" if wrong.field else "", wrong.reason) for wrong in answer.fields)
        raise Refused(answer.refusal, errors)
    return answer


def asked_for(asked: Asking, approval: Approval | NotDone) -> Done | NotDone:
    """The answer of a request that waits for a second operator: 202 and the approval."""
    if isinstance(approval, NotDone):
        return approval
    return Done(202, encode_json(approval_view(Decided(approval), asked.clocks)))


def done_response(answer: Done) -> web.Response:
    """An answer as a response; a replay says so. It may show a secret, so nobody keeps it."""
    response = json_response(answer.body, status=answer.status)
    response.headers["Cache-Control"] = "no-store"
    if answer.is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return response
