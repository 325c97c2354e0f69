"""The page on which a person uses a passkey on the engine's own address: to register one, or to confirm a payment.

Whoever has the link may open it, so no answer here is kept by anybody, and no path is written to the log.
"""

import asyncio
import functools
from typing import Final

import msgspec
import structlog
from aiohttp import web

from engine.codes.order_code import read_token
from engine.core.commands import Confirm, PasskeyProof
from engine.core.ids import CallerId, PaymentId, id_text
from engine.core.passkeys import CONFIRM, CREATE
from engine.core.payments import Payment
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.passkeys.desk import PasskeyDesk, Wanted, evidence_of
from engine.ledger.queue import Overloaded
from engine.ledger.router import KeyInProgress
from engine.store.faults import Fault
from engine.store.orders import load_order_merchant
from engine.store.passkeys import PasskeyLink, load_passkeys, use_link
from engine.store.persons import load_card
from engine.store.quotes import owner_of_payment
from engine.web.body import Refused, read_body
from engine.web.boundary import BODY_S_MAX, TRACE_ID
from engine.web.cashier_page import CONTENT_SECURITY_POLICY
from engine.web.docs import STATIC, Language, language_of
from engine.web.node import NODE
from engine.web.passkeys.credential import NewPasskeyCredential, PasskeyAssertion, assertion_in, registration_in
from engine.web.passkeys.desk import desk_of, moment_of, wall_of
from engine.web.passkeys.handlers import user_of
from engine.web.passkeys.page_html import (
    Ceremony,
    ShownPayment,
    busy_page,
    missing_page,
    payment_page,
    registration_page,
)
from engine.web.passkeys.wire import creation_options, request_options
from engine.web.payments import json_response
from engine.web.problems import PROBLEMS, refusal_of
from engine.web.render import encode_json

log = structlog.get_logger("engine.web")

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Language",
    "X-Content-Type-Options": "nosniff",
}


async def get_page(request: web.Request) -> web.Response:
    """`GET /q/k/{token}`: what the person is asked to do, or what has become of it, in the reader's language."""
    try:
        return await _shown(request, language_of(request))
    except Fault as fault:
        log.error("page.store_unavailable", trace_id=request[TRACE_ID], fault=str(fault))
        return _page(busy_page(language_of(request)), status=503)


async def _shown(request: web.Request, language: Language) -> web.Response:
    desk = desk_of(request)
    link = await _link_in(request, desk)
    if link is None:
        return _page(missing_page(language), status=404)
    refusal = refusal_of(request.query.get("refused", ""))
    if link.payment is None:
        ceremony = await _creation(request, desk, link) if link.used_at is None else None
        return _page(registration_page(ceremony, desk.label_of_link(link), refusal, language))
    payment = await _payment_of(request, link.payment)
    merchant = await load_order_merchant(request.app[NODE].pool, payment.merchant, terminal_id="")
    assert merchant is not None, "merchants are never deleted"
    shown = ShownPayment(payment=payment, merchant=merchant, refusal=refusal)
    return _page(payment_page(await _request(request, desk, link, payment) if shown.waits else None, shown, language))


async def post_answer(request: web.Request) -> web.Response:
    """`POST /q/k/{token}`: what the person's device has answered; the page then shows what has come of it."""
    try:
        await _take(request)
    except Refused as refused:
        return _said(request, refused.refusal)
    except (Overloaded, KeyInProgress):
        return _said(request, Refusal.OVERLOADED)
    except Fault as fault:
        log.error("page.store_unavailable", trace_id=request[TRACE_ID], fault=str(fault))
        return _said(request, Refusal.STORE_UNAVAILABLE)
    return _said(request, None)


async def _take(request: web.Request) -> None:
    desk = desk_of(request)
    link = await _link_in(request, desk)
    if link is None:
        raise Refused(Refusal.NOT_FOUND)
    body = await _json_body(request)
    node = request.app[NODE]
    if not node.page_attempts.may_try(link.digest, request.remote or "", now_s=node.clock.steady_s()):
        raise Refused(Refusal.TOO_MANY_ATTEMPTS)
    if link.payment is None:
        given = registration_in(read_body(body, NewPasskeyCredential))
        made = await desk.register_by_link(given, link, at=await moment_of(request))
        if isinstance(made, NotDone):
            raise Refused(made.refusal)
    else:
        await _confirm(request, desk, link, link.payment, read_body(body, PasskeyAssertion))


async def get_script(_: web.Request) -> web.Response:
    """`GET /q/passkey.js`: what talks to the person's device."""
    return web.Response(
        body=await asyncio.to_thread(_script),
        content_type="text/javascript",
        charset="utf-8",
        headers={**_HEADERS, "Cache-Control": "max-age=300"},
    )


async def _confirm(
    request: web.Request, desk: PasskeyDesk, link: PasskeyLink, payment: PaymentId, given: PasskeyAssertion
) -> None:
    """Let the payment go on. What the device has signed is the key: a refusal is not remembered for the next answer.

    Raises:
        Refused: the passkey has not agreed to it, or the payment does not wait any more.
    """
    node, answer, at = request.app[NODE], assertion_in(given), await moment_of(request)
    key = f"passkey/{evidence_of(answer).hex() if answer is not None else ''}"
    wanted = Wanted(card=link.card, act=CONFIRM, bound_to=id_text(payment), channel=link.channel, key=key)
    refusal = await desk.prove(answer, wanted, at=at)
    if refusal is not None:
        raise Refused(refusal)
    command = Confirm(
        caller=CallerId(link.channel),
        key=key,
        trace_id=request[TRACE_ID],
        payment=payment,
        merchant=None,
        password=None,
        passkey=PasskeyProof(),
    )
    outcome = await node.ledger.submit(command)
    if outcome.answer.refusal is not None:
        raise Refused(Refusal(outcome.answer.refusal))
    node.payment_watch.announce(payment)
    await use_link(node.pool, link.digest, now=at.now)


async def _creation(request: web.Request, desk: PasskeyDesk, link: PasskeyLink) -> Ceremony:
    pool = request.app[NODE].pool
    card = await load_card(pool, link.card)
    assert card is not None, "cards are never deleted"
    drawn = await desk.challenge(
        pool, card=card.id, channel=link.channel, act=CREATE, bound_to=id_text(card.id), wall=wall_of(request)
    )
    known = await load_passkeys(pool, card.id)
    options = creation_options(desk.party, challenge=drawn, user=user_of(request, desk, card), known=known)
    return Ceremony(kind="create", options=msgspec.json.encode(options).decode())


async def _request(request: web.Request, desk: PasskeyDesk, link: PasskeyLink, payment: Payment) -> Ceremony:
    pool = request.app[NODE].pool
    drawn = await desk.challenge(
        pool, card=link.card, channel=link.channel, act=CONFIRM, bound_to=id_text(payment.id), wall=wall_of(request)
    )
    options = request_options(desk.party, challenge=drawn, known=await load_passkeys(pool, link.card))
    return Ceremony(kind="get", options=msgspec.json.encode(options).decode())


async def _link_in(request: web.Request, desk: PasskeyDesk) -> PasskeyLink | None:
    token = read_token(request.match_info["token"])
    return await desk.link_of(token, wall=wall_of(request)) if token is not None else None


async def _payment_of(request: web.Request, named: PaymentId) -> Payment:
    node = request.app[NODE]
    owner = await owner_of_payment(node.pool, named)
    assert owner is not None, "payments are never deleted"
    payment = await node.reads.payment(named, owner.merchant)
    assert payment is not None, "payments are never deleted"
    return payment


async def _json_body(request: web.Request) -> bytes:
    """The body, which another site's page cannot send: it would have to ask first, and nobody says yes.

    Raises:
        HTTPException: it is no JSON, or does not come to its end.
    """
    if request.content_type != "application/json" or "Content-Encoding" in request.headers:
        raise web.HTTPUnsupportedMediaType
    try:
        async with asyncio.timeout(BODY_S_MAX):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


def _said(request: web.Request, refusal: Refusal | None) -> web.Response:
    """What has come of it, for the script; told here, because the boundary would write the link to the log."""
    if refusal is not None:
        log.info("page.refused", refusal=refusal.slug, trace_id=request[TRACE_ID])
    status = PROBLEMS[refusal].status if refusal is not None else 200
    said = {"code": refusal.slug} if refusal is not None else {}
    response = json_response(encode_json(said), status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _page(page: str, *, status: int = 200) -> web.Response:
    return web.Response(status=status, text=page, content_type="text/html", headers=_HEADERS)


@functools.cache
def _script() -> bytes:
    return (STATIC / "passkey.js").read_bytes()
