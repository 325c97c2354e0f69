"""What agencies' requests share: who asks, and what is done once a key."""

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from engine.core.ids import AgencyId, IdKind, MalformedId, parse_id
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone, Wish, answer_once
from engine.store.connection import AnyConnection
from engine.web.body import Refused
from engine.web.boundary import CALLER, caller_id, idempotency_key
from engine.web.node import NODE
from engine.web.operator_requests import Facts
from engine.web.problems import FieldError


def agency_of_request(request: web.Request) -> AgencyId:
    """The agency that calls. For everybody else an agency's paths do not exist."""
    if request[CALLER].kind is not IdKind.AGENCY:
        raise Refused(Refusal.NOT_FOUND)
    return AgencyId(caller_id(request))


async def agency_does_once(
    request: web.Request, operation: str, facts: Facts, work: Callable[[AnyConnection], Awaitable[Done | NotDone]]
) -> Done:
    """Let the agency do something, once a key.

    Raises:
        Refused: it was refused; nothing was done.
        Fault: the database cannot do it.
    """
    node = request.app[NODE]
    wish = Wish(
        caller=agency_of_request(request),
        operation=operation,
        key=idempotency_key(request),
        facts=msgspec.json.encode(facts, order="sorted"),
    )
    answer = await answer_once(node.pool, node.keyring, node.ids, wish, work)
    if isinstance(answer, NotDone):
        errors = tuple(FieldError(f"/{wrong.field}" if wrong.field else "", wrong.reason) for wrong in answer.fields)
        raise Refused(answer.refusal, errors)
    return answer


def id_in_path(request: web.Request, name: str, kind: IdKind) -> bytes:
    """The id that the path names. A malformed id names nothing.

    Raises:
        Refused: it is none.
    """
    try:
        return parse_id(request.match_info[name], kind)
    except MalformedId:
        raise Refused(Refusal.NOT_FOUND) from None
