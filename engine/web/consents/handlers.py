"""Consents over HTTP: what a person agrees to through a channel, and takes back."""

from datetime import date

from aiohttp import web

from engine.core.consents import CONSENT_LASTS_MAX, Scope, agreement, why_no_purpose, wrong_period
from engine.core.ids import CardId, IdKind, id_text
from engine.core.participants import Right
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.consents.record import GivenConsent, record_consent, withdraw_consent
from engine.store.connection import AnyConnection
from engine.store.consents import load_consent, load_consents
from engine.store.persons import RegisteredCard, load_card, load_sign
from engine.web.audit.looks import access_of, note_look
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY, caller_id
from engine.web.card_callers import caller_kind, card_again, channel_of_request, may_as_operator, now_of, today_of
from engine.web.consents.subjects import department_in, id_in, linked_card
from engine.web.consents.wire import ConsentList, ConsentRequest, consent_view
from engine.web.doing_once import once
from engine.web.lists import no_parameters, page_of
from engine.web.node import NODE
from engine.web.operator_requests import done_response
from engine.web.paths import id_in_path
from engine.web.payments import json_response
from engine.web.personal_acts import agreed
from engine.web.render import encode_json
from engine.web.wire_cards import EndingRequest

LIST = "consents.list"


async def post_consent(request: web.Request) -> web.Response:
    """`POST /v1/consents`: keep what a person agrees to; a channel alone cannot say that somebody does."""
    channel = channel_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ConsentRequest)
    card = await linked_card(request, given.card_id)
    today, now = await today_of(request), await now_of(request)
    scopes, department = _wanted(given, today), department_in(given.department_id)
    bound_to = agreement(
        card=card.id,
        channel=channel,
        department=department,
        scopes=scopes,
        purpose=given.purpose,
        valid_until=given.valid_until,
    )
    act = await agreed(request, card, given, act="consent", bound_to=bound_to)
    if isinstance(act, web.Response):
        return act
    wanted = GivenConsent(
        card=card.id,
        channel=channel,
        department=department,
        scopes=scopes,
        purpose=given.purpose,
        valid_from=today,
        valid_until=given.valid_until,
        evidence_kind=act.kind,
        evidence_digest=act.digest,
    )

    async def work(connection: AnyConnection) -> Done | NotDone:
        kept = await record_consent(connection, request.app[NODE].ids, wanted, now=now)
        if isinstance(kept, NotDone):
            return kept
        return Done(201, encode_json(ConsentList(items=tuple(consent_view(one, today=today) for one in kept))))

    return done_response(await once(request, "give_consent", {"agreement": bound_to}, work))


async def get_consents(request: web.Request) -> web.Response:
    """`GET /v1/consents`: what a person has agreed to; a channel sees what it has asked for itself."""
    is_channel = caller_kind(request) is IdKind.CHANNEL
    page = page_of(request, IdKind.CONSENT, filters=("card_id",))
    card = await _card_of(request, page.filters.get("card_id"), is_channel=is_channel)
    await note_look(request, access_of(request, LIST, subject=card.id))
    today = await today_of(request)
    found = await load_consents(
        request.app[NODE].pool,
        card.id,
        channel=caller_id(request) if is_channel else None,
        before=page.before,
        count=page.limit + 1,
    )
    items = tuple(consent_view(one, today=today) for one in found[: page.limit])
    cursor = items[-1].id if len(found) > page.limit else None
    return json_response(encode_json(ConsentList(items=items, next_cursor=cursor)))


async def post_consent_withdrawal(request: web.Request) -> web.Response:
    """`POST /v1/consents/{id}/withdraw`: once this is answered, the consent lets no look in."""
    is_channel = caller_kind(request) is IdKind.CHANNEL
    no_parameters(request)
    given = read_body(request[BODY] or b"{}", EndingRequest)
    pool = request.app[NODE].pool
    consent = await load_consent(pool, _consent_in(request))
    if consent is None or (is_channel and consent.channel != caller_id(request)):
        raise Refused(Refusal.NOT_FOUND)
    card = await card_again(request, consent.card)
    if is_channel:
        act = await agreed(request, card, given, act="withdraw", bound_to=id_text(consent.id))
        if isinstance(act, web.Response):
            return act
    else:
        await may_as_operator(request, Right.STOP, card.region)
        if given.reason is None:
            raise refuse_field("/reason", "required")
    today, now = await today_of(request), await now_of(request)

    async def work(connection: AnyConnection) -> Done | NotDone:
        ended = await withdraw_consent(connection, consent.id, by=caller_id(request), now=now)
        return ended if isinstance(ended, NotDone) else Done(200, encode_json(consent_view(ended, today=today)))

    facts = {"id": id_text(consent.id), "reason": given.reason}
    return done_response(await once(request, "withdraw_consent", facts, work))


def _wanted(given: ConsentRequest, today: date) -> tuple[Scope, ...]:
    """The scopes that are asked for.

    Raises:
        Refused: one is named twice, the purpose is none, or the days cannot be so.
    """
    if len(set(given.scopes)) != len(given.scopes):
        raise refuse_field("/scopes", "each once")
    refusal = why_no_purpose(given.purpose)
    if refusal is not None:
        raise Refused(refusal)
    wrong = wrong_period(today, given.valid_until, today=today, lasts_max=CONSENT_LASTS_MAX)
    if wrong is not None:
        raise refuse_field(f"/{wrong[0]}", wrong[1])
    return given.scopes


async def _card_of(request: web.Request, text: str | None, *, is_channel: bool) -> RegisteredCard:
    """The card whose consents are asked for. A channel that is unlinked may still see what it was let do.

    Raises:
        Refused: there is none for this caller.
    """
    pool = request.app[NODE].pool
    card = await load_card(pool, CardId(id_in(text, IdKind.CARD, "/card_id")))
    if card is None:
        raise Refused(Refusal.NOT_FOUND)
    if not is_channel:
        try:
            await may_as_operator(request, Right.READ, card.region)
        except Refused as refused:
            await note_look(request, access_of(request, LIST, subject=card.id, refusal=refused.refusal))
            raise
    elif await load_sign(pool, card.id, caller_id(request)) is None:
        asked_for = await load_consents(pool, card.id, channel=caller_id(request), before=None, count=1)
        if not asked_for:
            raise Refused(Refusal.NOT_FOUND)
    return card


def _consent_in(request: web.Request) -> bytes:
    return id_in_path(request, "id", IdKind.CONSENT)
