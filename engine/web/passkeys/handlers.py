"""Passkeys over HTTP: a channel has them registered, asks for challenges, lists them, and ends them."""

from datetime import timedelta

from aiohttp import web

from engine.codes.order_code import token_text
from engine.codes.webauthn_answers import base64url_text
from engine.core.ids import CardId, IdKind, MalformedId, PaymentId, id_text, parse_id
from engine.core.masking import masked_name, masked_number
from engine.core.participants import Right
from engine.core.passkeys import CHALLENGE_S, CREATE, LINK_S, REGISTER, Passkey, PasskeyId
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.passkeys.desk import LinkWish, PasskeyDesk, RegistrationWish
from engine.store.connection import AnyConnection
from engine.store.passkeys import load_passkey, load_passkeys, revoke_passkey
from engine.store.persons import RegisteredCard
from engine.store.quotes import owner_of_payment
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY
from engine.web.card_callers import caller_kind, channel_of_request, now_of, register_of, seen_card
from engine.web.doing_once import once
from engine.web.lists import no_parameters, parameters
from engine.web.node import NODE
from engine.web.operator_requests import done_response
from engine.web.passkeys.credential import registration_in
from engine.web.passkeys.desk import desk_of, moment_of, wall_of
from engine.web.passkeys.wire import (
    AssertionOptionsRequest,
    AssertionOptionsView,
    CreationOptionsView,
    NewPasskeyRequest,
    PasskeyLinkRequest,
    PasskeyLinkView,
    PasskeyList,
    PasskeyOptionsRequest,
    PasskeyView,
    UserEntity,
    creation_options,
    passkey_view,
    request_options,
)
from engine.web.paths import id_in_path
from engine.web.payments import json_response
from engine.web.personal_acts import agreed
from engine.web.render import encode_json
from engine.web.wire import NothingRequest

PAGE_PATH = "/q/k/"


async def post_registration_options(request: web.Request) -> web.Response:
    """`POST /v1/identity/passkeys/registration-options`: what the person's device is to make a passkey of."""
    channel = channel_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], PasskeyOptionsRequest)
    card, _ = await seen_card(request, card=_card_of(given.card_id))
    answer = await agreed(request, card, given, act=REGISTER, bound_to=id_text(card.id))
    if isinstance(answer, web.Response):
        return answer
    desk, wall = desk_of(request), wall_of(request)

    async def work(connection: AnyConnection) -> Done | NotDone:
        refusal = await desk.why_no_more(connection, card.id)
        if refusal is not None:
            return NotDone(refusal)
        drawn = await desk.challenge(
            connection, card=card.id, channel=channel, act=CREATE, bound_to=id_text(card.id), wall=wall
        )
        view = CreationOptionsView(
            options=creation_options(
                desk.party,
                challenge=drawn,
                user=user_of(request, desk, card),
                known=await load_passkeys(connection, card.id),
            ),
            expires_at=wall + timedelta(seconds=CHALLENGE_S),
        )
        return Done(201, encode_json(view))

    return done_response(await once(request, "passkey_registration_options", {"card_id": given.card_id}, work))


async def post_passkey(request: web.Request) -> web.Response:
    """`POST /v1/identity/passkeys`: the passkey that the person's device has made agrees to things from now on."""
    channel = channel_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], NewPasskeyRequest)
    card, _ = await seen_card(request, card=_card_of(given.card_id))
    desk, at = desk_of(request), await moment_of(request)
    wish = RegistrationWish(card=card.id, channel=channel, label=given.label)

    async def work(connection: AnyConnection) -> Done | NotDone:
        made = await desk.register(connection, registration_in(given.credential), wish, at=at)
        return made if isinstance(made, NotDone) else Done(201, encode_json(passkey_view(made, given.label)))

    facts = {
        "card_id": given.card_id,
        "credential": given.credential.id,
        "label": _index_of(request, given.label),
    }
    return done_response(await once(request, "register_passkey", facts, work))


async def post_assertion_options(request: web.Request) -> web.Response:
    """`POST /v1/identity/passkeys/assertion-options`: what a passkey is to sign, to agree to one thing, once."""
    channel = channel_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], AssertionOptionsRequest)
    card, _ = await seen_card(request, card=_card_of(given.card_id))
    desk, wall = desk_of(request), wall_of(request)

    async def work(connection: AnyConnection) -> Done | NotDone:
        drawn = await desk.challenge(
            connection, card=card.id, channel=channel, act=given.act, bound_to=given.bound_to, wall=wall
        )
        known = await load_passkeys(connection, card.id)
        view = AssertionOptionsView(
            options=request_options(desk.party, challenge=drawn, known=known),
            expires_at=wall + timedelta(seconds=CHALLENGE_S),
        )
        return Done(201, encode_json(view))

    facts = {"card_id": given.card_id, "act": given.act, "bound_to": given.bound_to}
    return done_response(await once(request, "passkey_assertion_options", facts, work))


async def get_passkeys(request: web.Request) -> web.Response:
    """`GET /v1/identity/passkeys?card_id=`: the card's passkeys, whichever channel has had them registered."""
    caller_kind(request)
    asked = parameters(request, ("card_id",)).get("card_id")
    if asked is None:
        raise refuse_field("/card_id", "required")
    card, _ = await seen_card(request, card=_card_of(asked))
    desk = desk_of(request)
    found = await load_passkeys(request.app[NODE].pool, card.id)
    return json_response(encode_json(PasskeyList(items=tuple(_view(desk, one) for one in found))))


async def post_passkey_revocation(request: web.Request) -> web.Response:
    """`POST /v1/identity/passkeys/{id}/revoke`: once this is answered, the passkey agrees to nothing any more."""
    caller_kind(request)
    no_parameters(request)
    read_body(request[BODY] or b"{}", NothingRequest)
    passkey = await _passkey_in(request)
    desk, now = desk_of(request), await now_of(request)

    async def work(connection: AnyConnection) -> Done | NotDone:
        await revoke_passkey(connection, passkey.id, now=now)
        again = await load_passkey(connection, passkey.id)
        assert again is not None, "passkeys are never deleted"
        return Done(200, encode_json(_view(desk, again)))

    return done_response(await once(request, "revoke_passkey", {"id": id_text(passkey.id)}, work))


async def post_passkey_link(request: web.Request) -> web.Response:
    """`POST /v1/identity/passkeys/links`: a link to the page on which the person uses a passkey, once."""
    channel = channel_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], PasskeyLinkRequest)
    if (given.label is None) is (given.payment_id is None):
        raise refuse_field("/label", "either a label or a payment")
    card, _ = await seen_card(request, card=_card_of(given.card_id))
    payment = await _payment_of(request, card, given.payment_id) if given.payment_id is not None else None
    if payment is None:
        answer = await agreed(request, card, given, act=REGISTER, bound_to=id_text(card.id))
        if isinstance(answer, web.Response):
            return answer
    desk, wall = desk_of(request), wall_of(request)
    wish = LinkWish(card=card.id, channel=channel, payment=payment, label=given.label)

    async def work(connection: AnyConnection) -> Done | NotDone:
        refusal = await desk.why_no_more(connection, card.id) if payment is None else None
        if refusal is not None:
            return NotDone(refusal)
        token = await desk.open_link(connection, wish, wall=wall)
        view = PasskeyLinkView(
            url=f"{desk.party.origin}{PAGE_PATH}{token_text(token)}", expires_at=wall + timedelta(seconds=LINK_S)
        )
        return Done(201, encode_json(view))

    facts = {"card_id": given.card_id, "payment_id": given.payment_id, "label": _index_of(request, given.label)}
    return done_response(await once(request, "open_passkey_link", facts, work))


def user_of(request: web.Request, desk: PasskeyDesk, card: RegisteredCard) -> UserEntity:
    """The cardholder, as a device shows whose a passkey is."""
    holder = register_of(request).holder(card)
    number = masked_number(holder.card_no) if holder.card_no is not None else ""
    return UserEntity(
        id=base64url_text(desk.user_handle(card.id)),
        name=f"{masked_name(holder.name)} {number}".strip(),
        display_name=masked_name(holder.name),
    )


async def _payment_of(request: web.Request, card: RegisteredCard, text: str) -> PaymentId:
    """The payment of the card that a request names.

    Raises:
        Refused: it is no payment, or another card's.
    """
    try:
        payment = PaymentId(parse_id(text, IdKind.PAYMENT))
    except MalformedId:
        raise refuse_field("/payment_id", "not the id of a payment") from None
    owner = await owner_of_payment(request.app[NODE].pool, payment)
    if owner is None or owner.payer != card.id:
        raise Refused(Refusal.PAYMENT_NOT_FOUND)
    return payment


async def _passkey_in(request: web.Request) -> Passkey:
    """The passkey of the path, if the caller may see its card.

    Raises:
        Refused: there is none, or none for this caller.
    """
    asked = PasskeyId(id_in_path(request, "id", IdKind.PASSKEY))
    passkey = await load_passkey(request.app[NODE].pool, asked)
    if passkey is None:
        raise Refused(Refusal.NOT_FOUND)
    await seen_card(request, Right.STOP, card=passkey.card)
    return passkey


def _card_of(text: str) -> CardId:
    try:
        return CardId(parse_id(text, IdKind.CARD))
    except MalformedId:
        raise refuse_field("/card_id", "not the id of a card") from None


def _index_of(request: web.Request, label: str | None) -> str | None:
    """What tells two labels apart, of which one may be a person's name."""
    return request.app[NODE].keyring.blind_index(f"passkey label {label}").hex() if label is not None else None


def _view(desk: PasskeyDesk, passkey: Passkey) -> PasskeyView:
    return passkey_view(passkey, desk.label(passkey))
