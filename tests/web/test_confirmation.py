"""A payment that waits for its cardholder's password; and the physical card of the same account, read at a terminal."""

import asyncio
import itertools

import pytest

from engine.core.ids import IdKind, id_text
from engine.core.payer import LIMIT_UNCONFIRMED_A_DAY_FEN, NO_PASSWORD_UP_TO_FEN, PASSWORD_TRIES_MAX
from engine.core.scenarios import PHARMACY
from tests.web.api import BANK_ALLOWANCE, PERSONAL_ACCOUNT, Api, Json, Reply, a_key, nobodys_id
from tests.web.counter import (
    PASSWORD,
    WRONG,
    a_bill_payment,
    advance,
    confirm,
    entered,
    give_number,
    give_password,
    open_counter,
    payment_id,
    postings_of,
    sealer,
    tenders_of,
    used,
    verified,
)

ABOVE = NO_PASSWORD_UP_TO_FEN + 1
CONFIRM_WITHIN_S = 120


@pytest.fixture
async def till(api: Api) -> Api:
    """A till whose first two customers have passwords."""
    for card in (0, 1):
        await give_password(api, card)
    return api


async def waiting(api: Api, amount: int = ABOVE, **changes: object) -> Reply:
    """A payment that waits for its cardholder."""
    reply = await api.pay(api.payment(amount=amount, **changes))
    assert (reply.status, reply["status"]) == (201, "awaiting_user"), reply.body
    return reply


async def by_card(api: Api, number: str, *, password: str = PASSWORD, **changes: object) -> Json:
    """The body of a payment by a physical card."""
    order_no = str(changes.pop("order_no", a_key()))
    block = changes.pop("password_block", None) or await entered(api, order_no, password)
    body = api.payment(pay_code=None, order_no=order_no, card_no=number, password_block=block, **changes)
    del body["pay_code"]
    return body


async def held(api: Api, card: int = 0) -> tuple[int, int]:
    """What is on hold of a personal account, and what the day has taken of the bank card."""
    row = await api.sql.fetchrow("SELECT debits_pending, spent FROM payer WHERE id = $1", api.world.cards[card])
    assert row is not None
    return (row[0], row[1])


async def test_password_is_asked_for_above_the_threshold_and_not_at_it(till: Api) -> None:
    at = await till.pay(amount=NO_PASSWORD_UP_TO_FEN)
    assert (at["status"], "resolve_by" in at.json) == ("captured", False)
    above = await waiting(till, card=1)
    assert above["cashier_text"] == {"zh": "等待持卡人确认", "en": "Waiting for the cardholder to confirm"}
    assert above["resolve_by"] == above["expires_at"]
    assert (above["captured_amount"], above["cycle"]) == (0, None)
    assert await held(till, 1) == (PERSONAL_ACCOUNT, 1)


async def test_cardholders_own_threshold_counts_if_it_is_lower(till: Api) -> None:
    assert PHARMACY.no_password_up_to == NO_PASSWORD_UP_TO_FEN
    await till.sql.execute("UPDATE payer SET no_password_up_to = 20000")
    assert (await till.pay(amount=20_000))["status"] == "captured"
    await waiting(till, 20_001)
    await till.sql.execute("UPDATE payer SET no_password_up_to = 200000")
    await waiting(till, card=1)


async def test_right_password_pays_as_it_was_asked_for(till: Api) -> None:
    before = await waiting(till)
    paid = await confirm(till, before["id"])
    assert (paid.status, paid["status"], paid["captured_amount"]) == (200, "captured", ABOVE), paid.body
    assert "resolve_by" not in paid.json
    assert paid["cycle"] is not None
    assert (await till.get(f"/v1/payments/{paid['id']}")).body == paid.body
    assert await held(till) == (0, 1)
    posted = [posting for posting in await postings_of(till, payment_id(paid)) if posting[0] == "POST"]
    assert [amount for *_, amount in posted] == [PERSONAL_ACCOUNT, 1]
    await verified(till)


async def test_hold_that_is_confirmed_lasts_as_long_as_it_was_asked_for(till: Api) -> None:
    before = await waiting(till, capture=False, hold_s=600)
    on_hold = await confirm(till, before["id"])
    assert on_hold["status"] == "authorized"
    assert str(on_hold["resolve_by"]) > str(before["resolve_by"])
    await advance(till, CONFIRM_WITHIN_S)
    assert (await till.post(f"/v1/payments/{before['id']}/capture"))["status"] == "captured"
    await verified(till)


async def test_app_confirms_as_well_as_the_terminal(till: Api) -> None:
    before = await waiting(till)
    paid = await confirm(till, before["id"], caller="channel")
    assert (paid.status, paid["status"]) == (200, "captured"), paid.body


@pytest.mark.parametrize("caller", ["bank-0", "operator", "agency"])
async def test_others_do_not_confirm(till: Api, caller: str) -> None:
    before = await waiting(till)
    assert (await confirm(till, before["id"], caller=caller)).refused == (404, "not-found")
    assert (await confirm(till, before["id"], caller="merchant-1")).refused == (404, "payment-not-found")
    assert (await till.get(f"/v1/payments/{before['id']}"))["status"] == "awaiting_user"


async def test_wrong_passwords_lock_the_card_and_right_ones_forget_them(till: Api) -> None:
    first = await waiting(till, 100_001)
    for left in range(PASSWORD_TRIES_MAX - 1, 0, -1):
        no = await confirm(till, first["id"], WRONG)
        assert (no.refused, no.pointers) == ((403, "password-incorrect"), ["/password_block"])
        assert f"{left} more" in no.body.decode()
    assert (await confirm(till, first["id"]))["status"] == "captured"

    await till.post(f"/v1/payments/{first['id']}/refunds", {"refund_no": "R", "amount": 100_001})
    second = await waiting(till, 100_001)
    replies = [await confirm(till, second["id"], WRONG) for _ in range(PASSWORD_TRIES_MAX + 1)]
    assert [reply.code for reply in replies] == ["password-incorrect"] * PASSWORD_TRIES_MAX + ["password-locked"]
    locked = await confirm(till, second["id"])
    assert (locked.refused, locked["retryable"]) == ((423, "password-locked"), False)
    assert (await till.get(f"/v1/payments/{second['id']}"))["status"] == "awaiting_user"
    # The card still pays what needs no password.
    assert (await till.pay(amount=5))["status"] == "captured"


async def test_guesses_at_once_are_counted_one_by_one(till: Api) -> None:
    before = await waiting(till)
    guesses = [f"70420{n}" for n in range(10)] * 2
    replies = await asyncio.gather(*(confirm(till, before["id"], guess) for guess in guesses))
    codes = {str(reply.code) for reply in replies}
    assert codes <= {"password-incorrect", "password-locked", "too-many-attempts"}
    assert sum(reply.code == "password-incorrect" for reply in replies) <= PASSWORD_TRIES_MAX
    tries = await till.sql.fetchval("SELECT password_tries FROM payer WHERE id = $1", till.world.cards[0])
    assert tries == sum(reply.code == "password-incorrect" for reply in replies)


async def test_nobody_confirms_in_time(till: Api) -> None:
    before = await waiting(till, order_no="late")
    await advance(till, CONFIRM_WITHIN_S)
    after = await till.get(f"/v1/payments/{before['id']}")
    assert (after["status"], after["declined_code"]) == ("voided", "confirmation-timeout")
    assert after["cashier_text"] == {
        "zh": "用户未在规定时间内确认",
        "en": "The cardholder did not confirm in time",
    }
    assert await held(till) == (0, 0)
    late = await confirm(till, before["id"])
    assert late.refused == (409, "confirmation-timeout")
    assert (await till.pay(order_no="late")).refused == (409, "order-number-used")
    await verified(till)


async def test_confirmation_on_the_last_instant_is_too_late_even_before_the_sweeper_comes(till: Api) -> None:
    before = await waiting(till)
    await till.sql.execute(
        "UPDATE control SET sandbox_offset_us = sandbox_offset_us + $1", CONFIRM_WITHIN_S * 1_000_000
    )
    assert (await confirm(till, before["id"])).refused == (409, "confirmation-timeout")


async def test_cashier_gives_up_while_the_cardholder_hesitates(till: Api) -> None:
    before = await waiting(till)
    voided = await till.post(f"/v1/payments/{before['id']}/void")
    assert (voided["status"], voided["declined_code"]) == ("voided", None)
    assert (await confirm(till, before["id"])).refused == (409, "payment-state-conflict")
    assert await held(till) == (0, 0)


async def test_order_is_cancelled_while_it_waits(till: Api) -> None:
    before = await waiting(till, order_no="W")
    cancelled = await till.post("/v1/payments/cancel", {"order_no": "W"})
    assert (cancelled["outcome"], (await till.get(f"/v1/payments/{before['id']}"))["status"]) == ("voided", "voided")
    assert (await confirm(till, before["id"])).refused == (409, "payment-state-conflict")
    await verified(till)


async def test_what_waits_is_neither_captured_nor_given_back_nor_paid_again(till: Api) -> None:
    before = await waiting(till, order_no="W")
    path = f"/v1/payments/{before['id']}"
    assert (await till.post(f"{path}/capture")).refused == (409, "payment-state-conflict")
    assert (await till.post(f"{path}/refunds", {"refund_no": "R", "amount": 1})).code == "payment-state-conflict"
    assert (await till.pay(order_no="W")).refused == (409, "order-already-paid")
    raised = {"pay_code": till.pay_code(), "amount": 1}
    assert (await till.post(f"{path}/raise", raised)).refused == (409, "payment-state-conflict")


async def test_confirmation_and_void_meet_and_one_of_them_holds(till: Api) -> None:
    for _ in range(4):
        before = await waiting(till, 100_001)
        path = f"/v1/payments/{before['id']}"
        yes, no = await asyncio.gather(confirm(till, before["id"]), till.post(f"{path}/void"))
        assert sorted((yes.status, no.status)) == [200, 409]
        status = (await till.get(path))["status"]
        assert status == ("captured" if yes.status == 200 else "voided")
        await till.post("/v1/payments/cancel", {"order_no": before["order_no"]})
    await till.sql.execute("UPDATE payer SET spent = 0")


async def test_waiting_read_returns_on_the_confirmation(till: Api) -> None:
    before = await waiting(till)
    read = asyncio.create_task(till.get(f"/v1/payments/{before['id']}?wait=30"))
    while till.node.payment_watch.waiter_count != 1:  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0)
    paid = await confirm(till, before["id"])
    assert (await read).body == paid.body


async def test_confirmation_under_one_key_is_answered_once(till: Api) -> None:
    before, key = await waiting(till), a_key()
    first = await confirm(till, before["id"], key=key)
    again = await confirm(till, before["id"], key=key)
    assert (again.body, again.status, again.is_replay) == (first.body, 200, True)
    other = await confirm(till, before["id"])
    assert other.refused == (409, "payment-state-conflict")


async def test_wrong_password_under_one_key_costs_one_try(till: Api) -> None:
    before, key = await waiting(till), a_key()
    replies = [await confirm(till, before["id"], WRONG, key=key) for _ in range(3)]
    assert {reply.body for reply in replies} == {replies[0].body}
    # The right one needs another key: this one has its answer.
    assert (await confirm(till, before["id"], key=key)).code == "password-incorrect"
    assert await till.sql.fetchval("SELECT max(password_tries) FROM payer") == 1
    assert (await confirm(till, before["id"]))["status"] == "captured"


async def test_replay_of_the_payment_shows_it_as_it_was(till: Api) -> None:
    body, key = till.payment(amount=ABOVE), a_key()
    before = await till.pay(body, key=key)
    await confirm(till, before["id"])
    again = await till.pay(body, key=key)
    assert (again.is_replay, again.body) == (True, before.body)


async def test_card_that_is_reported_lost_meanwhile_does_not_pay(till: Api) -> None:
    before = await waiting(till)
    assert (await till.post(f"{till.card_path()}/loss-report", caller="channel")).status == 200
    assert (await confirm(till, before["id"])).refused == (403, "card-reported-lost")
    assert (await till.get(f"/v1/payments/{before['id']}"))["status"] == "awaiting_user"


async def test_card_without_a_password_cannot_confirm(till: Api) -> None:
    await till.sql.execute("UPDATE payer SET password_version = 0, no_password_up_to = 100")
    before = await waiting(till, 101)
    for password in (PASSWORD, WRONG):
        assert (await confirm(till, before["id"], password)).refused == (403, "password-incorrect")
    assert await till.sql.fetchval("SELECT max(password_tries) FROM payer") == 0


async def test_block_for_something_else_confirms_nothing_and_costs_nothing(till: Api) -> None:
    before, other = await waiting(till), await waiting(till, card=1)
    seal = (await sealer(till)).seal
    blocks = (
        seal(PASSWORD, payment_id=str(other["id"])),
        seal(PASSWORD, order_no=str(before["order_no"])),
        seal(PASSWORD, payment_id=str(before["id"]))[:-3] + "AAA",
        "a.b.c.d.e",
    )
    target = f"/v1/payments/{before['id']}/confirmation"
    for block in blocks:
        no = await till.post(target, {"password_block": block})
        assert (no.refused, no.pointers) == ((422, "password-block-invalid"), ["/password_block"])
    with till.clock.held(till.clock.wall_s() - 301):
        old = seal(PASSWORD, payment_id=str(before["id"]))
    assert (await till.post(target, {"password_block": old})).refused == (410, "password-block-expired")
    assert await till.sql.fetchval("SELECT max(password_tries) FROM payer") == 0
    assert (await confirm(till, nobodys_id(IdKind.PAYMENT))).refused == (404, "payment-not-found")
    assert (await confirm(till, before["id"]))["status"] == "captured"


async def test_password_that_comes_along_with_a_code_asks_nothing_more(till: Api) -> None:
    order_no = a_key()
    block = await entered(till, order_no)
    paid = await till.pay(till.payment(amount=ABOVE, order_no=order_no, password_block=block))
    assert (paid.status, paid["status"], paid["mode"]) == (201, "captured", "show_code"), paid.body
    wrong = await till.pay(
        till.payment(amount=ABOVE, order_no="W", card=1, password_block=await entered(till, "W", WRONG))
    )
    assert wrong.refused == (403, "password-incorrect")
    stored = await till.get(f"/v1/payments/{wrong['payment_id']}")
    assert (stored["status"], stored["declined_code"]) == ("declined", "password-incorrect")
    # The order is free, and the code unused.
    assert (await till.pay(order_no="W", card=1))["status"] == "captured"


class TestPhysicalCard:
    """Read at a terminal, with the password: the same account, limits and answers."""

    async def test_pays_from_the_account_that_the_phone_pays_from(self, till: Api) -> None:
        number = await give_number(till)
        paid = await till.pay(await by_card(till, number, amount=60_000))
        assert (paid.status, paid["status"], paid["mode"]) == (201, "captured", "card_read"), paid.body
        by_phone = await till.pay(amount=60_000)
        assert tenders_of(paid) == {"personal_account": 60_000}
        assert tenders_of(by_phone) == {"personal_account": 40_000, "bank_card": 20_000}
        assert set(paid.json) == set(by_phone.json)

    async def test_settles_a_bill_and_a_quote(self, till: Api) -> None:
        await open_counter(till)
        number = await give_number(till)
        quoted = await till.post(
            "/v1/medical/quotes",
            {
                "card_no": number,
                "scenario": "outpatient",
                "terminal_id": "T-01",
                "bill": a_bill_payment(till)["bill"],
            },
        )
        assert quoted.status == 201, quoted.body
        paid = await till.pay(await by_card(till, number, amount=79_971, scenario="outpatient", quote_id=quoted["id"]))
        assert (paid["status"], tenders_of(paid)) == ("captured", tenders_of(quoted)), paid.body
        assert (await used(till)).deductible == 59_520

    async def test_and_the_phone_in_the_same_instant_never_overspend(self, till: Api) -> None:
        number = await give_number(till)
        await till.sql.execute("UPDATE payer SET no_password_up_to = 200000, limit_unconfirmed = 10000000")
        amount, have = 15_000, PERSONAL_ACCOUNT + BANK_ALLOWANCE
        bodies = [
            *[till.payment(amount=amount) for _ in range(10)],
            *[await by_card(till, number, amount=amount) for _ in range(4)],
        ]
        replies = await asyncio.gather(*(till.pay(body) for body in itertools.chain(bodies[::2], bodies[1::2])))
        paid = [reply for reply in replies if reply.status == 201]
        assert (len(paid), {reply.code for reply in replies if reply.status != 201}) == (
            have // amount,
            {"insufficient-funds"},
        )
        assert len({str(reply["mode"]) for reply in paid}) == 2
        await verified(till)

    async def test_is_under_the_day_limit_of_the_account(self, till: Api) -> None:
        number = await give_number(till)
        await till.sql.execute("UPDATE payer SET limit_a_day = 30000, tender_order = 2")
        assert (await till.pay(amount=20_000))["status"] == "captured"
        refused = await till.pay(await by_card(till, number, amount=10_001))
        assert refused.refused == (403, "limit-exceeded")
        assert (await till.pay(await by_card(till, number, amount=10_000))).status == 201

    async def test_counts_as_confirmed(self, till: Api) -> None:
        number = await give_number(till)
        await till.sql.execute("UPDATE payer SET tender_order = 2, bank_allowance = 1000000")
        assert (await till.pay(await by_card(till, number, amount=ABOVE)))["status"] == "captured"
        unconfirmed = await till.sql.fetchval("SELECT max(spent_unconfirmed) FROM payer")
        assert unconfirmed == 0
        assert (await till.pay(amount=LIMIT_UNCONFIRMED_A_DAY_FEN))["status"] == "captured"

    async def test_needs_its_password(self, till: Api) -> None:
        number = await give_number(till)
        body = await by_card(till, number)
        without = {name: value for name, value in body.items() if name != "password_block"}
        refused = await till.pay(without)
        assert (refused.refused, refused.pointers) == ((400, "field-invalid"), ["/password_block"])
        wrong = await till.pay(await by_card(till, number, password=WRONG, order_no="W"))
        assert (wrong.refused, wrong.pointers) == ((403, "password-incorrect"), ["/password_block"])
        again = await till.pay(await by_card(till, number, order_no="W"))
        assert (again.status, again["status"]) == (201, "captured")

    async def test_password_for_another_order_or_merchant_is_none(self, till: Api) -> None:
        number = await give_number(till)
        blocks = (
            await entered(till, "another"),
            await entered(till, "A-1", merchant=1),
            (await sealer(till)).seal(PASSWORD, payment_id=nobodys_id(IdKind.PAYMENT)),
        )
        for block in blocks:
            no = await till.pay(await by_card(till, number, order_no="A-1", password_block=block))
            assert (no.refused, no.pointers) == ((422, "password-block-invalid"), ["/password_block"])
        assert (await till.get("/v1/payments?order_no=A-1")).items == []
        assert await till.sql.fetchval("SELECT max(password_tries) FROM payer") == 0

    async def test_number_that_there_is_not_is_told(self, till: Api) -> None:
        for number in ("Z9Z9Z9Z90", "12345678", "Z" * 20):
            no = await till.pay(await by_card(till, number))
            assert (no.refused, no.pointers) == ((404, "not-found"), ["/card_no"])
        for number in ("", "a1b2c3d40", "1234567", "Z" * 21):
            assert (await till.pay(await by_card(till, number))).pointers == ["/card_no"]

    async def test_is_not_shown_along_with_a_code(self, till: Api) -> None:
        number = await give_number(till)
        both = await by_card(till, number) | {"pay_code": till.pay_code()}
        assert (await till.pay(both)).pointers == ["/pay_code"]
        neither = till.payment()
        del neither["pay_code"]
        assert (await till.pay(neither)).pointers == ["/pay_code"]

    async def test_replays_under_its_key(self, till: Api) -> None:
        number = await give_number(till)
        body, key = await by_card(till, number), a_key()
        first, again = await till.pay(body, key=key), await till.pay(body, key=key)
        assert (first.status, again.body, again.is_replay) == (201, first.body, True)
        other = await till.pay(await by_card(till, await give_number(till, 1), order_no=body["order_no"]), key=key)
        assert other.refused == (422, "idempotency-key-reused")

    async def test_lost_card_is_lost_at_the_terminal_too(self, till: Api) -> None:
        number = await give_number(till)
        assert (await till.post(f"{till.card_path()}/loss-report", caller="channel")).status == 200
        assert (await till.pay(await by_card(till, number))).refused == (403, "card-reported-lost")

    async def test_number_is_nowhere_in_the_database(self, till: Api) -> None:
        number = await give_number(till)
        paid = await till.pay(await by_card(till, number))
        assert id_text(till.world.cards[0]) not in paid.body.decode()
        tables = await till.sql.fetch(
            "SELECT relname FROM pg_class WHERE relkind IN ('r') AND relnamespace = 'public'::regnamespace"
        )
        for (table,) in tables:
            rows = await till.sql.fetch(f'SELECT t::text AS row FROM "{table}" t')  # noqa: S608  # names of tables
            assert not [row for row in rows if number in row["row"]], table
