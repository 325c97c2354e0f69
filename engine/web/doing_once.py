"""What a caller has done once a key, outside the lanes."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from aiohttp import web

from engine.flows.answer_once import Done, NotDone, Wish, answer_once
from engine.store.connection import AnyConnection
from engine.web.body import Refused
from engine.web.boundary import caller_id, idempotency_key
from engine.web.node import NODE
from engine.web.problems import FieldError

Work = Callable[[AnyConnection], Awaitable[Done | NotDone]]


def refused_by(why: NotDone) -> Refused:
    """A refusal out of a flow, on its way to the caller."""
    return Refused(
        why.refusal, tuple(FieldError(f"/{wrong.field}" if wrong.field else "", wrong.reason) for wrong in why.fields)
    )


async def once(request: web.Request, operation: str, facts: Mapping[str, object], work: Work) -> Done:
    """Do something once a key. *facts* are kept as they are, so personal data go in as keyed indexes only.

    Raises:
        Refused: it was refused; nothing was done.
        Fault: the database cannot do it.
    """
    node = request.app[NODE]
    wish = Wish(
        caller=caller_id(request),
        operation=operation,
        key=idempotency_key(request),
        facts=msgspec.json.encode(facts, order="sorted"),
    )
    answer = await answer_once(node.pool, node.keyring, node.ids, wish, work)
    if isinstance(answer, NotDone):
        raise refused_by(answer)
    return answer
