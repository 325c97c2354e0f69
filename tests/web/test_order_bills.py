"""Orders that pay a bill, an agency's or a medical one: shown, looked up by a card, paid in an app or on the page."""

from collections.abc import Sequence
from urllib.parse import quote

import msgspec
import pytest

from engine.core.accounts import agency_payable
from engine.core.bills import BillState
from engine.core.ids import AgencyId, CallerId, IdKind, id_text
from engine.core.refusals import Refusal
from engine.flows.pay_order import CardAgreed, pay_by_card
from engine.store.orders import load_order_by_token
from tests.agencies import a_bill, an_agency
from tests.builders import an_id
from tests.core.medical import EXAMPLE_LINES, a_line
from tests.web.api import Api, Json, Reply, a_key, nobodys_id
from tests.web.counter import (
    Used,
    advance,
    confirm,
    entered,
    give_password,
    open_counter,
    tenders_of,
    total_of,
    use,
    used,
    verified,
    wire_bill,
)
from tests.web.test_cashier import led_back, pay
from tests.web.test_orders import order, token_of

TOTAL = total_of(EXAMPLE_LINES)
DEDUCTIBLE = 180_000  # of the plan of the worked examples
SAME_TOTAL = (a_line("VITAMIN", "1", f"{TOTAL / 100:.2f}"),)  # and nothing of it is insured


@pytest.fixture
async def counter(api: Api) -> Api:
    """A hospital that also takes premiums for an agency; the first card's holder has used up the deductible."""
    await open_counter(api)
    await api.sql.execute("UPDATE merchant SET scenarios = '{1,2,3,4,12}'")
    await use(api, 0, deductible=DEDUCTIBLE)
    return api


def an_order(**changes: object) -> Json:
    """The body of an order for the bill of the worked examples, with *changes*; None leaves a field out."""
    body: Json = {
        "order_no": a_key(),
        "amount": TOTAL,
        "scenario": "outpatient",
        "terminal_id": "T-01",
        "bill": wire_bill(),
    } | changes
    return {name: value for name, value in body.items() if value is not None}


async def shown(api: Api, **changes: object) -> Reply:
    """An order that merchant-0 shows."""
    reply = await api.post("/v1/orders", an_order(**changes))
    assert reply.status == 201, reply.body
    return reply


async def premium(api: Api, bill_no: str, **changes: object) -> Reply:
    """What comes of showing an order for a premium."""
    body = an_order(**({"scenario": "premium", "amount": 500, "bill": None, "bill_no": bill_no} | changes))
    return await api.post("/v1/orders", body)


async def looked_up(api: Api, shown_order: Reply, *, card: int | str = 0, caller: str = "channel") -> Reply:
    """What an app is told of an order that one of its cards might pay."""
    card_id = id_text(api.world.cards[card]) if isinstance(card, int) else card
    code = quote(str(shown_order["qr_text"]), safe="")
    return await api.get(f"/v1/orders/lookup?code={code}&card_id={card_id}", caller=caller)


def by_card(reply: Reply) -> Json:
    """What paying by the card would come to."""
    assert reply.status == 200, reply.body
    return msgspec.convert(reply["by_card"], Json)


async def agreed(api: Api, shown_order: Reply, *, card: int = 0, **changes: object) -> Reply:
    """The cardholder pays what the app has shown."""
    body: Json = {"card_id": id_text(api.world.cards[card]), "amount": shown_order["amount"]}
    return await api.post(f"/v1/orders/{token_of(shown_order)}/payments", body | changes, caller="channel")


async def owed_to(api: Api, agency: AgencyId) -> int:
    """Fen that an agency has been paid."""
    owed = await api.sql.fetchval(
        "SELECT coalesce(sum(credits_posted), 0)::bigint FROM balance WHERE account = $1", agency_payable(agency)
    )
    assert isinstance(owed, int)
    return owed


async def test_medical_order_shows_its_bill_and_keeps_it(counter: Api) -> None:
    bill = wire_bill(visit_no="V-1")
    reply = await shown(counter, order_no="A-1", bill=bill)
    assert "bill_no" not in reply.json
    sent, kept = (msgspec.convert(one, Json) for one in (bill, reply["bill"]))
    assert kept["visit_no"] == "V-1"
    lines = [msgspec.convert(one["lines"], list[Json]) for one in (sent, kept)]
    for given, shown_line in zip(*lines, strict=True):
        assert (shown_line["item"], shown_line["amount"]) == (given["item"], given["amount"])
        for name in ("quantity", "price"):
            assert float(str(shown_line[name])) == float(str(given[name]))
    assert (await order(counter, reply)).json == reply.json
    again = await shown(counter, order_no="A-1", bill=kept)
    assert again.json == reply.json
    assert "bill" not in (await looked_up(counter, reply)).json  # what was done to a patient is not for the picture


async def test_split_is_that_of_the_card_that_is_asked_about_and_nothing_is_stored(counter: Api) -> None:
    reply = await shown(counter)
    before, answers = await counter.books(), await counter.sql.fetchval("SELECT count(*) FROM answer")
    mine, others = [by_card(await looked_up(counter, reply, card=card)) for card in (0, 1)]
    assert await counter.books() == before
    assert await counter.sql.fetchval("SELECT count(*) FROM answer") == answers
    for preview in (mine, others):
        assert (preview["would_be_refused"], preview["code"], preview["must_confirm"]) == (False, None, False)
    funds = [msgspec.convert(preview["medical"], dict[str, object])["fund"] for preview in (mine, others)]
    assert funds[1] == 0 != funds[0]  # whose deductible is not used up gets nothing yet
    paid = await agreed(counter, reply)
    assert (paid.status, paid["status"], paid["mode"]) == (201, "captured", "scan_order"), paid.body
    assert (paid["medical"], paid["tenders"]) == (mine["medical"], mine["tenders"])
    assert sum(tenders_of(paid).values()) == TOTAL
    assert await used(counter) == Used((await used(counter)).year, DEDUCTIBLE, tenders_of(paid)["pool_fund"])
    after = await looked_up(counter, reply)
    assert (after["status"], by_card(after)["code"]) == ("paid", "order-already-paid")
    await verified(counter)


async def test_without_a_card_the_answer_is_about_the_order_alone(counter: Api) -> None:
    reply = await shown(counter)
    code = quote(str(reply["qr_text"]), safe="")
    assert "by_card" not in (await counter.get(f"/v1/orders/lookup?code={code}", caller="channel")).json


async def test_page_takes_the_bill_along(counter: Api) -> None:
    reply = await shown(counter, order_no="A-1")
    path = f"/q/o/{token_of(reply)}"
    assert led_back(await pay(counter, path, amount=TOTAL), path) == ""
    (paid,) = (await counter.get("/v1/payments?order_no=A-1")).items
    assert (paid["mode"], paid["status"]) == ("cashier", "captured")
    assert msgspec.convert(paid["medical"], Json)["total"] == TOTAL
    assert (await used(counter)).fund > 0


async def test_what_a_card_could_not_pay_is_said_before(counter: Api) -> None:
    plain = {"amount": 500_000, "bill": None}
    too_much = by_card(await looked_up(counter, await shown(counter, **plain)))
    assert (too_much["would_be_refused"], too_much["code"], too_much["tenders"]) == (True, "insufficient-funds", [])
    await give_password(counter)
    waiting = await shown(counter, **{**plain, "amount": 100_001})
    assert by_card(await looked_up(counter, waiting))["must_confirm"] is True
    assert (await counter.post(f"{counter.card_path()}/loss-report", caller="channel")).status == 200
    assert by_card(await looked_up(counter, waiting))["code"] == "card-reported-lost"
    assert await counter.sql.fetchval("SELECT count(*) FROM payment") == 0


async def test_card_that_there_is_not_and_callers_that_hold_none(counter: Api) -> None:
    reply = await shown(counter)
    unknown = await looked_up(counter, reply, card=nobodys_id(IdKind.CARD))
    assert (unknown.refused, unknown.pointers) == ((404, "not-found"), ["/card_id"])
    for malformed in ("card_1", "", nobodys_id(IdKind.PAYMENT)):
        refused = await looked_up(counter, reply, card=malformed)
        assert (refused.refused, refused.pointers) == ((400, "field-invalid"), ["/card_id"])
    for caller in ("merchant-0", "bank-0", "operator"):
        assert (await looked_up(counter, reply, caller=caller)).refused == (404, "not-found")


async def test_another_bill_of_the_same_amount_is_another_version(counter: Api) -> None:
    first = await shown(counter, order_no="A-1")
    second = await shown(counter, order_no="A-1", bill=wire_bill(SAME_TOTAL))
    assert (second["version"], second["amount"]) == (2, first["amount"])
    assert (await order(counter, second)).json == second.json
    third = await shown(counter, order_no="A-1", bill=None)
    assert (await order(counter, third)).json == third.json
    assert (third["version"], "bill" in third.json) == (3, False)


async def test_bill_that_was_read_before_another_was_shown_pays_nothing(counter: Api) -> None:
    reply = await shown(counter, order_no="A-1")
    (row,) = await counter.sql.fetch("SELECT token FROM pay_order")
    seen = await load_order_by_token(counter.node.pool, row["token"])
    assert seen is not None
    await shown(counter, order_no="A-1", bill=wire_bill(SAME_TOTAL))
    channel = CallerId(an_id(IdKind.CHANNEL))
    wanted = CardAgreed(channel=channel, card=counter.world.cards[0], amount=TOTAL, password=None)
    outcome = await counter.node.ledger.submit(
        pay_by_card(seen.order, wanted, key="k", trace_id="t", ids=counter.node.ids)
    )
    assert outcome.answer.refusal == Refusal.ORDER_AMOUNT_CHANGED.value
    paid = await agreed(counter, reply)
    assert (paid.status, msgspec.convert(paid["medical"], Json)["own_pay"]) == (201, TOTAL)


async def test_agencys_bill_is_paid_by_the_order_that_names_it(counter: Api) -> None:
    agency = await an_agency(counter.sql, counter.world)
    bill_no = await a_bill(counter.sql, agency)
    await give_password(counter)
    reply = await premium(counter, bill_no, order_no="A-1")
    assert (reply.status, reply["bill_no"], "bill" in reply.json) == (201, bill_no, False)
    preview = await looked_up(counter, reply)
    assert (preview["bill_no"], by_card(preview)["must_confirm"]) == (bill_no, True)
    waiting = await agreed(counter, reply)
    assert (waiting["status"], waiting["bill_no"]) == ("awaiting_user", bill_no)
    assert await owed_to(counter, agency) == 0
    paid = await confirm(counter, waiting["id"], caller="channel")
    assert (paid.status, paid["status"]) == (200, "captured"), paid.body
    assert await owed_to(counter, agency) == 500
    assert await counter.sql.fetchval("SELECT state FROM bill WHERE bill_no = $1", bill_no) == BillState.PAID


async def test_agencys_bill_is_paid_at_once_with_the_password(counter: Api) -> None:
    agency = await an_agency(counter.sql, counter.world)
    await give_password(counter)
    reply = await premium(counter, await a_bill(counter.sql, agency), order_no="A-1")
    paid = await agreed(counter, reply, password_block=await entered(counter, "A-1"))
    assert (paid.status, paid["status"]) == (201, "captured"), paid.body
    assert await owed_to(counter, agency) == 500


async def test_order_for_a_bill_that_cannot_be_paid_is_not_shown(counter: Api) -> None:
    agency = await an_agency(counter.sql, counter.world)
    paid = await a_bill(counter.sql, agency)
    assert (await counter.pay(bill_no=paid)).status == 201
    withdrawn = await a_bill(counter.sql, agency, state=BillState.WITHDRAWN)
    refused = [await premium(counter, bill_no) for bill_no in (paid, withdrawn, "nobodys")]
    assert [reply.refused for reply in refused] == [(409, "bill-already-paid"), *[(404, "not-found")] * 2]
    assert all(reply.pointers == ["/bill_no"] for reply in refused)
    open_bill = await a_bill(counter.sql, agency)
    other_amount = await premium(counter, open_bill, amount=501)
    assert (other_amount.code, other_amount.pointers) == ("amount-mismatch", ["/amount"])
    await advance(counter, 86_400)
    late = await premium(counter, open_bill)
    assert (late.code, late.pointers) == ("bill-expired", ["/bill_no"])
    assert await counter.sql.fetchval("SELECT count(*) FROM pay_order") == 0


async def test_bill_that_only_one_cardholder_may_pay(counter: Api) -> None:
    agency = await an_agency(counter.sql, counter.world)
    reply = await premium(counter, await a_bill(counter.sql, agency, card=counter.world.cards[1]))
    assert by_card(await looked_up(counter, reply, card=0))["code"] == "relative-not-linked"
    assert by_card(await looked_up(counter, reply, card=1))["code"] is None


def line(**changes: object) -> Sequence[Json]:
    """One line of a bill, with *changes*."""
    return ({"item": "DRUG-1", "quantity": "1", "price": "5.00"} | changes,)


@pytest.mark.parametrize(
    ("changes", "refused", "pointers"),
    [
        ({"amount": TOTAL + 1}, (422, "amount-not-balanced"), ["/amount"]),
        ({"bill": {"lines": line(amount=499)}}, (422, "amount-not-balanced"), ["/bill/lines/0/amount"]),
        ({"bill": {"lines": line(quantity="0")}}, (422, "bill-invalid"), ["/bill/lines/0/quantity"]),
        ({"bill": {"lines": line(quantity="-1")}}, (400, "field-invalid"), ["/bill/lines/0/quantity"]),
        ({"bill": {"lines": []}}, (400, "field-invalid"), ["/bill/lines"]),
        ({"bill_no": "B-1"}, (400, "field-invalid"), ["/bill"]),
        ({"scenario": "small_payment"}, (400, "field-invalid"), ["/bill"]),
        ({"scenario": "premium", "bill": None}, (400, "field-invalid"), ["/bill_no"]),
        ({"items": [{"name": "a", "amount": TOTAL - 1}]}, (422, "amount-not-balanced"), ["/items"]),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_order_with_a_wrong_bill_is_not_shown(
    counter: Api, changes: Json, refused: tuple[int, str], pointers: list[str]
) -> None:
    reply = await counter.post("/v1/orders", an_order(**changes))
    assert (reply.refused, reply.pointers) == (refused, pointers)
    assert await counter.sql.fetchval("SELECT count(*) FROM pay_order") == 0


async def test_item_that_no_plan_knows_is_told_to_whoever_would_pay(counter: Api) -> None:
    reply = await shown(counter, amount=500, bill={"lines": line(item="NOBODYS")})
    assert by_card(await looked_up(counter, reply))["code"] == "bill-invalid"
    refused = await agreed(counter, reply)
    assert (refused.code, refused.pointers) == ("bill-invalid", ["/bill/lines/0/item"])
    assert (await order(counter, reply))["status"] == "open"


async def test_same_key_with_another_bill_is_refused(counter: Api) -> None:
    body, key = an_order(), a_key()
    first = await counter.post("/v1/orders", body, key=key)
    assert (await counter.post("/v1/orders", body, key=key)).body == first.body
    other = await counter.post("/v1/orders", body | {"bill": wire_bill(SAME_TOTAL)}, key=key)
    assert (other.refused, other.pointers) == ((422, "idempotency-key-reused"), ["/bill"])
