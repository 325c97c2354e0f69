"""Who may do what with a card of the register: channels that have issued it, operators of its region."""

from datetime import date, datetime
from typing import Final

from aiohttp import web

from engine.core.commands import AnyCommand
from engine.core.ids import CardId, IdKind
from engine.core.participants import Right
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.card_register import CardRegister, GivenIdentity
from engine.ledger.queue import Outcome
from engine.store.participants import load_operator
from engine.store.persons import RegisteredCard, Sign, load_card, load_sign
from engine.web.body import Refused
from engine.web.boundary import CALLER, caller_id
from engine.web.cards import card_in
from engine.web.doing_once import refused_by
from engine.web.issued_cards import refuse_where_not_granted
from engine.web.node import NODE

_MAY_SEE_CARDS: Final = frozenset({IdKind.CHANNEL, IdKind.OPERATOR})


def register_of(request: web.Request) -> CardRegister:
    """The register, as the node has it."""
    node = request.app[NODE]
    return CardRegister(node.pool, node.keyring, node.ids)


def caller_kind(request: web.Request) -> IdKind:
    """Channel or operator. For everybody else these paths do not exist.

    Raises:
        Refused: it is another.
    """
    kind = request[CALLER].kind
    if kind not in _MAY_SEE_CARDS:
        raise Refused(Refusal.NOT_FOUND)
    return kind


def channel_of_request(request: web.Request) -> bytes:
    """The channel that calls.

    Raises:
        Refused: it is none.
    """
    if request[CALLER].kind is not IdKind.CHANNEL:
        raise Refused(Refusal.NOT_FOUND)
    return caller_id(request)


async def may_as_operator(request: web.Request, right: Right, region: int) -> None:
    """Let an operator do something in a region.

    Raises:
        Refused: another caller, one who is not registered or suspended, or may not.
    """
    if request[CALLER].kind is not IdKind.OPERATOR:
        raise Refused(Refusal.NOT_FOUND)
    operator = await load_operator(request.app[NODE].pool, caller_id(request))
    if operator is None or not operator.may(right, operator.region):
        raise Refused(Refusal.SCOPE_NOT_AUTHORIZED)
    if not operator.may(right, region):
        raise Refused(Refusal.REGION_NOT_PERMITTED)


async def seen_card(
    request: web.Request, right: Right = Right.READ, *, card: CardId | None = None
) -> tuple[RegisteredCard, Sign | None]:
    """The card, if the caller may see it: a channel through what it has issued, an operator by region. None: the one
    of the path.

    Raises:
        Refused: there is none, or none for this caller; or a channel may not have the route's product in its region.
    """
    kind = caller_kind(request)
    pool = request.app[NODE].pool
    found = await load_card(pool, card if card is not None else card_in(request))
    if found is None:
        raise Refused(Refusal.NOT_FOUND)
    if kind is IdKind.OPERATOR:
        await may_as_operator(request, right, found.region)
        return found, None
    sign = await load_sign(pool, found.id, caller_id(request))
    if sign is None:
        raise Refused(Refusal.NOT_FOUND)
    await refuse_where_not_granted(request, found.region)
    return found, sign


async def identified(request: web.Request, given: GivenIdentity) -> RegisteredCard:
    """The card of the person who gives all three factors. Guessing is slowed down by what is guessed at.

    Raises:
        Refused: too many attempts, or a factor does not fit; which one is never said.
    """
    node, register = request.app[NODE], register_of(request)
    about = node.keyring.blind_index(f"identity attempts {given.id_number[:64]}")
    if not node.page_attempts.may_try(about, about.hex(), now_s=node.clock.steady_s()):
        raise Refused(Refusal.TOO_MANY_ATTEMPTS)
    found = await register.identified(given, today=(await today_of(request)))
    if isinstance(found, NotDone):
        raise refused_by(found)
    return found


async def today_of(request: web.Request) -> date:
    """The open business date."""
    return (await request.app[NODE].reads.business_now()).control.business_date


async def now_of(request: web.Request) -> datetime:
    """Business time, as the database has it."""
    return (await request.app[NODE].reads.business_now()).now


async def decided(request: web.Request, command: AnyCommand) -> Outcome:
    """What the ledger decides."""
    return await request.app[NODE].ledger.submit(command)


async def card_again(request: web.Request, card: CardId) -> RegisteredCard:
    """A card as it is by now."""
    found = await load_card(request.app[NODE].pool, card)
    assert found is not None, "cards are never deleted"
    return found
