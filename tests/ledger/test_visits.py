"""Bills of one visit through lanes and the database: the newest is given back first, whoever asks at the same time."""

import asyncio
from collections.abc import Sequence

import asyncpg
import msgspec
import pytest

from engine.core.commands import AnyCommand
from engine.core.payments import Payment
from engine.core.refusals import Refusal
from engine.flows.verify_books import verify_books
from engine.ledger.queue import Outcome
from engine.ledger.router import Ledger
from engine.store.lane_session import LaneSession
from tests.builders import World, a_world
from tests.flows.busy_books import PUBLIC_KEYS
from tests.insured import bill_of
from tests.ledger.nodes import a_node, refusals, settle, submit_all
from tests.ledger.proof import prove_books

NEWER = Refusal.NEWER_SETTLEMENT_EXISTS.value


async def settled(ledger: Ledger, world: World, *, visit_no: str = "V-1", **changes: object) -> Payment:
    """A bill of a visit that is paid: 100 by the fund, 400 by the cardholder."""
    command = msgspec.structs.replace(
        world.authorize(), bill=bill_of(500, insured=100, visit_no=visit_no), bill_digest="a bill", **changes
    )
    outcome = await settle(ledger, command)
    assert outcome.answer.refusal is None, outcome.answer.refusal
    assert outcome.answer.payment is not None
    return outcome.answer.payment


async def live(sql: asyncpg.Connection) -> list[int]:
    """The numbers of what is settled of all visits."""
    return [row[0] for row in await sql.fetch("SELECT number FROM visit_settlement ORDER BY number")]


async def books_verify(dsn: str, sql: asyncpg.Connection) -> None:
    """The books prove themselves, from outside and from inside."""
    await prove_books(sql)
    assert (await verify_books(dsn, public_keys=PUBLIC_KEYS, progress=lambda *_: None)).violation is None


async def test_newest_first_from_batch_to_batch(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_node(dsn, lane_count=2) as ledger:
        first, second, third = [await settled(ledger, world) for _ in range(3)]
        assert await live(sql) == [1, 2, 3]
        for older in (first, second):
            assert (await ledger.submit(world.refund(older.id, amount=500))).answer.refusal == NEWER
            assert (await ledger.submit(world.cancel(older.order_no))).answer.refusal == NEWER
        for payment in (third, second, first):
            assert (await ledger.submit(world.refund(payment.id, amount=100))).answer.refusal is None
            assert (await ledger.submit(world.refund(payment.id, amount=400))).answer.refusal is None
        assert await live(sql) == []
        await settled(ledger, world)
        assert await live(sql) == [1]
    await books_verify(dsn, sql)


async def test_all_of_a_visit_in_one_batch(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    bill = bill_of(500, insured=100, visit_no="V-1")
    paying = [msgspec.structs.replace(world.authorize(order_no=f"A-{n}"), bill=bill, bill_digest="b") for n in range(3)]
    async with a_node(dsn) as ledger:
        commands: list[AnyCommand] = [*paying, world.cancel("A-0"), world.cancel("A-2"), world.cancel("A-1")]
        outcomes = await submit_all(ledger, commands)
        assert [outcome.answer.refusal for outcome in outcomes] == [None, None, None, NEWER, None, None]
        assert await live(sql) == [1]
        # What is ended and what begins are of one visit, and one batch.
        commands = [world.cancel("A-0"), msgspec.structs.replace(world.authorize(), bill=bill, bill_digest="b")]
        assert refusals(await submit_all(ledger, commands)) == [None, None]
    assert await live(sql) == [1]
    await books_verify(dsn, sql)


async def test_refunds_at_once_over_two_nodes_go_newest_first(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_node(dsn, lane_count=2) as first, a_node(dsn, lane_count=2) as second:
        payments = [await settled(first, world) for _ in range(6)]

        async def give_back(n: int, payment: Payment) -> int:
            """How often it had to be asked."""
            for asked in range(1, 1_000):
                outcome: Outcome = await settle((first, second)[n % 2], world.refund(payment.id, amount=500))
                if outcome.answer.refusal is None:
                    return asked
                assert outcome.answer.refusal == NEWER
            raise AssertionError("it was never its turn")

        await asyncio.gather(*(give_back(n, payment) for n, payment in enumerate(payments)))
    rows: Sequence[asyncpg.Record] = await sql.fetch("SELECT payment FROM refund ORDER BY created_at")
    assert [row[0] for row in rows] == [payment.id for payment in reversed(payments)]
    assert await live(sql) == []
    assert await sql.fetchval("SELECT max(fund_paid) FROM payer") == 0
    await books_verify(dsn, sql)


async def test_batch_without_visits_neither_reads_nor_writes_any(
    dsn: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(sql)

    async def read_visits(*_: object) -> None:
        raise AssertionError("nobody named a visit")

    monkeypatch.setattr(LaneSession, "read_visits", read_visits)
    async with a_node(dsn) as ledger:
        bill = bill_of(500, insured=100)
        commands = [
            world.authorize(card=1),
            msgspec.structs.replace(world.authorize(), bill=bill, bill_digest="b"),
        ]
        assert refusals(await submit_all(ledger, commands)) == [None, None]


async def test_settlement_that_is_gone_from_the_register_runs_the_batch_again(
    dsn: str, sql: asyncpg.Connection
) -> None:
    """Whoever takes a row from between reading and writing is noticed by the count."""
    world = await a_world(sql)
    async with a_node(dsn) as ledger:
        payment = await settled(ledger, world)
        async with sql.transaction():
            await sql.execute("DELETE FROM visit_settlement")
            refunding = asyncio.create_task(ledger.submit(world.refund(payment.id, amount=500)))
            waiting = None
            while waiting is None:  # the lane has read it, and waits for its row
                await sql.execute("SELECT pg_stat_clear_snapshot()")
                waiting = await sql.fetchval(
                    "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'lane %' AND wait_event_type = 'Lock'"
                    " AND datname = current_database()"
                )
        assert (await refunding).answer.refusal is None
    assert await live(sql) == []
    await books_verify(dsn, sql)
