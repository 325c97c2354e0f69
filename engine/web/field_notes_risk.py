"""What the fields of risk control mean."""

from typing import Final

from engine.core.ids import IdKind
from engine.web.field_note import FieldNote, id_note, instant_note

_REGION: Final = "^[0-9]{6}$"
_RULE: Final = FieldNote("The rule's name: stable, and told to nobody but operators.")
_THRESHOLD: Final = FieldNote(
    "The rule hits from this figure on: a number of times, fen for `night_amount`, percent for `spike` and `share`."
)
_ACTION: Final = FieldNote(
    "What is done: `allow` switches a rule off; `challenge`: the cardholder has to confirm; `hold_for_review`: the"
    " money is held until an operator has looked at it; `deny`."
)
_RULE_NOTES: Final[dict[str, FieldNote]] = {
    "kind": FieldNote(
        "What is compared: a `count` of the window; this payment's amount at night (23:00 to 05:00); `spike`: this"
        " payment against the merchant's usual one; `share`: one count against another."
    ),
    "counter": FieldNote("What is counted; null if nothing is. A hint: processes know each other's a moment late."),
    "per": FieldNote("By whom it is counted; null if nothing is."),
    "window_s": FieldNote("Seconds after which counting begins anew; null if nothing is counted."),
    "default_threshold": FieldNote("The threshold where nobody has said anything."),
    "default_action": FieldNote("The action where nobody has said anything."),
    "set_for_region": FieldNote("The region that this was said of; null if it was not a region.", None, _REGION),
    "set_for_merchant": id_note("The merchant that this was said of; null if it was not one.", IdKind.MERCHANT),
    "set_by": id_note("Who wanted it so; null if nobody has said anything.", IdKind.OPERATOR),
    "set_at": instant_note("Since when, in business time; null if nobody has said anything."),
}

RISK_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    **{(view, "rule"): _RULE for view in ("RiskRuleRequest", "RiskRuleView", "RiskHitView")},
    **{(view, "threshold"): _THRESHOLD for view in ("RiskRuleRequest", "RiskRuleView", "RiskHitView")},
    **{(view, "action"): _ACTION for view in ("RiskRuleRequest", "RiskRuleView", "RiskHitView", "RiskDecisionView")},
    **{("RiskRuleView", field): note for field, note in _RULE_NOTES.items()},
    **{
        (view, "merchant_id"): id_note("The merchant.", IdKind.MERCHANT)
        for view in ("RiskDecisionView", "RiskReviewView")
    },
    **{
        (view, "payment_id"): id_note("The payment.", IdKind.PAYMENT) for view in ("RiskDecisionView", "RiskReviewView")
    },
    **{
        (view, "region"): FieldNote("The merchant's region.", None, _REGION)
        for view in ("RiskDecisionView", "RiskReviewView")
    },
    ("RiskRuleRequest", "region"): FieldNote(
        "The region, with all below it; 000000 is the whole country. Not with a merchant.", None, _REGION
    ),
    ("RiskRuleRequest", "merchant_id"): id_note("The merchant, in place of a region.", IdKind.MERCHANT),
    ("RiskRuleRequest", "reason"): FieldNote("Why; stays on record."),
    ("RiskHitView", "found"): FieldNote("The figure that was found, in the unit of the threshold."),
    ("RiskDecisionView", "id"): id_note("The decision.", IdKind.RISK_DECISION),
    ("RiskDecisionView", "terminal_id"): FieldNote("The terminal."),
    ("RiskDecisionView", "hits"): FieldNote("Every rule that hit; the most severe action is taken."),
    ("RiskDecisionView", "decided_at"): instant_note("When it was judged, in business time."),
    ("RiskDecisionView", "trace_id"): FieldNote("Of the request that asked for the payment."),
    ("RiskReviewView", "rules"): FieldNote("The rules that hit."),
    ("RiskReviewView", "status"): FieldNote("Whether it waits, or what was decided."),
    ("RiskReviewView", "opened_at"): instant_note("Since when it waits, in business time."),
    ("RiskReviewView", "reason"): FieldNote("Why it was decided so; null while it waits."),
    ("RiskReviewView", "done_at"): instant_note("When what was decided was carried out; null if it is not yet."),
    ("RiskReviewView", "refusal"): FieldNote("Why it could not be carried out, as a problem's `code`; else null."),
}
