"""The desk: what it decides holds for whom it should, and everything that is not just let pass is on record."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest
import structlog

from engine.core.approvals import Approval
from engine.core.ids import CallerId, CardId, IdKind, MerchantId, PaymentId, id_text
from engine.core.participants import OperatorRole, Right
from engine.core.refusals import Refusal
from engine.core.risk import ALLOWED, RULES, Action, Counted, Counter, Kind, Per, RiskFacts, Rule
from engine.flows import assess_risk
from engine.flows.answer_once import NotDone
from engine.flows.approve import CarriedOut
from engine.flows.assess_risk import Happened, RiskCase, RiskDesk
from engine.flows.change_risk_rule import RuleChange, change_rule, set_rule
from engine.flows.review_payment import carry_out_review, carry_out_reviews, decide_on
from engine.hints.risk_counters import RiskCounters
from engine.store.faults import Fault, StoreUnavailable
from engine.store.risk import (
    DecisionsWanted,
    Review,
    ReviewState,
    RiskDecision,
    SetRule,
    insert_decisions,
    load_decisions,
    load_overrides,
    load_review,
)
from tests.builders import REGION, an_id
from tests.flows.operators import IDS, a_pool, an_operator, at_work

NOW_S = 1_795_000_000.0 // 604_800 * 604_800 + 12 * 3_600  # a day in Shanghai, at the beginning of a week
EVERYWHERE = (0, 999_999)


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections as a node has them."""
    async with a_pool(dsn) as opened:
        yield opened


@pytest.fixture
async def shop(pool: asyncpg.Pool) -> MerchantId:
    """A merchant of the region."""
    merchant = MerchantId(an_id(IdKind.MERCHANT))
    await pool.execute(
        "INSERT INTO merchant (id, code, region, bank, is_suspended, scenarios, name_zh, name_en)"
        " VALUES ($1, 'P11010100001', $2, $3, false, '{1}', '店', 'Shop')",
        merchant,
        REGION,
        an_id(IdKind.BANK),
    )
    return merchant


def a_desk(pool: asyncpg.Pool, *, rules: tuple[Rule, ...] = RULES) -> RiskDesk:
    """The desk of one process."""
    return RiskDesk(pool, RiskCounters(None, process="test"), IDS, rules=rules)


def facts(merchant: MerchantId, **changes: object) -> RiskFacts:
    """A payment by a phone."""
    payment = RiskFacts(merchant=merchant, region=REGION, terminal_id="T-01", amount=500, device_no=14)
    return msgspec.structs.replace(payment, **changes)


def a_case() -> RiskCase:
    """A payment of its own."""
    return RiskCase(
        payment=PaymentId(an_id(IdKind.PAYMENT)), caller=CallerId(an_id(IdKind.MERCHANT)), trace_id="0123" * 8
    )


def a_change(**changes: object) -> RuleChange:
    """Fewer attempts of one payer in the region."""
    change = RuleChange(rule="payer_velocity", region=REGION, merchant=None, threshold=3, action="deny")
    return msgspec.structs.replace(change, **changes)


def strict(rule: str, *, threshold: int, action: Action = Action.DENY) -> tuple[Rule, ...]:
    """The rules, one of them with another threshold."""
    return tuple(
        msgspec.structs.replace(one, threshold=threshold, action=action, least=min(one.least, 1))
        if one.name == rule
        else one
        for one in RULES
    )


async def decisions(pool: asyncpg.Pool, **changes: object) -> list[RiskDecision]:
    """What is on record."""
    wanted = DecisionsWanted(regions=EVERYWHERE, before=None, action=None, payment=None, count=100_000)
    return await load_decisions(pool, msgspec.structs.replace(wanted, **changes))


async def test_the_payment_that_reaches_the_threshold_is_the_first_that_is_stopped(
    pool: asyncpg.Pool, shop: MerchantId
) -> None:
    desk = a_desk(pool, rules=strict("payer_velocity", threshold=3))
    actions = [desk.assess(facts(shop), NOW_S + n).action for n in range(4)]
    assert actions == [Action.ALLOW, Action.ALLOW, Action.DENY, Action.DENY]
    assert desk.assess(facts(shop), NOW_S + 60) == ALLOWED
    assert desk.assess(facts(shop, device_no=None, card=CardId(an_id(IdKind.CARD))), NOW_S) == ALLOWED


@pytest.mark.parametrize(
    ("rule", "happened", "by_whom"),
    [
        ("payer_declines", Happened.DECLINED, "device_no"),
        ("payer_passwords", Happened.WRONG_PASSWORD, "device_no"),
        ("terminal_passwords", Happened.WRONG_PASSWORD, "terminal_id"),
    ],
)
async def test_what_has_happened_stops_the_next_one(
    pool: asyncpg.Pool, shop: MerchantId, rule: str, happened: Happened, by_whom: str
) -> None:
    desk = a_desk(pool, rules=strict(rule, threshold=2))
    others = facts(shop, **{"device_no": 15, "terminal_id": "T-02"} | {by_whom: getattr(facts(shop), by_whom)})
    desk.observe(happened, facts(shop), now_s=NOW_S)
    assert desk.assess(others, NOW_S) == ALLOWED
    desk.observe(happened, facts(shop), now_s=NOW_S)
    assert [hit.rule for hit in desk.assess(others, NOW_S).hits] == [rule]
    assert desk.assess(facts(shop, device_no=15, terminal_id="T-02"), NOW_S) == ALLOWED


async def test_refunds_and_amounts_are_held_against_what_was_paid(pool: asyncpg.Pool, shop: MerchantId) -> None:
    desk = a_desk(pool, rules=strict("refund_share", threshold=50))
    for happened in (Happened.PAID, Happened.PAID, Happened.REFUNDED):
        assert desk.assess(facts(shop), NOW_S) == ALLOWED
        desk.observe(happened, facts(shop), now_s=NOW_S)
    assert [hit.rule for hit in desk.assess(facts(shop), NOW_S).hits] == ["refund_share"]
    desk = a_desk(pool, rules=strict("amount_spike", threshold=300))
    for amount in (100, 200, 300):
        desk.observe(Happened.PAID, facts(shop, amount=amount), now_s=NOW_S)
    assert desk.assess(facts(shop, amount=599), NOW_S) == ALLOWED
    assert [hit.found for hit in desk.assess(facts(shop, amount=600), NOW_S).hits] == [300]


async def test_repeated_request_is_no_attempt(pool: asyncpg.Pool, shop: MerchantId) -> None:
    desk = a_desk(pool, rules=strict("payer_velocity", threshold=2))
    for _ in range(5):
        assert desk.assess(facts(shop), NOW_S) == ALLOWED
        desk.observe(Happened.REPLAYED, facts(shop), now_s=NOW_S)


async def test_everything_that_was_not_let_pass_is_on_record_with_every_rule_that_hit(
    pool: asyncpg.Pool, shop: MerchantId
) -> None:
    attempts = Counter("attempts_of_payer", Counted.ATTEMPTS, Per.PAYER, 60)
    rules = tuple(
        Rule(name=f"after_{n}", kind=Kind.COUNT, counter=attempts, threshold=n, action=action)
        for n, action in ((2, Action.CHALLENGE), (3, Action.HOLD_FOR_REVIEW), (4, Action.DENY))
    )
    desk = a_desk(pool, rules=rules)
    cases = [a_case() for _ in range(4)]
    for case in cases:
        desk.record(desk.assess(facts(shop), NOW_S), facts(shop), case, now_s=NOW_S)
    assert await desk.write_waiting() == 3
    written = {decision.payment: decision for decision in await decisions(pool)}
    assert set(written) == {case.payment for case in cases[1:]}
    for n, case in enumerate(cases[1:], start=2):
        decision = written[case.payment]
        assert [(hit.rule, hit.found, hit.threshold) for hit in decision.hits] == [
            (f"after_{m}", n, m) for m in range(2, n + 1)
        ]
        assert decision.action is max(hit.action for hit in decision.hits)
        assert decision.action is Action(n - 1)
        assert (decision.caller, decision.trace_id) == (case.caller, case.trace_id)
        assert (decision.merchant, decision.region, decision.terminal_id) == (shop, REGION, "T-01")
        assert decision.at == datetime.fromtimestamp(NOW_S, UTC)


async def test_records_of_a_stopped_process_are_complete(
    pool: asyncpg.Pool, shop: MerchantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assess_risk, "WRITTEN_AT_ONCE", 7)
    desk = a_desk(pool, rules=strict("payer_velocity", threshold=1))
    cases = [a_case() for _ in range(100)]
    for case in cases:
        desk.record(desk.assess(facts(shop), NOW_S), facts(shop), case, now_s=NOW_S)
    await desk.close()
    assert {decision.payment for decision in await decisions(pool)} == {case.payment for case in cases}
    assert desk.waiting_count == 0


async def test_records_wait_while_they_cannot_be_written_and_are_written_once(
    sql: asyncpg.Connection, pool: asyncpg.Pool, shop: MerchantId
) -> None:
    desk = a_desk(pool, rules=strict("payer_velocity", threshold=1))
    desk.record(desk.assess(facts(shop), NOW_S), facts(shop), a_case(), now_s=NOW_S)
    async with sql.transaction():
        await sql.execute("LOCK TABLE risk_decision")
        with pytest.raises(Fault):
            await desk.write_waiting()
    assert desk.waiting_count == 1
    assert await desk.write_waiting() == 1
    written = await decisions(pool)
    await insert_decisions(pool, written)  # as after a commit whose answer was lost
    assert (await desk.write_waiting(), await decisions(pool), len(written)) == (0, written, 1)


async def test_what_cannot_wait_is_in_the_log_whole(
    pool: asyncpg.Pool, shop: MerchantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assess_risk, "WAITING_MAX", 2)
    desk = a_desk(pool, rules=strict("payer_velocity", threshold=1))
    cases = [a_case() for _ in range(3)]
    with structlog.testing.capture_logs() as logs:
        for case in cases:
            desk.record(desk.assess(facts(shop), NOW_S), facts(shop), case, now_s=NOW_S)
    (line,) = logs
    assert (line["event"], line["payment"], line["rules"]) == (
        "risk_decision.not_written",
        cases[2].payment.hex(),
        ["payer_velocity"],
    )
    await desk.close()
    assert {decision.payment for decision in await decisions(pool)} == {case.payment for case in cases[:2]}


async def test_stricter_rule_holds_at_once_for_its_scope_only(pool: asyncpg.Pool, shop: MerchantId) -> None:
    operator = await an_operator(pool, "alpha")
    async with at_work(pool, operator) as asked:
        changed = await change_rule(asked, a_change(), reason="r")
    assert isinstance(changed, SetRule)
    desk = a_desk(pool)
    assert desk.assess(facts(shop), NOW_S) == ALLOWED  # and its rules are known now
    await desk.refresh()
    elsewhere = facts(MerchantId(an_id(IdKind.MERCHANT, region=310101)), region=310101)
    for _ in range(2):
        assert desk.assess(elsewhere, NOW_S + 60) == ALLOWED
        assert desk.assess(facts(shop, device_no=15), NOW_S + 60) == ALLOWED
    assert desk.assess(elsewhere, NOW_S + 60) == ALLOWED
    assert desk.assess(facts(shop, device_no=15), NOW_S + 60).action is Action.DENY


@pytest.mark.parametrize(
    ("changes", "is_asked"),
    [
        ({"threshold": 2}, False),
        ({"threshold": 4}, True),
        ({"action": "challenge"}, True),
        ({"threshold": None, "action": None}, True),
        ({"threshold": 2, "region": 110100}, False),
        ({"threshold": 31, "region": 110100}, True),
        ({"threshold": 4, "is_of_merchant": True}, True),
        ({"threshold": 2, "is_of_merchant": True}, False),
    ],
)
async def test_whatever_lets_somebody_do_more_needs_two(
    pool: asyncpg.Pool, shop: MerchantId, changes: dict[str, object], *, is_asked: bool
) -> None:
    operator = await an_operator(pool, "alpha")
    async with at_work(pool, operator) as asked:
        await change_rule(asked, a_change(), reason="r")
    before = await load_overrides(pool)
    if changes.pop("is_of_merchant", False):
        changes["merchant"] = id_text(shop)
    async with at_work(pool, operator) as asked:
        changed = await change_rule(asked, a_change(**changes), reason="r")
    assert isinstance(changed, Approval) is is_asked
    assert (await load_overrides(pool) == before) is is_asked
    if isinstance(changed, Approval):
        async with pool.acquire() as connection, connection.transaction():
            assert isinstance(await set_rule(connection, changed), CarriedOut)
        assert await load_overrides(pool) != before


async def test_taking_back_what_was_lenient_is_stricter(pool: asyncpg.Pool) -> None:
    operator = await an_operator(pool, "alpha")
    async with at_work(pool, operator) as asked:
        lenient = await change_rule(asked, a_change(threshold=10**6, action="hold_for_review"), reason="r")
        assert isinstance(lenient, Approval)
        assert isinstance(await set_rule(asked.connection, lenient), CarriedOut)
    async with at_work(pool, operator) as asked:
        taken_back = await change_rule(asked, a_change(threshold=None, action=None), reason="r")
    assert isinstance(taken_back, SetRule)
    assert await load_overrides(pool) == ()


async def test_what_was_asked_for_of_another_rule_is_not_done(pool: asyncpg.Pool) -> None:
    operator = await an_operator(pool, "alpha")
    async with at_work(pool, operator) as asked:
        lenient = await change_rule(asked, a_change(threshold=10**6), reason="r")
        assert isinstance(lenient, Approval)
        await change_rule(asked, a_change(), reason="an attack")
    async with pool.acquire() as connection, connection.transaction():
        refused = await set_rule(connection, lenient)
    assert isinstance(refused, NotDone)
    assert refused.refusal is Refusal.RISK_RULE_CHANGED
    assert [override.threshold for override in await load_overrides(pool)] == [3]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rule": "nothing"}, "rule"),
        ({"threshold": None}, "action"),
        ({"action": None}, "action"),
        ({"region": 101}, "region"),
        ({"merchant": id_text(an_id(IdKind.MERCHANT))}, "merchant_id"),
    ],
)
async def test_change_that_cannot_be_meant_is_refused(
    pool: asyncpg.Pool, changes: dict[str, object], field: str
) -> None:
    operator = await an_operator(pool, "alpha")
    async with at_work(pool, operator) as asked:
        refused = await change_rule(asked, a_change(**changes), reason="r")
    assert isinstance(refused, NotDone)
    assert [wrong.field for wrong in refused.fields] == [field]


class Reviewed:
    """What is done with reviewed payments, kept in a list; it fails as often as it is told to."""

    def __init__(self, *, refusal: Refusal | None = None, faults: int = 0) -> None:
        """Nothing done yet."""
        self.done: list[tuple[str, PaymentId]] = []
        self._refusal = refusal
        self._faults = faults

    async def release(self, review: Review, /) -> Refusal | None:
        """Keep that it was let go."""
        return self._do("release", review)

    async def reject(self, review: Review, /) -> Refusal | None:
        """Keep that it was given up."""
        return self._do("reject", review)

    def _do(self, what: str, review: Review) -> Refusal | None:
        if self._faults:
            self._faults -= 1
            raise StoreUnavailable
        self.done.append((what, review.payment))
        return self._refusal


async def a_review(pool: asyncpg.Pool, shop: MerchantId) -> PaymentId:
    """A payment that waits for an operator."""
    desk = a_desk(pool, rules=strict("payer_velocity", threshold=1, action=Action.HOLD_FOR_REVIEW))
    assessment, case = desk.assess(facts(shop), NOW_S), a_case()
    for _ in range(2):  # a repeat opens nothing twice
        await desk.open_review(assessment, facts(shop), case, now_s=NOW_S)
    return case.payment


@pytest.mark.parametrize(("state", "what"), [(ReviewState.RELEASED, "release"), (ReviewState.REJECTED, "reject")])
async def test_review_is_decided_once_and_carried_out_once(
    pool: asyncpg.Pool, shop: MerchantId, state: ReviewState, what: str
) -> None:
    operator, payment, reviewed = await an_operator(pool, "alpha"), await a_review(pool, shop), Reviewed()
    async with at_work(pool, operator) as asked:
        decided = await decide_on(asked, payment, state, reason="looked at it")
    assert isinstance(decided, Review)
    done = await carry_out_review(pool, decided, reviewed)
    assert (done.state, done.decided_by, done.reason, done.refusal) == (state, operator, "looked at it", None)
    assert done.done_at is not None
    assert await load_review(pool, payment) == done
    assert (await carry_out_reviews(pool, reviewed), reviewed.done) == (0, [(what, payment)])
    async with at_work(pool, operator) as asked:
        for other in (ReviewState.RELEASED, ReviewState.REJECTED):
            assert await decide_on(asked, payment, other, reason="r") == NotDone(Refusal.APPROVAL_DECIDED)


async def test_what_was_decided_and_could_not_be_done_is_done_later(pool: asyncpg.Pool, shop: MerchantId) -> None:
    operator, payment, reviewed = await an_operator(pool, "alpha"), await a_review(pool, shop), Reviewed(faults=1)
    async with at_work(pool, operator) as asked:
        decided = await decide_on(asked, payment, ReviewState.REJECTED, reason="r")
    assert isinstance(decided, Review)
    with pytest.raises(StoreUnavailable):
        await carry_out_review(pool, decided, reviewed)
    waiting = await load_review(pool, payment)
    assert waiting is not None
    assert (waiting.state, waiting.done_at) == (ReviewState.REJECTED, None)
    assert (await carry_out_reviews(pool, reviewed), await carry_out_reviews(pool, reviewed)) == (1, 0)
    assert reviewed.done == [("reject", payment)]


async def test_payment_that_came_to_its_end_meanwhile_is_told(pool: asyncpg.Pool, shop: MerchantId) -> None:
    operator, payment = await an_operator(pool, "alpha"), await a_review(pool, shop)
    async with at_work(pool, operator) as asked:
        decided = await decide_on(asked, payment, ReviewState.RELEASED, reason="r")
    assert isinstance(decided, Review)
    done = await carry_out_review(pool, decided, Reviewed(refusal=Refusal.PAYMENT_STATE_CONFLICT))
    assert (done.refusal, done.done_at is not None) == ("payment_state_conflict", True)
    assert await carry_out_reviews(pool, Reviewed()) == 0


@pytest.mark.parametrize("role", OperatorRole)
@pytest.mark.parametrize(("state", "right"), [(ReviewState.RELEASED, Right.DECIDE), (ReviewState.REJECTED, Right.STOP)])
async def test_only_who_has_the_right_decides(
    pool: asyncpg.Pool, shop: MerchantId, role: OperatorRole, state: ReviewState, right: Right
) -> None:
    operator, payment = await an_operator(pool, "one", role=role), await a_review(pool, shop)
    async with at_work(pool, operator) as asked:
        decided = await decide_on(asked, payment, state, reason="r")
        may = asked.operator.may(right, REGION)
    assert decided == NotDone(Refusal.SCOPE_NOT_AUTHORIZED) if not may else isinstance(decided, Review)


async def test_review_of_another_region_does_not_exist(pool: asyncpg.Pool, shop: MerchantId) -> None:
    operator, payment = await an_operator(pool, "shanghai", region=310000), await a_review(pool, shop)
    async with at_work(pool, operator) as asked:
        for one in (payment, PaymentId(an_id(IdKind.PAYMENT))):
            assert await decide_on(asked, one, ReviewState.REJECTED, reason="r") == NotDone(Refusal.NOT_FOUND)
