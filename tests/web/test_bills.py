"""Bills over HTTP: an agency sends one, a till has it paid, and both sides see where it stands."""

from datetime import UTC, datetime, timedelta

import pytest

from engine.core.accounts import agency_payable
from engine.core.ids import AgencyId, CallerId, IdKind, id_text, parse_id
from engine.core.participants import AgencyItem
from engine.workers.timetable import instruct_by_hand
from tests.agencies import an_agency
from tests.builders import an_id
from tests.web.api import Api, Json, Reply, a_key, nobodys_id
from tests.web.operators import add_keys


async def add_agencies(api: Api, *names: str, item: AgencyItem = AgencyItem.PREMIUM) -> dict[str, AgencyId]:
    """Register agencies whose callers bear these names."""
    agencies = {name: await an_agency(api.sql, api.world, item=item) for name in names}
    await add_keys(api, {name: CallerId(agency) for name, agency in agencies.items()})
    return agencies


def a_bill(api: Api, **changes: object) -> Json:
    """The body of a bill of the first card's holder."""
    body: Json = {
        "bill_no": a_key(),
        "item": "premium",
        "amount": 500,
        "deadline": in_s(3_600),
        "card_id": id_text(api.world.cards[0]),
        "description": "2026 年度城乡居民基本医疗保险费",
    }
    return body | changes


def in_s(seconds: float) -> str:
    """An instant so many seconds from now."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def billed(api: Api, *, caller: str = "exam", **changes: object) -> str:
    """The number of a bill that was sent."""
    sent = await api.post("/v1/bills", a_bill(api, **changes), caller=caller)
    assert sent.status == 201, sent.body
    return str(sent["bill_no"])


async def bill(api: Api, number: str, *, caller: str = "exam") -> Reply:
    """A bill as its agency sees it."""
    return await api.get(f"/v1/bills/{number}", caller=caller)


async def test_agency_bills_what_it_is_registered_for(api: Api) -> None:
    await add_agencies(api, "training", item=AgencyItem.TRAINING_FEE)
    for item in ("premium", "exam_fee"):
        refused = await api.post("/v1/bills", a_bill(api, item=item), caller="training")
        assert (refused.refused, refused.pointers) == ((400, "field-invalid"), ["/item"])
    assert (await api.get("/v1/bills", caller="training")).items == []
    assert await billed(api, caller="training", item="training_fee")


async def test_bill_is_paid_remitted_and_shown(api: Api) -> None:
    agencies = await add_agencies(api, "exam", item=AgencyItem.EXAM_FEE)
    sent = await api.post("/v1/bills", a_bill(api, bill_no="EXAM-1", item="exam_fee"), caller="exam")
    assert (sent.status, sent["status"], sent["payment_id"]) == (201, "billed", None)
    assert (sent["agency_id"], sent["item"], sent["currency"]) == (id_text(agencies["exam"]), "exam_fee", "CNY")
    paid = await api.pay(bill_no="EXAM-1")
    assert (paid.status, paid["bill_no"], paid["status"]) == (201, "EXAM-1", "captured")
    assert (await api.get(f"/v1/payments/{paid['id']}"))["bill_no"] == "EXAM-1"
    seen = await bill(api, "EXAM-1")
    assert (seen["status"], seen["payment_id"]) == ("paid", paid["id"])
    earned = await api.sql.fetchval(
        "SELECT sum(credits_posted)::bigint FROM balance WHERE account = $1", agency_payable(agencies["exam"])
    )
    assert earned == 500
    cycle = await api.publish()
    await instruct_by_hand(api.node.database_url, cycle=cycle, books=api.node.clearing)
    settling = await api.post(
        f"/v1/clearing/cycles/{str(cycle)[:8]}-{str(cycle)[8:]}/settlement",
        {"status": "confirmed", "reference": "R-1"},
        caller="bank-2",
    )
    assert settling.status == 200, settling.body
    assert (await bill(api, "EXAM-1"))["status"] == "remitted"


async def test_payment_without_a_bill_shows_none(api: Api) -> None:
    paid = await api.pay()
    assert "bill_no" not in paid.json


@pytest.mark.parametrize(
    ("changes", "refused", "pointer"),
    [
        ({"amount": 499}, (422, "amount-mismatch"), "/amount"),
        ({"amount": 501}, (422, "amount-mismatch"), "/amount"),
        ({"bill_no": "nobody-s"}, (404, "not-found"), "/bill_no"),
        ({"capture": False}, (400, "field-invalid"), "/capture"),
        ({"bill_no": "not a number"}, (400, "field-invalid"), "/bill_no"),
        ({"card": 1}, (403, "relative-not-linked"), None),
    ],
    ids=["one fen less", "one fen more", "unknown", "on hold", "malformed", "another person"],
)
async def test_what_does_not_pay_a_bill_leaves_it_open(
    api: Api, changes: Json, refused: tuple[int, str], pointer: str | None
) -> None:
    await add_agencies(api, "exam")
    number = await billed(api)
    paid = await api.pay(api.payment(**({"bill_no": number} | changes)))
    assert paid.refused == refused
    assert paid.pointers == ([pointer] if pointer is not None else [])
    assert (await bill(api, number))["status"] == "billed"
    assert (await api.pay(bill_no=number)).status == 201


async def test_second_payment_is_told_that_the_bill_is_paid(api: Api) -> None:
    await add_agencies(api, "exam")
    number = await billed(api, card_id=None)
    assert (await api.pay(bill_no=number)).status == 201
    assert (await api.pay(bill_no=number, card=1)).refused == (409, "bill-already-paid")


async def test_deadline_is_kept_to_the_moment_and_paying_late_is_refused(api: Api) -> None:
    await add_agencies(api, "exam")
    number = await billed(api, deadline=in_s(3_600))
    assert (await api.post("/v1/sandbox/clock", {"advance_s": 3_600}, caller="operator")).status == 200
    assert (await api.pay(bill_no=number)).refused == (410, "bill-expired")
    assert (await bill(api, number))["status"] == "expired"


async def test_refunded_bill_is_over(api: Api) -> None:
    await add_agencies(api, "exam")
    number = await billed(api)
    paid = await api.pay(bill_no=number)
    given = await api.post(f"/v1/payments/{paid['id']}/refunds", {"refund_no": "R-1", "amount": 500})
    assert given.status == 201
    assert (await bill(api, number))["status"] == "refunded"
    assert (await api.pay(bill_no=number)).refused == (409, "bill-already-paid")


async def test_withdrawn_bill_is_unknown_to_tills(api: Api) -> None:
    await add_agencies(api, "exam")
    number = await billed(api)
    for _ in range(2):
        gone = await api.post(f"/v1/bills/{number}/withdraw", caller="exam")
        assert (gone.status, gone["status"]) == (200, "withdrawn")
    assert (await api.pay(bill_no=number)).refused == (404, "not-found")
    paid = await billed(api)
    await api.pay(bill_no=paid)
    assert (await api.post(f"/v1/bills/{paid}/withdraw", caller="exam")).refused == (409, "bill-already-paid")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"deadline": in_s(-1)}, "/deadline"),
        ({"deadline": "2030-01-01T00:00:00"}, "/deadline"),
        ({"card_id": nobodys_id(IdKind.CARD)}, "/card_id"),
        ({"card_id": "card_1"}, "/card_id"),
        ({"item": "benefit"}, "/item"),
        ({"bill_no": "a/b"}, "/bill_no"),
        ({"amount": 0}, "/amount"),
    ],
)
async def test_bill_that_cannot_be_is_refused(api: Api, changes: Json, pointer: str) -> None:
    await add_agencies(api, "exam")
    refused = await api.post("/v1/bills", a_bill(api, **changes), caller="exam")
    assert (refused.status, refused.pointers) == (400, [pointer])


async def test_number_is_good_once_whoever_uses_it(api: Api) -> None:
    await add_agencies(api, "exam", "premium")
    number = await billed(api)
    assert (await api.post("/v1/bills", a_bill(api, bill_no=number), caller="premium")).refused == (
        409,
        "bill-number-used",
    )


async def test_same_key_is_answered_the_same(api: Api) -> None:
    await add_agencies(api, "exam")
    body, key = a_bill(api), a_key()
    first = await api.post("/v1/bills", body, caller="exam", key=key)
    again = await api.post("/v1/bills", body, caller="exam", key=key)
    assert (again.body, again.is_replay) == (first.body, True)
    other = await api.post("/v1/bills", body | {"amount": 1}, caller="exam", key=key)
    assert other.refused == (422, "idempotency-key-reused")


async def test_payment_under_one_key_names_the_bill_that_differs(api: Api) -> None:
    await add_agencies(api, "exam")
    number = await billed(api)
    body, key = api.payment(), a_key()
    await api.pay(body, key=key)
    other = await api.pay(body | {"bill_no": number}, key=key)
    assert (other.refused, other.pointers) == ((422, "idempotency-key-reused"), ["/bill_no"])


async def test_agencies_see_their_own_bills_newest_first(api: Api) -> None:
    await add_agencies(api, "exam", "premium")
    mine = [await billed(api) for _ in range(3)]
    other = await billed(api, caller="premium")
    page = await api.get("/v1/bills?limit=2", caller="exam")
    rest = await api.get(f"/v1/bills?limit=2&cursor={page['next_cursor']}", caller="exam")
    assert [item["bill_no"] for item in (*page.items, *rest.items)] == mine[::-1]
    assert rest["next_cursor"] is None
    assert (await bill(api, other)).refused == (404, "not-found")
    assert (await api.post(f"/v1/bills/{other}/withdraw", caller="exam")).refused == (404, "not-found")


@pytest.mark.parametrize("caller", ["merchant-0", "bank-0", "operator", "channel"])
async def test_for_others_an_agencys_paths_do_not_exist(api: Api, caller: str) -> None:
    for reply in (
        await api.post("/v1/bills", a_bill(api), caller=caller),
        await api.get("/v1/bills", caller=caller),
        await api.get("/v1/bills/B-1", caller=caller),
        await api.post("/v1/bills/B-1/withdraw", caller=caller),
    ):
        assert reply.refused == (404, "not-found")


async def test_agency_that_is_not_registered_sends_no_bill(api: Api) -> None:
    await add_keys(api, {"stray": CallerId(an_id(IdKind.AGENCY))})
    assert (await api.post("/v1/bills", a_bill(api), caller="stray")).refused == (403, "scope-not-authorized")


async def test_bill_has_an_id_of_its_own(api: Api) -> None:
    await add_agencies(api, "exam")
    seen = await bill(api, await billed(api))
    assert parse_id(str(seen["id"]), IdKind.BILL)
