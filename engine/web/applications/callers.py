"""Who sees which application: the channel that has made it, the office that it was handed to, operators of a region."""

from typing import Final

from aiohttp import web

from engine.core.applications import Application
from engine.core.audit import Access
from engine.core.channels import Product
from engine.core.consents import Scope
from engine.core.ids import CardId, IdKind, MalformedId, id_text, parse_id
from engine.core.participants import Right
from engine.core.refusals import Refusal
from engine.flows.applications.attachments import AttachmentBox
from engine.flows.applications.course import Applications
from engine.flows.channels.standing import why_channel_may_not
from engine.flows.consents.authorization import why_not_authorized
from engine.store.applications import load_application
from engine.store.audit import append_access
from engine.store.faults import translated
from engine.store.persons import RegisteredCard, load_card, load_sign
from engine.web.body import Refused, refuse_field
from engine.web.boundary import CALLER, TRACE_ID, caller_id
from engine.web.card_callers import channel_of_request, may_as_operator, now_of, today_of
from engine.web.node import NODE
from engine.web.paths import id_in_path

OFFICES: Final = frozenset({IdKind.AGENCY, IdKind.BANK})


def desk_of(request: web.Request) -> Applications:
    """What is done with applications, as the node has it."""
    node = request.app[NODE]
    return Applications(node.keyring, node.ids)


def box_of(request: web.Request) -> AttachmentBox:
    """The files of applications, as the node has them."""
    node = request.app[NODE]
    return AttachmentBox(node.pool, node.keyring, node.ids)


async def linked_card(request: web.Request, text: str) -> RegisteredCard:
    """The card that a body or a query names, if the channel that calls has issued it and may apply in its region.

    Raises:
        Refused: it is none that there is for this caller, or the channel may not.
    """
    channel_of_request(request)
    try:
        card = CardId(parse_id(text, IdKind.CARD))
    except MalformedId:
        raise refuse_field("/card_id", "not the id of a card") from None
    return await _own_card(request, card)


async def own_application(request: web.Request) -> tuple[Application, RegisteredCard]:
    """The application of the path, if the channel that calls has made it and is linked to its card still.

    Raises:
        Refused: it is none that there is for this caller, or the channel may not.
    """
    channel = channel_of_request(request)
    seen = await load_application(request.app[NODE].pool, id_in_path(request, "id", IdKind.APPLICATION))
    if seen is None or seen.channel != channel:
        raise Refused(Refusal.NOT_FOUND)
    return seen, await _own_card(request, seen.card)


async def handed_application(request: web.Request) -> Application:
    """The application of the path, if the agency or the bank that calls was handed it.

    Raises:
        Refused: it was not; a draft was handed to nobody.
    """
    seen = await load_application(request.app[NODE].pool, id_in_path(request, "id", IdKind.APPLICATION))
    is_office = request[CALLER].kind in OFFICES
    if not is_office or seen is None or seen.office != caller_id(request) or seen.submitted_at is None:
        raise Refused(Refusal.NOT_FOUND)
    return seen


async def seen_application(request: web.Request) -> Application:
    """The application of the path, if it is there for whoever calls.

    Raises:
        Refused: it is not.
    """
    kind = request[CALLER].kind
    if kind is IdKind.CHANNEL:
        seen, _ = await own_application(request)
        return seen
    if kind is not IdKind.OPERATOR:
        return await handed_application(request)
    found = await load_application(request.app[NODE].pool, id_in_path(request, "id", IdKind.APPLICATION))
    if found is None or found.submitted_at is None:
        raise Refused(Refusal.NOT_FOUND)
    try:
        await may_as_operator(request, Right.READ, found.region)
    except Refused as refused:
        await note_look(request, found, "applications.course", refusal=refused.refusal)
        raise
    return found


async def note_look(request: web.Request, seen: Application, action: str, *, refusal: Refusal | None = None) -> None:
    """Keep that personal data of an application were looked at, before they are shown, or that this was refused.

    Raises:
        Fault: it cannot be kept; then nothing is shown.
    """
    access = Access(
        caller=caller_id(request),
        subject=seen.card,
        action=action,
        purpose=None,
        object=id_text(seen.id),
        result=refusal.slug if refusal is not None else "allowed",
        trace_id=request[TRACE_ID],
        channel=seen.channel,
    )
    await _keep(request, access)


async def authorize_look(request: web.Request, card: RegisteredCard, purpose: str | None) -> None:
    """Let the channel see what the person has handed in through others as well; what comes of it is written down.

    Called after the reading and before the answer: nothing is shown that a withdrawal came before.

    Raises:
        Refused: one of the three authorizations is missing.
    """
    pool, channel = request.app[NODE].pool, caller_id(request)
    refusal = await why_not_authorized(
        pool,
        card=card.id,
        region=card.region,
        department=None,
        channel=channel,
        scope=Scope.APPLICATIONS,
        purpose=purpose,
        today=await today_of(request),
    )
    access = Access(
        caller=channel,
        subject=card.id,
        action="applications.list",
        purpose=purpose if refusal is not Refusal.PURPOSE_REQUIRED else None,
        object=None,
        result=refusal.slug if refusal is not None else "allowed",
        trace_id=request[TRACE_ID],
        channel=channel,
    )
    await _keep(request, access)
    if refusal is not None:
        raise Refused(refusal)


async def _keep(request: web.Request, access: Access) -> None:
    now = await now_of(request)
    with translated():
        async with request.app[NODE].pool.acquire() as connection, connection.transaction():
            await append_access(connection, access, now=now)


async def _own_card(request: web.Request, identifier: CardId) -> RegisteredCard:
    pool, channel = request.app[NODE].pool, caller_id(request)
    card = await load_card(pool, identifier)
    if card is None or await load_sign(pool, card.id, channel) is None:
        raise Refused(Refusal.NOT_FOUND)
    refusal = await why_channel_may_not(pool, channel, Product.APPLICATIONS, card.region)
    if refusal is not None:
        raise Refused(refusal)
    return card
