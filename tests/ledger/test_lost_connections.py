"""The connection is lost anywhere in a batch: what was committed is answered, what was not runs again, all once."""

import asyncpg
import pytest

from tests.builders import a_world
from tests.ledger.nodes import a_node, refusals, submit_all
from tests.ledger.proof import prove_books
from tests.ledger.wire import Act, Wire

STATEMENTS = ("hold", "lock_and_claim", "read_books", "write_books", "commit")


@pytest.mark.parametrize("act", [Act.CUT, Act.ANSWER_LOST, Act.ABANDONED])
@pytest.mark.parametrize("statement", STATEMENTS)
async def test_batch_whose_connection_is_lost_is_posted_once(
    dsn: str, sql: asyncpg.Connection, statement: str, act: Act
) -> None:
    world = await a_world(sql)
    async with Wire(dsn).opened() as wire, a_node(wire.dsn) as ledger:
        await ledger.submit(world.authorize())
        wire.at(statement, act)
        outcomes = await submit_all(ledger, [world.authorize(card=card) for card in range(4)])
        assert [outcome.is_replay for outcome in outcomes] == [False] * 4
        assert refusals(outcomes) == [None] * 4
    assert await sql.fetchval("SELECT count(*) FROM payment") == 5
    assert await sql.fetchval("SELECT count(*) FROM batch") == 2
    await prove_books(sql)
