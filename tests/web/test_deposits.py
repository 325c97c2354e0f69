"""A deposit for a hospital stay: held, raised, finally billed, the rest let go. And what a dry run says of payments."""

from collections.abc import Mapping

import msgspec
import pytest

from engine.core.accounts import account_text, bank_receivable, merchant_payable, personal_account, pool_fund
from engine.core.ids import IdKind
from engine.core.payer import NO_PASSWORD_UP_TO_FEN
from tests.core.medical import EXAMPLE_LINES, a_bill, a_line, split_of
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
    tenders_of,
    use,
    used,
    verified,
    wire_bill,
    year_round,
)

DEPOSIT = 60_000
FINAL = split_of(year_round(), a_bill(), deductible_used=180_000)


@pytest.fixture
async def hospital(api: Api) -> Api:
    """A hospital; the deductible of the year is used, so that the fund pays."""
    await open_counter(api)
    await use(api, 0, deductible=180_000)
    await give_password(api)
    return api


async def deposit(api: Api, amount: int = DEPOSIT, **changes: object) -> str:
    """The path of a deposit that is held; the cardholder has entered the password."""
    order_no = a_key()
    block = await entered(api, order_no)
    asked: Json = {"amount": amount, "scenario": "inpatient", "capture": False, "order_no": order_no}
    asked |= {"password_block": block} | changes
    reply = await api.pay(api.payment(**asked))
    assert (reply.status, reply["status"]) == (201, "authorized"), reply.body
    return f"/v1/payments/{reply['id']}"


async def raise_by(api: Api, path: str, amount: int, *, card: int = 0, **changes: object) -> Reply:
    """More is put on hold, by another code."""
    body: Json = {"pay_code": api.pay_code(card=card), "amount": amount} | changes
    return await api.post(f"{path}/raise", body)


async def final_bill(api: Api, path: str, **changes: object) -> Reply:
    """The bill of the whole stay."""
    return await api.post(f"{path}/capture", {"bill": wire_bill()} | changes)


async def on_hold(api: Api) -> dict[str, int]:
    """What the cardholder's row says is reserved or spent."""
    row = await api.sql.fetchrow("SELECT debits_pending, spent FROM payer WHERE id = $1", api.world.cards[0])
    assert row is not None
    return {"account": row[0], "card": row[1]}


async def test_deposit_is_raised_and_finally_billed_and_the_rest_let_go(hospital: Api) -> None:
    api = hospital
    before = await used(api)
    path = await deposit(api)
    raised = await raise_by(api, path, 70_000)
    assert (raised.status, raised["status"], raised["amount"]) == (200, "authorized", 130_000), raised.body
    assert tenders_of(raised) == {"personal_account": PERSONAL_ACCOUNT, "bank_card": 30_000}
    assert await on_hold(api) == {"account": PERSONAL_ACCOUNT, "card": 30_000}
    assert await used(api) == before

    paid = await final_bill(api, path)
    account = FINAL.account_eligible
    card = FINAL.person_part - account
    assert (paid.status, paid["status"], paid["captured_amount"]) == (200, "captured", 79_971), paid.body
    assert tenders_of(paid) == {"pool_fund": FINAL.pool, "personal_account": account, "bank_card": card}
    assert msgspec.convert(paid["medical"], dict[str, object])["fund"] == FINAL.pool
    assert await on_hold(api) == {"account": 0, "card": card}
    assert (await used(api)).fund == before.fund + FINAL.pool

    payee = account_text(merchant_payable(api.world.merchants[0]))
    fund, own = account_text(pool_fund(110100, 310100)), account_text(personal_account(api.world.cards[0]))
    bank = account_text(bank_receivable(api.world.banks[0]))
    assert await postings_of(api, payment_id(paid)) == [
        ("HOLD", "PAY", own, payee, DEPOSIT),
        ("HOLD", "PAY", own, payee, PERSONAL_ACCOUNT - DEPOSIT),
        ("HOLD", "PAY", bank, payee, 30_000),
        ("HOLD", "PAY", fund, payee, FINAL.pool),
        ("RELEASE", "PAY", fund, payee, FINAL.pool),
        ("RELEASE", "PAY", own, payee, PERSONAL_ACCOUNT),
        ("RELEASE", "PAY", bank, payee, 30_000),
        ("POST", "PAY", fund, payee, FINAL.pool),
        ("POST", "PAY", own, payee, account),
        ("POST", "PAY", bank, payee, card),
    ]
    await verified(api)

    cancelled = await api.post("/v1/payments/cancel", {"order_no": paid["order_no"]})
    assert cancelled["outcome"] == "refunded"
    assert await used(api) == before
    await verified(api)


async def test_bill_larger_than_the_deposit_is_not_taken_until_it_is_raised(hospital: Api) -> None:
    api = hospital
    path = await deposit(api, FINAL.person_part - 1, card=0)
    before = await api.books()
    short = await final_bill(api, path)
    assert (short.refused, short.pointers) == ((422, "capture-exceeds-authorization"), ["/bill"])
    assert await api.books() == before
    assert (await raise_by(api, path, 1)).status == 200
    # All of it is the account's, which may not pay for what is not insured at all.
    assert (await final_bill(api, path)).code == "capture-exceeds-authorization"
    uninsured = FINAL.own_pay + FINAL.over_limit
    assert (await raise_by(api, path, PERSONAL_ACCOUNT - FINAL.person_part + uninsured)).status == 200
    paid = await final_bill(api, path)
    assert (paid["status"], tenders_of(paid)["bank_card"]) == ("captured", uninsured)
    await verified(api)


async def test_bill_that_does_not_fit_changes_nothing(hospital: Api) -> None:
    api = hospital
    path = await deposit(api)
    before = await api.books()
    for changes, code, pointers in (
        ({"amount": 79_970}, "amount-not-balanced", ["/amount"]),
        ({"bill": wire_bill([a_line("GHOST", "1", "1")])}, "bill-invalid", ["/bill/lines/0/item"]),
        ({"final": False}, "payment-state-conflict", []),
    ):
        refused = await final_bill(api, path, **changes)
        assert (refused.code, refused.pointers) == (code, pointers)
    await api.sql.execute("DELETE FROM benefit_plan")
    await api.sql.execute("UPDATE control SET rules_version = rules_version + 1")
    assert (await final_bill(api, path)).refused == (422, "plan-missing")
    assert await api.books() == before


async def test_deposit_without_a_bill_is_taken_and_let_go_like_any_hold(hospital: Api) -> None:
    api = hospital
    path = await deposit(api)
    assert (await raise_by(api, path, 5_000)).status == 200
    taken = await api.post(f"{path}/capture", {"amount": 62_000})
    assert (taken["status"], taken["captured_amount"]) == ("captured", 62_000)
    assert await on_hold(api) == {"account": 0, "card": 0}
    other = await deposit(api, 30_000)
    assert (await raise_by(api, other, 10_000)).status == 200
    assert (await api.post(f"{other}/void"))["status"] == "voided"
    assert await on_hold(api) == {"account": 0, "card": 0}
    await verified(api)


async def test_other_persons_code_raises_nothing_and_stays_good(hospital: Api) -> None:
    api = hospital
    path = await deposit(api)
    code = api.pay_code(card=1)
    refused = await raise_by(api, path, 1, pay_code=code)
    assert (refused.refused, refused.pointers) == ((422, "identity-mismatch"), ["/pay_code"])
    assert (await api.pay(pay_code=code)).status == 201
    used_up = await raise_by(api, path, 1, pay_code=code)
    assert used_up.refused == (422, "identity-mismatch")


async def test_one_code_raises_once(hospital: Api) -> None:
    api = hospital
    path = await deposit(api)
    code, key = api.pay_code(), a_key()
    body = {"pay_code": code, "amount": 100}
    first, again = [await api.post(f"{path}/raise", body, key=key) for _ in range(2)]
    assert (first.status, again.body, again.is_replay) == (200, first.body, True)
    assert (await api.post(f"{path}/raise", body)).refused == (409, "pay-code-used")
    assert (await api.post(f"{path}/raise", body | {"amount": 101}, key=key)).pointers == ["/amount"]
    assert (await api.get(path))["amount"] == DEPOSIT + 100


async def test_raise_beyond_all_means_changes_nothing(hospital: Api) -> None:
    api = hospital
    path = await deposit(api)
    left = PERSONAL_ACCOUNT + BANK_ALLOWANCE - DEPOSIT
    before = await api.books()
    assert (await raise_by(api, path, left + 1)).refused == (402, "insufficient-funds")
    assert await api.books() == before
    assert (await raise_by(api, path, left)).status == 200


async def test_deposit_that_nobody_confirmed_is_not_raised_beyond_what_needs_no_password(hospital: Api) -> None:
    api = hospital
    path = await deposit(api, password_block=None)
    assert (await raise_by(api, path, NO_PASSWORD_UP_TO_FEN - DEPOSIT)).status == 200
    assert (await raise_by(api, path, 1)).refused == (403, "limit-exceeded")
    await api.post(f"{path}/void")
    waiting = await api.pay(api.payment(amount=NO_PASSWORD_UP_TO_FEN + 1, scenario="inpatient", capture=False))
    confirmed = await confirm(api, waiting["id"])
    assert confirmed["status"] == "authorized"
    assert (await raise_by(api, f"/v1/payments/{waiting['id']}", 1_000)).status == 200
    await verified(api)


async def test_raise_on_another_day_needs_a_hold_of_its_own(hospital: Api) -> None:
    api = hospital
    path = await deposit(api)
    await advance(api, 86_400)
    assert (await raise_by(api, path, 100)).status == 200  # of the account, which no limit is about
    assert (await raise_by(api, path, PERSONAL_ACCOUNT)).refused == (403, "limit-exceeded")
    assert (await final_bill(api, path, bill=wire_bill(EXAMPLE_LINES[:2])))["status"] == "captured"
    await verified(api)


async def test_others_and_what_is_over_are_not_raised(hospital: Api) -> None:
    api = hospital
    path = await deposit(api)
    body = {"pay_code": api.pay_code(), "amount": 1}
    assert (await api.post(f"{path}/raise", body, caller="merchant-1")).refused == (404, "payment-not-found")
    assert (await api.post(f"{path}/raise", body, caller="channel")).refused == (404, "not-found")
    nobodys = f"/v1/payments/{nobodys_id(IdKind.PAYMENT)}/raise"
    assert (await api.post(nobodys, body)).refused == (404, "payment-not-found")
    await api.post(f"{path}/void")
    assert (await api.post(f"{path}/raise", body)).refused == (409, "payment-state-conflict")
    paid = await api.paid(card=1)
    assert (await raise_by(api, paid, 1, card=1)).refused == (409, "payment-state-conflict")
    billed = await api.pay(a_bill_payment(api, capture=False, card=2))
    raised = await raise_by(api, f"/v1/payments/{billed['id']}", 1, card=2)
    assert raised.refused == (409, "payment-state-conflict")


async def test_final_bill_is_for_medical_stays_only(hospital: Api) -> None:
    api = hospital
    await api.sql.execute("UPDATE merchant SET scenarios = '{3,11}'")
    path = await deposit(api, 1_000, scenario="travel")
    refused = await final_bill(api, path)
    assert (refused.refused, refused.pointers) == ((422, "bill-invalid"), ["/bill"])


class TestDryRun:
    """What would be decided, without anything that comes of it."""

    async def ask(self, api: Api, body: Json, **more: Mapping[str, str]) -> Reply:
        """A dry run."""
        return await api.post("/v1/payments?dry_run=true", body, **more)  # type: ignore[arg-type]  # headers only

    async def everything(self, api: Api) -> list[object]:
        """All that could have been written."""
        tables = ("payment", "event", "answer", "batch", "visit_settlement", "request_answer")
        rows = [await api.sql.fetch(f"SELECT * FROM {table} t ORDER BY t") for table in tables]  # noqa: S608  # names from above
        return [await api.books(), *rows]

    async def test_shows_the_payment_its_postings_and_what_is_left(self, hospital: Api) -> None:
        api = hospital
        before = await self.everything(api)
        body = a_bill_payment(api, visit_no="V-1")
        shown = await self.ask(api, body)
        assert (shown.status, shown["would_be_refused"], shown["code"]) == (200, False, None), shown.body
        assert await self.everything(api) == before
        paid = await api.pay(body)  # the code is still good, and the order free
        assert paid.status == 201
        would = msgspec.convert(shown["payment"], dict[str, object])
        assert {name for name, value in would.items() if paid[name] != value} <= {"id", "created_at"}
        assert shown["cycle"] == paid["cycle"]
        real = await postings_of(api, payment_id(paid))
        assert shown["postings"] == [
            {"phase": phase.lower(), "debit": debit, "credit": credit, "amount": amount}
            for phase, _, debit, credit, amount in real
        ]
        row = await api.sql.fetchrow(
            "SELECT credits_posted - debits_posted - debits_pending, bank_allowance - spent FROM payer WHERE id = $1",
            api.world.cards[0],
        )
        assert row is not None
        assert shown["balances"] == [
            {"account": account_text(personal_account(api.world.cards[0])), "available": row[0]},
            {"account": "bank_card", "available": row[1]},
        ]

    async def test_decides_what_the_real_one_decides(self, hospital: Api) -> None:
        api = hospital
        await api.pay(order_no="paid")
        used_code = api.pay_code()
        await api.pay(pay_code=used_code)
        quoted = await api.post(
            "/v1/medical/quotes",
            {"pay_code": api.pay_code(), "scenario": "outpatient", "terminal_id": "T-01", "bill": wire_bill()},
        )
        cases: list[Json] = [
            api.payment(amount=NO_PASSWORD_UP_TO_FEN + 1),  # would wait for the cardholder
            api.payment(amount=PERSONAL_ACCOUNT + BANK_ALLOWANCE + 1),
            api.payment(order_no="paid"),
            api.payment(pay_code=used_code),
            api.payment(terminal_id="T-99"),
            api.payment(capture=False),
            a_bill_payment(api, amount=1),
            a_bill_payment(api, [a_line("GHOST", "1", "1")], amount=100),
            api.payment(amount=79_971, scenario="outpatient", quote_id=quoted["id"]),
            api.payment(amount=79_971, scenario="outpatient", quote_id=quoted["id"], card=1),
        ]
        for body in cases:
            before = await self.everything(api)
            shown = await self.ask(api, body)
            assert await self.everything(api) == before
            real = await api.pay(body)
            assert (shown["would_be_refused"], shown["code"]) == (real.status != 201, real.code), body
            if real.status == 201:
                would = msgspec.convert(shown["payment"], dict[str, object])
                assert (would["status"], would["tenders"]) == (real["status"], real["tenders"])
                await api.post("/v1/payments/cancel", {"order_no": body["order_no"]})

    async def test_takes_any_password_for_right_and_is_no_place_to_guess_one(self, hospital: Api) -> None:
        api = hospital
        number = await give_number(api)
        for password in (PASSWORD, WRONG):
            body = api.payment(
                amount=NO_PASSWORD_UP_TO_FEN + 1,
                order_no="A-1",
                card_no=number,
                password_block=await entered(api, "A-1", password),
            )
            shown = await self.ask(api, {name: value for name, value in body.items() if name != "pay_code"})
            would = msgspec.convert(shown["payment"], dict[str, object])
            assert (shown["would_be_refused"], would["status"], would["mode"]) == (False, "captured", "card_read")
        assert await api.sql.fetchval("SELECT max(password_tries) FROM payer") == 0

    async def test_is_no_place_to_guess_codes(self, hospital: Api) -> None:
        api = hospital
        good = api.pay_code()
        wrong = f"{good[:14]}{(int(good[14:23]) + 1) % 10**9:09d}"
        doubled = [int(digit) * (2 if n % 2 == 0 else 1) for n, digit in enumerate(reversed(wrong))]
        wrong += str(-sum(value // 10 + value % 10 for value in doubled) % 10)
        codes = [(await self.ask(api, api.payment(pay_code=wrong))).json.get("code") for _ in range(21)]
        assert codes == ["pay-code-wrong"] * 20 + ["too-many-attempts"]
        assert (await api.pay()).code == "too-many-attempts"

    @pytest.mark.parametrize("value", ["1", "", "TRUE", "yes"])
    async def test_is_asked_for_plainly(self, hospital: Api, value: str) -> None:
        body = hospital.payment(order_no="X")
        refused = await hospital.post(f"/v1/payments?dry_run={value}", body)
        assert (refused.refused, refused.pointers) == ((400, "field-invalid"), ["/dry_run"])
        assert (await hospital.get("/v1/payments?order_no=X")).items == []
        assert (await hospital.post("/v1/payments?dry_run=false", body)).status == 201
