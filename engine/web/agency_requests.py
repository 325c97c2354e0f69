"""What agencies' requests share: who asks, and what is done once a key."""

from aiohttp import web

from engine.core.ids import AgencyId, IdKind
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done
from engine.web.body import Refused
from engine.web.boundary import CALLER, caller_id
from engine.web.doing_once import Work, once
from engine.web.operator_requests import Facts


def agency_of_request(request: web.Request) -> AgencyId:
    """The agency that calls. For everybody else an agency's paths do not exist."""
    if request[CALLER].kind is not IdKind.AGENCY:
        raise Refused(Refusal.NOT_FOUND)
    return AgencyId(caller_id(request))


async def agency_does_once(request: web.Request, operation: str, facts: Facts, work: Work) -> Done:
    """Let the agency do something, once a key.

    Raises:
        Refused: it was refused; nothing was done.
        Fault: the database cannot do it.
    """
    agency_of_request(request)
    return await once(request, operation, facts, work)
