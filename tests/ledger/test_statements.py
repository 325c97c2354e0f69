"""What the lane's statements do inside PostgreSQL: in which order, to which rows, and how often."""

import json
from collections.abc import Sequence
from itertools import groupby

import asyncpg

from engine.core.answers import CancelOutcome
from engine.core.commands import AnyCommand
from engine.ledger.router import Ledger
from tests.builders import World, a_world
from tests.ledger.nodes import a_node, a_step, paid, refusals, submit_all
from tests.ledger.proof import prove_books

WRITTEN_IN_ORDER = (
    "answer",
    "payment",  # those that change
    "refund",
    "hold",
    "order_ref",
    "code_use",
    "payment",  # new ones
    "posting",
    "event",
    "payer",
    "balance",
    "batch",
    "lane",
)
# Writes down every row as it is written. A partition's rows are written down under the table's own name.
TRACE = """
CREATE TABLE trace (at serial PRIMARY KEY, relation text, what text, row jsonb);
CREATE FUNCTION trace() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO trace (relation, what, row) VALUES (TG_ARGV[0], TG_OP, to_jsonb(coalesce(NEW, OLD)));
    RETURN coalesce(NEW, OLD);
END $$;
"""


async def traced(sql: asyncpg.Connection, relations: Sequence[str]) -> None:
    """From now on every row of *relations* that is written is written down."""
    await sql.execute(TRACE)
    for relation in relations:
        await sql.execute(
            f"CREATE TRIGGER trace BEFORE INSERT OR UPDATE OR DELETE ON {relation}"
            f" FOR EACH ROW EXECUTE FUNCTION trace('{relation}')"
        )


async def test_tables_are_written_in_the_order_that_locks_are_taken_in(dsn: str, sql: asyncpg.Connection) -> None:
    """The CTEs run as the last SELECT counts them, not as they are written."""
    world = await a_world(sql)
    async with a_node(dsn) as ledger:
        payment = await paid(ledger, world, amount=100)
        (held,) = await submit_all(ledger, [world.authorize(card=2, capture=False)])
        assert held.answer.payment is not None
        await traced(sql, sorted(set(WRITTEN_IN_ORDER)))
        outcomes = await submit_all(
            ledger,
            [
                world.authorize(card=1, capture=False),
                world.refund(payment, amount=10),
                world.capture(held.answer.payment.id),
            ],
        )
        assert refusals(outcomes) == [None] * 3
    order = [row["relation"] for row in await sql.fetch("SELECT relation FROM trace ORDER BY at")]
    assert [relation for relation, _ in groupby(order)] == list(WRITTEN_IN_ORDER), "one table after the other"
    await prove_books(sql)


async def test_unique_keys_are_inserted_in_their_own_order(dsn: str, sql: asyncpg.Connection) -> None:
    """Two batches that insert the same keys in different orders wait for each other for ever."""
    world = await a_world(sql, card_count=8)
    await traced(sql, ["answer", "order_ref", "code_use"])
    step = a_step()
    async with a_node(dsn) as ledger:
        commands = [
            world.authorize(
                card=(n * 3) % 8, key=f"K{(n * 5) % 8}", order_no=f"A{(n * 3) % 8}", merchant=n % 2, step=step - n % 3
            )
            for n in range(8)
        ]
        assert refusals(await submit_all(ledger, commands)) == [None] * 8
    inserted = await sql.fetch("SELECT relation, row FROM trace ORDER BY at")
    for relation, columns in (
        ("answer", ("caller", "operation", "key")),
        ("order_ref", ("merchant", "order_no")),
        ("code_use", ("step", "device", "refresh")),
    ):
        rows = [json.loads(row["row"]) for row in inserted if row["relation"] == relation]
        keys = [tuple(row[column] for column in columns) for row in rows]
        assert len(keys) == 8
        assert keys == sorted(keys)


async def test_a_row_that_many_commands_of_a_batch_change_is_written_once(dsn: str, sql: asyncpg.Connection) -> None:
    """Statements of one WITH do not see each other: a second write of a row would be lost."""
    world = await a_world(sql)
    async with a_node(dsn) as ledger:
        payment = await paid(ledger, world, amount=1000)
        await traced(sql, ["payer", "payment", "balance"])
        commands: list[AnyCommand] = [
            world.refund(payment, amount=10),
            world.refund(payment, amount=20),
            world.open_account(amount=500),
            world.authorize(amount=300, order_no="A1"),
            world.cancel("A1"),
            world.authorize(amount=70, capture=False, order_no="A2"),
            world.authorize(amount=30),
        ]
        outcomes = await submit_all(ledger, commands)
        assert refusals(outcomes) == [None] * 7
        assert await sql.fetchval("SELECT count(*) FROM batch") == 2
    writes = await sql.fetch(
        "SELECT relation, coalesce(row->>'id', row->>'account'), count(*) FROM trace WHERE what = 'UPDATE'"
        " GROUP BY 1, 2 HAVING count(*) > 1"
    )
    assert not writes
    await prove_books(sql)


async def test_order_paid_and_cancelled_in_one_batch_is_new_and_changed_at_once(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world = await a_world(sql)
    async with a_node(dsn) as ledger:
        outcomes = await submit_all(ledger, [world.authorize(order_no="A1", capture=False), world.cancel("A1")])
        assert outcomes[1].answer.cancelled in (CancelOutcome.VOIDED, CancelOutcome.NOTHING_TO_CANCEL)
    await prove_books(sql)


async def test_balance_that_does_not_exist_yet_is_not_lost(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_node(dsn) as first, a_node(dsn) as second:
        for ledger in (first, second):
            await paid(ledger, world, amount=100)
    totals = await sql.fetch("SELECT lane, sum(credits_posted)::bigint FROM balance GROUP BY lane ORDER BY lane")
    assert [tuple(row) for row in totals] == [(1, 100), (2, 100)]
    await prove_books(sql)


async def test_payment_captured_on_a_later_business_date_stays_where_it_is(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_node(dsn) as ledger:
        (held,) = await submit_all(ledger, [world.authorize(capture=False)])
        assert held.answer.payment is not None
        before = await sql.fetchrow("SELECT tableoid::regclass::text, business_date FROM payment")
        assert before is not None
        await sql.execute("UPDATE control SET business_date = business_date + 1, cycle = cycle + 100")
        await ledger.submit(world.capture(held.answer.payment.id))
        after = await sql.fetchrow("SELECT tableoid::regclass::text, business_date FROM payment")
        assert after is not None
        assert after[0] == before[0]
        assert after[1] > before[1]
    await prove_books(sql)


async def test_rows_that_change_often_change_in_place(dsn: str, sql: asyncpg.Connection) -> None:
    """A heap-only update touches no index: any index on what changes would end that. Account and bank both pay."""
    world = await a_world(sql)
    async with a_node(dsn) as ledger:
        await ledger.submit(world.open_account(amount=50))
        for _ in range(20):
            await _pay_and_refund(world, ledger)
    updates = await sql.fetch(
        "SELECT relid::regclass::text, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables"
        " WHERE relname IN ('payer', 'balance', 'lane') OR relname LIKE 'payment_%'"
    )
    assert {row[0] for row in updates if row[1]} >= {"payer", "balance", "lane"}
    assert all(row[1] == row[2] for row in updates), updates


async def _pay_and_refund(world: World, ledger: Ledger) -> None:
    (held,) = await submit_all(ledger, [world.authorize(amount=100, capture=False)])
    assert held.answer.payment is not None
    await ledger.submit(world.capture(held.answer.payment.id))
    await ledger.submit(world.refund(held.answer.payment.id, amount=100))
