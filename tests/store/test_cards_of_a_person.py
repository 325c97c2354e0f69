"""Cards are found by their person, whether they have ended or not, without looking through all of them."""

import asyncpg
import pytest

from engine.core.ids import IdKind
from engine.store.sql import load_queries
from tests.builders import an_id


@pytest.mark.parametrize(
    ("file", "query", "values"),
    [
        ("persons", "card_of_id_number", [b"index"]),
        ("persons", "known_persons", [[b"index"]]),
        ("personal_data", "cards_of_same_person", [an_id(IdKind.CARD)]),
        ("certifications", "due_of_payouts", [[an_id(IdKind.CARD)], ["PENSION"]]),
    ],
)
async def test_no_query_looks_through_all_cards(
    sql: asyncpg.Connection, file: str, query: str, values: list[object]
) -> None:
    await sql.execute("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off")
    plan = "\n".join(row[0] for row in await sql.fetch(f"EXPLAIN {load_queries(file)[query]}", *values))
    assert "card_person" in plan, plan
