"""Payments over HTTP: read a request, make a command, ask the ledger, write its answer."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from engine.core.answers import Answer, Clearing
from engine.core.books import clearing_of
from engine.core.commands import AnyCommand, CancelOrder, Capture, RefundPayment, Void
from engine.core.ids import (
    CallerId,
    IdKind,
    MalformedId,
    MerchantId,
    PaymentId,
    RefundId,
    parse_id,
    region_of,
    shard_of,
)
from engine.core.payments import HELD, Payment
from engine.core.refusals import Refusal
from engine.core.risk import RiskFacts
from engine.flows.assess_risk import Happened
from engine.flows.authorize_payment import bill_digest
from engine.ledger.queue import Outcome
from engine.store.return_reads import Returns
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import (
    ARRIVED_S,
    BODY,
    CALLER,
    TRACE_ID,
    caller_id,
    document_response,
    idempotency_key,
)
from engine.web.lists import date_of, no_parameters, page_of
from engine.web.medical_bill import bill_in
from engine.web.node import NODE, Node
from engine.web.problems import prefers_chinese
from engine.web.render import (
    cancel_view,
    encode_json,
    payment_of_answer,
    payment_view,
    problem_of_answer,
    refund_view,
)
from engine.web.waiting import wait_if_asked, wait_in
from engine.web.wire import (
    STATUS_NAMES,
    CancelRequest,
    CaptureRequest,
    NothingRequest,
    PaymentList,
    PaymentView,
    RefundList,
    RefundRequest,
)

_STATES: Final = {name: state for state, name in STATUS_NAMES.items()}


def merchant_of(request: web.Request) -> CallerId:
    """The merchant that calls. For everybody else a merchant's paths do not exist."""
    if request[CALLER].kind is not IdKind.MERCHANT:
        raise Refused(Refusal.NOT_FOUND)
    return caller_id(request)


async def post_capture(request: web.Request) -> web.Response:
    """`POST /v1/payments/{id}/capture`."""
    merchant = merchant_of(request)
    no_parameters(request)
    wished = read_body(request[BODY] or b"{}", CaptureRequest)
    key = idempotency_key(request)
    bill = bill_in(wished.bill) if wished.bill is not None else None
    command = Capture(
        caller=merchant,
        key=key,
        trace_id=request[TRACE_ID],
        payment=payment_in(request),
        amount=wished.amount,
        final=wished.final,
        bill=bill,
        bill_digest=bill_digest(bill) if bill is not None else None,
    )
    return await _submit_for_payment(request, command)


async def post_void(request: web.Request) -> web.Response:
    """`POST /v1/payments/{id}/void`."""
    merchant = merchant_of(request)
    no_parameters(request)
    read_body(request[BODY] or b"{}", NothingRequest)
    key = idempotency_key(request)
    command = Void(caller=merchant, key=key, trace_id=request[TRACE_ID], payment=payment_in(request))
    return await _submit_for_payment(request, command)


async def post_refund(request: web.Request) -> web.Response:
    """`POST /v1/payments/{id}/refunds`."""
    node = request.app[NODE]
    merchant = merchant_of(request)
    no_parameters(request)
    wished = read_body(request[BODY], RefundRequest)
    key = idempotency_key(request)
    payment = payment_in(request)
    refund = node.ids.new(IdKind.REFUND, shard=shard_of(payment), region=region_of(payment))
    command = RefundPayment(
        caller=merchant,
        key=key,
        trace_id=request[TRACE_ID],
        payment=payment,
        refund=RefundId(refund),
        refund_no=wished.refund_no,
        amount=wished.amount,
        reason=wished.reason,
    )
    outcome = await node.ledger.submit(command)
    if outcome.answer.refund is not None and not outcome.is_replay and outcome.answer.payment is not None:
        paid = outcome.answer.payment
        facts = RiskFacts(merchant=paid.merchant, region=paid.region, terminal_id=paid.terminal_id)
        node.risk.observe(Happened.REFUNDED, facts, now_s=request[ARRIVED_S])
    return respond(request, outcome, _refund_body, status=201)


async def post_cancel(request: web.Request) -> web.Response:
    """`POST /v1/payments/cancel`."""
    node = request.app[NODE]
    merchant = merchant_of(request)
    no_parameters(request)
    order_no = read_body(request[BODY], CancelRequest).order_no
    key = idempotency_key(request)
    refund = node.ids.new(IdKind.REFUND, shard=0, region=region_of(merchant))
    command = CancelOrder(
        caller=merchant,
        key=key,
        trace_id=request[TRACE_ID],
        order_no=order_no,
        refund=RefundId(refund),
    )
    outcome = await node.ledger.submit(command)
    return respond(request, outcome, lambda answer: encode_json(cancel_view(answer, order_no=order_no)))


async def get_payment(request: web.Request) -> web.Response:
    """`GET /v1/payments/{id}`: read from the books, so it shows everything that was ever answered; with `wait`, as soon
    as it is final.
    """
    node = request.app[NODE]
    merchant = merchant_of(request)
    wait_s = wait_in(request)
    payment = await node.reads.payment(payment_in(request), MerchantId(merchant))
    if payment is not None and wait_s and payment.state in HELD:
        await wait_if_asked(request, payment.id, wait_s)
        payment = await node.reads.payment(payment.id, MerchantId(merchant))
    if payment is None:
        raise Refused(Refusal.PAYMENT_NOT_FOUND)
    (view,) = await payment_views(node, [payment])
    return json_response(encode_json(view))


async def get_payments(request: web.Request) -> web.Response:
    """`GET /v1/payments`: the merchant's own, newest first, declined attempts included."""
    node = request.app[NODE]
    merchant = merchant_of(request)
    page = page_of(request, IdKind.PAYMENT, filters=("order_no", "status", "business_date"))
    status = page.filters.get("status")
    if status is not None and status not in _STATES:
        raise refuse_field("/status", "not a payment's status")
    payments = await node.reads.payments(
        MerchantId(merchant),
        before=PaymentId(page.before) if page.before is not None else None,
        order_no=page.filters.get("order_no"),
        state=_STATES[status] if status is not None else None,
        business_date=date_of(page.filters.get("business_date")),
        count=page.limit + 1,
    )
    views = await payment_views(node, payments[: page.limit])
    cursor = views[-1].id if len(payments) > page.limit else None
    return json_response(encode_json(PaymentList(items=tuple(views), next_cursor=cursor)))


async def get_refunds(request: web.Request) -> web.Response:
    """`GET /v1/payments/{id}/refunds`, newest first."""
    node = request.app[NODE]
    merchant = merchant_of(request)
    payment = await node.reads.payment(payment_in(request), MerchantId(merchant))
    if payment is None:
        raise Refused(Refusal.PAYMENT_NOT_FOUND)
    page = page_of(request, IdKind.REFUND)
    before = RefundId(page.before) if page.before is not None else None
    refunds = await node.reads.refunds(payment.id, before=before, count=page.limit + 1)
    views = tuple(refund_view(refund) for refund in refunds[: page.limit])
    cursor = views[-1].id if len(refunds) > page.limit else None
    return json_response(encode_json(RefundList(items=views, next_cursor=cursor)))


def payment_in(request: web.Request) -> PaymentId:
    """The payment that the path names. A malformed id names none."""
    try:
        return PaymentId(parse_id(request.match_info["id"], IdKind.PAYMENT))
    except MalformedId:
        raise Refused(Refusal.PAYMENT_NOT_FOUND) from None


def respond(
    request: web.Request,
    outcome: Outcome,
    body_of: Callable[[Answer], bytes],
    *,
    status: int = 200,
) -> web.Response:
    """The ledger's answer as a response; a replay says so, and is the same otherwise."""
    answer = outcome.answer
    if answer.refusal is not None:
        document = problem_of_answer(
            answer,
            instance=request.path,
            in_chinese=prefers_chinese(request.headers.get("Accept-Language")),
        )
        response = document_response(Refusal(answer.refusal), document)
    else:
        response = json_response(body_of(answer), status=status)
    if outcome.is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def json_response(body: bytes, *, status: int = 200) -> web.Response:
    """A JSON response."""
    return web.Response(status=status, body=body, content_type="application/json")


async def _submit_for_payment(request: web.Request, command: AnyCommand) -> web.Response:
    outcome = await request.app[NODE].ledger.submit(command)
    return respond(request, outcome, lambda answer: encode_json(payment_of_answer(answer)))


def _refund_body(answer: Answer) -> bytes:
    assert answer.refund is not None
    return encode_json(refund_view(answer.refund))


async def payment_views(node: Node, payments: list[Payment]) -> list[PaymentView]:
    """Payments as they stand, with how far the banks are."""
    control = (await node.reads.business_now()).control
    published = [one.id for one in payments if one.cycle is not None and one.cycle <= control.published_cycle]
    returned = await Returns(node.pool).returned_payments(published) if published else set()
    return [
        payment_view(
            payment,
            clearing=Clearing.RETURNED if payment.id in returned else clearing_of(payment.cycle, control),
            next_cutoff_at=control.cutoff_at,
        )
        for payment in payments
    ]
