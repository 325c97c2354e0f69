"""Payments judged by the rules of risk on their way to the ledger, however they are presented."""

from typing import Final

import msgspec

from engine.core.commands import Authorize, Concern
from engine.core.ids import NO_ID, CallerId, region_of
from engine.core.refusals import Refusal
from engine.core.risk import Action, Assessment, RiskFacts
from engine.flows.assess_risk import Happened, RiskCase
from engine.ledger.queue import Outcome
from engine.web.node import Node

_CONCERNS: Final = {
    Action.ALLOW: Concern.NONE,
    Action.CHALLENGE: Concern.CHALLENGE,
    Action.HOLD_FOR_REVIEW: Concern.REVIEW,
    Action.DENY: Concern.DENY,
}


async def submit_judged(node: Node, command: Authorize, *, business_s: float) -> Outcome:
    """The ledger's outcome of a payment, with what the rules of risk want done about it; it is counted afterwards.

    Units: *business_s* in unix seconds of business time.

    Raises:
        Overloaded: the ledger has no room.
        KeyInProgress: the same key is being answered.
        Fault: the database cannot answer.
    """
    facts = _facts_of(command)
    assessment = node.risk.assess(facts, business_s)
    if assessment.action is not Action.ALLOW:
        command = msgspec.structs.replace(command, concern=_CONCERNS[assessment.action])
    outcome = await node.ledger.submit(command)
    await _after(node, command, outcome, facts, assessment, business_s=business_s)
    return outcome


def _facts_of(command: Authorize) -> RiskFacts:
    return RiskFacts(
        merchant=command.merchant,
        region=region_of(command.merchant),
        terminal_id=command.terminal_id,
        amount=command.amount,
        device_no=command.code.device_no if command.code is not None else None,
        card=command.card if command.card != NO_ID else None,
        channel=bytes(command.caller) if bytes(command.caller) != bytes(command.merchant) else None,
    )


async def _after(
    node: Node, command: Authorize, outcome: Outcome, facts: RiskFacts, assessment: Assessment, *, business_s: float
) -> None:
    """Count what became of it, and let operators know what they have to look at."""
    answer = outcome.answer
    if outcome.is_replay:
        node.risk.observe(Happened.REPLAYED, facts, now_s=business_s)
    elif answer.refusal is None:
        node.risk.observe(Happened.PAID, facts, now_s=business_s)
    elif answer.refusal == Refusal.PASSWORD_INCORRECT.value:
        node.risk.observe(Happened.WRONG_PASSWORD, facts, now_s=business_s)
    else:
        node.risk.observe(Happened.DECLINED, facts, now_s=business_s)
    if answer.payment is None:
        return
    awaiting = answer.payment.awaiting
    is_reviewed = awaiting is not None and awaiting.is_review
    if assessment.action is Action.ALLOW and not is_reviewed:
        return
    case = RiskCase(payment=answer.payment.id, caller=CallerId(command.caller), trace_id=command.trace_id or "")
    if not outcome.is_replay:
        node.risk.record(assessment, facts, case, now_s=business_s)
    if is_reviewed:  # for repeats as well: the first request may have been cut off before this
        await node.risk.open_review(assessment, facts, case, now_s=business_s)
