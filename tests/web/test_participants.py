"""Operators bring participants in, change, suspend and reinstate them; what takes effect does so for everybody."""

import asyncio

import asyncpg
import msgspec
import pytest

from engine.core.benefits import share_of
from engine.core.ids import IdKind, id_text
from engine.web.callers import FRESH_S
from tests.core.medical import WORKING
from tests.ledger.conftest import LoopClock
from tests.web.api import Api, Json, nobodys_id
from tests.web.counter import QUOTES, a_bill_payment, a_quote, open_counter, tenders_of, use, year_round
from tests.web.operators import (
    HARBOUR_BANK,
    RIVER_BANK,
    a_bank,
    a_merchant,
    add_operators,
    approve,
    register,
    result_of,
)

ROUNDS = 4
PAYMENTS_A_ROUND = 24


@pytest.fixture
async def office(api: Api) -> Api:
    """A node with operators."""
    await add_operators(api)
    return api


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> LoopClock:
    """The clock of this test's loop."""
    return LoopClock(monkeypatch)


def merchant_path(api: Api, merchant: int = 0) -> str:
    """The path of a merchant of the world."""
    return f"/v1/participants/{id_text(api.world.merchants[merchant])}"


async def shown(api: Api, path: str, *, caller: str = "alpha") -> Json:
    """A participant as it is shown."""
    reply = await api.get(path, caller=caller)
    assert reply.status == 200, reply.body
    return reply.json


async def test_registration_takes_effect_when_another_operator_approves_it(office: Api) -> None:
    asked = await office.post("/v1/participants", a_bank(), caller="alpha")
    assert (asked.status, asked["status"], asked["kind"]) == (202, "pending", "register_participant")
    assert (await office.get(f"/v1/participants/{asked['subject']}", caller="alpha")).status == 404
    decided = await approve(office, asked)
    assert (decided.status, decided["status"], decided["outcome"]) == (200, "approved", "done")
    bank = await shown(office, f"/v1/participants/{asked['subject']}")
    expected = {"kind": "bank", "code": HARBOUR_BANK, "status": "active", "settlement_bank": False, "version": 1}
    assert expected.items() <= bank.items()


async def test_every_kind_is_registered_with_what_it_has(office: Api) -> None:
    await register(office, a_bank())
    merchant = result_of(await register(office, a_merchant()))
    agency = a_bank(kind="agency", code="premium-1", bank=HARBOUR_BANK, item="premium")
    made = result_of(await register(office, agency))
    assert (await shown(office, f"/v1/participants/{made['id']}"))["item"] == "premium"
    path = f"/v1/participants/{merchant['id']}"
    view = await shown(office, path)
    assert {"bank": HARBOUR_BANK, "scenarios": ["pharmacy"], "region": "110101"}.items() <= view.items()
    terminals = await office.get(f"{path}/terminals", caller="alpha")
    assert [item["terminal_id"] for item in terminals.items] == ["T-01", "T-02"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"code": "P1101010004"}, "/code"),
        ({"code": "P31010100042"}, "/region"),
        ({"region": "110001", "code": "P11000100042"}, "/region"),
        ({"bank": None}, "/bank"),
        ({"bank": HARBOUR_BANK[:-1] + "5"}, "/bank"),
        ({"bank": RIVER_BANK}, "/bank"),
        ({"scenarios": []}, "/scenarios"),
        ({"scenarios": ["pharmacy", "pharmacy"]}, "/scenarios"),
        ({"terminals": ["T-01", "T-01"]}, "/terminals"),
        ({"level": 4}, "/level"),
        ({"level": -1}, "/level"),
        ({"level": None}, "/level"),
        ({"kind": "bank", "code": RIVER_BANK, "level": 1}, "/level"),
        ({"item": "premium"}, "/item"),
        ({"role": "audit"}, "/role"),
        ({"settlement_bank": True}, "/is_settlement_bank"),
        ({"name_zh": " "}, "/name_zh"),
        ({"kind": "bank"}, "/code"),
        ({"key": {"alg": "ed25519"}}, "/key/public_key"),
        ({"key": {"alg": "hmac-sha256", "public_key": "x"}}, "/key/public_key"),
    ],
)
async def test_registration_that_cannot_be_right_is_refused_when_asked_for(
    office: Api, changes: Json, pointer: str
) -> None:
    await register(office, a_bank())
    reply = await office.post("/v1/participants", a_merchant(**changes), caller="alpha")
    assert reply.refused == (400, "field-invalid")
    assert pointer in reply.pointers
    assert await office.sql.fetchval("SELECT count(*) FROM approval") == 1


async def test_code_is_taken_once_whoever_was_approved_first(office: Api) -> None:
    first, second = [await office.post("/v1/participants", a_bank(), caller="alpha") for _ in range(2)]
    assert (await approve(office, second)).status == 200
    late = await approve(office, first)
    assert late.refused == (409, "participant-exists")
    assert (await office.get(f"/v1/approvals/{first['id']}", caller="alpha"))["status"] == "pending"
    again = await office.post("/v1/participants", a_bank(), caller="alpha")
    assert again.refused == (409, "participant-exists")


async def test_there_is_one_settlement_bank(office: Api) -> None:
    reply = await office.post("/v1/participants", a_bank(settlement_bank=True), caller="alpha")
    assert (reply.refused, reply.pointers) == ((409, "participant-exists"), ["/settlement_bank"])


async def test_registration_is_asked_for_once_a_key(office: Api) -> None:
    first, again = [await office.post("/v1/participants", a_bank(), caller="alpha", key="k") for _ in range(2)]
    assert (again.status, again.body, again.is_replay, first.is_replay) == (202, first.body, True, False)
    other = await office.post("/v1/participants", a_bank(name_en="Other"), caller="alpha", key="k")
    assert (other.refused, other.pointers) == ((422, "idempotency-key-reused"), ["/registration"])
    assert await office.sql.fetchval("SELECT count(*) FROM approval") == 1


async def test_one_key_at_once_is_one_request(office: Api) -> None:
    replies = await asyncio.gather(
        *(office.post("/v1/participants", a_bank(), caller="alpha", key="k") for _ in range(12))
    )
    assert {reply.body for reply in replies} == {replies[0].body}
    assert sum(not reply.is_replay for reply in replies) == 1


async def test_list_shows_what_lies_in_the_region_newest_first(office: Api) -> None:
    await register(office, a_bank())
    made = result_of(await register(office, a_merchant()))
    everybody = await office.get("/v1/participants?limit=200", caller="alpha")
    ids = [str(item["id"]) for item in everybody.items]
    assert len(ids) == len(set(ids)) == 2 + 3 + 6 + 2
    paged: list[str] = []
    cursor = ""
    while True:
        page = await office.get(f"/v1/participants?limit=2{cursor}", caller="alpha")
        paged += [str(item["id"]) for item in page.items]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert paged == ids
    merchants = await office.get("/v1/participants?kind=merchant&code=P11010100042", caller="beijing")
    assert [item["id"] for item in merchants.items] == [made["id"]]
    assert (await office.get("/v1/participants?kind=merchant", caller="shanghai")).items == []
    assert (await office.get(f"/v1/participants/{made['id']}", caller="shanghai")).refused == (404, "not-found")


async def test_participants_see_themselves_and_nobody_else(office: Api) -> None:
    assert (await shown(office, merchant_path(office), caller="merchant-0"))["kind"] == "merchant"
    bank = f"/v1/participants/{id_text(office.world.banks[0])}"
    assert (await shown(office, bank, caller="bank-0"))["kind"] == "bank"
    keys = await office.get(f"{bank}/keys", caller="bank-0")
    assert {item["keyid"] for item in keys.items} == {"bank-0", "bank-0-ed25519"}
    for path in (bank, merchant_path(office, 1), "/v1/participants", "/v1/funds", "/v1/approvals"):
        assert (await office.get(path, caller="merchant-0")).refused == (404, "not-found")
    for path in ("/v1/participants", f"{merchant_path(office)}/suspend", f"{merchant_path(office)}/keys"):
        assert (await office.post(path, {"reason": "r"}, caller="merchant-0")).refused == (404, "not-found")


@pytest.mark.parametrize("operation", ["suspend", "reinstate", "keys/rotate", "changes", "terminals", "keys"])
async def test_participant_that_there_is_not(office: Api, operation: str) -> None:
    bodies: dict[str, Json] = {
        "keys/rotate": {"alg": "hmac-sha256", "overlap_s": 1, "reason": "r"},
        "keys": {"alg": "hmac-sha256", "reason": "r"},
        "terminals": {"terminal_ids": ["T"]},
    }
    for path in (nobodys_id(IdKind.MERCHANT), nobodys_id(IdKind.PAYMENT), "mer_1"):
        body = bodies.get(operation, {"reason": "r"})
        reply = await office.post(f"/v1/participants/{path}/{operation}", body, caller="alpha")
        assert reply.refused == (404, "not-found")


async def test_roles_and_regions_decide_who_may(office: Api) -> None:
    path = merchant_path(office)
    assert (await office.post("/v1/participants", a_bank(), caller="gamma")).refused == (403, "scope-not-authorized")
    assert (await office.post("/v1/participants", a_bank(), caller="delta")).refused == (403, "scope-not-authorized")
    reply = await office.post("/v1/participants", a_bank(), caller="shanghai")
    assert reply.refused == (403, "region-not-permitted")
    for caller in ("delta", "shanghai", "operator"):
        reply = await office.post(f"{path}/suspend", {"reason": "r"}, caller=caller)
        assert reply.status == 403, reply.body
    assert (await shown(office, path))["status"] == "active"
    asked = await office.post("/v1/participants", a_bank(), caller="alpha")
    assert (await approve(office, asked, by="delta")).refused == (403, "scope-not-authorized")
    assert (await approve(office, asked, by="shanghai")).refused == (404, "not-found")
    assert (await approve(office, asked, by="gamma")).status == 200


async def test_change_takes_effect_for_payments_once_it_is_approved(office: Api) -> None:
    path = merchant_path(office)
    body = {"scenarios": ["outpatient"], "name_en": "Renamed", "reason": "moved"}
    asked = await office.post(f"{path}/changes", body, caller="alpha")
    assert (await office.pay()).status == 201
    assert (await approve(office, asked)).status == 200
    assert (await office.pay()).refused == (403, "scenario-not-enabled")
    view = await shown(office, path)
    assert (view["name_en"], view["version"], view["code"]) == ("Renamed", 1, "P11010100000")


async def test_grade_is_registered_and_shown_for_merchants_only(office: Api) -> None:
    bank = result_of(await register(office, a_bank()))
    graded = result_of(await register(office, a_merchant(code="H11010100043", level=3)))
    plain = result_of(await register(office, a_merchant()))
    levels = [(await shown(office, f"/v1/participants/{one['id']}"))["level"] for one in (bank, graded, plain)]
    assert levels == [None, 3, 0]


async def test_grade_decides_what_the_funds_pay_once_two_have_changed_it(office: Api) -> None:
    await open_counter(office)
    await use(office, 0, deductible=180_000)  # all of it, so that the fund pays its rate
    path = merchant_path(office)
    quote = (await office.post(QUOTES, a_quote(office)))["id"]
    third = await office.pay(a_bill_payment(office))
    asked = await office.post(f"{path}/changes", {"level": 1, "reason": "regraded"}, caller="alpha")
    assert tenders_of(await office.pay(a_bill_payment(office))) == tenders_of(third)
    assert (await approve(office, asked, by="alpha")).refused == (403, "approval-required")
    assert (await approve(office, asked)).status == 200
    assert (await shown(office, path))["level"] == 1
    first = await office.pay(a_bill_payment(office))
    rates = year_round().rates_e4[WORKING]
    for paid, rate in ((third, rates[3]), (first, rates[1])):
        in_scope = msgspec.convert(paid["medical"], Json)["in_scope"]
        assert isinstance(in_scope, int)
        assert tenders_of(paid)["pool_fund"] == share_of(in_scope, rate)
    late = await office.pay(a_bill_payment(office, bill=None, quote_id=quote))
    assert late.refused == (409, "presettlement-changed")


@pytest.mark.parametrize("level", [0, 3])
async def test_change_to_the_grade_that_it_has_is_none(office: Api, level: int) -> None:
    await office.sql.execute("UPDATE merchant SET level = $1", level)
    reply = await office.post(f"{merchant_path(office)}/changes", {"level": level, "reason": "r"}, caller="alpha")
    assert reply.refused == (400, "field-invalid")
    bank = f"/v1/participants/{id_text(office.world.banks[0])}/changes"
    refused = await office.post(bank, {"level": 3, "reason": "r"}, caller="alpha")
    assert (refused.refused, refused.pointers) == ((400, "field-invalid"), ["/level"])


async def test_other_changes_leave_the_grade(office: Api) -> None:
    await office.sql.execute("UPDATE merchant SET level = 2")
    path = merchant_path(office)
    await approve(office, await office.post(f"{path}/changes", {"name_en": "A", "reason": "r"}, caller="alpha"))
    assert (await shown(office, path))["level"] == 2


async def test_bank_of_an_account_is_changed_by_two(office: Api) -> None:
    await register(office, a_bank())
    path = merchant_path(office)
    unknown = await office.post(f"{path}/changes", {"bank": RIVER_BANK, "reason": "r"}, caller="alpha")
    assert (unknown.refused, unknown.pointers) == ((400, "field-invalid"), ["/bank"])
    await approve(office, await office.post(f"{path}/changes", {"bank": HARBOUR_BANK, "reason": "r"}, caller="alpha"))
    assert (await shown(office, path))["bank"] == HARBOUR_BANK


async def test_change_that_was_meant_for_another_state_is_not_made(office: Api) -> None:
    path = merchant_path(office)
    first, second = [
        await office.post(f"{path}/changes", {"name_en": name, "reason": "r"}, caller="alpha") for name in ("A", "B")
    ]
    assert (await approve(office, second)).status == 200
    assert (await approve(office, first)).refused == (409, "participant-state-conflict")
    assert (await shown(office, path))["name_en"] == "B"


@pytest.mark.parametrize("body", [{}, {"item": "premium"}, {"scenarios": []}, {"name_zh": ""}])
async def test_change_that_changes_nothing_or_cannot_be(office: Api, body: Json) -> None:
    reply = await office.post(f"{merchant_path(office)}/changes", body | {"reason": "r"}, caller="alpha")
    assert reply.refused == (400, "field-invalid")


async def test_nothing_is_paid_once_a_suspension_is_answered(office: Api) -> None:
    path = merchant_path(office)
    for n in range(ROUNDS):
        racing = [asyncio.ensure_future(office.pay(card=n, amount=1)) for _ in range(PAYMENTS_A_ROUND)]
        stopped = await office.post(f"{path}/suspend", {"reason": "fraud"}, caller="gamma")
        done_at = await office.sql.fetchval("SELECT count(*) FROM payment")
        late = await asyncio.gather(*(office.pay(card=n, amount=1) for _ in range(4)))
        early = await asyncio.gather(*racing)
        assert (stopped["status"], stopped["suspended_reason"]) == ("suspended", "fraud")
        assert {reply.refused for reply in late} == {(403, "merchant-suspended")}
        taken = [reply for reply in early if reply.status == 201]
        assert {reply.refused for reply in early if reply not in taken} <= {(403, "merchant-suspended")}
        assert await office.sql.fetchval("SELECT count(*) FROM payment") == done_at
        asked = await office.post(f"{path}/reinstate", {"reason": "cleared"}, caller="alpha")
        assert (await approve(office, asked)).status == 200
        assert (await office.pay(card=n, amount=1)).status == 201


async def test_suspension_waits_for_a_batch_that_has_read_the_merchant(office: Api) -> None:
    """A lane that holds its row has read what it will decide by: no answer before it lets go."""
    batch = await asyncpg.connect(office.node.database_url)
    holding = batch.transaction()
    await holding.start()
    await batch.execute("SELECT 1 FROM lane WHERE id = (SELECT max(id) FROM lane) FOR NO KEY UPDATE")
    stopping = asyncio.ensure_future(
        office.post(f"{merchant_path(office)}/suspend", {"reason": "r"}, caller="alpha", key="k")
    )
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FROM lane%'"
    while not await office.sql.fetchval(waiting):
        assert not stopping.done()
    await holding.rollback()
    assert (await stopping).status == 200
    await batch.close()


async def test_suspended_merchant_can_still_give_back_what_it_was_paid(office: Api) -> None:
    payment = await office.paid()
    await office.post(f"{merchant_path(office)}/suspend", {"reason": "r"}, caller="alpha")
    assert (await office.post(f"{payment}/refunds", {"refund_no": "R", "amount": 100})).status == 201
    assert (await office.get(payment)).status == 200


async def test_suspending_is_done_by_one_and_undone_by_two(office: Api) -> None:
    path = merchant_path(office)
    early = await office.post(f"{path}/reinstate", {"reason": "r"}, caller="alpha")
    assert early.refused == (409, "participant-state-conflict")
    first, again = [await office.post(f"{path}/suspend", {"reason": "r"}, caller="alpha") for _ in range(2)]
    assert first.body == again.body
    asked = await office.post(f"{path}/reinstate", {"reason": "r"}, caller="alpha")
    assert (await approve(office, asked, by="alpha")).refused == (403, "approval-required")
    assert (await shown(office, path))["status"] == "suspended"
    assert (await approve(office, asked)).status == 200
    assert (await shown(office, path))["status"] == "active"


async def test_reinstatement_does_not_undo_a_later_suspension(office: Api) -> None:
    path = merchant_path(office)
    await office.post(f"{path}/suspend", {"reason": "first"}, caller="alpha")
    old, new = [await office.post(f"{path}/reinstate", {"reason": "r"}, caller="alpha") for _ in range(2)]
    assert (await approve(office, new)).status == 200
    await office.post(f"{path}/suspend", {"reason": "second"}, caller="alpha")
    assert (await approve(office, old)).refused == (409, "participant-state-conflict")
    assert (await office.pay()).refused == (403, "merchant-suspended")


async def test_suspended_operator_changes_nothing_from_the_answer_on(office: Api) -> None:
    """Whatever a process still believes of its key."""
    operator = await office.sql.fetchval("SELECT id FROM operator WHERE code = 'beta'")
    asked = await office.post("/v1/participants", a_bank(), caller="alpha")
    assert (await office.get("/v1/approvals", caller="beta")).status == 200
    await office.post(f"/v1/participants/{id_text(operator)}/suspend", {"reason": "left"}, caller="alpha")
    assert (await approve(office, asked)).refused == (403, "caller-suspended")
    assert (await office.get("/v1/approvals", caller="beta")).refused == (403, "caller-suspended")


async def test_suspended_bank_is_refused_by_every_process_within_moments(office: Api, clock: LoopClock) -> None:
    assert (await office.get("/v1/clearing/files", caller="bank-1")).status == 200
    bank = f"/v1/participants/{id_text(office.world.banks[1])}"
    assert (await office.post(f"{bank}/suspend", {"reason": "r"}, caller="alpha")).status == 200
    clock.advance(2 * FRESH_S)
    assert (await office.get("/v1/clearing/files", caller="bank-1")).refused == (403, "caller-suspended")
    await approve(office, await office.post(f"{bank}/reinstate", {"reason": "r"}, caller="alpha"))
    clock.advance(2 * FRESH_S)
    assert (await office.get("/v1/clearing/files", caller="bank-1")).status == 200


async def test_terminals_come_and_go(office: Api) -> None:
    path = f"{merchant_path(office)}/terminals"
    assert (await office.pay(terminal_id="T-99")).refused == (403, "terminal-unknown")
    assert (await office.post(path, {"terminal_ids": ["T-99", "T-98"]}, caller="alpha")).status == 200
    assert (await office.pay(terminal_id="T-99")).status == 201
    assert (await office.post(f"{path}/remove", {"terminal_ids": ["T-99"]}, caller="alpha")).status == 200
    assert (await office.pay(terminal_id="T-99")).refused == (403, "terminal-unknown")
    page = await office.get(f"{path}?limit=1", caller="alpha")
    assert ([item["terminal_id"] for item in page.items], page["next_cursor"]) == (["T-01"], "T-01")
    rest = await office.get(f"{path}?cursor=T-01", caller="alpha")
    assert [item["terminal_id"] for item in rest.items] == ["T-98"]
    too_many = [f"T{n}" for n in range(499)]
    assert (await office.post(path, {"terminal_ids": too_many}, caller="alpha")).refused == (400, "field-invalid")
    bank = f"/v1/participants/{id_text(office.world.banks[0])}/terminals"
    assert (await office.post(bank, {"terminal_ids": ["T"]}, caller="alpha")).refused == (404, "not-found")


async def test_fund_is_given_to_a_bank_by_two(office: Api) -> None:
    await register(office, a_bank())
    body = {"region": "310100", "fund_pay_type": "310100", "bank": HARBOUR_BANK, "reason": "contract"}
    for wrong in ({"region": "310101"}, {"bank": RIVER_BANK}):
        assert (await office.post("/v1/funds", body | wrong, caller="alpha")).refused == (400, "field-invalid")
    asked = await office.post("/v1/funds", body, caller="shanghai")
    assert (asked.status, asked["subject"]) == (202, "fund:310100:310100")
    assert (await office.get("/v1/funds", caller="shanghai")).items == []
    assert (await approve(office, asked)).status == 200
    funds = await office.get("/v1/funds", caller="shanghai")
    assert funds.items == [{"region": "310100", "fund_pay_type": "310100", "bank": HARBOUR_BANK}]
    first = await office.get("/v1/funds?limit=1", caller="alpha")
    second = await office.get(f"/v1/funds?limit=10&cursor={first['next_cursor']}", caller="alpha")
    assert len(first.items + second.items) == 3


async def test_of_two_changes_that_are_approved_at_once_one_is_made(office: Api) -> None:
    path = merchant_path(office)
    for n in range(4):
        asked = [
            await office.post(f"{path}/changes", {"name_en": f"{name}{n}", "reason": "r"}, caller="alpha")
            for name in ("A", "B")
        ]
        replies = await asyncio.gather(approve(office, asked[0], by="beta"), approve(office, asked[1], by="gamma"))
        assert sorted(reply.status for reply in replies) == [200, 409]
        assert (await shown(office, path))["version"] == n + 1
