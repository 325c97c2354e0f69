"""Rows and our types: what is written is what is read, column by column."""

from datetime import UTC, date, datetime, timedelta

import asyncpg
import msgspec
import pytest

from engine.core.answers import Answer, Remembered
from engine.core.books import Device, Order
from engine.core.ids import BankId, CardId, IdKind, MerchantId, PaymentId
from engine.core.payer import CardStatus, IssueLevel, Payer, TenderOrder
from engine.core.postings import Totals
from engine.store.rows import (
    balance_rows,
    code_rows,
    control_of,
    devices_of,
    hold_rows,
    instant,
    merchants_of,
    order_rows,
    payer_of,
    payer_row,
    payment_of,
    refund_of,
    remembered_of,
)
from tests.builders import a_world, an_id
from tests.ledger.nodes import a_node

AT = datetime(2026, 7, 1, 3, 4, 5, 678_901, tzinfo=UTC)


async def test_payer_comes_back_as_it_was(dsn: str, sql: asyncpg.Connection) -> None:
    """Every field has a value of its own, so that no two columns can change places."""
    payer = Payer(
        id=CardId(an_id(IdKind.CARD)),
        status=CardStatus.EXPIRED,
        issue_level=IssueLevel.QUERY,
        bank=BankId(an_id(IdKind.BANK)),
        bank_allowance=11,
        tender_order=TenderOrder.PERSONAL_ACCOUNT_ONLY,
        debits_pending=12,
        debits_posted=13,
        credits_pending=14,
        credits_posted=99,
        limit_day=date(2026, 7, 1),
        spent=18,
        spent_unconfirmed=16,
        spent_offline=17,
        limit_a_day=21,
        limit_unconfirmed=22,
        limit_offline=23,
        no_password_up_to=24,
        password_version=25,
        password_tries=4,
        insured_region=110101,
        insurance=310,
        person_type=12,
        benefit_year=2026,
        deductible_used=27,
        fund_paid=28,
        family=CardId(an_id(IdKind.CARD)),
        blocked_scenarios=1 << 62,
    )
    await sql.copy_records_to_table("payer", records=[payer_row(payer)])
    row = await sql.fetchrow("SELECT * FROM payer")
    assert row is not None
    assert payer_of(row) == payer
    assert await sql.fetchval("SELECT debits_posted FROM payer") == 13


async def test_payment_and_refund_come_back_as_they_were_answered(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_node(dsn) as ledger:
        await ledger.submit(world.open_account(amount=200))
        held = (await ledger.submit(world.authorize(amount=500, capture=False, order_no="A1"))).answer.payment
        assert held is not None
        assert [payment_of(row) for row in await sql.fetch("SELECT * FROM payment")] == [held]
        captured = (await ledger.submit(world.capture(held.id, amount=400))).answer.payment
        assert [payment_of(row) for row in await sql.fetch("SELECT * FROM payment")] == [captured]
        answer = (await ledger.submit(world.refund(held.id, amount=300, refund_no="R1"))).answer
        assert [payment_of(row) for row in await sql.fetch("SELECT * FROM payment")] == [answer.payment]
        assert [refund_of(row) for row in await sql.fetch("SELECT * FROM refund")] == [answer.refund]
        declined = (await ledger.submit(world.authorize(card=1, amount=10**9, order_no="A2"))).answer.payment
        rows = await sql.fetch("SELECT * FROM payment WHERE order_no = 'A2'")
        assert [payment_of(row) for row in rows] == [declined]


async def test_states_of_the_world_are_read_by_their_own_keys(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    await sql.execute("UPDATE merchant SET level = 3")
    merchants = merchants_of(
        await sql.fetch(
            "SELECT id, region, is_suspended, scenarios, level FROM merchant WHERE id = $1", world.merchants[0]
        )
    )
    assert list(merchants) == [world.merchants[0]]
    assert (merchants[world.merchants[0]].scenarios, merchants[world.merchants[0]].level) == ((1, 2), 3)
    await sql.execute("UPDATE device SET is_revoked = true WHERE card = $1", world.cards[1])
    devices = devices_of(await sql.fetch("SELECT * FROM device"))
    assert devices[world.device_no(0)] == Device(world.cards[0], False)
    assert devices[world.device_no(1)] == Device(world.cards[1], True)
    row = await sql.fetchrow(
        "SELECT business_date, cycle, cutoff_at, published_cycle, settled_cycle, rules_version FROM control"
    )
    assert row is not None
    control = control_of(row)
    assert control.published_cycle == control.cycle - 1
    assert (control.settled_cycle, control.rules_version) == (0, 1)
    assert control.business_date.strftime("%Y%m%d01") == str(control.cycle)


def test_rows_of_shared_tables_are_in_the_order_of_their_keys() -> None:
    """Two batches that insert the same keys in different orders wait for each other for ever."""
    low, high = MerchantId(bytes(16)), MerchantId(b"\xff" * 16)
    orders = {(high, "A"): Order(None), (low, "B"): Order(None), (low, "A"): Order(PaymentId(high))}
    assert order_rows(orders) == [(low, "A", high), (low, "B", None), (high, "A", None)]
    assert code_rows([(2, 1, 1), (1, 2, 0), (1, 1, 9), (1, 1, 1)]) == [(1, 1, 1), (1, 1, 9), (1, 2, 0), (2, 1, 1)]
    holds = {(AT, PaymentId(high)), (AT, PaymentId(low)), (AT - timedelta(seconds=1), PaymentId(high))}
    assert hold_rows(holds) == sorted(holds)


def test_balance_rows_are_by_account() -> None:
    changes = {b"b" * 16: Totals(1, 2, 3, 4), b"a" * 16: Totals(5, 6, 7, 8)}
    assert balance_rows(changes) == [  # type: ignore[arg-type]  # any bytes will do
        (b"a" * 16, 5, 6, 7, 8),
        (b"b" * 16, 1, 2, 3, 4),
    ]


def test_what_is_remembered_comes_back() -> None:
    remembered = Remembered(("a", 1, None, True), Answer(refusal="order_cancelled", field="order_no"))
    assert remembered_of(msgspec.msgpack.encode(remembered)) == remembered


@pytest.mark.parametrize("offset_us", [0, 1, 86_400_000_000, 400 * 86_400_000_000 + 7])
def test_business_time_is_the_databases_clock_and_what_the_sandbox_adds(offset_us: int) -> None:
    assert instant(AT, offset_us) == AT + timedelta(microseconds=offset_us)
