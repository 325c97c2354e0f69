"""Each scenario of the table pays, refunds and clears by its own rules: what is added to the table is tested here."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from engine.core.calendar import cycle_text
from engine.core.clearing_lines import ClearingItem, ItemType
from engine.core.commands import Confirm, PasswordProof
from engine.core.ids import CallerId, IdKind, MerchantId, PaymentId, parse_id
from engine.core.participants import ITEMS, AgencyItem
from engine.core.scenarios import SCENARIOS, Scenario
from engine.flows.verify_books import verify_books
from engine.formats import bank_file_formats
from tests.agencies import a_bill, an_agency
from tests.web.api import Api, Reply, a_key

pytestmark = pytest.mark.asyncio(loop_scope="module")

AMOUNT, GIVEN_BACK = 500, 200
BANKS = ("bank-0", "bank-1", "bank-2")

each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shops(city: Api) -> AsyncIterator[Api]:
    """A city whose merchants may be paid for everything; its books are in order at the end."""
    await city.sql.execute("UPDATE merchant SET scenarios = $1", [scenario.number for scenario in SCENARIOS])
    yield city
    report = await verify_books(city.node.database_url, public_keys=None, progress=lambda *_: None)
    assert report.violation is None


async def paid(api: Api, scenario: Scenario) -> Reply:
    """A payment for *scenario*, with its bill if it needs one, and confirmed if it has to be."""
    sent = api.payment(amount=AMOUNT, scenario=scenario.name)
    if scenario.needs_bill_no:
        item = ITEMS.get(scenario.name, AgencyItem.PREMIUM)
        agency = await an_agency(api.sql, api.world, bank=1, item=item)
        sent["bill_no"] = await a_bill(api.sql, agency, amount=AMOUNT)
    reply = await api.pay(sent)
    assert reply.status == 201, reply.body
    if reply["status"] != "awaiting_user":
        return reply
    await confirm(api, str(reply["id"]))
    return await api.get(f"/v1/payments/{reply['id']}")


async def confirm(api: Api, payment_id: str) -> None:
    """What the cardholder's right password does."""
    payment = PaymentId(parse_id(payment_id, IdKind.PAYMENT))
    card = await api.sql.fetchval("SELECT payer FROM payment WHERE id = $1", payment)
    await api.sql.execute("UPDATE payer SET password_version = 1 WHERE id = $1", card)
    merchant = api.world.merchants[0]
    command = Confirm(
        caller=CallerId(merchant),
        key=a_key(),
        payment=payment,
        merchant=MerchantId(merchant),
        password=PasswordProof(is_right=True, version=1),
    )
    assert (await api.node.ledger.submit(command)).answer.refusal is None


def kinds_of(reply: Reply) -> set[str]:
    """What was paid from, or goes back."""
    tenders = reply["tenders"]
    assert isinstance(tenders, list)
    return {tender["kind"] for tender in tenders}


async def lines_of(api: Api, payment_id: str, *, cycle: str, kind: str) -> Counter[ItemType]:
    """Fen by type of line that a payment has in the flat files of all banks."""
    found: Counter[ItemType] = Counter()
    for caller in BANKS:
        listed = await api.get(f"/v1/clearing/files?cycle={cycle}&kind={kind}&form=flat", caller=caller)
        for manifest in listed.items:
            content = (await api.get(f"/v1/clearing/files/{manifest['name']}", caller=caller)).body
            for record in bank_file_formats()["flat"].decode([content]):
                if isinstance(record, ClearingItem) and payment_id in (record.payment_id, record.original_payment_id):
                    found[record.type] += record.amount
    return found


@each_scenario
async def test_scenario_pays_refunds_and_clears(shops: Api, scenario: Scenario) -> None:
    payment = await paid(shops, scenario)
    path = f"/v1/payments/{payment['id']}"
    assert (payment["status"], payment["scenario"], payment["captured_amount"]) == ("captured", scenario.name, AMOUNT)
    allowed = {kind.name.lower() for kind in scenario.tenders}
    assert kinds_of(payment) <= allowed

    refund = await shops.post(f"{path}/refunds", {"refund_no": "R-1", "amount": GIVEN_BACK})
    assert (refund.status, refund["amount"]) == (201, GIVEN_BACK), refund.body
    assert kinds_of(refund) <= allowed
    assert (await shops.get(path))["status"] == "partially_refunded"

    cycle = cycle_text(await shops.publish())
    cleared = await shops.get(path)
    assert (cleared["cycle"], cleared["clearing_status"]) == (cycle, "published")
    collected = ItemType.FEE if scenario.needs_bill_no else ItemType.PAY
    for kind in ("COLLECT", "CREDIT"):
        lines = await lines_of(shops, str(payment["id"]), cycle=cycle, kind=kind)
        assert lines == {collected: AMOUNT, ItemType.REFUND: GIVEN_BACK}, kind

    rest = await shops.post(f"{path}/refunds", {"refund_no": "R-2", "amount": AMOUNT - GIVEN_BACK})
    assert rest.status == 201, rest.body
    assert (await shops.get(path))["status"] == "refunded"


@each_scenario
async def test_amount_is_reserved_first_only_where_the_scenario_says_so(shops: Api, scenario: Scenario) -> None:
    sent = shops.payment(amount=1, scenario=scenario.name, capture=False)
    reply = await shops.pay(sent)
    if scenario.may_hold:
        assert (reply.status, reply["status"]) == (201, "authorized"), reply.body
        assert (await shops.post(f"/v1/payments/{reply['id']}/void")).status == 200
    else:
        assert (reply.refused, reply.pointers) == ((400, "field-invalid"), ["/capture"])


@each_scenario
async def test_what_an_agency_bills_is_not_paid_without_its_bill(shops: Api, scenario: Scenario) -> None:
    reply = await shops.pay(amount=1, scenario=scenario.name)
    if scenario.needs_bill_no:
        assert (reply.refused, reply.pointers) == ((400, "field-invalid"), ["/bill_no"])
    else:
        assert reply.status == 201, reply.body


@each_scenario
async def test_hold_lasts_as_long_as_the_scenario_allows(shops: Api, scenario: Scenario) -> None:
    sent = shops.payment(amount=1, scenario=scenario.name, capture=False, hold_s=scenario.hold_s_max + 1)
    assert (await shops.pay(sent)).refused == (400, "field-invalid")
