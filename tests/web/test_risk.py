"""Risk control over HTTP: operators see and change the rules, see what was decided, and decide on what waits."""

import time

import msgspec
import pytest

from engine.core.ids import CallerId, IdKind, PaymentId, id_text, parse_id
from engine.core.risk import RULES, SANDBOX_FACTOR, Action, RiskFacts
from engine.flows.assess_risk import RiskCase
from tests.builders import REGION, an_id
from tests.web.api import Api, Json, Reply, nobodys_id
from tests.web.operators import add_operators, approve

RULES_PATH = "/v1/risk/rules"
DECISIONS = "/v1/risk/decisions"
REVIEWS = "/v1/risk/reviews"
TRACE_ID = "0123" * 8
PATHS = [
    ("GET", RULES_PATH),
    ("POST", RULES_PATH),
    ("GET", DECISIONS),
    ("GET", REVIEWS),
    ("POST", f"{REVIEWS}/{nobodys_id(IdKind.PAYMENT)}/release"),
    ("POST", f"{REVIEWS}/{nobodys_id(IdKind.PAYMENT)}/reject"),
]


@pytest.fixture
async def office(api: Api) -> Api:
    """A node with operators."""
    await add_operators(api)
    return api


def a_rule(**changes: object) -> Json:
    """The body of a change: from its first attempt on a payer is refused in the region."""
    body: Json = {
        "rule": "payer_velocity",
        "region": f"{REGION:06d}",
        "threshold": 1,
        "action": "deny",
        "reason": "an attack",
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


def facts(api: Api, *, merchant: int = 0) -> RiskFacts:
    """A payment at a merchant of the world."""
    return RiskFacts(
        merchant=api.world.merchants[merchant], region=REGION, terminal_id="T-01", amount=500, device_no=14
    )


def judged(api: Api, *, merchant: int = 0) -> Action:
    """What is done about a payment now."""
    return api.node.risk.assess(facts(api, merchant=merchant), api.clock.business_s()).action


async def decided(api: Api, *, is_review: bool = False, region: int = REGION) -> PaymentId:
    """A payment that was refused, or waits for an operator; in a millisecond of its own, which is what orders ids."""
    earlier_ms = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == earlier_ms:
        pass
    payment = PaymentId(an_id(IdKind.PAYMENT, region=region))
    case = RiskCase(payment=payment, caller=CallerId(api.world.merchants[0]), trace_id=TRACE_ID)
    now_s = api.clock.business_s()
    seen = msgspec.structs.replace(facts(api), region=region)
    assessment = api.node.risk.assess(seen, now_s)
    api.node.risk.record(assessment, seen, case, now_s=now_s)
    if is_review:
        await api.node.risk.open_review(assessment, seen, case, now_s=now_s)
    await api.node.risk.write_waiting()
    return payment


async def held(api: Api) -> str:
    """A payment whose money is held, and which waits for an operator. Returns its id as it is written outside."""
    reply = await api.pay(capture=False)
    assert reply.status == 201, reply.body
    payment = PaymentId(parse_id(str(reply["id"]), IdKind.PAYMENT))
    case = RiskCase(payment=payment, caller=CallerId(api.world.merchants[0]), trace_id=TRACE_ID)
    now_s = api.clock.business_s()
    await api.node.risk.open_review(api.node.risk.assess(facts(api), now_s), facts(api), case, now_s=now_s)
    return str(reply["id"])


async def shown(api: Api, query: str = "", *, caller: str = "alpha") -> dict[object, Json]:
    """The rules as they hold for a scope, by name."""
    reply = await api.get(f"{RULES_PATH}{query}", caller=caller)
    assert reply.status == 200, reply.body
    return {item["rule"]: item for item in reply.items}


async def set_rule(api: Api, *, caller: str = "alpha", key: str | None = None, **changes: object) -> Reply:
    """What is answered to a change."""
    return await api.post(RULES_PATH, a_rule(**changes), caller=caller, key=key)


async def test_sandbox_has_the_rules_of_the_table_with_figures_that_no_load_test_reaches(office: Api) -> None:
    rules = await shown(office)
    assert list(rules) == [rule.name for rule in RULES]
    for rule in RULES:
        assert rules[rule.name]["threshold"] == rule.threshold * SANDBOX_FACTOR
        assert rules[rule.name]["action"] == rule.action.name.lower()
        assert (rules[rule.name]["set_for_region"], rules[rule.name]["set_by"]) == (None, None)


async def test_stricter_rule_holds_with_the_answer(office: Api) -> None:
    assert judged(office) is Action.ALLOW
    reply = await set_rule(office)
    assert (reply.status, reply["threshold"], reply["action"]) == (200, 1, "deny")
    assert reply["default_threshold"] == 30 * SANDBOX_FACTOR
    assert judged(office) is Action.DENY
    rule = (await shown(office, f"?region={REGION}"))["payer_velocity"]
    assert rule == reply.json
    assert rule["set_for_region"] == f"{REGION:06d}"
    assert (await shown(office))["payer_velocity"]["set_for_region"] is None
    assert (await shown(office, "?region=110102"))["payer_velocity"]["threshold"] == 30 * SANDBOX_FACTOR


async def test_merchants_own_rule_wins_over_its_regions(office: Api) -> None:
    shop = id_text(office.world.merchants[1])
    await set_rule(office, region="110000", threshold=2)
    asked = await set_rule(office, region=None, merchant_id=shop, threshold=10**6)
    assert asked.status == 202
    assert (judged(office, merchant=1), judged(office, merchant=1)) == (Action.ALLOW, Action.DENY)
    assert (await approve(office, asked)).status == 200
    await office.node.risk.refresh()
    assert judged(office, merchant=1) is Action.ALLOW
    assert judged(office) is Action.DENY
    rule = (await shown(office, f"?merchant_id={shop}"))["payer_velocity"]
    assert (rule["threshold"], rule["set_for_merchant"], rule["set_for_region"]) == (10**6, shop, None)
    assert (await shown(office, f"?region={REGION}"))["payer_velocity"]["set_for_region"] == "110000"


async def test_taking_back_a_strict_rule_needs_two(office: Api) -> None:
    await set_rule(office)
    asked = await set_rule(office, threshold=None, action=None)
    assert (asked.status, asked["kind"], asked["status"]) == (202, "risk_rule", "pending")
    assert (await approve(office, asked, by="alpha")).refused == (403, "approval-required")
    assert (await approve(office, asked)).status == 200
    assert (await shown(office, f"?region={REGION}"))["payer_velocity"]["set_by"] is None


async def test_approval_of_what_is_different_now_is_refused(office: Api) -> None:
    asked = await set_rule(office, threshold=10**9)
    await set_rule(office)
    assert (await approve(office, asked)).refused == (409, "risk-rule-changed")
    assert (await shown(office, f"?region={REGION}"))["payer_velocity"]["threshold"] == 1


async def test_same_key_changes_once_and_answers_the_same(office: Api) -> None:
    first = await set_rule(office, key="k")
    again = await set_rule(office, key="k")
    assert (again.body, again.is_replay, first.is_replay) == (first.body, True, False)
    other = await set_rule(office, key="k", threshold=2)
    assert (other.refused, other.pointers) == ((422, "idempotency-key-reused"), ["/threshold"])
    assert await office.sql.fetchval("SELECT count(*) FROM risk_rule") == 1


@pytest.mark.parametrize(
    ("changes", "refused", "pointers"),
    [
        ({"rule": "nothing"}, (400, "field-invalid"), ["/rule"]),
        ({"threshold": 0}, (400, "field-invalid"), ["/threshold"]),
        ({"threshold": 1.5}, (400, "field-invalid"), ["/threshold"]),
        ({"action": "ignore"}, (400, "field-invalid"), ["/action"]),
        ({"action": None}, (400, "field-invalid"), ["/action"]),
        ({"reason": ""}, (400, "field-invalid"), ["/reason"]),
        ({"region": None}, (400, "field-invalid"), ["/region"]),
        ({"region": "110"}, (400, "field-invalid"), ["/region"]),
        ({"region": "000001"}, (422, "region-unknown"), []),
        ({"merchant_id": nobodys_id(IdKind.MERCHANT)}, (400, "field-invalid"), ["/region"]),
        ({"merchant_id": nobodys_id(IdKind.MERCHANT), "region": None}, (400, "field-invalid"), ["/merchant_id"]),
        ({"merchant_id": nobodys_id(IdKind.CARD), "region": None}, (400, "field-invalid"), ["/merchant_id"]),
        ({"surprise": 1}, (400, "unknown-field"), ["/surprise"]),
    ],
)
async def test_change_that_cannot_be_meant_is_refused_by_its_field(
    office: Api, changes: Json, refused: tuple[int, str], pointers: list[str]
) -> None:
    reply = await office.post(RULES_PATH, a_rule(**changes), caller="alpha")
    assert (reply.refused, reply.pointers) == (refused, pointers)
    assert await office.sql.fetchval("SELECT count(*) FROM risk_rule") == 0


@pytest.mark.parametrize(
    ("caller", "region", "refused"),
    [
        ("delta", "110101", (403, "scope-not-authorized")),
        ("shanghai", "110101", (403, "region-not-permitted")),
        ("beijing", "000000", (403, "region-not-permitted")),
    ],
)
async def test_only_an_operator_of_the_region_changes_a_rule(
    office: Api, caller: str, region: str, refused: tuple[int, str]
) -> None:
    for threshold in (1, 10**9):
        assert (await set_rule(office, caller=caller, region=region, threshold=threshold)).refused == refused
    assert (await set_rule(office, caller="beijing")).status == 200


async def test_rules_of_another_region_are_not_shown(office: Api) -> None:
    assert (await office.get(f"{RULES_PATH}?region=110000", caller="shanghai")).refused == (403, "region-not-permitted")
    assert (await office.get(f"{RULES_PATH}?region=99", caller="alpha")).refused == (422, "region-unknown")
    assert (await office.get(f"{RULES_PATH}?merchant_id=x", caller="alpha")).pointers == ["/merchant_id"]


async def test_decisions_are_shown_with_the_rules_that_hit_newest_first(office: Api) -> None:
    await set_rule(office)
    payments = [await decided(office) for _ in range(3)]
    items = (await office.get(DECISIONS, caller="alpha")).items
    assert [item["payment_id"] for item in items] == [id_text(payment) for payment in reversed(payments)]
    assert items[0]["hits"] == [{"rule": "payer_velocity", "found": 3, "threshold": 1, "action": "deny"}]
    assert (items[0]["action"], items[0]["terminal_id"], items[0]["trace_id"]) == ("deny", "T-01", TRACE_ID)
    paged: list[Json] = []
    query = "?limit=2"
    while True:
        page = await office.get(f"{DECISIONS}{query}", caller="alpha")
        paged += page.items
        if page["next_cursor"] is None:
            break
        query = f"?limit=2&cursor={page['next_cursor']}"
    assert paged == items


async def test_decisions_are_filtered_and_those_of_other_regions_not_shown(office: Api) -> None:
    await set_rule(office, region="000000")
    here, there = await decided(office), await decided(office, region=310101)
    own = (await office.get(DECISIONS, caller="shanghai")).items
    assert [item["payment_id"] for item in own] == [id_text(there)]
    one = (await office.get(f"{DECISIONS}?payment_id={id_text(here)}&action=deny", caller="alpha")).items
    assert [item["payment_id"] for item in one] == [id_text(here)]
    assert (await office.get(f"{DECISIONS}?action=challenge", caller="alpha")).items == []
    for query, pointer in (("action=x", "/action"), ("payment_id=x", "/payment_id"), ("cursor=x", "/cursor")):
        assert (await office.get(f"{DECISIONS}?{query}", caller="alpha")).pointers == [pointer]


async def test_reviews_that_wait_are_listed_by_state_and_region(office: Api) -> None:
    await set_rule(office, action="hold_for_review", region="000000")
    here = await decided(office, is_review=True)
    there = await decided(office, is_review=True, region=310101)
    items = (await office.get(f"{REVIEWS}?state=open", caller="alpha")).items
    assert [item["payment_id"] for item in items] == [id_text(there), id_text(here)]
    assert (items[0]["rules"], items[0]["status"], items[0]["done_at"]) == (["payer_velocity"], "open", None)
    assert [item["payment_id"] for item in (await office.get(REVIEWS, caller="beijing")).items] == [id_text(here)]
    assert (await office.get(f"{REVIEWS}?state=released", caller="alpha")).items == []
    assert (await office.get(f"{REVIEWS}?state=x", caller="alpha")).pointers == ["/state"]


async def test_rejected_payment_is_let_go_and_decided_once(office: Api) -> None:
    payment = await held(office)
    path = f"{REVIEWS}/{payment}"
    rejected = await office.post(f"{path}/reject", {"reason": "stolen phone"}, caller="alpha", key="k")
    assert (rejected.status, rejected["status"], rejected["refusal"]) == (200, "rejected", None)
    assert rejected["done_at"] is not None
    assert (await office.get(f"/v1/payments/{payment}"))["status"] == "voided"
    again = await office.post(f"{path}/reject", {"reason": "stolen phone"}, caller="alpha", key="k")
    assert (again.body, again.is_replay) == (rejected.body, True)
    for move in ("reject", "release"):
        other = await office.post(f"{path}/{move}", {"reason": "r"}, caller="beta")
        assert other.refused == (409, "approval-decided")


async def test_payment_that_the_merchant_has_let_go_meanwhile_is_told(office: Api) -> None:
    payment = await held(office)
    assert (await office.post(f"/v1/payments/{payment}/void")).status == 200
    reply = await office.post(f"{REVIEWS}/{payment}/reject", {"reason": "r"}, caller="alpha")
    assert (reply.status, reply["status"], reply["refusal"]) == (200, "rejected", "payment-state-conflict")


async def test_review_that_there_is_not_is_not_found(office: Api) -> None:
    for payment in (nobodys_id(IdKind.PAYMENT), nobodys_id(IdKind.CARD), "x"):
        reply = await office.post(f"{REVIEWS}/{payment}/reject", {"reason": "r"}, caller="alpha")
        assert reply.refused == (404, "not-found")
    payment = await held(office)
    for caller, refused in (("shanghai", (404, "not-found")), ("delta", (403, "scope-not-authorized"))):
        reply = await office.post(f"{REVIEWS}/{payment}/release", {"reason": "r"}, caller=caller)
        assert reply.refused == refused


@pytest.mark.parametrize("caller", ["merchant-0", "bank-0", "agency", "channel"])
async def test_risk_control_does_not_exist_for_others(api: Api, caller: str) -> None:
    for method, path in PATHS:
        reply = await (api.get(path, caller=caller) if method == "GET" else api.post(path, a_rule(), caller=caller))
        assert reply.refused == (404, "not-found"), path


async def test_unknown_parameter_is_refused_on_every_path(office: Api) -> None:
    for method, path in PATHS:
        target = f"{path}?surprise=1"
        reply = await (office.get(target, caller="alpha") if method == "GET" else office.post(target, caller="alpha"))
        assert (reply.refused, reply.pointers) == ((400, "unknown-field"), ["/surprise"]), path


async def test_merchant_is_told_no_more_than_that_a_payment_is_declined(office: Api) -> None:
    await set_rule(office)
    reply = await office.pay()
    assert reply.refused == (403, "risk-declined")
    assert b"velocity" not in reply.body
    payment = str(reply["payment_id"])
    await office.node.risk.write_waiting()
    (decision,) = (await office.get(f"{DECISIONS}?payment_id={payment}", caller="alpha")).items
    assert (decision["action"], decision["terminal_id"]) == ("deny", "T-01")
    told = await office.get(f"/v1/payments/{payment}")
    assert b"velocity" not in told.body


async def test_repeat_of_a_payment_gets_its_first_answer_whatever_the_rules_say_by_then(office: Api) -> None:
    body = office.payment()
    first = await office.pay(body, key="k")
    await set_rule(office)
    again = await office.pay(body, key="k")
    assert (first.status, again.body, again.is_replay) == (201, first.body, True)
    await office.node.risk.write_waiting()
    assert (await office.get(DECISIONS, caller="alpha")).items == []


@pytest.mark.parametrize(("move", "status"), [("release", "captured"), ("reject", "voided")])
async def test_held_payment_waits_for_an_operator(office: Api, move: str, status: str) -> None:
    await set_rule(office, action="hold_for_review")
    reply = await office.pay()
    assert (reply.status, reply["status"]) == (201, "awaiting_user")
    assert b"velocity" not in reply.body
    (review,) = (await office.get(f"{REVIEWS}?state=open", caller="alpha")).items
    assert (review["payment_id"], review["rules"]) == (reply["id"], ["payer_velocity"])
    decided_on = await office.post(f"{REVIEWS}/{reply['id']}/{move}", {"reason": "asked the holder"}, caller="alpha")
    assert (decided_on.status, decided_on["refusal"]) == (200, None), decided_on.body
    assert (await office.get(f"/v1/payments/{reply['id']}"))["status"] == status
    assert (await office.get(f"{REVIEWS}?state=open", caller="alpha")).items == []
