"""A card's password and its holder's own settings over HTTP: as chosen in a channel's app, or reset by an operator."""

import secrets

from aiohttp import web

from engine.codes.password_hash import SALT_BYTES
from engine.core.commands import ChangeSettings
from engine.core.ids import CallerId, CardId, IdKind, region_of
from engine.core.participants import Right
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.set_password import PasswordWish, set_password
from engine.store.quotes import load_presenter
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY, CALLER, TRACE_ID, caller_id, idempotency_key
from engine.web.card_callers import channel_of_request
from engine.web.cards import card_body, card_in
from engine.web.issued_cards import issued_card
from engine.web.lists import no_parameters
from engine.web.node import NODE
from engine.web.operator_requests import reading_operator
from engine.web.payments import respond
from engine.web.problems import FieldError
from engine.web.wire_cards import ORDERS, PasswordRequest, SettingsRequest


async def post_password(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/password`."""
    node = request.app[NODE]
    is_operator = request[CALLER].kind is IdKind.OPERATOR
    if not is_operator:
        channel_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], PasswordRequest)
    key = idempotency_key(request)
    card = card_in(request)
    if is_operator:
        await _refuse_if_not_in_charge(request, card)
    else:
        await issued_card(request, card)
    payer, _ = await load_presenter(node.pool, device_no=None, card=card)
    if payer is None:
        raise Refused(Refusal.NOT_FOUND)
    wish = PasswordWish(
        caller=caller_id(request),
        key=key,
        trace_id=request[TRACE_ID],
        card=card,
        new=given.new_password_block,
        old=given.password_block,
        may_do_without=is_operator,
    )
    outcome = await set_password(
        wish,
        desk=node.passwords,
        ledger=node.ledger,
        salt=secrets.token_bytes(SALT_BYTES),
        now_s=node.clock.wall_s(),
    )
    if isinstance(outcome, NotDone):
        raise Refused(outcome.refusal, tuple(FieldError(f"/{wrong.field}", wrong.reason) for wrong in outcome.fields))
    return respond(request, outcome, card_body)


async def post_settings(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/settings`."""
    channel = channel_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], SettingsRequest)
    if given.no_password_up_to is None and given.tender_order is None:
        raise refuse_field("", "nothing to change")
    key, card = idempotency_key(request), card_in(request)
    await issued_card(request, card)
    command = ChangeSettings(
        caller=CallerId(channel),
        key=key,
        trace_id=request[TRACE_ID],
        card=card,
        no_password_up_to=given.no_password_up_to,
        tender_order=ORDERS[given.tender_order] if given.tender_order is not None else None,
    )
    return respond(request, await request.app[NODE].ledger.submit(command), card_body)


async def _refuse_if_not_in_charge(request: web.Request, card: CardId) -> None:
    operator = await reading_operator(request)
    if not operator.may(Right.READ, region_of(card)):
        raise Refused(Refusal.NOT_FOUND)
    if not operator.may(Right.DECIDE, region_of(card)):
        raise Refused(Refusal.SCOPE_NOT_AUTHORIZED)
