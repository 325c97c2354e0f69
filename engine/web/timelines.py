"""Payments' timelines over HTTP: for the payment's merchant, operators of its region, and the banks that have a part in
it, once their files tell them.
"""

from aiohttp import web

from engine.core.ids import BankId, IdKind, MerchantId
from engine.core.participants import Right
from engine.core.payment_timeline import Step
from engine.core.payments import Payment
from engine.core.refusals import Refusal
from engine.flows.payment_timeline import payment_timeline
from engine.flows.timeline_steps import Viewer
from engine.store.timelines import Timelines
from engine.web.body import Refused
from engine.web.boundary import CALLER, caller_id
from engine.web.lists import no_parameters
from engine.web.node import NODE
from engine.web.operator_requests import reading_operator
from engine.web.payments import json_response, payment_in
from engine.web.problems import prefers_chinese
from engine.web.render import encode_json
from engine.web.timeline_texts import step_text
from engine.web.wire_timelines import TimelineStepView, TimelineView


async def get_timeline(request: web.Request) -> web.Response:
    """`GET /v1/payments/{id}/timeline`: everything that happened to a payment, in order of time."""
    no_parameters(request)
    pool = request.app[NODE].pool
    payment = await Timelines(pool).payment(payment_in(request))
    viewer = await _viewer(request, payment)
    if payment is None or viewer is None:
        raise Refused(Refusal.PAYMENT_NOT_FOUND)
    steps = await payment_timeline(pool, payment, viewer)
    if steps is None:
        raise Refused(Refusal.PAYMENT_NOT_FOUND)
    in_chinese = prefers_chinese(request.headers.get("Accept-Language"))
    view = TimelineView(items=tuple(_step_view(step, in_chinese=in_chinese) for step in steps))
    response = json_response(encode_json(view))
    response.headers["Vary"] = "Accept-Language"
    return response


async def _viewer(request: web.Request, payment: Payment | None) -> Viewer | None:
    """As whom the caller may look; None if the payment is none of its business.

    Raises:
        Refused: nobody's payments are.
    """
    match request[CALLER].kind:
        case IdKind.MERCHANT:
            return Viewer() if payment is not None and payment.merchant == MerchantId(caller_id(request)) else None
        case IdKind.BANK:
            return Viewer(bank=BankId(caller_id(request)), sees_cards=True)
        case _:
            operator = await reading_operator(request)
            may_look = payment is not None and operator.may(Right.READ, payment.region)
            return Viewer(sees_cards=True) if may_look else None


def _step_view(step: Step, *, in_chinese: bool) -> TimelineStepView:
    return TimelineStepView(
        at=step.at,
        kind=step.kind.value,
        ids=dict(step.ids),
        amount=step.amount,
        text=step_text(step, in_chinese=in_chinese),
    )
