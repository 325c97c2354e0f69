"""A look at somebody's data is in the audit trail before its answer goes out."""

from aiohttp import web

from engine.core.audit import Access
from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.store.audit import append_access
from engine.store.faults import translated
from engine.store.persons import RegisteredCard, Sign
from engine.web.body import Refused
from engine.web.boundary import CALLER, TRACE_ID, caller_id
from engine.web.card_callers import seen_card
from engine.web.cards import card_in
from engine.web.node import NODE

ALLOWED = "allowed"


def access_of(
    request: web.Request,
    action: str,
    *,
    subject: bytes | None = None,
    payment: bytes | None = None,
    purpose: str | None = None,
    about: str | None = None,
    refusal: Refusal | None = None,
) -> Access:
    """What the caller of a request looks at, or is refused; *about* names what of it, by an id."""
    caller = caller_id(request)
    return Access(
        caller=caller,
        channel=caller if request[CALLER].kind is IdKind.CHANNEL else None,
        subject=subject,
        payment=payment,
        action=action,
        purpose=purpose,
        object=about,
        result=refusal.slug if refusal is not None else ALLOWED,
        trace_id=request[TRACE_ID],
    )


async def note_look(request: web.Request, access: Access) -> None:
    """The look is in the audit trail, in a transaction of its own.

    Raises:
        Fault: it is not, so it must not be answered.
    """
    node = request.app[NODE]
    now = (await node.reads.business_now()).now
    with translated():
        async with node.pool.acquire() as connection, connection.transaction():
            await append_access(connection, access, now=now)


async def looked_at_card(request: web.Request, action: str) -> tuple[RegisteredCard, Sign | None]:
    """`seen_card`, noted in the audit trail; so is a refusal, unless there is no such card for the caller.

    Raises:
        Refused: there is none, or the caller may not.
        Fault: it could not be noted.
    """
    try:
        card, own = await seen_card(request)
    except Refused as refused:
        if refused.refusal is not Refusal.NOT_FOUND:
            await note_look(request, access_of(request, action, subject=card_in(request), refusal=refused.refusal))
        raise
    await note_look(request, access_of(request, action, subject=card.id))
    return card, own
