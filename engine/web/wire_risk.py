"""What goes over the wire about risk control, for operators only: requests, answers, and one from the other."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from engine.core.ids import MerchantId, id_text
from engine.core.risk import COUNTERS, RULE_NAMES, THRESHOLD_MAX, Action, Override, Per, Rule, nearest_overrides
from engine.store.risk import Review, ReviewState, RiskDecision, SetRule
from engine.web.wire_participants import Reason, RegionCode

ACTION_NAMES: Final[Mapping[Action, str]] = {action: action.name.lower() for action in Action}
REVIEW_STATE_NAMES: Final[Mapping[ReviewState, str]] = {state: state.name.lower() for state in ReviewState}
PER_NAMES: Final[Mapping[Per, str]] = {per: per.name.lower() for per in Per}
RuleName = Annotated[str, Meta(pattern=rf"^({'|'.join(RULE_NAMES)})\Z")]
ActionName = Annotated[str, Meta(pattern=rf"^({'|'.join(ACTION_NAMES.values())})\Z")]
ReviewStateName = Annotated[str, Meta(pattern=rf"^({'|'.join(REVIEW_STATE_NAMES.values())})\Z")]
CounterName = Annotated[str, Meta(pattern=rf"^({'|'.join(counter.name for counter in COUNTERS)})\Z")]


class RiskRuleRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Want a rule otherwise for a region with all below it, or for one merchant. Without threshold and action, take
    back what was wanted.
    """

    rule: RuleName
    region: RegionCode | None = None
    merchant_id: Annotated[str, Meta(max_length=31)] | None = None
    threshold: Annotated[int, Meta(ge=1, le=THRESHOLD_MAX)] | None = None
    action: ActionName | None = None
    reason: Reason


class RiskRuleView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as it holds for a scope. `set_for_region`, `set_for_merchant`: of which scope that was said; both null if
    the default holds.
    """

    rule: RuleName
    kind: Literal["count", "night_amount", "spike", "share"]
    counter: CounterName | None
    per: Literal["payer", "terminal", "merchant", "channel"] | None
    window_s: int | None
    threshold: int
    action: ActionName
    default_threshold: int
    default_action: ActionName
    set_for_region: str | None
    set_for_merchant: str | None
    set_by: str | None
    set_at: datetime | None


class RiskRuleList(msgspec.Struct, frozen=True, kw_only=True):
    """Every rule as it holds for a scope, in the order in which they are judged."""

    items: tuple[RiskRuleView, ...]
    next_cursor: str | None


class RiskHitView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that hit."""

    rule: str  # may be one that there is no more
    found: int
    threshold: int
    action: ActionName


class RiskDecisionView(msgspec.Struct, frozen=True, kw_only=True):
    """What risk control has done about a payment, and why."""

    id: str
    payment_id: str
    merchant_id: str
    region: str
    terminal_id: str
    action: ActionName
    hits: tuple[RiskHitView, ...]
    decided_at: datetime
    trace_id: str


class RiskDecisionList(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions, newest first."""

    items: tuple[RiskDecisionView, ...]
    next_cursor: str | None


class RiskReviewView(msgspec.Struct, frozen=True, kw_only=True):
    """A payment whose money is held until an operator has looked at it."""

    payment_id: str
    merchant_id: str
    region: str
    rules: tuple[str, ...]
    status: ReviewStateName
    opened_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    done_at: datetime | None
    refusal: str | None


class RiskReviewList(msgspec.Struct, frozen=True, kw_only=True):
    """Reviews, newest payment first."""

    items: tuple[RiskReviewView, ...]
    next_cursor: str | None


def rule_views(
    rules: tuple[Rule, ...], said: Iterable[SetRule], *, merchant: MerchantId | None, region: int
) -> tuple[RiskRuleView, ...]:
    """The rules as they hold for a scope."""
    by_wish = {id(one.wish): one for one in said if one.wish is not None}
    nearest = nearest_overrides(
        [one.wish for one in by_wish.values() if one.wish is not None], merchant=merchant, region=region
    )
    views = []
    for rule in rules:
        wish = nearest.get(rule.name)
        views.append(_rule_view(rule, wish, by_wish[id(wish)] if wish is not None else None))
    return tuple(views)


def decision_view(decision: RiskDecision) -> RiskDecisionView:
    """A decision as the wire shows it."""
    return RiskDecisionView(
        id=id_text(decision.id),
        payment_id=id_text(decision.payment),
        merchant_id=id_text(decision.merchant),
        region=f"{decision.region:06d}",
        terminal_id=decision.terminal_id,
        action=ACTION_NAMES[decision.action],
        hits=tuple(
            RiskHitView(rule=hit.rule, found=hit.found, threshold=hit.threshold, action=ACTION_NAMES[hit.action])
            for hit in decision.hits
        ),
        decided_at=decision.at,
        trace_id=decision.trace_id,
    )


def review_view(review: Review) -> RiskReviewView:
    """A review as the wire shows it."""
    return RiskReviewView(
        payment_id=id_text(review.payment),
        merchant_id=id_text(review.merchant),
        region=f"{review.region:06d}",
        rules=review.rules,
        status=REVIEW_STATE_NAMES[review.state],
        opened_at=review.opened_at,
        decided_by=id_text(review.decided_by) if review.decided_by is not None else None,
        decided_at=review.decided_at,
        reason=review.reason,
        done_at=review.done_at,
        refusal=review.refusal.replace("_", "-") if review.refusal is not None else None,
    )


def _rule_view(rule: Rule, wish: Override | None, said: SetRule | None) -> RiskRuleView:
    counter = rule.counter
    return RiskRuleView(
        rule=rule.name,
        kind=rule.kind.value,
        counter=counter.name if counter is not None else None,
        per=PER_NAMES[counter.per] if counter is not None else None,  # type: ignore[arg-type]  # a Literal from a table
        window_s=counter.window_s if counter is not None else None,
        threshold=wish.threshold if wish is not None else rule.threshold,
        action=ACTION_NAMES[wish.action if wish is not None else rule.action],
        default_threshold=rule.threshold,
        default_action=ACTION_NAMES[rule.action],
        set_for_region=f"{wish.region:06d}" if wish is not None and wish.merchant is None else None,
        set_for_merchant=id_text(wish.merchant) if wish is not None and wish.merchant is not None else None,
        set_by=id_text(said.set_by) if said is not None else None,
        set_at=said.set_at if said is not None else None,
    )
