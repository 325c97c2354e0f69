"""Cancelling an order: whatever became of it, afterwards it is not paid, and nothing that comes later pays it."""

import asyncio

import pytest

from tests.web.api import Api, Reply, a_key

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def cancel(api: Api, order_no: object, *, caller: str = "merchant-0") -> Reply:
    """Cancel an order."""
    return await api.post("/v1/payments/cancel", {"order_no": order_no}, caller=caller)


def status_of(reply: Reply) -> object:
    """The state of the payment in an answer."""
    payment = reply["payment"]
    assert isinstance(payment, dict)
    return payment["status"]


async def test_captured_payment_is_given_back(city: Api) -> None:
    sent = city.payment()
    paid = await city.pay(sent)
    cancelled = await cancel(city, sent["order_no"])
    assert (200, sent["order_no"], "refunded") == (cancelled.status, cancelled["order_no"], cancelled["outcome"])
    seen = await city.get(f"/v1/payments/{paid['id']}")
    assert (cancelled["payment"], "refunded", 500) == (seen.json, seen["status"], seen["refunded_amount"])
    assert [refund["amount"] for refund in (await city.get(f"/v1/payments/{paid['id']}/refunds")).items] == [500]


async def test_hold_is_let_go(city: Api) -> None:
    sent = city.payment(capture=False)
    await city.pay(sent)
    cancelled = await cancel(city, sent["order_no"])
    assert (cancelled["outcome"], status_of(cancelled)) == ("voided", "voided")


async def test_part_that_was_captured_is_given_back_and_the_rest_let_go(city: Api) -> None:
    sent = city.payment(capture=False)
    paid = await city.pay(sent)
    await city.post(f"/v1/payments/{paid['id']}/capture", {"amount": 200, "final": False})
    cancelled = await cancel(city, sent["order_no"])
    assert (cancelled["outcome"], status_of(cancelled)) == ("refunded", "refunded")
    assert (await city.get(f"/v1/payments/{paid['id']}"))["refunded_amount"] == 200


async def test_what_is_left_of_a_refunded_payment_is_given_back(city: Api) -> None:
    sent = city.payment()
    paid = await city.pay(sent)
    await city.post(f"/v1/payments/{paid['id']}/refunds", {"refund_no": "R", "amount": 200})
    assert (await cancel(city, sent["order_no"]))["outcome"] == "refunded"
    assert (await city.get(f"/v1/payments/{paid['id']}"))["refunded_amount"] == 500


async def test_order_that_never_came_leaves_a_tombstone(city: Api) -> None:
    order_no = a_key()
    cancelled = await cancel(city, order_no)
    assert {"order_no": order_no, "outcome": "nothing_to_cancel"} == cancelled.json
    late = await city.pay(order_no=order_no)
    assert (late.refused, late.pointers) == ((409, "order-cancelled"), ["/order_no"])
    assert (await city.pay(order_no=order_no, caller="merchant-1")).status == 201


async def test_declined_order_leaves_a_tombstone_as_well(city: Api) -> None:
    order_no = a_key()
    assert (await city.pay(order_no=order_no, amount=10_000_000)).status == 402
    assert (await cancel(city, order_no))["outcome"] == "nothing_to_cancel"
    assert (await city.pay(order_no=order_no)).refused == (409, "order-cancelled")


@pytest.mark.parametrize("capture", [True, False])
async def test_cancelling_again_finds_nothing_left(city: Api, capture: bool) -> None:
    sent = city.payment(capture=capture)
    await city.pay(sent)
    await cancel(city, sent["order_no"])
    again = await cancel(city, sent["order_no"])
    assert (again.status, again["outcome"]) == (200, "nothing_to_cancel")
    assert (await city.pay(order_no=sent["order_no"])).refused == (409, "order-number-used")


async def test_another_merchants_order_is_not_touched(city: Api) -> None:
    sent = city.payment()
    paid = await city.pay(sent)
    assert (await cancel(city, sent["order_no"], caller="merchant-1"))["outcome"] == "nothing_to_cancel"
    assert (await city.get(f"/v1/payments/{paid['id']}"))["status"] == "captured"


@pytest.mark.parametrize("order_no", ["", "A 1", "x" * 65, "Ａ", 1, None, ["A"]])
async def test_order_number_is_read_strictly(city: Api, order_no: object) -> None:
    reply = await cancel(city, order_no)
    assert (reply.refused, reply.pointers) == ((400, "field-invalid"), ["/order_no"])


async def test_order_is_not_paid_however_payment_and_cancel_meet(city: Api) -> None:
    for turn in range(16):
        sent = city.payment()
        pay, stop = city.pay(sent), cancel(city, sent["order_no"])
        paid, cancelled = await asyncio.gather(pay, stop) if turn % 2 else reversed(await asyncio.gather(stop, pay))
        listed = (await city.get(f"/v1/payments?order_no={sent['order_no']}")).items
        if paid.status == 201:
            assert (cancelled["outcome"], [payment["status"] for payment in listed]) == ("refunded", ["refunded"])
        else:
            assert (paid.code, cancelled["outcome"], listed) == ("order-cancelled", "nothing_to_cancel", [])


async def test_two_cancels_at_once_give_back_once(city: Api) -> None:
    sent = city.payment()
    paid = await city.pay(sent)
    replies = await asyncio.gather(*(cancel(city, sent["order_no"]) for _ in range(8)))
    assert sorted(str(reply["outcome"]) for reply in replies) == ["nothing_to_cancel"] * 7 + ["refunded"]
    assert (await city.get(f"/v1/payments/{paid['id']}"))["refunded_amount"] == 500
