"""The day's limits of a bank card as a till meets them; and what the cashier is told, and until when."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from engine.core.payer import LIMIT_A_DAY_FEN, LIMIT_UNCONFIRMED_A_DAY_FEN, TenderOrder
from tests.web.api import Api, Json, Reply, a_key
from tests.web.counter import (
    a_bill_payment,
    advance,
    confirm,
    entered,
    give_password,
    open_counter,
    tenders_of,
    verified,
)

DAY_S = 86_400


@pytest.fixture
async def till(api: Api) -> Api:
    """Cardholders as most are, who pay by bank card alone; their banks let them spend all that the limits do."""
    for card in (0, 1):
        await give_password(api, card)
    await api.sql.execute(
        "UPDATE payer SET tender_order = $1, limit_a_day = $2, bank_allowance = $3",
        TenderOrder.BANK_CARD_ONLY,
        LIMIT_A_DAY_FEN,
        10 * LIMIT_A_DAY_FEN,
    )
    return api


async def with_password(api: Api, amount: int, **changes: object) -> Reply:
    """A payment whose cardholder has entered the password."""
    order_no = a_key()
    block = await entered(api, order_no)
    return await api.pay(api.payment(amount=amount, order_no=order_no, password_block=block, **changes))


def status(reply: Reply) -> object:
    """What became of a payment."""
    assert reply.status == 201, reply.body
    return reply["status"]


async def cancel(api: Api, reply: Reply) -> None:
    """The order is taken back."""
    assert (await api.post("/v1/payments/cancel", {"order_no": reply["order_no"]})).status == 200


async def test_day_without_passwords_ends_at_its_limit(till: Api) -> None:
    half = LIMIT_UNCONFIRMED_A_DAY_FEN // 2
    assert [status(await till.pay(amount=half)) for _ in range(2)] == ["captured"] * 2
    # One fen more, and the cardholder is asked; with the password it is another limit.
    asked = await till.pay(amount=1)
    assert status(asked) == "awaiting_user"
    assert (await confirm(till, asked["id"]))["status"] == "captured"
    assert status(await with_password(till, 1)) == "captured"
    await verified(till)


async def test_day_ends_at_its_limit_with_passwords_too(till: Api) -> None:
    assert status(await with_password(till, LIMIT_A_DAY_FEN - 100)) == "captured"
    over = await with_password(till, 101)
    assert over.refused == (403, "limit-exceeded")
    stored = await till.get(f"/v1/payments/{over['payment_id']}")
    assert (stored["status"], stored["declined_code"]) == ("declined", "limit-exceeded")
    assert status(await with_password(till, 60)) == "captured"
    assert status(await till.pay(amount=40)) == "captured"
    assert (await till.pay(amount=1)).refused == (403, "limit-exceeded")
    assert status(await till.pay(amount=1, card=1)) == "captured"


async def test_next_business_date_begins_anew(till: Api) -> None:
    assert status(await with_password(till, LIMIT_A_DAY_FEN)) == "captured"
    assert (await till.pay(amount=1)).refused == (403, "limit-exceeded")
    await advance(till, DAY_S)
    assert status(await till.pay(amount=LIMIT_UNCONFIRMED_A_DAY_FEN)) == "captured"


async def test_hold_that_is_let_go_gives_the_day_back_what_it_took(till: Api) -> None:
    held = await till.pay(amount=LIMIT_UNCONFIRMED_A_DAY_FEN, capture=False)
    assert status(await till.pay(amount=1)) == "awaiting_user"
    assert (await till.post(f"/v1/payments/{held['id']}/void"))["status"] == "voided"
    again = await till.pay(amount=LIMIT_UNCONFIRMED_A_DAY_FEN, capture=False)
    assert status(again) == "authorized"
    # A refund is another matter: what was spent that day stays spent.
    await till.post(f"/v1/payments/{again['id']}/capture")
    await cancel(till, again)
    assert status(await till.pay(amount=1)) == "awaiting_user"
    await verified(till)


async def test_hold_of_yesterday_gives_today_nothing(till: Api) -> None:
    held = await till.pay(amount=50_000, capture=False, hold_s=2 * DAY_S)
    await advance(till, DAY_S)
    assert status(await till.pay(amount=60_000)) == "captured"
    assert (await till.post(f"/v1/payments/{held['id']}/void"))["status"] == "voided"
    assert status(await till.pay(amount=40_000)) == "captured"
    assert status(await till.pay(amount=1)) == "awaiting_user"
    await verified(till)


async def test_confirmation_that_does_not_come_takes_nothing_of_the_day(till: Api) -> None:
    waiting = await till.pay(amount=LIMIT_A_DAY_FEN)
    assert status(waiting) == "awaiting_user"
    assert (await till.pay(amount=1)).refused == (403, "limit-exceeded")
    await advance(till, 120)
    assert status(await with_password(till, LIMIT_A_DAY_FEN)) == "captured"


async def test_insured_part_and_account_are_no_part_of_the_day(till: Api) -> None:
    await open_counter(till)
    await till.sql.execute("UPDATE payer SET tender_order = 1, deductible_used = 180000, limit_a_day = 15000")
    paid = await till.pay(a_bill_payment(till))
    assert (status(paid), tenders_of(paid)["bank_card"]) == ("captured", 14_851)
    assert await till.sql.fetchval("SELECT max(spent) FROM payer") == 14_851
    # The account is empty by then but for what is left of it.
    left = 100_000 - tenders_of(paid)["personal_account"]
    assert status(await till.pay(amount=left + 149)) == "captured"
    assert (await till.pay(amount=1)).refused == (403, "limit-exceeded")


async def test_limits_are_exact_however_many_pay_at_once(till: Api) -> None:
    await till.sql.execute("UPDATE payer SET limit_a_day = 10000, limit_unconfirmed = 10000")
    bodies = [till.payment(amount=700) for _ in range(40)]
    replies = await asyncio.gather(*(till.pay(body, caller=f"merchant-{n % 2}") for n, body in enumerate(bodies)))
    paid = [reply for reply in replies if reply.status == 201]
    assert (len(paid), {reply.code for reply in replies if reply.status != 201}) == (14, {"limit-exceeded"})
    assert await till.sql.fetchval("SELECT max(spent) FROM payer") == 14 * 700
    await verified(till)


async def test_refusal_says_nothing_of_the_limit_itself(till: Api) -> None:
    over = await with_password(till, LIMIT_A_DAY_FEN + 1)
    assert str(LIMIT_A_DAY_FEN) not in over.body.decode()
    assert (over["title"], over["retryable"]) == ("The day's limit of this card is exceeded", False)
    zh = await till.pay(amount=LIMIT_A_DAY_FEN + 1, headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"})
    assert (zh["title"], zh["detail"]) == ("超出当日支付限额", "请明日再试或使用其他方式支付")


def resolves_in(reply: Reply) -> timedelta:
    """How long until it resolves itself at the latest."""
    return datetime.fromisoformat(str(reply["resolve_by"])) - datetime.fromisoformat(str(reply["created_at"]))


async def test_everything_that_is_not_final_says_when_it_will_be(till: Api) -> None:
    waiting = await till.pay(amount=LIMIT_UNCONFIRMED_A_DAY_FEN + 1)
    held = await till.pay(amount=1, capture=False, hold_s=77, card=1)
    assert resolves_in(waiting) == timedelta(seconds=120)
    assert resolves_in(held) == timedelta(seconds=77)
    for reply in (waiting, held):
        assert (await till.get(f"/v1/payments/{reply['id']}"))["resolve_by"] == reply["resolve_by"]
    part = await till.post(f"/v1/payments/{held['id']}/capture", {"amount": 1, "final": False})
    assert part["resolve_by"] == held["resolve_by"]
    voided = await till.post(f"/v1/payments/{waiting['id']}/void")
    paid = await till.pay(amount=1, card=1)
    for final in (voided, paid):
        assert "resolve_by" not in final.json
    await advance(till, 77)
    assert "resolve_by" not in (await till.get(f"/v1/payments/{held['id']}")).json
    assert datetime.fromisoformat(str(waiting["resolve_by"])).tzinfo == UTC


@pytest.mark.parametrize(
    ("steps", "texts"),
    [
        pytest.param((), ("等待持卡人确认", "Waiting for the cardholder to confirm"), id="waits"),
        pytest.param(("confirm",), ("支付成功", "Paid"), id="paid"),
        pytest.param(("void",), ("已撤销", "Voided"), id="voided"),
        pytest.param(("time",), ("用户未在规定时间内确认", "The cardholder did not confirm in time"), id="late"),
        pytest.param(("confirm", "refund"), ("已部分退款", "Partially refunded"), id="part back"),
        pytest.param(("confirm", "cancel"), ("已退款", "Refunded"), id="all back"),
    ],
)
async def test_cashier_is_told_in_two_languages(till: Api, steps: tuple[str, ...], texts: tuple[str, str]) -> None:
    payment = await till.pay(amount=LIMIT_UNCONFIRMED_A_DAY_FEN + 1)
    path = f"/v1/payments/{payment['id']}"
    for step in steps:
        match step:
            case "confirm":
                assert (await confirm(till, payment["id"])).status == 200
            case "void":
                assert (await till.post(f"{path}/void")).status == 200
            case "time":
                await advance(till, 120)
            case "refund":
                refund: Json = {"refund_no": "R", "amount": 1}
                assert (await till.post(f"{path}/refunds", refund)).status == 201
            case "cancel":
                await cancel(till, payment)
    assert (await till.get(path))["cashier_text"] == dict(zip(("zh", "en"), texts, strict=True))


async def test_attempt_that_is_declined_tells_the_cashier_why(till: Api) -> None:
    over = await with_password(till, LIMIT_A_DAY_FEN + 1)
    stored = await till.get(f"/v1/payments/{over['payment_id']}")
    assert stored["cashier_text"] == {"zh": "超出当日支付限额", "en": "The day's limit of this card is exceeded"}
