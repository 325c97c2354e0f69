"""Risk control over HTTP, for operators: the rules, what was decided by them, and what waits for a person."""

import msgspec
from aiohttp import web

from engine.core.approvals import Approval
from engine.core.ids import IdKind, MalformedId, MerchantId, PaymentId, id_text, parse_id, region_of
from engine.core.participants import Operator, Right, is_region, regions_of
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone, keep_answer
from engine.flows.approve import Asking
from engine.flows.change_risk_rule import RuleChange, change_rule
from engine.flows.review_payment import carry_out_review, decide_on
from engine.store.faults import Fault
from engine.store.participants import Source
from engine.store.risk import (
    DecisionsWanted,
    Review,
    ReviewState,
    ReviewsWanted,
    load_decisions,
    load_reviews,
    load_set_rules,
)
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY
from engine.web.lists import no_parameters, page_of, parameters
from engine.web.node import NODE, Node
from engine.web.operator_requests import (
    asked_for,
    do_once,
    done_response,
    operator_of_request,
    reading_operator,
    wish_of,
)
from engine.web.paths import id_in_path
from engine.web.payments import json_response
from engine.web.render import encode_json
from engine.web.wire_participants import ReasonRequest
from engine.web.wire_risk import (
    ACTION_NAMES,
    REVIEW_STATE_NAMES,
    RiskDecisionList,
    RiskReviewList,
    RiskRuleList,
    RiskRuleRequest,
    RiskRuleView,
    decision_view,
    review_view,
    rule_views,
)

_ACTIONS = {name: action for action, name in ACTION_NAMES.items()}
_STATES = {name: state for state, name in REVIEW_STATE_NAMES.items()}


async def get_risk_rules(request: web.Request) -> web.Response:
    """`GET /v1/risk/rules`: the rules as they hold for a region or a merchant."""
    operator = await reading_operator(request)
    given = parameters(request, ("region", "merchant_id"))
    merchant = _merchant_id(given.get("merchant_id"))
    region = _region(given.get("region"), merchant, default=operator.region)
    _may_read(operator, region)
    node = request.app[NODE]
    views = await _rules(node, node.pool, merchant=merchant, region=region)
    return json_response(encode_json(RiskRuleList(items=views, next_cursor=None)))


async def post_risk_rule(request: web.Request) -> web.Response:
    """`POST /v1/risk/rules`: want a rule otherwise for a region or a merchant."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], RiskRuleRequest)
    merchant = _merchant_id(given.merchant_id)
    if merchant is None and given.region is None:
        raise refuse_field("/region", "a region, or a merchant")
    region = _region(given.region, merchant, default=0)
    node = request.app[NODE]
    change = RuleChange(
        rule=given.rule,
        region=region,
        merchant=given.merchant_id,
        threshold=given.threshold,
        action=given.action,
    )

    async def step(asked: Asking) -> Done | NotDone:
        changed = await change_rule(asked, change, reason=given.reason, rules=node.risk.rules)
        if isinstance(changed, Approval | NotDone):
            return asked_for(asked, changed)
        views = await _rules(node, asked.connection, merchant=merchant, region=region)
        return Done(200, encode_json(next(view for view in views if view.rule == given.rule)))

    facts = {**msgspec.structs.asdict(given), "region": change.region}
    answer = await do_once(request, wish_of(request, "change_risk_rule", facts), step)
    await node.risk.refresh()
    return done_response(answer)


async def get_risk_decisions(request: web.Request) -> web.Response:
    """`GET /v1/risk/decisions`: payments of the operator's region that were not just let pass, newest first."""
    operator = await reading_operator(request)
    page = page_of(request, IdKind.RISK_DECISION, filters=("action", "payment_id"))
    action, payment = page.filters.get("action"), page.filters.get("payment_id")
    if action is not None and action not in _ACTIONS:
        raise refuse_field("/action", f"one of {', '.join(_ACTIONS)}")
    wanted = DecisionsWanted(
        regions=regions_of(operator.region),
        before=page.before,
        action=_ACTIONS[action] if action is not None else None,
        payment=PaymentId(_parsed(payment, IdKind.PAYMENT, "/payment_id")) if payment is not None else None,
        count=page.limit + 1,
    )
    decisions = await load_decisions(request.app[NODE].pool, wanted)
    items = tuple(decision_view(decision) for decision in decisions[: page.limit])
    cursor = items[-1].id if len(decisions) > page.limit else None
    return json_response(encode_json(RiskDecisionList(items=items, next_cursor=cursor)))


async def get_risk_reviews(request: web.Request) -> web.Response:
    """`GET /v1/risk/reviews`: payments that wait for an operator, or waited, newest first."""
    operator = await reading_operator(request)
    page = page_of(request, IdKind.PAYMENT, filters=("state",))
    state = page.filters.get("state")
    if state is not None and state not in _STATES:
        raise refuse_field("/state", f"one of {', '.join(_STATES)}")
    wanted = ReviewsWanted(
        regions=regions_of(operator.region),
        before=page.before,
        state=_STATES[state] if state is not None else None,
        count=page.limit + 1,
    )
    reviews = await load_reviews(request.app[NODE].pool, wanted)
    items = tuple(review_view(review) for review in reviews[: page.limit])
    cursor = items[-1].payment_id if len(reviews) > page.limit else None
    return json_response(encode_json(RiskReviewList(items=items, next_cursor=cursor)))


async def post_review_release(request: web.Request) -> web.Response:
    """`POST /v1/risk/reviews/{payment}/release`: the payment goes on as if nothing had been found."""
    return await _decide(request, ReviewState.RELEASED)


async def post_review_rejection(request: web.Request) -> web.Response:
    """`POST /v1/risk/reviews/{payment}/reject`: the payment is given up, and its money let go."""
    return await _decide(request, ReviewState.REJECTED)


async def _decide(request: web.Request, state: ReviewState) -> web.Response:
    node = request.app[NODE]
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ReasonRequest)
    payment = PaymentId(id_in_path(request, "payment", IdKind.PAYMENT))
    facts = {"payment": id_text(payment), "reason": given.reason}
    wish = wish_of(request, f"{REVIEW_STATE_NAMES[state]}_review", facts)
    under_way: list[Review] = []

    async def step(asked: Asking) -> Done | NotDone:
        decided = await decide_on(asked, payment, state, reason=given.reason)
        if isinstance(decided, NotDone):
            return decided
        under_way.append(decided)
        return Done(200, encode_json(review_view(decided)))

    answer = await do_once(request, wish, step)
    for review in under_way:
        # Decided for good. What cannot be carried out now is soon, by a worker, and the answer says that it is not yet.
        try:
            done = await carry_out_review(node.pool, review, node.reviewed)
        except Fault:
            break
        answer = Done(200, encode_json(review_view(done)))
        await keep_answer(node.pool, node.keyring, node.ids, wish, answer)
    return done_response(answer)


async def _rules(node: Node, source: Source, *, merchant: MerchantId | None, region: int) -> tuple[RiskRuleView, ...]:
    said = await load_set_rules(source)
    return rule_views(node.risk.rules, said, merchant=merchant, region=region)


def _may_read(operator: Operator, region: int) -> None:
    if not operator.may(Right.READ, region):
        raise Refused(Refusal.REGION_NOT_PERMITTED)


def _merchant_id(text: str | None) -> MerchantId | None:
    return MerchantId(_parsed(text, IdKind.MERCHANT, "/merchant_id")) if text is not None else None


def _region(text: str | None, merchant: MerchantId | None, *, default: int) -> int:
    """The region of a scope: a merchant's own, else what is given, else *default*."""
    if merchant is not None:
        if text is not None:
            raise refuse_field("/region", "not with a merchant, who has one")
        return region_of(merchant)
    if text is None:
        return default
    if len(text) != 6 or not (text.isascii() and text.isdigit()) or not is_region(int(text)):
        raise Refused(Refusal.REGION_UNKNOWN)
    return int(text)


def _parsed(text: str, kind: IdKind, pointer: str) -> bytes:
    try:
        return parse_id(text, kind)
    except MalformedId:
        raise refuse_field(pointer, "not an id of this kind") from None
