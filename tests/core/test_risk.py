"""Rules of risk: each hits from its threshold on and not before, the most severe wins, the nearest word holds."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.ids import IdKind, MerchantId
from engine.core.risk import (
    ALLOWED,
    BY_NAME,
    COUNTERS,
    RULES,
    Action,
    Kind,
    Override,
    RiskFacts,
    Rule,
    assess,
    enclosing,
    is_as_strict,
    lifted,
    rules_for,
)
from tests.builders import an_id

NOON_S = datetime(2026, 11, 24, 4, 0, tzinfo=UTC).timestamp()  # in Shanghai
NIGHT_S = datetime(2026, 11, 24, 16, 0, tzinfo=UTC).timestamp()
MERCHANT = MerchantId(an_id(IdKind.MERCHANT))
OTHER = MerchantId(an_id(IdKind.MERCHANT))
REGION, CITY, PROVINCE, COUNTRY = 110101, 110100, 110000, 0


def facts(amount: int = 500) -> RiskFacts:
    """A payment."""
    return RiskFacts(merchant=MERCHANT, region=REGION, terminal_id="T-01", amount=amount, device_no=1)


def found(rule: Rule, figure: int, *, against: int | None = None) -> tuple[RiskFacts, dict[str, int], float]:
    """A payment of which *rule* finds just *figure*: what is known, what is counted, and when."""
    if rule.kind is Kind.NIGHT_AMOUNT:
        return facts(figure), {}, NIGHT_S
    assert rule.counter is not None
    if rule.kind is Kind.COUNT:
        return facts(), {rule.counter.name: figure}, NOON_S
    assert rule.against is not None
    many = against if against is not None else rule.least
    if rule.kind is Kind.SHARE:
        return facts(), {rule.counter.name: figure * many // 100, rule.against.name: many}, NOON_S
    return facts(figure), {rule.counter.name: 100 * many, rule.against.name: many}, NOON_S  # 1.00 yuan is usual


def override(threshold: int, *, region: int = REGION, merchant: MerchantId | None = None) -> Override:
    """What somebody wants of the terminals' rule."""
    return Override(
        rule="terminal_velocity", region=region, merchant=merchant, threshold=threshold, action=Action.CHALLENGE
    )


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_hits_from_its_threshold_on_and_not_before(rule: Rule) -> None:
    before, counts, now_s = found(rule, rule.threshold - 1)
    assert assess(before, counts, RULES, now_s=now_s) == ALLOWED
    at, counts, now_s = found(rule, rule.threshold)
    assessment = assess(at, counts, RULES, now_s=now_s)
    assert [(hit.rule, hit.found, hit.threshold) for hit in assessment.hits] == [
        (rule.name, rule.threshold, rule.threshold)
    ]
    assert assessment.action is rule.action


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.least], ids=lambda rule: rule.name)
def test_of_few_payments_nothing_is_usual_and_no_share_means_anything(rule: Rule) -> None:
    few, counts, now_s = found(rule, rule.threshold * 100, against=rule.least - 1)
    assert assess(few, counts, RULES, now_s=now_s) == ALLOWED
    enough, counts, now_s = found(rule, rule.threshold, against=rule.least)
    assert assess(enough, counts, RULES, now_s=now_s).action is rule.action


def test_merchant_that_has_taken_nothing_yet_has_no_usual_amount() -> None:
    spike = BY_NAME["amount_spike"]
    assert spike.counter is not None
    assert spike.against is not None
    counts = {spike.counter.name: 0, spike.against.name: spike.least}
    assert assess(facts(10**10), counts, RULES, now_s=NOON_S) == ALLOWED


@pytest.mark.parametrize(
    ("utc", "is_hit"),
    [("14:59:59", False), ("15:00:00", True), ("16:00:00", True), ("20:59:59", True), ("21:00:00", False)],
)
def test_night_is_from_23_to_5_in_china(utc: str, is_hit: bool) -> None:
    now_s = datetime.fromisoformat(f"2026-11-24T{utc}+00:00").timestamp()
    amount = BY_NAME["night_amount"].threshold
    assert bool(assess(facts(amount), {}, RULES, now_s=now_s).hits) is is_hit


def test_most_severe_action_wins_and_every_hit_is_told() -> None:
    counts = {counter.name: 10**9 for counter in COUNTERS if counter.window_s < 86_400}
    assessment = assess(facts(10**9), counts, RULES, now_s=NIGHT_S)
    hit = {one.rule for one in assessment.hits}
    assert hit == {rule.name for rule in RULES if rule.kind in {Kind.COUNT, Kind.NIGHT_AMOUNT}}
    assert assessment.action is Action.DENY


@given(actions=st.lists(st.sampled_from(Action), min_size=1, max_size=6))
def test_actions_come_in_order_of_severity(actions: list[Action]) -> None:
    rules = tuple(
        Rule(name=str(n), kind=Kind.NIGHT_AMOUNT, threshold=1, action=action) for n, action in enumerate(actions)
    )
    order = ("ALLOW", "CHALLENGE", "HOLD_FOR_REVIEW", "DENY")
    expected = max((action.name for action in actions), key=order.index)
    assert assess(facts(), {}, rules, now_s=NIGHT_S).action.name == expected


def test_rule_whose_action_is_to_allow_is_switched_off() -> None:
    rules = (Rule(name="off", kind=Kind.NIGHT_AMOUNT, threshold=1, action=Action.ALLOW),)
    assert assess(facts(), {}, rules, now_s=NIGHT_S) == ALLOWED


@pytest.mark.parametrize(
    ("overrides", "threshold"),
    [
        ((), 900),
        ((override(1, region=COUNTRY),), 1),
        ((override(1, region=COUNTRY), override(2, region=PROVINCE)), 2),
        ((override(2, region=PROVINCE), override(3, region=CITY), override(1, region=COUNTRY)), 3),
        ((override(4), override(3, region=CITY)), 4),
        ((override(5, merchant=MERCHANT), override(4), override(3, region=CITY)), 5),
        ((override(6, merchant=OTHER), override(7, region=110102), override(8, region=120000)), 900),
    ],
)
def test_merchants_own_word_wins_then_the_nearest_regions(overrides: tuple[Override, ...], threshold: int) -> None:
    for said in (overrides, overrides[::-1]):
        rules = {rule.name: rule for rule in rules_for(RULES, said, merchant=MERCHANT, region=REGION)}
        assert rules["terminal_velocity"].threshold == threshold
        assert rules["terminal_velocity"].action is (Action.DENY if threshold == 900 else Action.CHALLENGE)
        del rules["terminal_velocity"]
        assert rules == {name: rule for name, rule in BY_NAME.items() if name != "terminal_velocity"}


@pytest.mark.parametrize(
    ("region", "above"),
    [(110101, [110101, 110100, 110000, 0]), (110100, [110100, 110000, 0]), (110000, [110000, 0]), (0, [0])],
)
def test_regions_lie_in_one_another(region: int, above: list[int]) -> None:
    assert list(enclosing(region)) == above


@pytest.mark.parametrize(
    ("threshold", "action", "is_strict"),
    [
        (900, Action.DENY, True),
        (899, Action.DENY, True),
        (901, Action.DENY, False),
        (900, Action.HOLD_FOR_REVIEW, False),
        (1, Action.ALLOW, False),
    ],
)
def test_rule_is_stricter_only_if_nobody_can_do_more(threshold: int, action: Action, is_strict: bool) -> None:
    old = BY_NAME["terminal_velocity"]
    new = Rule(name=old.name, kind=old.kind, counter=old.counter, threshold=threshold, action=action)
    assert is_as_strict(new, old) is is_strict


def test_busy_hospital_is_no_attack() -> None:
    """Fifty payments a second at a merchant and five at a till, each by another card."""
    counts = {"attempts_at_merchant": 50 * 60, "attempts_at_terminal": 5 * 60, "cards_at_terminal": 5 * 60}
    assert assess(facts(), counts, RULES, now_s=NOON_S) == ALLOWED


def test_load_test_in_a_sandbox_is_no_attack() -> None:
    counts = {"attempts_at_merchant": 10_000 * 60, "attempts_at_terminal": 10_000 * 60, "cards_at_terminal": 500_000}
    assert assess(facts(), counts, RULES, now_s=NOON_S).action is Action.DENY
    assert assess(facts(), counts, lifted(RULES), now_s=NOON_S) == ALLOWED
