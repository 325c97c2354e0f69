"""Whatever happens, the ledger is as the reference says: on paper, and in PostgreSQL with one lane and with two."""

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.core.city import City
from tests.invariants.database_books import DatabaseBooks, running_ledger
from tests.invariants.ledger_machine import ComparedBooks, ComparedPaperBooks, LedgerMachine
from tests.ledger.proof import prove_books

PAPER_EXAMPLES = 100
DATABASE_EXAMPLES = 30  # with each number of lanes
STEPS_EACH = 40

BASE = settings(
    deadline=None,
    stateful_step_count=STEPS_EACH,
    derandomize="CI" in os.environ,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def compare(open_books: Callable[[City], ComparedBooks], *, examples: int) -> None:
    """Run the machine. A failure prints the shortest program that fails, and the blob that repeats it."""

    class Machine(LedgerMachine):
        def __init__(self) -> None:
            super().__init__(open_books)

    run_state_machine_as_test(Machine, settings=settings(BASE, max_examples=examples))


def test_books_on_paper_match_the_reference() -> None:
    compare(ComparedPaperBooks, examples=PAPER_EXAMPLES)


@pytest.mark.timeout(900)  # a failure is shrunk for up to five minutes
@pytest.mark.parametrize("lane_count", [1, 2])
def test_books_in_the_database_match_the_reference(dsn: str, lane_count: int) -> None:
    with running_ledger(dsn, lane_count=lane_count) as running:
        runner, _, sql = running
        today = runner.run(sql.fetchval("SELECT business_date FROM control"))
        compare(
            lambda city: DatabaseBooks(running, city, first_day=today, lane_count=lane_count),
            examples=DATABASE_EXAMPLES,
        )
        runner.run(prove_books(sql))
