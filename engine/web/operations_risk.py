"""What the contract says of risk control."""

from collections.abc import Mapping
from typing import Final

from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.web.field_notes import id_pattern
from engine.web.operation import PAGE, Operation, Parameter, Tag, text_schema
from engine.web.wire_participants import ApprovalView, ReasonRequest
from engine.web.wire_risk import (
    ACTION_NAMES,
    REVIEW_STATE_NAMES,
    RiskDecisionList,
    RiskReviewList,
    RiskReviewView,
    RiskRuleList,
    RiskRuleRequest,
    RiskRuleView,
)

REVIEWED_PAYMENT: Final = Parameter(
    name="payment",
    text="The payment.",
    schema={"type": "string", "pattern": id_pattern(IdKind.PAYMENT)},
    place="path",
)

_READING: Final = (Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED)
_CHANGING: Final = (*_READING, Refusal.REGION_NOT_PERMITTED, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS)
_DECIDING: Final = (*_CHANGING, Refusal.APPROVAL_DECIDED)

RISK_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/v1/risk/rules"): Operation(
        tag=Tag.RISK,
        summary="Rules of risk",
        text="As they hold for a region (by default the operator's own) or for a merchant. What is said of a merchant"
        " wins over what is said of its region, and that over what is said of a region above it.",
        parameters=(
            Parameter(name="region", text="As they hold in this region.", schema=text_schema()),
            Parameter(name="merchant_id", text="As they hold for this merchant.", schema=text_schema()),
        ),
        response=RiskRuleList,
        refusals=(*_READING, Refusal.REGION_NOT_PERMITTED, Refusal.REGION_UNKNOWN),
    ),
    ("POST", "/v1/risk/rules"): Operation(
        tag=Tag.RISK,
        summary="Change a rule for a region or a merchant",
        text="What is stricter holds at once, and in every process within seconds. Anything else waits for another"
        " operator: it is answered with 202 and the approval.",
        request=RiskRuleRequest,
        response={
            "oneOf": [{"$ref": f"#/components/schemas/{view.__name__}"} for view in (RiskRuleView, ApprovalView)]
        },
        statuses={202: "Another operator has to approve it: the approval."},
        refusals=(*_CHANGING, Refusal.REGION_UNKNOWN),
    ),
    ("GET", "/v1/risk/decisions"): Operation(
        tag=Tag.RISK,
        summary="Payments that were not just let pass",
        text="With the rules that hit. Merchants are never told; to them a payment is declined, or waits.",
        parameters=(
            Parameter(name="action", text="Only this action.", schema=text_schema(*ACTION_NAMES.values())),
            Parameter(name="payment_id", text="Only this payment.", schema=text_schema()),
            *PAGE,
        ),
        response=RiskDecisionList,
        refusals=_READING,
    ),
    ("GET", "/v1/risk/reviews"): Operation(
        tag=Tag.RISK,
        summary="Payments that wait for an operator",
        parameters=(
            Parameter(name="state", text="Only this state.", schema=text_schema(*REVIEW_STATE_NAMES.values())),
            *PAGE,
        ),
        response=RiskReviewList,
        refusals=_READING,
    ),
    ("POST", "/v1/risk/reviews/{payment}/release"): Operation(
        tag=Tag.RISK,
        summary="Let a held payment go on",
        text="It is decided once, whoever decides at the same time. `done_at` is null until it is carried out.",
        parameters=(REVIEWED_PAYMENT,),
        request=ReasonRequest,
        response=RiskReviewView,
        refusals=_DECIDING,
    ),
    ("POST", "/v1/risk/reviews/{payment}/reject"): Operation(
        tag=Tag.RISK,
        summary="Give a held payment up",
        text="It is decided once, whoever decides at the same time. The cardholder's money is let go.",
        parameters=(REVIEWED_PAYMENT,),
        request=ReasonRequest,
        response=RiskReviewView,
        refusals=_DECIDING,
    ),
}
