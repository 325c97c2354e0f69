"""Changing a rule of risk for a region or a merchant: stricter at once and by one operator, anything else by two."""

import msgspec

from engine.core.approvals import Approval, ApprovalKind
from engine.core.ids import IdKind, MerchantId, id_text, parse_id
from engine.core.participants import Right, WrongField, is_region
from engine.core.refusals import Refusal
from engine.core.risk import BY_NAME, RULES, Action, Override, Rule, is_as_strict, rules_for
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, ask_approval
from engine.store.connection import AnyConnection
from engine.store.participants import load_clocks, load_participant
from engine.store.risk import SetRule, insert_override, load_overrides, load_rule_version, lock_rules


class RuleChange(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as it is to be for a scope: a merchant, or a region with all below it.

    Without threshold and action, as if nothing had been said of the scope. `version` is that of the scope when another
    operator was asked: what was meant for another state is not done.
    """

    rule: str
    region: int
    merchant: str | None
    threshold: int | None
    action: str | None
    version: int = 0

    @property
    def merchant_id(self) -> MerchantId | None:
        """The merchant as the books know it."""
        return MerchantId(parse_id(self.merchant, IdKind.MERCHANT)) if self.merchant is not None else None

    @property
    def wish(self) -> Override | None:
        """The rule that is to hold; None for what holds without it."""
        if self.threshold is None or self.action is None:
            return None
        return Override(
            rule=self.rule,
            region=self.region,
            merchant=self.merchant_id,
            threshold=self.threshold,
            action=Action[self.action.upper()],
        )


async def change_rule(
    asked: Asking, change: RuleChange, *, reason: str, rules: tuple[Rule, ...] = RULES
) -> SetRule | Approval | NotDone:
    """The rule is as wanted if nobody can do more by that; else another operator is asked.

    Locks: the rules, so that a change is judged by what it changes.
    """
    wrong = await _wrong_field(asked.connection, change)
    if wrong is not None:
        return NotDone(Refusal.FIELD_INVALID, (wrong,))
    await lock_rules(asked.connection)
    if not await _is_stricter(asked.connection, change, rules):
        return await ask_approval(
            asked,
            kind=ApprovalKind.RISK_RULE,
            region=change.region,
            subject=change.rule,
            payload=msgspec.structs.replace(change, version=await _version(asked.connection, change)),
            reason=reason,
        )
    refused = asked.why_not(Right.STOP, change.region)
    if refused is not None:
        return refused
    rule = SetRule(
        rule=change.rule,
        region=change.region,
        merchant=change.merchant_id,
        wish=change.wish,
        set_by=asked.operator.id,
        set_at=asked.now,
    )
    await insert_override(asked.connection, rule, reason=reason)
    return rule


async def set_rule(connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
    """The effect of RISK_RULE: the rule is as it was asked for, from the moment each process reads it."""
    change = msgspec.json.decode(approval.payload, type=RuleChange)
    await lock_rules(connection)
    version = await _version(connection, change)
    if version != change.version:
        return NotDone(Refusal.RISK_RULE_CHANGED, (WrongField("version", f"now {version}"),))
    rule = SetRule(
        rule=change.rule,
        region=change.region,
        merchant=change.merchant_id,
        wish=change.wish,
        set_by=approval.requested_by,
        set_at=(await load_clocks(connection)).business,
    )
    await insert_override(connection, rule, reason=f"{id_text(approval.id)}: {approval.reason}")
    return CarriedOut(msgspec.structs.asdict(change))


async def _version(connection: AnyConnection, change: RuleChange) -> int:
    return await load_rule_version(connection, change.rule, region=change.region, merchant=change.merchant_id)


async def _wrong_field(connection: AnyConnection, change: RuleChange) -> WrongField | None:
    if change.rule not in BY_NAME:
        return WrongField("rule", f"one of {', '.join(BY_NAME)}")
    if (change.threshold is None) != (change.action is None):
        return WrongField("action", "with a threshold, and not without")
    if change.merchant_id is not None:
        known = await load_participant(connection, change.merchant_id)
        return (
            None
            if known is not None and known.region == change.region
            else WrongField("merchant_id", "no such merchant")
        )
    return None if is_region(change.region) else WrongField("region", "not a region of GB/T 2260")


async def _is_stricter(connection: AnyConnection, change: RuleChange, rules: tuple[Rule, ...]) -> bool:
    """True if the change lets nobody do more than before."""
    before = await load_overrides(connection)
    others = tuple(
        override for override in before if (override.rule, _scope(override)) != (change.rule, _scope_of(change))
    )
    after = (*others, change.wish) if change.wish is not None else others
    old, new = (
        {rule.name: rule for rule in rules_for(rules, overrides, merchant=change.merchant_id, region=change.region)}[
            change.rule
        ]
        for overrides in (before, after)
    )
    return is_as_strict(new, old)


def _scope(override: Override) -> int | bytes:
    return override.merchant if override.merchant is not None else override.region


def _scope_of(change: RuleChange) -> int | bytes:
    return change.merchant_id if change.merchant_id is not None else change.region
