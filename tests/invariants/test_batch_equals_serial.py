"""Commands that are decided together leave what they would leave one after the other."""

from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec
from hypothesis import given, settings

from engine.core.commands import AnyCommand
from engine.core.postings import fold
from engine.ledger.lane import BATCH_COMMANDS_MAX
from tests.core.city import City, a_city
from tests.core.paper_books import PaperBooks
from tests.core.steps import BringIn, Clerk, Step, rushes
from tests.invariants.database_books import in_order, running_ledger, settle, submitted
from tests.invariants.pictures import words_of

# What must be the same, whichever way it came about: everything but instants, lanes and sequence numbers.
PROJECTIONS: Final = {
    "payers": "SELECT * FROM payer",
    "payments": """
        SELECT id, order_no, amount, state, refusal, captured, refunded, tenders, business_date, cycle, limit_day,
               sequence, limit_class, details
          FROM payment
    """,
    "refunds": "SELECT payment, refund_no, id, amount, tenders, business_date, cycle FROM refund",
    "holds": "SELECT payment FROM hold",
    "orders": "SELECT * FROM order_ref",
    "codes": "SELECT * FROM code_use",
    "balances": "SELECT account, debits_pending, debits_posted, credits_pending, credits_posted FROM balance",
    "postings": "SELECT payment, phase, kind, debit, credit, amount FROM posting",
}
# For so few rows much sooner than TRUNCATE.
FORGET: Final = """
    DELETE FROM payer; DELETE FROM device; DELETE FROM merchant; DELETE FROM terminal; DELETE FROM payment;
    DELETE FROM refund; DELETE FROM hold; DELETE FROM order_ref; DELETE FROM code_use; DELETE FROM balance;
    DELETE FROM posting; DELETE FROM event; DELETE FROM answer;
"""
EXAMPLES: Final = 15

FUNDED: Sequence[Step] = (BringIn(card=0, amount=450), BringIn(card=2, amount=300))


def commands_of(city: City, steps: Sequence[Step]) -> list[AnyCommand]:
    """What is asked in one rush; the engine's own commands too."""
    clerk = Clerk(city)
    return [clerk.make(step) for step in (*FUNDED, *steps)]


def tables_of(books: PaperBooks) -> dict[str, object]:
    """Everything on paper but the order of postings."""
    kept = {name: value for name, value in vars(books).items() if name != "postings"}
    return kept | {"moved": fold(books.postings), "posting_count": len(books.postings)}


@settings(deadline=None, max_examples=150)
@given(steps=rushes())
def test_one_batch_on_paper_equals_one_batch_a_command(steps: Sequence[Step]) -> None:
    city = a_city(0)
    commands = commands_of(city, steps)
    together, serial = PaperBooks(city), PaperBooks(city)
    decided = together.submit(commands)
    one_by_one = [pair for command, _ in decided for pair in serial.submit([command])]
    assert decided == one_by_one
    assert tables_of(together) == tables_of(serial)


def test_full_batches_in_the_database_equal_batches_of_one(dsn: str) -> None:
    with (
        running_ledger(dsn, lane_count=1, batch_max=BATCH_COMMANDS_MAX) as (runner, together, sql),
        running_ledger(dsn, lane_count=1, batch_max=1) as (other_runner, serial, _),
    ):

        @settings(deadline=None, max_examples=EXAMPLES)
        @given(steps=rushes())
        def compare(steps: Sequence[Step]) -> None:
            city = a_city(0)
            commands = [keyed(n, command) for n, command in enumerate(commands_of(city, steps))]
            runner.run(refounded(sql, city))
            decided = runner.run(in_order(sql, runner.run(submitted(together, commands))))
            rows = runner.run(projected(sql))
            runner.run(refounded(sql, city))
            one_by_one = [pair for command, _ in decided for pair in other_runner.run(submitted(serial, [command]))]
            assert [words_of(outcome) for _, outcome in decided] == [words_of(outcome) for _, outcome in one_by_one]
            assert rows == runner.run(projected(sql))

        compare()
        assert runner.run(sql.fetchval("SELECT max(n) FROM batch WHERE lane = 1")) > 1
        assert runner.run(sql.fetchval("SELECT max(n) FROM batch WHERE lane = 2")) == 1


def keyed(n: int, command: AnyCommand) -> AnyCommand:
    """The command under a key, so that its place can be looked up; the engine's own have none."""
    return command if command.key is not None else msgspec.structs.replace(command, key=f"own-{n}")


async def refounded(sql: asyncpg.Connection, city: City) -> None:
    """The city as if nothing had ever happened."""
    await sql.execute(FORGET)
    await settle(sql, city)


async def projected(sql: asyncpg.Connection) -> dict[str, list[tuple[object, ...]]]:
    """The rows of every projection, in an order that depends on nothing else."""
    return {
        name: sorted((tuple(row) for row in await sql.fetch(query)), key=repr) for name, query in PROJECTIONS.items()
    }
