"""Ids in bodies and queries: whose data it is about, and for which department."""

from aiohttp import web

from engine.core.ids import CardId, IdKind, MalformedId, parse_id
from engine.core.refusals import Refusal
from engine.store.persons import RegisteredCard, load_card, load_sign
from engine.web.body import Refused, refuse_field
from engine.web.card_callers import channel_of_request
from engine.web.node import NODE


def id_in(text: str | None, kind: IdKind, pointer: str) -> bytes:
    """The id that a field names.

    Raises:
        Refused: it is none, or none of that kind.
    """
    if text is None:
        raise refuse_field(pointer, "required")
    try:
        return parse_id(text, kind)
    except MalformedId as error:
        raise refuse_field(pointer, str(error)) from None


def department_in(text: str | None) -> bytes | None:
    """The department that is named, if one is.

    Raises:
        Refused: it is no department's id.
    """
    return id_in(text, IdKind.AGENCY, "/department_id") if text is not None else None


async def linked_card(request: web.Request, text: str | None) -> RegisteredCard:
    """The card that is named, if the channel that calls has issued it.

    Raises:
        Refused: it is no card's id, or none that there is for this caller.
    """
    channel = channel_of_request(request)
    pool = request.app[NODE].pool
    card = await load_card(pool, CardId(id_in(text, IdKind.CARD, "/card_id")))
    if card is None or await load_sign(pool, card.id, channel) is None:
        raise Refused(Refusal.NOT_FOUND)
    return card
