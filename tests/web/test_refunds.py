"""Giving back: never more than was taken, whoever asks at once, and each under its own number."""

import asyncio

import pytest

from tests.web.api import PERSONAL_ACCOUNT, Api, Json, a_key

pytestmark = pytest.mark.asyncio(loop_scope="module")


def a_refund(amount: int = 100, **changes: object) -> Json:
    """The body of a valid refund."""
    return {"refund_no": a_key(), "amount": amount} | changes


async def test_refund_is_answered_as_promised(city: Api) -> None:
    payment = await city.paid()
    refund = await city.post(f"{payment}/refunds", {"refund_no": "R-1", "amount": 200, "reason": "退一盒"})
    seen = await city.get(payment)
    assert refund.status == 201
    assert {
        "payment_id": seen["id"],
        "refund_no": "R-1",
        "amount": 200,
        "tenders": [{"kind": "personal_account", "amount": 200}],
        "status": "refunded",
        "reason": "退一盒",
        "business_date": seen["business_date"],
    }.items() <= refund.json.items()
    assert {"id", "created_at"} == set(refund.json) - {
        *("payment_id", "refund_no", "amount", "tenders", "status", "reason", "business_date")
    }
    assert (seen["status"], seen["captured_amount"], seen["refunded_amount"]) == ("partially_refunded", 500, 200)


async def test_refund_of_the_rest_ends_the_payment(city: Api) -> None:
    payment = await city.paid()
    for amount in (499, 1):
        assert (await city.post(f"{payment}/refunds", a_refund(amount))).status == 201
    assert (await city.get(payment))["status"] == "refunded"
    assert (await city.post(f"{payment}/refunds", a_refund(1))).refused == (409, "payment-state-conflict")


async def test_tenders_of_all_refunds_make_up_those_of_the_payment(city: Api) -> None:
    await city.paid(card=1, amount=5_000)
    account = PERSONAL_ACCOUNT - 5_000
    payment = await city.paid(card=1, amount=account + 1_000)
    refunds = [await city.post(f"{payment}/refunds", a_refund(amount)) for amount in (400, 700, account - 100)]
    given: dict[object, int] = {}
    for refund in refunds:
        for tender in refund["tenders"] if isinstance(refund["tenders"], list) else []:
            given[tender["kind"]] = given.get(tender["kind"], 0) + tender["amount"]
    assert given == {"personal_account": account, "bank_card": 1_000}


async def test_refunded_personal_account_can_pay_again(city: Api) -> None:
    payment = await city.paid(card=2, amount=PERSONAL_ACCOUNT)
    await city.post(f"{payment}/refunds", a_refund(PERSONAL_ACCOUNT))
    again = await city.pay(card=2, amount=PERSONAL_ACCOUNT)
    assert again["tenders"] == [{"kind": "personal_account", "amount": PERSONAL_ACCOUNT}]


async def test_refund_of_more_than_was_taken_is_refused(city: Api) -> None:
    payment = await city.paid()
    for amount, status in ((501, 422), (300, 201), (201, 422)):
        reply = await city.post(f"{payment}/refunds", a_refund(amount))
        assert reply.status == status
        assert status == 201 or (reply.code, reply.pointers) == ("refund-exceeds-payment", ["/amount"])


async def test_refund_is_of_what_was_captured_not_of_what_was_authorized(city: Api) -> None:
    payment = await city.paid(capture=False)
    await city.post(f"{payment}/capture", {"amount": 300})
    assert (await city.post(f"{payment}/refunds", a_refund(301))).code == "refund-exceeds-payment"
    assert (await city.post(f"{payment}/refunds", a_refund(300)))["amount"] == 300


async def test_refunds_at_once_give_back_no_more_than_was_taken(city: Api) -> None:
    payment = await city.paid(amount=500)
    replies = await asyncio.gather(*(city.post(f"{payment}/refunds", a_refund(100)) for _ in range(64)))
    assert sorted(reply.status for reply in replies)[:5] == [201] * 5
    assert {(422, "refund-exceeds-payment"), (409, "payment-state-conflict")} >= {
        reply.refused for reply in replies if reply.status != 201
    }
    seen = await city.get(payment)
    assert (seen["status"], seen["refunded_amount"]) == ("refunded", 500)
    assert len((await city.get(f"{payment}/refunds")).items) == 5


async def test_refund_number_is_good_once_a_payment(city: Api) -> None:
    one, another = [await city.paid() for _ in range(2)]
    body = a_refund()
    assert (await city.post(f"{one}/refunds", body)).status == 201
    reused = await city.post(f"{one}/refunds", body)
    assert (reused.refused, reused.pointers) == ((409, "order-number-used"), ["/refund_no"])
    assert (await city.post(f"{another}/refunds", body)).status == 201


async def test_same_refund_number_at_once_gives_back_once(city: Api) -> None:
    payment = await city.paid()
    body = a_refund()
    replies = await asyncio.gather(*(city.post(f"{payment}/refunds", body) for _ in range(8)))
    assert sorted(reply.status for reply in replies) == [201] + [409] * 7
    assert (await city.get(payment))["refunded_amount"] == 100


async def test_refund_that_was_refused_leaves_its_number_free(city: Api) -> None:
    payment = await city.paid()
    assert (await city.post(f"{payment}/refunds", {"refund_no": "R", "amount": 501})).status == 422
    assert (await city.post(f"{payment}/refunds", {"refund_no": "R", "amount": 500})).status == 201


@pytest.mark.parametrize("state", ["authorized", "voided"])
async def test_what_was_not_captured_cannot_be_given_back(city: Api, state: str) -> None:
    payment = await city.paid(capture=False)
    if state == "voided":
        await city.post(f"{payment}/void")
    assert (await city.post(f"{payment}/refunds", a_refund())).refused == (409, "payment-state-conflict")


@pytest.mark.parametrize("refund_no", ["", "R 1", "R" * 65, "Ｒ１", "$cancel", 1, None])
async def test_refund_number_is_read_strictly(city: Api, refund_no: object) -> None:
    reply = await city.post(f"{await city.paid()}/refunds", a_refund(refund_no=refund_no))
    assert (reply.refused, reply.pointers) == ((400, "field-invalid"), ["/refund_no"])


async def test_refunds_are_listed_newest_first_page_by_page(city: Api) -> None:
    payment = await city.paid()
    made = [await city.post(f"{payment}/refunds", a_refund(100)) for _ in range(5)]
    pages: list[list[object]] = []
    cursor: object = ""
    while cursor is not None:
        page = await city.get(f"{payment}/refunds?limit=2" + (f"&cursor={cursor}" if cursor else ""))
        pages.append([refund["id"] for refund in page.items])
        cursor = page["next_cursor"]
    newest_first = [refund["id"] for refund in reversed(made)]
    assert [newest_first[:2], newest_first[2:4], newest_first[4:]] == pages


async def test_listed_refund_is_as_it_was_answered(city: Api) -> None:
    payment = await city.paid()
    refund = await city.post(f"{payment}/refunds", a_refund(reason="x"))
    assert [refund.json] == (await city.get(f"{payment}/refunds")).items


async def test_payment_without_refunds_has_an_empty_list(city: Api) -> None:
    assert (await city.get(f"{await city.paid()}/refunds")).json == {"items": [], "next_cursor": None}
