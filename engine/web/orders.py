"""Orders over HTTP: merchants show them, and their cardholders' apps look them up and pay them."""

import re
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import web

from engine.codes.order_code import read_order_code, read_token
from engine.codes.password_block import BoundTo
from engine.codes.render import qr_svg
from engine.core.callbacks import why_not_callable
from engine.core.commands import PasswordProof
from engine.core.ids import CallerId, CardId, IdKind, MalformedId, MerchantId, OrderId, PaymentId, id_text, parse_id
from engine.core.orders import OrderStatus, ShownOrder, status_of
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NAME
from engine.flows.answer_once import Done, NotDone, Wish, answer_once
from engine.flows.pay_order import CardAgreed, pay_by_card
from engine.flows.place_order import OrderWish, PlacedOrder, place_order
from engine.ledger.preview import preview
from engine.store.connection import AnyConnection
from engine.store.orders import (
    OrderMerchant,
    OrderSeen,
    load_order,
    load_order_by_token,
    load_order_merchant,
    load_orders,
)
from engine.store.participants import load_clocks
from engine.web.body import Refused, pointer_step, read_body, refuse_field
from engine.web.boundary import ARRIVED_S, BODY, CALLER, TRACE_ID, caller_id, idempotency_key
from engine.web.issued_cards import paying_card
from engine.web.judged_payments import submit_judged
from engine.web.lists import no_parameters, page_of
from engine.web.medical_bill import bill_in, refuse_wrong_bill
from engine.web.node import NODE, Node
from engine.web.operator_requests import done_response
from engine.web.paths import id_in_path
from engine.web.payments import json_response, merchant_of, payment_views, respond
from engine.web.problems import PROBLEMS, FieldError
from engine.web.render import encode_json, payment_of_answer
from engine.web.wire import PaymentView
from engine.web.wire_orders import (
    CardPreview,
    OrderList,
    OrderPaymentRequest,
    OrderRequest,
    OrderView,
    card_preview,
    items_given,
    order_preview,
    order_view,
    qr_text,
)

QR_LABEL: Final = "订单码"
_HOST: Final = re.compile(r"[0-9A-Za-z.:\[\]-]{1,255}")


async def post_order(request: web.Request) -> web.Response:
    """`POST /v1/orders`: from now on the order can be paid as it is said here, and in no earlier version."""
    merchant = MerchantId(merchant_of(request))
    no_parameters(request)
    given = read_body(request[BODY], OrderRequest)
    if given.return_url is not None:
        reason = why_not_callable(given.return_url, is_loopback_allowed=request.app[NODE].sandbox_time is not None)
        if reason is not None:
            raise refuse_field("/return_url", reason)
    scenario = BY_NAME[given.scenario]
    refuse_wrong_bill(scenario, bill_no=given.bill_no, medical="/bill" if given.bill is not None else None)
    wish = OrderWish(
        order_no=given.order_no,
        amount=given.amount,
        scenario=scenario,
        terminal_id=given.terminal_id,
        description=given.description,
        items=items_given(given.items),
        return_url=given.return_url,
        bill_no=given.bill_no,
        bill=bill_in(given.bill) if given.bill is not None else None,
        lives_s=given.expires_in_s,
    )
    origin = origin_of(request)

    async def work(connection: AnyConnection) -> Done | NotDone:
        placed = await place_order(connection, merchant, wish, request.app[NODE].ids)
        if isinstance(placed, NotDone):
            return placed
        return Done(201, encode_json(_view_of_placed(placed, origin)))

    return done_response(await _do_once(request, "show_order", msgspec.to_builtins(given), work))


async def get_order(request: web.Request) -> web.Response:
    """`GET /v1/orders/{id}`: one of the merchant's own, and what has become of it."""
    no_parameters(request)
    seen, merchant = await _own_order(request)
    (view,) = await _views(request, merchant, [seen])
    return json_response(encode_json(view))


async def get_orders(request: web.Request) -> web.Response:
    """`GET /v1/orders`: the merchant's own, newest first."""
    node = request.app[NODE]
    merchant_id = MerchantId(merchant_of(request))
    page = page_of(request, IdKind.ORDER, filters=("order_no",))
    seen = await load_orders(
        node.pool,
        merchant_id,
        before=page.before,
        order_no=page.filters.get("order_no"),
        count=page.limit + 1,
    )
    merchant = await _merchant(node, merchant_id)
    items = tuple(await _views(request, merchant, seen[: page.limit]))
    cursor = items[-1].id if len(seen) > page.limit else None
    return json_response(encode_json(OrderList(items=items, next_cursor=cursor)))


async def get_order_qr(request: web.Request) -> web.Response:
    """`GET /v1/orders/{id}/qr.svg`: the picture that the cardholder's app scans."""
    no_parameters(request)
    seen, merchant = await _own_order(request)
    return web.Response(
        body=qr_svg(qr_text(seen.order, merchant), label=QR_LABEL),
        content_type="image/svg+xml",
        headers={"Cache-Control": "no-store"},
    )


async def get_lookup(request: web.Request) -> web.Response:
    """`GET /v1/orders/lookup`: what an app shows its cardholder of a scanned order before it is paid."""
    node = request.app[NODE]
    channel = _channel_of(request)
    asked = _asked_in(request)
    card = _card_of(asked["card_id"]) if "card_id" in asked else None
    code = read_order_code(asked["code"])
    if isinstance(code, Refusal):
        raise Refused(code, (FieldError("/code", "not the code of an order"),))
    seen, merchant = await _order_of_token(node, code.token)
    if code.merchant_code not in (None, merchant.code):
        raise Refused(Refusal.ORDER_CODE_MALFORMED, (FieldError("/code", "names another merchant"),))
    by_card = await _by_card(request, channel, card, seen.order) if card is not None else None
    return json_response(
        encode_json(order_preview(seen.order, merchant, await status_now(node, seen), by_card=by_card))
    )


async def post_order_payment(request: web.Request) -> web.Response:
    """`POST /v1/orders/{token}/payments`: the cardholder has agreed to the order in the caller's app."""
    node = request.app[NODE]
    channel = _channel_of(request)
    no_parameters(request)
    given = read_body(request[BODY], OrderPaymentRequest)
    key = idempotency_key(request)
    token = read_token(request.match_info["token"])
    if token is None:
        raise Refused(Refusal.NOT_FOUND)
    seen, _ = await _order_of_token(node, token)
    card = _card_of(given.card_id)
    await paying_card(request, card)
    password = await _password_of(node, card, given.password_block, seen.order)
    agreed = CardAgreed(channel=channel, card=card, amount=given.amount, password=password)
    command = pay_by_card(seen.order, agreed, key=key, trace_id=request[TRACE_ID], ids=node.ids)
    outcome = await submit_judged(node, command, business_s=request[ARRIVED_S])
    node.payment_watch.announce(seen.order.id)
    return respond(request, outcome, lambda answer: encode_json(payment_of_answer(answer)), status=201)


def origin_of(request: web.Request) -> str:
    """Where links lead to: the node's public address, or else where the caller has reached the engine.

    Nothing if there is no such address and the request's Host is no host.
    """
    public_url = request.app[NODE].public_url
    if public_url:
        return public_url
    return f"{request.scheme}://{request.host}" if _HOST.fullmatch(request.host) else ""


async def status_now(node: Node, seen: OrderSeen) -> OrderStatus:
    """Where an order stands at this moment of business time."""
    return status_of(seen.order, seen.claim, now=(await load_clocks(node.pool)).business)


async def _do_once(
    request: web.Request, operation: str, facts: object, work: Callable[[AnyConnection], Awaitable[Done | NotDone]]
) -> Done:
    """Let the merchant do something, once a key.

    Raises:
        Refused: it was refused; nothing was done.
        Fault: the database cannot do it.
    """
    node = request.app[NODE]
    wish = Wish(
        caller=merchant_of(request),
        operation=operation,
        key=idempotency_key(request),
        facts=msgspec.json.encode(facts, order="sorted"),
    )
    answer = await answer_once(node.pool, node.keyring, node.ids, wish, work)
    if isinstance(answer, NotDone):
        errors = tuple(FieldError(f"/{wrong.field}", wrong.reason) for wrong in answer.fields)
        raise Refused(answer.refusal, errors)
    return answer


def _view_of_placed(placed: PlacedOrder, origin: str) -> OrderView:
    return order_view(placed.order, placed.merchant, OrderStatus.OPEN, origin=origin)


async def _views(request: web.Request, merchant: OrderMerchant, seen: list[OrderSeen]) -> list[OrderView]:
    node = request.app[NODE]
    now = (await load_clocks(node.pool)).business
    payments = await _payments_of(node, merchant.id, seen)
    return [
        order_view(
            one.order,
            merchant,
            status_of(one.order, one.claim, now=now),
            origin=origin_of(request),
            payment=payments.get(one.claim.payment) if one.claim is not None else None,
        )
        for one in seen
    ]


async def _payments_of(node: Node, merchant: MerchantId, seen: list[OrderSeen]) -> dict[PaymentId | None, PaymentView]:
    ids = [one.claim.payment for one in seen if one.claim is not None and one.claim.payment is not None]
    found = [await node.reads.payment(payment, merchant) for payment in ids]
    payments = [payment for payment in found if payment is not None]
    views = await payment_views(node, payments) if payments else []
    return {payment.id: view for payment, view in zip(payments, views, strict=True)}


async def _own_order(request: web.Request) -> tuple[OrderSeen, OrderMerchant]:
    node = request.app[NODE]
    merchant = MerchantId(merchant_of(request))
    order = OrderId(id_in_path(request, "id", IdKind.ORDER))
    seen = await load_order(node.pool, order, merchant)
    if seen is None:
        raise Refused(Refusal.NOT_FOUND)
    return seen, await _merchant(node, merchant)


async def _order_of_token(node: Node, token: bytes) -> tuple[OrderSeen, OrderMerchant]:
    seen = await load_order_by_token(node.pool, token)
    if seen is None:
        raise Refused(Refusal.NOT_FOUND)
    return seen, await _merchant(node, seen.order.merchant)


async def _merchant(node: Node, merchant: MerchantId) -> OrderMerchant:
    found = await load_order_merchant(node.pool, merchant, terminal_id="")
    assert found is not None, "merchants are never deleted"
    return found


async def _by_card(request: web.Request, channel: CallerId, card: CardId, order: ShownOrder) -> CardPreview:
    """What paying the order by a card would come to now.

    Raises:
        Refused: there is no such card.
        Fault: the database cannot answer.
    """
    node = request.app[NODE]
    await paying_card(request, card)
    agreed = CardAgreed(channel=channel, card=card, amount=order.amount, password=None)
    command = pay_by_card(order, agreed, key=None, trace_id=request[TRACE_ID], ids=node.ids)
    decision, books = await preview(node.pool, node.rules, command)
    if card not in books.seen.payers:
        raise Refused(Refusal.NOT_FOUND, (FieldError("/card_id", "no such card"),))
    answer = decision.answer
    refusal = Refusal(answer.refusal) if answer.refusal is not None else None
    return card_preview(refusal, payment_of_answer(answer) if answer.payment is not None else None)


def _channel_of(request: web.Request) -> CallerId:
    """The channel that calls. For everybody else its paths do not exist."""
    if request[CALLER].kind is not IdKind.CHANNEL:
        raise Refused(Refusal.NOT_FOUND)
    return caller_id(request)


async def _password_of(node: Node, card: CardId, block: str | None, order: ShownOrder) -> PasswordProof | None:
    """What became of the password that the cardholder has entered for this order.

    Raises:
        Refused: the block cannot be opened, or was made for something else.
        Fault: the database cannot answer.
    """
    if block is None:
        return None
    bound_to = BoundTo(order_no=order.order_no, merchant_id=id_text(order.merchant))
    checked = await node.passwords.check_password(card, block, bound_to, now_s=node.clock.wall_s())
    if isinstance(checked, Refusal):
        raise Refused(checked, (FieldError("/password_block", PROBLEMS[checked].en),))
    return checked


def _card_of(text: str) -> CardId:
    try:
        return CardId(parse_id(text, IdKind.CARD))
    except MalformedId:
        raise refuse_field("/card_id", "not the id of a card") from None


def _asked_in(request: web.Request) -> dict[str, str]:
    """The query's parameters; the code is longer than a filter, and has the spaces and names that such a code has.

    Raises:
        Refused: one is given twice, there is another, or there is no code.
    """
    for name in request.query:
        if name not in ("code", "card_id"):
            raise Refused(Refusal.UNKNOWN_FIELD, (FieldError(f"/{pointer_step(name)}", "not known"),))
        if len(request.query.getall(name)) > 1:
            raise Refused(Refusal.DUPLICATE_FIELD, (FieldError(f"/{name}", "given twice"),))
    if "code" not in request.query:
        raise refuse_field("/code", "required")
    return dict(request.query)
