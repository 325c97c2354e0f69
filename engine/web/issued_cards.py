"""What a channel has issued of a card, and where: it acts for nobody else's cardholders, and not where it may not."""

from aiohttp import web

from engine.core.ids import CardId, IdKind, region_of
from engine.core.payer import IssueLevel
from engine.core.refusals import Refusal
from engine.store.persons import Sign, load_sign
from engine.web.body import Refused
from engine.web.boundary import CALLER, ROUTE_PRODUCT, caller_id
from engine.web.channel_admission import judge_product
from engine.web.node import NODE
from engine.web.problems import FieldError


async def issued_card(request: web.Request, card: CardId) -> Sign:
    """What the channel that calls has issued of the card, which it may act for where the card is from.

    Raises:
        Refused: it has issued nothing of it, or nothing that is still linked: for it there is no such card. Or it may
            not have the route's product in the card's region.
        Fault: the database cannot answer.
    """
    sign = await load_sign(request.app[NODE].pool, card, caller_id(request))
    if sign is None:
        raise Refused(Refusal.NOT_FOUND)
    await refuse_where_not_granted(request, region_of(card))
    return sign


async def paying_card(request: web.Request, card: CardId) -> Sign:
    """The same, of a card that the channel has let pay. The card is in the request's body.

    Raises:
        Refused: as above, or the channel shows who the cardholder is and no more.
        Fault: the database cannot answer.
    """
    sign = await load_sign(request.app[NODE].pool, card, caller_id(request))
    if sign is None:
        raise Refused(Refusal.NOT_FOUND, (FieldError("/card_id", "no such card"),))
    if sign.level is not IssueLevel.PAYMENT:
        raise Refused(Refusal.PAYMENT_NOT_ENABLED)
    await refuse_where_not_granted(request, region_of(card))
    return sign


async def refuse_where_not_granted(request: web.Request, region: int) -> None:
    """Let a channel go on with the route's product in a region; of all others their routes judge that.

    Raises:
        Refused: the channel is not granted it there, or stopped there.
        Fault: the database cannot answer.
    """
    route = request.get(ROUTE_PRODUCT)
    if route is not None and request[CALLER].kind is IdKind.CHANNEL:
        await judge_product(
            request.app[NODE], caller_id(request), route.product, region=region, is_money=route.is_money
        )
