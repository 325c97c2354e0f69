"""Medical bills over HTTP: quoted, paid from all that pays them, given back and settled anew; right to the fen."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

import msgspec
import pytest
import pytest_asyncio

from engine.core.accounts import (
    account_text,
    bank_payable,
    bank_receivable,
    merchant_payable,
    personal_account,
    pool_fund,
)
from engine.core.benefits import BillPart, MedicalBill
from engine.core.calendar import cycle_text
from engine.core.clearing_lines import ClearingItem
from engine.core.ids import IdKind
from engine.core.violations import ViolationKind
from engine.flows.verify_books import verify_books
from engine.formats import bank_file_formats
from tests.core.medical import EXAMPLE_LINES, RETIRED, WORKING, Case, a_bill, a_line, reference_split, split_of
from tests.web.api import BANK_ALLOWANCE, PERSONAL_ACCOUNT, Api, Json, Reply, a_key, nobodys_id
from tests.web.counter import (
    QUOTES,
    Posting,
    Used,
    a_bill_payment,
    a_quote,
    advance,
    change_plans,
    open_counter,
    payment_id,
    postings_of,
    tenders_of,
    total_of,
    use,
    used,
    verified,
    wire_line,
    year_round,
)

TWENTY_LINES = tuple(
    a_line(item, quantity, price)
    for item, quantity, price in (
        *(("DRUG-1", str(n), f"{n}.35") for n in range(1, 8)),
        *(("CT", "1", f"{60 + n}.10") for n in range(4)),
        *(("DRUG-2", f"{n}.5", f"{58 + n}.123456") for n in range(1, 6)),
        *(("VITAMIN", "1", f"{n}.99") for n in range(10, 14)),
    )
)
assert len(TWENTY_LINES) == 20


@pytest.fixture
async def hospital(api: Api) -> Api:
    """A hospital of its own, whose time a test may move."""
    await open_counter(api)
    return api


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ward(city: Api) -> AsyncIterator[Api]:
    """A hospital that tests share; nobody has used anything of the year, unless a test says so."""
    await open_counter(city)
    yield city


def a_case(lines: tuple[msgspec.Struct, ...] = EXAMPLE_LINES, *, deductible: int = 0, fund: int = 0) -> Case:
    """What the reference calculator is asked, of somebody who works."""
    return Case(year_round(), MedicalBill(lines), 3, WORKING, deductible, fund)  # type: ignore[arg-type]  # lines


async def refund(api: Api, payment: Reply, amount: int, refund_no: str | None = None) -> Reply:
    """The merchant gives something back."""
    body = {"refund_no": refund_no or a_key(), "amount": amount}
    return await api.post(f"/v1/payments/{payment['id']}/refunds", body)


async def cancel(api: Api, payment: Reply, *, caller: str = "merchant-0") -> Reply:
    """The merchant takes its order back."""
    return await api.post("/v1/payments/cancel", {"order_no": payment["order_no"]}, caller=caller)


def paid_from(api: Api, **amounts: int) -> list[Posting]:
    """The postings of a payment at once by card 0 to merchant 0."""
    sources = {
        "pool_fund": pool_fund(110100, 310100),
        "personal_account": personal_account(api.world.cards[0]),
        "bank_card": bank_receivable(api.world.banks[0]),
    }
    payee = account_text(merchant_payable(api.world.merchants[0]))
    return [
        ("POST", "PAY", account_text(account), payee, amounts[kind])
        for kind, account in sources.items()
        if kind in amounts
    ]


def given_back_to(api: Api, **amounts: int) -> list[Posting]:
    """The postings of a refund."""
    payable = account_text(bank_payable(api.world.banks[0]))
    return [
        ("POST", "REFUND", payee, payable if debit.startswith("bank:") else debit, amount)
        for _, _, debit, payee, amount in paid_from(api, **amounts)
    ]


async def lines_of(api: Api, caller: str, kind: str, cycle: str) -> dict[tuple[str, str, str], int]:
    """Fen in a bank's flat file by type of line, leg and payment."""
    found: dict[tuple[str, str, str], int] = {}
    listed = await api.get(f"/v1/clearing/files?cycle={cycle}&kind={kind}&form=flat", caller=caller)
    for manifest in listed.items:
        content = (await api.get(f"/v1/clearing/files/{manifest['name']}", caller=caller)).body
        for record in bank_file_formats()["flat"].decode([content]):
            if isinstance(record, ClearingItem):
                key = (record.type.value, record.leg, record.payment_id)
                found[key] = found.get(key, 0) + record.amount
    return found


async def test_bill_of_20_lines_from_the_quote_to_the_banks_files(hospital: Api) -> None:
    """Quoted, paid by one scan from three tenders, partly refunded, cancelled and settled anew."""
    api = hospital
    case = a_case(TWENTY_LINES, deductible=150_000, fund=40_000)
    expected = reference_split(case)
    await use(api, 0, deductible=150_000, fund=40_000)
    before = await used(api)
    fund = expected.pool
    account = expected.account_eligible
    card = expected.person_part - account
    assert min(fund, account, card) > 0
    assert account < PERSONAL_ACCOUNT

    code = api.pay_code()
    quoted = await api.post(QUOTES, a_quote(api, TWENTY_LINES, pay_code=code))
    assert quoted.status == 201, quoted.body
    figures = ("total", "own_pay", "over_limit", "pre_self", "in_scope", "deductible")
    told = {name: getattr(expected, name) for name in figures} | {"fund": expected.pool, "plan": "test-310"}
    assert (quoted["split"], quoted["amount"]) == (told, total_of(TWENTY_LINES))
    assert tenders_of(quoted) == {"pool_fund": fund, "personal_account": account, "bank_card": card}
    assert await used(api) == before
    assert await api.sql.fetchval("SELECT count(*) FROM posting p WHERE p.kind = 1") == 0

    asked = {"amount": expected.total, "quote_id": quoted["id"], "scenario": "outpatient"}
    paid = await api.pay(api.payment(**asked, pay_code=code))
    assert (paid.status, paid["status"], paid["medical"]) == (201, "captured", told), paid.body
    assert paid["tenders"] == [
        {"kind": "pool_fund", "fund_pay_type": "310100", "amount": fund},
        {"kind": "personal_account", "amount": account},
        {"kind": "bank_card", "amount": card},
    ]
    after = Used(before.year, before.deductible + expected.deductible, before.fund + expected.pool)
    assert await used(api) == after
    postings = paid_from(api, pool_fund=fund, personal_account=account, bank_card=card)
    assert await postings_of(api, payment_id(paid)) == postings

    part = card + 100  # all of the bank card's, and a little of the account's
    some = await refund(api, paid, part, "R-1")
    assert (some.status, tenders_of(some)) == (201, {"personal_account": 100, "bank_card": card}), some.body
    postings += given_back_to(api, personal_account=100, bank_card=card)
    assert await postings_of(api, payment_id(paid)) == postings
    too_much = await refund(api, paid, expected.total - part - 1)
    assert (too_much.refused, too_much.pointers) == ((422, "refund-exceeds-payment"), ["/amount"])
    assert await used(api) == after

    cancelled = await cancel(api, paid)
    assert (cancelled.status, cancelled["outcome"]) == (200, "refunded"), cancelled.body
    postings += given_back_to(api, pool_fund=fund, personal_account=account - 100)
    assert await postings_of(api, payment_id(paid)) == postings
    assert await used(api) == before

    again = await api.post(QUOTES, a_quote(api, TWENTY_LINES))
    assert again["split"] == told
    settled = await api.pay(api.payment(**asked | {"quote_id": again["id"]}))
    assert (settled.status, settled["tenders"]) == (201, paid["tenders"]), settled.body
    assert await used(api) == after
    assert (await api.get(f"/v1/payments/{paid['id']}"))["refunded_amount"] == expected.total
    await verified(api)

    totals = (await api.get(f"/v1/statements/{paid['business_date']}"))["totals"]
    whole = {"gross": 2 * expected.total, "refunds": expected.total, "net": expected.total}
    assert isinstance(totals, dict)
    assert totals.items() >= (whole | {"payment_count": 2, "refund_count": 2}).items()
    assert [(one["kind"], one.get("fund_pay_type"), one["gross"], one["refunds"]) for one in totals["tenders"]] == [
        ("pool_fund", "310100", 2 * fund, fund),
        ("personal_account", None, 2 * account, account),
        ("bank_card", None, 2 * card, card),
    ]

    cycle = cycle_text(await api.publish())
    first, second = str(paid["id"]), str(settled["id"])
    assert await lines_of(api, "bank-0", "COLLECT", cycle) == {
        ("PAY", "BANK", first): card,
        ("PAY", "BANK", second): card,
        # merchant 0 has its account at the same bank, which gives back what it got
        ("REFUND", "BANK", first): card,
        ("REFUND", "310100", first): fund,
        ("REFUND", "310200", first): account,
    }
    assert await lines_of(api, "bank-2", "COLLECT", cycle) == {
        ("PAY", leg, payment): amount
        for leg, amount in (("310100", fund), ("310200", account))
        for payment in (first, second)
    }
    assert await lines_of(api, "bank-2", "CREDIT", cycle) == {
        ("REFUND", "310100", first): fund,
        ("REFUND", "310200", first): account,
    }
    assert (await api.get(f"/v1/payments/{settled['id']}"))["clearing_status"] == "published"
    await verified(api)


@pytest.mark.parametrize(
    ("deductible", "fund", "person_type", "account", "tenders"),
    [
        pytest.param(150_000, 1_500_000, WORKING, 40_000, (16_236, 40_000, 23_735), id="E1"),
        pytest.param(150_000, 1_990_000, WORKING, 40_000, (10_000, 40_000, 29_971), id="E2 the cap binds"),
        pytest.param(150_000, 1_500_000, RETIRED, 40_000, (17_712, 40_000, 22_259), id="E3 retired"),
        pytest.param(0, 0, WORKING, 0, (0, 0, 79_971), id="E4 nothing used"),
        pytest.param(180_000, 1_500_000, WORKING, 1_000_000, (32_736, 32_384, 14_851), id="E5 deductible met"),
    ],
)
async def test_worked_examples(
    api: Api, deductible: int, fund: int, person_type: int, account: int, tenders: tuple[int, int, int]
) -> None:
    await open_counter(api)
    await use(api, 0, deductible=deductible, fund=fund)
    await api.sql.execute(
        "UPDATE payer SET credits_posted = $2, person_type = $3 WHERE id = $1",
        api.world.cards[0],
        account,
        person_type,
    )
    paid = await api.pay(a_bill_payment(api))
    assert paid.status == 201, paid.body
    kinds = ("pool_fund", "personal_account", "bank_card")
    assert tenders_of(paid) == {kind: amount for kind, amount in zip(kinds, tenders, strict=True) if amount}
    assert sum(tenders) == 79_971
    row = await used(api)
    assert (row.deductible, row.fund) == (min(deductible + 59_520, 180_000), fund + tenders[0])


async def test_split_that_was_shown_is_not_what_is_paid_once_another_hospital_was_first(hospital: Api) -> None:
    api = hospital
    await use(api, 0, deductible=150_000)
    quoted = await api.post(QUOTES, a_quote(api))
    elsewhere = await api.pay(a_bill_payment(api), caller="merchant-1")
    assert elsewhere.status == 201, elsewhere.body
    after = await used(api)
    late = await api.pay(amount=79_971, scenario="outpatient", quote_id=quoted["id"], order_no="L")
    assert (late.refused, late.pointers) == ((409, "presettlement-changed"), ["/quote_id"])
    assert (await used(api), (await api.get("/v1/payments?order_no=L")).items) == (after, [])
    assert (await cancel(api, elsewhere, caller="merchant-1"))["outcome"] == "refunded"
    # Nothing was used in the end, so what was shown is right again.
    assert (await api.pay(amount=79_971, scenario="outpatient", quote_id=quoted["id"], order_no="L")).status == 201


async def test_split_changes_with_its_plan(hospital: Api) -> None:
    api = hospital
    await use(api, 0, deductible=180_000)
    dearer, gone = [await api.post(QUOTES, a_quote(api)) for _ in range(2)]
    await change_plans(api, year_round(rates_e4={WORKING: (5_000,) * 4}))
    changed = await api.pay(amount=79_971, scenario="outpatient", quote_id=dearer["id"])
    assert (changed.refused, changed.pointers) == ((409, "presettlement-changed"), ["/quote_id"])
    items = {name: item for name, item in year_round().items.items() if name != "CT"}
    await change_plans(api, year_round(items=items))
    changed = await api.pay(amount=79_971, scenario="outpatient", quote_id=gone["id"])
    assert (changed.refused, changed.pointers) == ((409, "presettlement-changed"), ["/quote_id"])


async def test_quote_is_good_for_ten_minutes(hospital: Api) -> None:
    api = hospital
    asked = {"amount": 79_971, "scenario": "outpatient"}
    early, late = await api.post(QUOTES, a_quote(api)), await api.post(QUOTES, a_quote(api))
    # They were asked for a moment ago, by a clock that goes on.
    await advance(api, 590)
    assert (await api.pay(api.payment(**asked, quote_id=early["id"]))).status == 201
    await advance(api, 10)
    over = await api.pay(api.payment(**asked, quote_id=late["id"]))
    assert (over.refused, over.pointers) == ((410, "quote-expired"), ["/quote_id"])


async def test_claim_of_a_quote_that_no_payment_remembers_is_found(hospital: Api) -> None:
    api = hospital
    quoted = await api.post(QUOTES, a_quote(api))
    asked = {"amount": 79_971, "scenario": "outpatient", "quote_id": quoted["id"]}
    assert (await api.pay(api.payment(**asked))).status == 201
    await verified(api)
    await api.sql.execute("UPDATE order_ref SET order_no = '$quote/' || repeat('0', 32) WHERE order_no LIKE '$%'")
    report = await verify_books(api.node.database_url, public_keys=None, progress=lambda *_: None)
    assert report.violation is not None
    assert report.violation.kind is ViolationKind.ORDER_WRONG


@pytest.mark.asyncio(loop_scope="module")
async def test_quote_is_its_merchants_and_its_cardholders(ward: Api) -> None:
    quoted = await ward.post(QUOTES, a_quote(ward))
    asked = {"amount": 79_971, "scenario": "outpatient", "quote_id": quoted["id"]}
    theirs = await ward.pay(ward.payment(**asked), caller="merchant-1")
    assert (theirs.refused, theirs.pointers) == ((404, "not-found"), ["/quote_id"])
    other = await ward.pay(ward.payment(**asked, card=1))
    assert (other.refused, other.pointers) == ((422, "identity-mismatch"), ["/quote_id"])
    nobodys = await ward.pay(ward.payment(**asked | {"quote_id": nobodys_id(IdKind.QUOTE)}))
    assert nobodys.refused == (404, "not-found")
    assert (await ward.pay(ward.payment(**asked | {"quote_id": "quo_" + "z" * 26}))).refused == (404, "not-found")
    short = await ward.pay(ward.payment(**asked | {"amount": 79_970}))
    assert (short.refused, short.pointers) == ((422, "amount-not-balanced"), ["/amount"])


@pytest.mark.asyncio(loop_scope="module")
async def test_quote_is_paid_once(ward: Api) -> None:
    await use(ward, 1, deductible=180_000, fund=2_000_000)  # the split stays as it was, however often it is paid
    quoted = await ward.post(QUOTES, a_quote(ward, card=1))
    asked = {"amount": 79_971, "scenario": "outpatient", "quote_id": quoted["id"]}
    bodies = [ward.payment(**asked, card=1) for _ in range(6)]
    replies = await asyncio.gather(*(ward.pay(body) for body in bodies))
    assert sorted(reply.status for reply in replies) == [201] + [409] * 5
    refused = {(reply.code, *reply.pointers) for reply in replies if reply.status == 409}
    assert refused == {("order-already-paid", "/quote_id")}
    (paid,) = (reply for reply in replies if reply.status == 201)
    assert (await cancel(ward, paid))["outcome"] == "refunded"
    assert (await ward.pay(ward.payment(**asked, card=1))).refused == (409, "order-already-paid")


@pytest.mark.asyncio(loop_scope="module")
async def test_two_hospitals_at_once_never_use_one_deductible_twice(ward: Api) -> None:
    await use(ward, 2, deductible=150_000)
    bodies = [a_bill_payment(ward, EXAMPLE_LINES[:1], card=2) for _ in range(10)]
    replies = await asyncio.gather(*(ward.pay(body, caller=f"merchant-{n % 2}") for n, body in enumerate(bodies)))
    assert {reply.status for reply in replies} == {201}
    deductibles = sorted(msgspec.convert(reply["medical"], dict[str, int | str])["deductible"] for reply in replies)
    # 300.00 were left, and each bill is 91.20.
    assert deductibles == [0] * 6 + [30_000 - 3 * 9_120] + [9_120] * 3
    pools = sum(int(msgspec.convert(reply["medical"], dict[str, int | str])["fund"]) for reply in replies)
    assert (await used(ward, 2)).deductible == 180_000
    assert (await used(ward, 2)).fund == pools


@pytest.mark.asyncio(loop_scope="module")
async def test_many_quotes_at_once_are_all_answered(ward: Api) -> None:
    """More than there are connections: one that waits for another would never end."""
    replies = await asyncio.gather(*(ward.post(QUOTES, a_quote(ward, card=3)) for _ in range(24)))
    assert {reply.status for reply in replies} == {201}


@pytest.mark.asyncio(loop_scope="module")
async def test_quote_is_answered_once_a_key_and_keeps_no_number(ward: Api) -> None:
    body, key = a_quote(ward), a_key()
    first, again = await ward.post(QUOTES, body, key=key), await ward.post(QUOTES, body, key=key)
    assert (again.body, again.is_replay) == (first.body, True)
    other = await ward.post(QUOTES, body | {"terminal_id": "T-02"}, key=key)
    assert (other.refused, other.pointers) == ((422, "idempotency-key-reused"), ["/terminal_id"])
    facts = await ward.sql.fetch("SELECT facts FROM request_answer WHERE operation = 'quote'")
    assert facts
    assert not [row for row in facts if str(body["pay_code"]) in str(row["facts"])]


@pytest.mark.asyncio(loop_scope="module")
async def test_guessing_codes_by_quotes_is_guessing(ward: Api) -> None:
    wrong = ward.pay_code(card=3)[:13] + "0" * 10
    guess = wrong + luhn(wrong)
    replies = [await ward.post(QUOTES, a_quote(ward, pay_code=guess), caller="merchant-1") for _ in range(21)]
    assert [reply.code for reply in replies] == ["pay-code-wrong"] * 20 + ["too-many-attempts"]
    assert (await ward.pay(ward.payment(pay_code=guess), caller="merchant-1")).code == "too-many-attempts"


def luhn(digits: str) -> str:
    """The digit that ends a payment code."""
    doubled = [int(digit) * (2 if n % 2 == 0 else 1) for n, digit in enumerate(reversed(digits))]
    return str(-sum(value // 10 + value % 10 for value in doubled) % 10)


LINE = wire_line(EXAMPLE_LINES[1])


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("line", "refused", "pointer"),
    [
        (LINE | {"amount": 38_001}, (422, "amount-not-balanced"), "/bill/lines/1/amount"),
        (LINE | {"item": "GHOST"}, (422, "bill-invalid"), "/bill/lines/1/item"),
        (LINE | {"quantity": "0", "amount": 0}, (422, "bill-invalid"), "/bill/lines/1/quantity"),
        (LINE | {"quantity": "1000001"}, (422, "bill-invalid"), "/bill/lines/1/quantity"),
        (LINE | {"quantity": "-1"}, (400, "field-invalid"), "/bill/lines/1/quantity"),
        (LINE | {"quantity": "1.00001"}, (400, "field-invalid"), "/bill/lines/1/quantity"),
        (LINE | {"quantity": 1}, (400, "field-invalid"), "/bill/lines/1/quantity"),
        (LINE | {"price": "-380"}, (400, "field-invalid"), "/bill/lines/1/price"),
        (LINE | {"price": "1e3"}, (400, "field-invalid"), "/bill/lines/1/price"),
        (LINE | {"price": "999999999"}, (422, "bill-invalid"), "/bill/lines/1/price"),
        (LINE | {"amount": -1}, (400, "field-invalid"), "/bill/lines/1/amount"),
        (LINE | {"rate": 2}, (400, "unknown-field"), "/bill/lines/1/rate"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_line_that_is_wrong_is_named(ward: Api, line: Json, refused: tuple[int, str], pointer: str) -> None:
    bill = {"lines": [wire_line(EXAMPLE_LINES[0]), line]}
    before = await ward.books()
    body = ward.payment(card=4, amount=47_120, scenario="outpatient", bill=bill)
    for reply in (await ward.pay(body), await ward.post(QUOTES, a_quote(ward, card=4, bill=bill))):
        assert (reply.refused, reply.pointers) == (refused, [pointer]), reply.body
    assert await ward.books() == before


@pytest.mark.asyncio(loop_scope="module")
async def test_bill_is_what_is_paid(ward: Api) -> None:
    wrong = await ward.pay(a_bill_payment(ward, amount=79_970))
    assert (wrong.refused, wrong.pointers) == ((422, "amount-not-balanced"), ["/amount"])
    for lines in ([], [LINE] * 501):
        reply = await ward.pay(ward.payment(scenario="outpatient", bill={"lines": lines}))
        assert (reply.refused, reply.pointers) == ((400, "field-invalid"), ["/bill/lines"])
    both = a_bill_payment(ward) | {"quote_id": nobodys_id(IdKind.QUOTE)}
    assert (await ward.pay(both)).pointers == ["/bill"]
    agency = a_bill_payment(ward) | {"bill_no": "B-1"}
    assert (await ward.pay(agency)).pointers == ["/bill"]


@pytest.mark.asyncio(loop_scope="module")
async def test_insurance_pays_for_medical_bills_only(ward: Api) -> None:
    refused = await ward.pay(a_bill_payment(ward, scenario="small_payment"))
    assert (refused.refused, refused.pointers) == ((400, "field-invalid"), ["/bill"])
    assert (await ward.post(QUOTES, a_quote(ward, scenario="small_payment"))).pointers == ["/scenario"]
    assert (await ward.post(QUOTES, a_quote(ward, scenario="surgery"))).pointers == ["/scenario"]


@pytest.mark.asyncio(loop_scope="module")
async def test_plan_that_there_is_not_is_told_and_the_attempt_kept(ward: Api) -> None:
    await ward.sql.execute("UPDATE payer SET insured_region = 440300 WHERE id = $1", ward.world.cards[5])
    declined = await ward.pay(a_bill_payment(ward, card=5))
    assert declined.refused == (422, "plan-missing")
    assert (await ward.get(f"/v1/payments/{declined['payment_id']}"))["declined_code"] == "plan-missing"
    assert (await ward.post(QUOTES, a_quote(ward, card=5))).refused == (422, "plan-missing")
    assert (await ward.pay(ward.payment(card=5, scenario="outpatient"))).status == 201  # by one's own means


async def test_plan_is_that_of_where_one_is_insured_wherever_one_is_treated(api: Api) -> None:
    generous = year_round(id="shanghai-310", region=310100, rates_e4={WORKING: (9_000,) * 4}, deductible=0)
    await open_counter(api, year_round(), generous)
    await api.sql.execute("UPDATE payer SET insured_region = 310101 WHERE id = $1", api.world.cards[1])
    await api.sql.execute("INSERT INTO fund VALUES (310100, 310100, $1)", api.world.banks[1])
    await use(api, 1, fund=5)
    away, home = await api.pay(a_bill_payment(api, card=1)), await api.pay(a_bill_payment(api))
    expected = split_of(generous, a_bill())
    assert tenders_of(away)["pool_fund"] == expected.pool == 53_568
    assert msgspec.convert(away["medical"], dict[str, object])["plan"] == "shanghai-310"
    assert (tenders_of(home).get("pool_fund"), away["region"]) == (None, "110101")
    assert (await postings_of(api, payment_id(away)))[0][2] == account_text(pool_fund(310100, 310100))
    cycle = cycle_text(await api.publish())
    collected = await lines_of(api, "bank-1", "COLLECT", cycle)
    assert collected[("PAY", "310100", str(away["id"]))] == expected.pool


async def test_accumulators_start_anew_with_the_year(hospital: Api) -> None:
    api = hospital
    await use(api, 0, deductible=180_000, fund=1_000_000)
    last = await api.pay(a_bill_payment(api))
    year = (await used(api)).year
    today = await api.sql.fetchval("SELECT business_date FROM control")
    await advance(api, (date(year + 1, 1, 2) - today).days * 86_400)
    fresh = await api.pay(a_bill_payment(api))
    expected = split_of(year_round(), a_bill())
    assert msgspec.convert(fresh["medical"], dict[str, object])["deductible"] == expected.deductible == 59_520
    assert await used(api) == Used(year + 1, 59_520, 0)
    # What the old year used is of no account any more; all money goes back nevertheless.
    assert (await cancel(api, last))["outcome"] == "refunded"
    assert await used(api) == Used(year + 1, 59_520, 0)
    assert (await cancel(api, fresh))["outcome"] == "refunded"
    assert await used(api) == Used(year + 1, 0, 0)
    await verified(api)


async def test_another_plan_decides_from_its_first_day_on(api: Api) -> None:
    today = await api.sql.fetchval("SELECT business_date FROM control")
    change = today.replace(day=1, month=today.month % 12 + 1, year=today.year + today.month // 12)
    old = year_round(id="old", valid_to=change, deductible=0)
    new = year_round(id="new", valid_from=change, deductible=0, rates_e4={WORKING: (8_000,) * 4})
    await open_counter(api, old, new)
    quoted = await api.post(QUOTES, a_quote(api))
    assert tenders_of(await api.pay(a_bill_payment(api)))["pool_fund"] == split_of(old, a_bill()).pool
    await advance(api, (change - today).days * 86_400)
    paid = await api.pay(a_bill_payment(api))
    assert tenders_of(paid)["pool_fund"] == split_of(new, a_bill()).pool == 47_616
    assert msgspec.convert(paid["medical"], dict[str, object])["plan"] == "new"
    late = await api.pay(amount=79_971, scenario="outpatient", quote_id=quoted["id"])
    assert late.refused == (410, "quote-expired")


async def test_day_without_a_plan_pays_no_bill(api: Api) -> None:
    today = await api.sql.fetchval("SELECT business_date FROM control")
    await open_counter(api, year_round(valid_to=today))
    assert (await api.pay(a_bill_payment(api))).refused == (422, "plan-missing")


@pytest.mark.asyncio(loop_scope="module")
async def test_bill_that_is_held_is_taken_whole(ward: Api) -> None:
    await use(ward, 6, deductible=180_000)
    before = await used(ward, 6)
    held = await ward.pay(a_bill_payment(ward, card=6, capture=False))
    assert (held["status"], held["captured_amount"]) == ("authorized", 0)
    assert (await used(ward, 6)).fund == before.fund + 32_736
    path = f"/v1/payments/{held['id']}"
    part = await ward.post(f"{path}/capture", {"amount": 100})
    assert (part.refused, part.pointers) == ((422, "amount-mismatch"), ["/amount"])
    assert (await ward.post(f"{path}/void"))["status"] == "voided"
    assert await used(ward, 6) == before


@pytest.mark.asyncio(loop_scope="module")
async def test_what_the_accounts_may_not_pay_is_the_cards(ward: Api) -> None:
    """Without a plan that lets it, the personal account pays nothing; and one's own settings come first."""
    await change_plans(ward, year_round(account_pays=frozenset({BillPart.SHARE}), deductible=0))
    paid = await ward.pay(a_bill_payment(ward, card=7))
    expected = split_of(year_round(account_pays=frozenset({BillPart.SHARE}), deductible=0), a_bill())
    account = expected.account_eligible
    assert tenders_of(paid) == {
        "pool_fund": expected.pool,
        "personal_account": account,
        "bank_card": expected.person_part - account,
    }
    await change_plans(ward, year_round())


@pytest.mark.asyncio(loop_scope="module")
async def test_bill_beyond_all_means_is_declined_and_uses_nothing(ward: Api) -> None:
    dear = (a_line("VITAMIN", "1", f"{BANK_ALLOWANCE // 100 + 1}"),)
    before = await used(ward, 3)
    declined = await ward.pay(a_bill_payment(ward, dear, card=3))
    assert declined.refused == (402, "insufficient-funds")
    assert await used(ward, 3) == before


class TestVisits:
    """What a visit's bills used of the year is given back newest first."""

    async def test_older_bill_of_a_visit_waits_for_the_newer_one(self, hospital: Api) -> None:
        api = hospital
        await use(api, 0, deductible=150_000)
        before = await used(api)
        older, newer = [await api.pay(a_bill_payment(api, EXAMPLE_LINES[:2], visit_no="V-1")) for _ in range(2)]
        assert {older.status, newer.status} == {201}
        refusal = (409, "newer-settlement-exists")
        assert (await cancel(api, older)).refused == refusal
        assert (await refund(api, older, 47_120)).refused == refusal
        assert (await refund(api, older, 100)).status == 201  # of the own part
        assert (await refund(api, older, 47_020)).refused == refusal
        assert (await refund(api, newer, 47_120)).status == 201
        assert (await cancel(api, older))["outcome"] == "refunded"
        assert await used(api) == before
        await verified(api)

    async def test_other_visits_and_other_hospitals_wait_for_nobody(self, hospital: Api) -> None:
        api = hospital
        first = await api.pay(a_bill_payment(api, EXAMPLE_LINES[:1], visit_no="V-1"))
        assert (await api.pay(a_bill_payment(api, EXAMPLE_LINES[:1], visit_no="V-2"))).status == 201
        elsewhere = a_bill_payment(api, EXAMPLE_LINES[:1], visit_no="V-1")
        assert (await api.pay(elsewhere, caller="merchant-1")).status == 201
        assert (await api.pay(a_bill_payment(api, EXAMPLE_LINES[:1], visit_no="V-1", card=1))).status == 201
        assert (await api.pay(a_bill_payment(api, EXAMPLE_LINES[:1]))).status == 201
        assert (await cancel(api, first))["outcome"] == "refunded"

    async def test_hold_is_a_settlement_until_it_ends(self, hospital: Api) -> None:
        api = hospital
        older = await api.pay(a_bill_payment(api, EXAMPLE_LINES[:1], visit_no="V-1", capture=False))
        newer = await api.pay(a_bill_payment(api, EXAMPLE_LINES[:1], visit_no="V-1", capture=False, hold_s=60))
        void = f"/v1/payments/{older['id']}/void"
        assert (await api.post(void)).refused == (409, "newer-settlement-exists")
        await advance(api, 60)
        assert (await api.get(f"/v1/payments/{newer['id']}"))["status"] == "expired"
        assert (await api.post(void))["status"] == "voided"
        assert await used(api) == Used((await used(api)).year, 0, 0)

    async def test_settling_anew_makes_it_the_newest(self, hospital: Api) -> None:
        api = hospital
        first, second = [await api.pay(a_bill_payment(api, EXAMPLE_LINES[:1], visit_no="V-1")) for _ in range(2)]
        assert (await cancel(api, second))["outcome"] == "refunded"
        third = await api.pay(a_bill_payment(api, EXAMPLE_LINES[:1], visit_no="V-1"))
        assert (await cancel(api, first)).code == "newer-settlement-exists"
        assert (await cancel(api, second))["outcome"] == "nothing_to_cancel"
        assert (await cancel(api, third))["outcome"] == "refunded"
        assert (await cancel(api, first))["outcome"] == "refunded"
        assert await api.sql.fetchval("SELECT count(*) FROM visit_settlement") == 0
