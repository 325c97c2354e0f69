"""What a channel does for a cardholder: issue the electronic card, let it pay, phones, relatives, and the end of it."""

import base64

import msgspec
from aiohttp import web

from engine.core.cards import CardMove
from engine.core.commands import ChangeCard
from engine.core.ids import (
    NO_ID,
    CallerId,
    CardId,
    IdKind,
    RelativeId,
    SignNo,
    id_text,
    parse_id,
    region_of,
    shard_of,
)
from engine.core.participants import Right
from engine.core.payer import IssueLevel
from engine.core.refusals import Refusal
from engine.core.relatives import Relation, wrong_expiry
from engine.flows.answer_once import Done, NotDone
from engine.flows.card_devices import register_device
from engine.flows.card_register import GivenIdentity
from engine.flows.relatives import link_relative, revoke_relative, tell_ward
from engine.store.barrier import pass_all_lanes
from engine.store.connection import AnyConnection
from engine.store.persons import (
    RegisteredCard,
    Relative,
    Sign,
    end_sign,
    load_card,
    load_devices,
    load_relative,
    load_relatives,
    load_signs,
    revoke_device,
    set_sign_level,
)
from engine.web.audit.looks import looked_at_card
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY, TRACE_ID, caller_id, idempotency_key
from engine.web.card_callers import (
    caller_kind,
    card_again,
    channel_of_request,
    decided,
    identified,
    now_of,
    register_of,
    seen_card,
    today_of,
)
from engine.web.cards import card_body, card_in
from engine.web.doing_once import once
from engine.web.issued_cards import refuse_where_not_granted
from engine.web.lists import no_parameters
from engine.web.node import NODE
from engine.web.operator_requests import done_response
from engine.web.paths import id_in_path
from engine.web.payments import json_response, respond
from engine.web.personal_acts import agreed
from engine.web.render import encode_json
from engine.web.wire import NothingRequest
from engine.web.wire_cards import (
    DeviceList,
    EndingRequest,
    PaymentEnablingRequest,
    RelativeList,
    RelativeRequest,
    SignRequest,
    device_view,
    new_device_view,
    relative_view,
    sign_view,
)


async def post_sign(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/signs`: issue the electronic card on the channel, level 1; again is the same again."""
    channel = channel_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], SignRequest)
    identity = GivenIdentity(id_number=given.id_number, name=given.name, card_no=given.card_no)
    card = await identified(request, identity)
    if card.id != card_in(request):
        raise Refused(Refusal.IDENTITY_MISMATCH)
    await refuse_where_not_granted(request, card.region)
    register, now = register_of(request), await now_of(request)

    async def work(connection: AnyConnection) -> Done | NotDone:
        sign = await register.issue(connection, card.id, channel, now=now)
        return sign if isinstance(sign, NotDone) else Done(201, encode_json(sign_view(sign, card.status)))

    facts = {"id": id_text(card.id), "identity": register.identity_index(identity).hex()}
    return done_response(await once(request, "issue_card", facts, work))


async def post_level_2(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/level-2`: let the card pay, once its bank account and telephone number are shown."""
    channel_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], PaymentEnablingRequest)
    card, sign = await seen_card(request)
    assert sign is not None, "a channel sees what it has issued"
    refusal = register_of(request).why_no_payment(
        card, bank=given.bank, bank_account=given.bank_account, phone=given.phone
    )
    if refusal is not None:
        raise Refused(refusal)
    command = ChangeCard(
        caller=caller_id(request),
        key=idempotency_key(request),
        trace_id=request[TRACE_ID],
        card=card.id,
        move=CardMove.ENABLE_PAYMENT,
        reason=None,
    )
    outcome = await decided(request, command)
    if outcome.answer.refusal is None:
        await set_sign_level(request.app[NODE].pool, sign.sign_no, IssueLevel.PAYMENT)
    return respond(request, outcome, card_body)


async def post_unlink(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/signs/{sign_no}/unlink`: end what a channel has issued; the person agrees by password."""
    no_parameters(request)
    given = read_body(request[BODY] or b"{}", EndingRequest)
    pool, is_operator = request.app[NODE].pool, caller_kind(request) is IdKind.OPERATOR
    card = (await seen_card(request, Right.STOP))[0] if is_operator else await load_card(pool, card_in(request))
    signs = await load_signs(pool, card.id) if card is not None else []
    sign = next((one for one in signs if one.sign_no == _sign_no_in(request)), None)
    # An unlinked channel still finds its own: it may have lost the answer.
    if card is None or sign is None or not (is_operator or sign.channel == caller_id(request)):
        raise Refused(Refusal.NOT_FOUND)
    if is_operator:
        if given.reason is None:
            raise refuse_field("/reason", "required")
        idempotency_key(request)
    else:
        answer = await agreed(request, card, given, act="unlink", bound_to=id_text(sign.sign_no))
        if isinstance(answer, web.Response):
            return answer
    await _end(request, card, sign)
    again = next(one for one in await load_signs(pool, card.id) if one.sign_no == sign.sign_no)
    return json_response(encode_json(sign_view(again, (await card_again(request, card.id)).status)))


async def _end(request: web.Request, card: RegisteredCard, sign: Sign) -> None:
    """Unlink, and when it was the last that let the card pay, let it pay no more. Doing it twice changes nothing."""
    node, now = request.app[NODE], await now_of(request)
    others = [
        one
        for one in await load_signs(node.pool, card.id)
        if one.sign_no != sign.sign_no and one.unlinked_at is None and one.level is IssueLevel.PAYMENT
    ]
    if sign.level is IssueLevel.PAYMENT and sign.unlinked_at is None and not others:
        command = ChangeCard(
            caller=CallerId(NO_ID),
            key=f"{id_text(sign.sign_no)}/unlinked",
            card=card.id,
            move=CardMove.DISABLE_PAYMENT,
            reason=None,
        )
        await decided(request, command)
    async with node.pool.acquire() as connection:
        await end_sign(connection, sign.sign_no, now=now)


async def post_device(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/devices`: register a phone; its secret is in this answer, and in no other."""
    channel = channel_of_request(request)
    no_parameters(request)
    read_body(request[BODY] or b"{}", NothingRequest)
    card, _ = await seen_card(request)
    node, now = request.app[NODE], await now_of(request)

    async def work(connection: AnyConnection) -> Done | NotDone:
        made = await register_device(connection, node.keyring, node.ids, card.id, by=channel, now=now)
        if isinstance(made, NotDone):
            return made
        return Done(201, encode_json(new_device_view(made, base64.b64encode(made.key).decode())))

    return done_response(await once(request, "register_device", {"id": id_text(card.id)}, work))


async def get_devices(request: web.Request) -> web.Response:
    """`GET /v1/cards/{id}/devices`: the card's phones, without their secrets."""
    no_parameters(request)
    card, _ = await looked_at_card(request, "card.devices")
    devices = await load_devices(request.app[NODE].pool, card.id)
    return json_response(encode_json(DeviceList(items=tuple(device_view(one) for one in devices))))


async def post_device_revocation(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/devices/{device_no}/revoke`: once this is answered, no code of the phone pays."""
    no_parameters(request)
    read_body(request[BODY] or b"{}", NothingRequest)
    card, _ = await seen_card(request, Right.STOP)
    text = request.match_info["device_no"]
    if len(text) != 11 or not (text.isascii() and text.isdigit()):
        raise Refused(Refusal.NOT_FOUND)
    node, now = request.app[NODE], await now_of(request)

    async def work(connection: AnyConnection) -> Done | NotDone:
        if not await revoke_device(connection, int(text), card.id, now=now):
            return NotDone(Refusal.NOT_FOUND)
        device = next(one for one in await load_devices(connection, card.id) if one.device_no == int(text))
        return Done(200, encode_json(device_view(device)))

    done = await once(request, "revoke_device", {"id": id_text(card.id), "device_no": text}, work)
    await pass_all_lanes(node.pool)
    return done_response(done)


async def post_relative(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/relatives`: let the card's personal account help with a relative's medical bills."""
    channel = channel_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], RelativeRequest)
    card, _ = await seen_card(request)
    identity = GivenIdentity(id_number=given.id_number, name=given.name, card_no=given.card_no)
    ward = await identified(request, identity)
    if ward.id == card.id:
        raise refuse_field("/id_number", "the cardholder's own")
    wrong = wrong_expiry(given.expires_on, today=(await today_of(request)))
    if wrong is not None:
        raise refuse_field("/expires_on", wrong)
    register = register_of(request)
    relative = Relative(
        id=RelativeId(register.ids.new(IdKind.RELATIVE, shard=shard_of(card.id), region=region_of(card.id))),
        guardian=card.id,
        ward=ward.id,
        relation=Relation[given.relation.upper()],
        proof=given.proof,
        linked_by=channel,
        linked_at=await now_of(request),
        expires_on=given.expires_on,
        ended_at=None,
    )
    facts = {
        "id": id_text(card.id),
        "identity": register.identity_index(identity).hex(),
        "relation": given.relation,
        "proof": given.proof,
        "expires_on": given.expires_on,
    }

    async def work(connection: AnyConnection) -> Done | NotDone:
        linked = await link_relative(connection, relative)
        return linked if isinstance(linked, NotDone) else Done(201, encode_json(relative_view(linked, given.name)))

    done = await once(request, "link_relative", facts, work)
    # After the commit, and on every repeat: whoever got no answer asks again, and then it is done for sure.
    named = msgspec.json.decode(done.body, type=dict[str, object])["id"]
    linked = await load_relative(register.pool, RelativeId(parse_id(str(named), IdKind.RELATIVE)))
    if linked is not None and linked.ended_at is None:
        await tell_ward(request.app[NODE].ledger, linked, is_linked=True)
    return done_response(done)


async def get_relatives(request: web.Request) -> web.Response:
    """`GET /v1/cards/{id}/relatives`: whom the card's personal account helps, or has helped."""
    no_parameters(request)
    card, _ = await looked_at_card(request, "card.relatives")
    found = await load_relatives(request.app[NODE].pool, card.id)
    items = [relative_view(one, await _name_of(request, one.ward)) for one in found]
    return json_response(encode_json(RelativeList(items=tuple(items))))


async def post_relative_revocation(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/relatives/{relative}/revoke`: once this is answered, no bill is paid by the link."""
    no_parameters(request)
    read_body(request[BODY] or b"{}", NothingRequest)
    idempotency_key(request)
    card, _ = await seen_card(request, Right.STOP)
    node = request.app[NODE]
    relative = await load_relative(node.pool, _relative_in(request))
    if relative is None or relative.guardian != card.id:
        raise Refused(Refusal.NOT_FOUND)
    await revoke_relative(node.pool, node.ledger, relative, now=await now_of(request))
    again = await load_relative(node.pool, relative.id)
    assert again is not None, "links are never deleted"
    return json_response(encode_json(relative_view(again, await _name_of(request, again.ward))))


async def _name_of(request: web.Request, card: CardId) -> str:
    found = await load_card(request.app[NODE].pool, card)
    assert found is not None, "cards are never deleted"
    return register_of(request).holder(found).name


def _sign_no_in(request: web.Request) -> SignNo:
    return SignNo(id_in_path(request, "sign_no", IdKind.SIGN))


def _relative_in(request: web.Request) -> RelativeId:
    return RelativeId(id_in_path(request, "relative", IdKind.RELATIVE))
