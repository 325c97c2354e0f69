"""Personal data over HTTP, as they are: handed out to an operator who says what for, and erased by two."""

from aiohttp import web

from engine.core.ids import CardId, id_text
from engine.core.participants import Right
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.approve import Asking
from engine.flows.personal_data.erase import ask_erasure
from engine.store.persons import RegisteredCard, load_card
from engine.web.audit.looks import access_of, note_look
from engine.web.audit.trail import purpose_of
from engine.web.audit.wire import PersonalDataView
from engine.web.body import Refused, read_body
from engine.web.boundary import BODY
from engine.web.card_callers import may_as_operator, register_of
from engine.web.cards import card_in
from engine.web.lists import no_parameters, parameters
from engine.web.node import NODE
from engine.web.operator_requests import asked_for, do_once, done_response, operator_of_request, wish_of
from engine.web.payments import json_response
from engine.web.render import encode_json
from engine.web.wire_participants import ReasonRequest

EXPORT = "personal_data.export"


async def get_personal_data(request: web.Request) -> web.Response:
    """`GET /v1/cards/{id}/personal-data`: what the register knows of a card's person, not masked."""
    operator_of_request(request)
    given = parameters(request, ("purpose",))
    card = await _card_of(request)
    purpose = None
    try:
        purpose = purpose_of(given)
        await may_as_operator(request, Right.DECIDE, card.region)
    except Refused as refused:
        look = access_of(request, EXPORT, subject=card.id, purpose=purpose, refusal=refused.refusal)
        await note_look(request, look)
        raise
    await note_look(request, access_of(request, EXPORT, subject=card.id, purpose=purpose))
    holder = register_of(request).holder(card)
    view = PersonalDataView(
        card=id_text(card.id),
        name=holder.name,
        id_number=holder.id_number,
        phone=holder.phone,
        card_no=holder.card_no,
        bank_account=holder.bank_account,
    )
    response = json_response(encode_json(view))
    response.headers["Cache-Control"] = "no-store"
    return response


async def post_erase(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/erase`: ask for a person's data to be made unreadable for good."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ReasonRequest)
    card = await _card_of(request)
    wish = wish_of(request, "erase_person", {"id": id_text(card.id), "reason": given.reason})

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_erasure(asked, CardId(card.id), reason=given.reason))

    return done_response(await do_once(request, wish, step))


async def _card_of(request: web.Request) -> RegisteredCard:
    card = await load_card(request.app[NODE].pool, card_in(request))
    if card is None:
        raise Refused(Refusal.NOT_FOUND)
    return card
