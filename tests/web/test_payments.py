"""Paying: what an answer says, what is paid from where, and what becomes of an attempt that fails."""

import asyncio
import re
from datetime import datetime, timedelta

import pytest

from engine.core.calendar import cut_over_of
from engine.core.ids import id_text
from tests.web.api import BANK_ALLOWANCE, PERSONAL_ACCOUNT, Api, a_key

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAY = "/v1/payments"
EVERYTHING = PERSONAL_ACCOUNT + BANK_ALLOWANCE
FIELDS = {
    *("id", "status", "order_no", "amount", "currency", "scenario", "mode", "tenders", "captured_amount"),
    *("refunded_amount", "merchant_id", "terminal_id", "region", "business_date", "cycle", "next_cutoff"),
    *("clearing_status", "expires_at", "created_at", "cashier_text"),
}


async def spare(api: Api, card: int) -> tuple[int, int]:
    """What a card's personal account still has, and what its bank still allows today."""
    row = await api.sql.fetchrow("SELECT * FROM payer WHERE id = $1", api.world.cards[card])
    assert row is not None
    return (row["credits_posted"] - row["debits_posted"] - row["debits_pending"], row["bank_allowance"] - row["spent"])


async def test_answer_says_all_that_is_promised(city: Api) -> None:
    sent = city.payment(scenario="outpatient", description="门诊")
    paid = (await city.pay(sent)).json
    assert set(paid) >= FIELDS
    assert re.fullmatch(r"pay_[0-9a-hjkmnp-tv-z]{26}", str(paid["id"]))
    control = await city.node.reads.business_now()
    assert {
        "status": "captured",
        "order_no": sent["order_no"],
        "amount": 500,
        "currency": "CNY",
        "scenario": "outpatient",
        "mode": "show_code",
        "tenders": [{"kind": "personal_account", "amount": 500}],
        "captured_amount": 500,
        "refunded_amount": 0,
        "merchant_id": id_text(city.world.merchants[0]),
        "terminal_id": "T-01",
        "region": "110101",
        "business_date": str(control.control.business_date),
        "clearing_status": "uncleared",
        "expires_at": None,
        "description": "门诊",
        "cashier_text": {"zh": "支付成功", "en": "Paid"},
    }.items() <= paid.items()
    assert cut_over_of(control.control.business_date) == datetime.fromisoformat(str(paid["next_cutoff"]))
    assert str(paid["created_at"]).endswith("Z")
    assert f"{control.control.business_date:%Y%m%d}-01" == paid["cycle"]


async def test_payment_is_read_back_as_it_was_answered(city: Api) -> None:
    paid = await city.pay()
    assert paid.json == (await city.get(f"{PAY}/{paid['id']}")).json


async def test_personal_account_pays_first_and_the_bank_card_the_rest(city: Api) -> None:
    paid = await city.pay(card=1, amount=PERSONAL_ACCOUNT + 1)
    assert paid["tenders"] == [
        {"kind": "personal_account", "amount": PERSONAL_ACCOUNT},
        {"kind": "bank_card", "amount": 1},
    ]
    assert await spare(city, 1) == (0, BANK_ALLOWANCE - 1)


async def test_last_fen_can_be_spent_and_no_more(city: Api) -> None:
    sent = city.payment(card=2, amount=EVERYTHING + 1)
    assert (await city.pay(sent)).refused == (402, "insufficient-funds")
    assert (await city.pay(sent | {"amount": EVERYTHING})).status == 201
    assert await spare(city, 2) == (0, 0)
    assert (await city.pay(card=2, amount=1)).refused == (402, "insufficient-funds")


async def test_declined_attempt_changes_nothing_but_the_record(city: Api) -> None:
    before = await city.books()
    sent = city.payment(amount=10_000_000)
    declined = await city.pay(sent)
    assert declined.refused == (402, "insufficient-funds")
    assert before == await city.books()

    seen = await city.get(f"{PAY}/{declined['payment_id']}")
    assert (seen["status"], seen["declined_code"], seen["tenders"]) == ("declined", "insufficient-funds", [])
    assert (seen["captured_amount"], seen["refunded_amount"], seen["cycle"]) == (0, 0, None)
    assert [seen.json] == (await city.get(f"{PAY}?order_no={sent['order_no']}")).items


async def test_declined_attempt_leaves_its_order_number_free(city: Api) -> None:
    order_no = a_key()
    attempts = [await city.pay(order_no=order_no, amount=amount) for amount in (10_000_000, 20_000_000, 500)]
    assert [reply.status for reply in attempts] == [402, 402, 201]
    listed = (await city.get(f"{PAY}?order_no={order_no}")).items
    assert [payment["status"] for payment in listed] == ["captured", "declined", "declined"]


@pytest.mark.parametrize("operation", ["capture", "void", "refunds"])
async def test_nothing_can_be_done_with_a_declined_attempt(city: Api, operation: str) -> None:
    declined = (await city.pay(amount=10_000_000))["payment_id"]
    body = {"refund_no": "R", "amount": 1} if operation == "refunds" else {}
    assert (await city.post(f"{PAY}/{declined}/{operation}", body)).refused == (409, "payment-state-conflict")


async def test_many_at_once_spend_no_more_than_there_is(city: Api) -> None:
    payments = (city.pay(card=3, amount=EVERYTHING // 20) for _ in range(32))
    replies = await asyncio.gather(*payments)
    assert sorted(reply.status for reply in replies) == [201] * 20 + [402] * 12
    assert await spare(city, 3) == (0, 0)


async def test_two_tills_cannot_charge_one_order_twice(city: Api) -> None:
    order_no = a_key()
    replies = await asyncio.gather(*(city.pay(order_no=order_no, card=4 + n % 2) for n in range(12)))
    assert (
        sorted((reply.refused for reply in replies), key=lambda refused: refused[0])
        == [(201, None)] + [(409, "order-already-paid")] * 11
    )
    assert {("/order_no",)} == {tuple(reply.pointers) for reply in replies if reply.status == 409}


async def test_order_numbers_are_each_merchants_own(city: Api) -> None:
    order_no = a_key()
    replies = [await city.pay(order_no=order_no, caller=caller) for caller in ("merchant-0", "merchant-1")]
    assert [reply.status for reply in replies] == [201, 201]


@pytest.mark.parametrize(
    ("capture", "operation", "slug"),
    [
        (True, None, "order-already-paid"),
        (False, None, "order-already-paid"),
        (False, "capture", "order-already-paid"),
        (False, "void", "order-number-used"),
        (True, "refunds", "order-number-used"),
    ],
)
async def test_order_number_is_claimed_for_ever(city: Api, capture: bool, operation: str | None, slug: str) -> None:
    order_no = a_key()
    payment = await city.paid(order_no=order_no, capture=capture)
    if operation is not None:
        body = {"refund_no": "R", "amount": 500} if operation == "refunds" else {}
        assert (await city.post(f"{payment}/{operation}", body)).status in (200, 201)
    reply = await city.pay(order_no=order_no)
    assert (reply.refused, reply.pointers) == ((409, slug), ["/order_no"])


async def test_order_number_is_told_before_what_is_wrong_with_the_code(city: Api) -> None:
    paid = city.payment()
    await city.pay(paid)
    assert (await city.pay(order_no=paid["order_no"], pay_code="1")).code == "order-already-paid"


async def test_authorization_reserves_and_says_until_when(city: Api) -> None:
    before = await spare(city, 5)
    held = await city.pay(card=5, capture=False, hold_s=60)
    assert (held["status"], held["captured_amount"], held["cycle"]) == ("authorized", 0, None)
    assert held["tenders"] == [{"kind": "personal_account", "amount": 500}]
    lasts = datetime.fromisoformat(str(held["expires_at"])) - datetime.fromisoformat(str(held["created_at"]))
    assert timedelta(seconds=60) == lasts
    assert (before[0] - 500, before[1]) == await spare(city, 5)
    assert held["cashier_text"] == {"zh": "已预授权", "en": "Authorized"}


async def test_hold_lasts_a_quarter_of_an_hour_unless_said_otherwise(city: Api) -> None:
    held = await city.pay(capture=False)
    lasts = datetime.fromisoformat(str(held["expires_at"])) - datetime.fromisoformat(str(held["created_at"]))
    assert timedelta(seconds=900) == lasts


@pytest.mark.parametrize(
    ("scenario", "hold_s", "status"), [("outpatient", 30 * 86_400, 201), ("pharmacy", 604_801, 400)]
)
async def test_how_long_a_hold_may_last_depends_on_the_scenario(
    city: Api, scenario: str, hold_s: int, status: int
) -> None:
    assert (await city.pay(scenario=scenario, hold_s=hold_s, capture=False)).status == status


async def test_capture_takes_all_of_a_hold(city: Api) -> None:
    captured = await city.post(f"{await city.paid(capture=False)}/capture")
    assert (captured["status"], captured["captured_amount"], captured["expires_at"]) == ("captured", 500, None)
    assert captured["cycle"] is not None


async def test_capture_of_a_part_releases_the_rest(city: Api) -> None:
    before = await spare(city, 5)
    payment = await city.paid(card=5, capture=False)
    captured = await city.post(f"{payment}/capture", {"amount": 300})
    assert (captured["status"], captured["amount"], captured["captured_amount"]) == ("captured", 500, 300)
    assert captured["tenders"] == [{"kind": "personal_account", "amount": 300}]
    assert (before[0] - 300, before[1]) == await spare(city, 5)


async def test_hold_can_be_taken_in_parts(city: Api) -> None:
    payment = await city.paid(capture=False)
    parts = [await city.post(f"{payment}/capture", {"amount": 200, "final": False}) for _ in range(2)]
    assert [(part["status"], part["captured_amount"]) for part in parts] == [("authorized", 200), ("authorized", 400)]
    over = await city.post(f"{payment}/capture", {"amount": 101, "final": False})
    assert (over.refused, over.pointers) == ((422, "capture-exceeds-authorization"), ["/amount"])
    last = await city.post(f"{payment}/capture")
    assert (last["status"], last["captured_amount"]) == ("captured", 500)


async def test_capture_takes_no_more_than_is_held(city: Api) -> None:
    payment = await city.paid(capture=False)
    over = await city.post(f"{payment}/capture", {"amount": 501})
    assert (over.refused, over.pointers) == ((422, "capture-exceeds-authorization"), ["/amount"])
    assert (await city.get(payment))["status"] == "authorized"


async def test_captures_at_once_take_no_more_than_is_held(city: Api) -> None:
    payment = await city.paid(capture=False)
    body = {"amount": 100, "final": False}
    replies = await asyncio.gather(*(city.post(f"{payment}/capture", body) for _ in range(12)))
    assert sorted(reply.status for reply in replies)[:5] == [200] * 5
    assert {409, 422} >= {reply.status for reply in replies if reply.status != 200}
    assert (await city.get(payment))["captured_amount"] == 500


async def test_void_lets_go_of_a_hold(city: Api) -> None:
    before = await spare(city, 5)
    payment = await city.paid(card=5, capture=False)
    voided = await city.post(f"{payment}/void")
    assert (
        voided["status"],
        voided["captured_amount"],
        voided["cashier_text"],
    ) == ("voided", 0, {"zh": "已撤销", "en": "Voided"})
    assert before == await spare(city, 5)


async def test_void_leaves_what_was_captured(city: Api) -> None:
    payment = await city.paid(capture=False)
    await city.post(f"{payment}/capture", {"amount": 200, "final": False})
    voided = await city.post(f"{payment}/void")
    assert (voided["status"], voided["captured_amount"]) == ("captured", 200)


@pytest.mark.parametrize(
    ("first", "second"), [("capture", "capture"), ("capture", "void"), ("void", "capture"), ("void", "void")]
)
async def test_hold_is_resolved_once(city: Api, first: str, second: str) -> None:
    payment = await city.paid(capture=False)
    assert (await city.post(f"{payment}/{first}")).status == 200
    assert (await city.post(f"{payment}/{second}")).refused == (409, "payment-state-conflict")


async def test_hold_is_resolved_once_when_all_come_at_once(city: Api) -> None:
    payment = await city.paid(capture=False)
    replies = await asyncio.gather(*(city.post(f"{payment}/{('capture', 'void')[n % 2]}") for n in range(12)))
    assert sorted(reply.status for reply in replies) == [200] + [409] * 11
