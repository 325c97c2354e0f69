"""A bill is paid once, whoever pays it at the same time, through whatever lane and node."""

import asyncio

import asyncpg
import pytest

from engine.core.accounts import agency_payable
from engine.core.bills import BillState
from engine.core.refusals import Refusal
from engine.flows.verify_books import verify_books
from engine.store.lane_session import LaneSession
from tests.agencies import a_bill, an_agency, state_of_bill
from tests.builders import World, a_world
from tests.flows.busy_books import PUBLIC_KEYS
from tests.ledger.nodes import a_node, refusals, settle, submit_all
from tests.ledger.proof import prove_books

RACERS = 32


async def earned(sql: asyncpg.Connection, account: bytes) -> int:
    """What an account has got less what it has given."""
    total: int = await sql.fetchval(
        "SELECT coalesce(sum(credits_posted - debits_posted), 0)::bigint FROM balance WHERE account = $1", account
    )
    return total


async def books_verify(dsn: str, sql: asyncpg.Connection) -> None:
    """The books prove themselves, from outside and from inside."""
    await prove_books(sql)
    assert (await verify_books(dsn, public_keys=PUBLIC_KEYS, progress=lambda *_: None)).violation is None


async def a_busy_world(sql: asyncpg.Connection) -> World:
    """Cards of many shards, so that payments take every lane."""
    return await a_world(sql, card_count=RACERS)


async def test_one_of_32_payments_over_two_nodes_pays_the_bill(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_busy_world(sql)
    agency = await an_agency(sql, world)
    bill_no = await a_bill(sql, agency)
    async with a_node(dsn, lane_count=2) as first, a_node(dsn, lane_count=2) as second:
        outcomes = await asyncio.gather(
            *(
                settle((first, second)[card % 2], world.authorize(card=card, bill_no=bill_no, merchant=card % 2))
                for card in range(RACERS)
            )
        )
    assert refusals(outcomes) == [None] + [Refusal.BILL_ALREADY_PAID.value] * (RACERS - 1)
    (winner,) = (outcome.answer.payment for outcome in outcomes if outcome.answer.refusal is None)
    assert winner is not None
    assert await state_of_bill(sql, bill_no) == (BillState.PAID, winner.id)
    assert await earned(sql, agency_payable(agency)) == 500
    await books_verify(dsn, sql)


async def test_many_bills_at_once_from_both_ends_are_all_paid(dsn: str, sql: asyncpg.Connection) -> None:
    """Batches lock bills in one order, so that two of them never wait for each other."""
    world = await a_busy_world(sql)
    agency = await an_agency(sql, world)
    bills = [await a_bill(sql, agency) for _ in range(RACERS)]
    async with a_node(dsn) as first, a_node(dsn) as second:
        outcomes = await asyncio.gather(
            *(settle(first, world.authorize(card=card, bill_no=bill)) for card, bill in enumerate(bills)),
            *(
                settle(second, world.authorize(card=card, bill_no=bill, merchant=1))
                for card, bill in enumerate(reversed(bills))
            ),
        )
    assert refusals(outcomes) == [None] * RACERS + [Refusal.BILL_ALREADY_PAID.value] * RACERS
    assert await earned(sql, agency_payable(agency)) == 500 * RACERS


async def test_batch_that_pays_no_bill_neither_reads_nor_writes_any(
    dsn: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(sql)

    async def read_bills(*_: object) -> None:
        raise AssertionError("nobody named a bill")

    monkeypatch.setattr(LaneSession, "read_bills", read_bills)
    async with a_node(dsn) as ledger:
        outcomes = await submit_all(ledger, [world.authorize(card=card) for card in range(4)])
    assert refusals(outcomes) == [None] * 4


async def test_bill_that_is_withdrawn_meanwhile_is_not_paid(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    agency = await an_agency(sql, world)
    bill_no = await a_bill(sql, agency)
    async with a_node(dsn) as ledger:
        async with sql.transaction():
            await sql.execute("UPDATE bill SET state = $2 WHERE bill_no = $1", bill_no, BillState.WITHDRAWN)
            paying = asyncio.create_task(ledger.submit(world.authorize(bill_no=bill_no)))
            waiting = None
            while waiting is None:  # the lane has read it as billed, and waits for its row
                await sql.execute("SELECT pg_stat_clear_snapshot()")
                waiting = await sql.fetchval(
                    "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'lane %' AND wait_event_type = 'Lock'"
                    " AND datname = current_database()"
                )
        outcome = await paying
    assert (outcome.answer.refusal, outcome.answer.field) == (Refusal.NOT_FOUND.value, "bill_no")
    assert await state_of_bill(sql, bill_no) == (BillState.WITHDRAWN, None)


async def test_full_refund_ends_the_bill_and_gives_back_from_the_agency(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    agency = await an_agency(sql, world)
    bill_no = await a_bill(sql, agency)
    async with a_node(dsn, lane_count=2) as ledger:
        payment = (await ledger.submit(world.authorize(bill_no=bill_no))).answer.payment
        assert payment is not None
        await ledger.submit(world.refund(payment.id, amount=200))
        assert await state_of_bill(sql, bill_no) == (BillState.PAID, payment.id)
        await ledger.submit(world.refund(payment.id, amount=300))
        again = await ledger.submit(world.authorize(bill_no=bill_no, card=1))
    assert await state_of_bill(sql, bill_no) == (BillState.REFUNDED, payment.id)
    assert again.answer.refusal == Refusal.BILL_ALREADY_PAID.value
    assert await earned(sql, agency_payable(agency)) == 0
    await books_verify(dsn, sql)


async def test_repeated_request_gets_the_first_answer_though_the_bill_is_paid(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world = await a_world(sql)
    bill_no = await a_bill(sql, await an_agency(sql, world))
    async with a_node(dsn) as ledger:
        command = world.authorize(bill_no=bill_no)
        first, again = await ledger.submit(command), await ledger.submit(command)
    assert (first.answer, again.is_replay) == (again.answer, True)
