"""What was cut short while a statement was compared is compared by whoever finds it, once it is old enough."""

from datetime import timedelta

import asyncpg

from engine.core.differences import ReconciliationState
from engine.workers.statements import CUT_SHORT_AFTER, compare_cut_short
from tests.builders import a_world
from tests.flows.statement_books import an_item, give_files, line_of, open_desk, statement


async def test_statement_that_was_cut_short_is_compared(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    items = [an_item(n) for n in range(3)]
    await give_files(sql, world.banks[0], items)
    async with open_desk(dsn) as desk:
        found = await desk.reconcile(world.banks[0], statement(map(line_of, items[1:])))
        before = await desk.differences(found)
        await sql.execute("UPDATE reconciliation SET state = 1")
        await sql.execute("DELETE FROM difference")
        assert await compare_cut_short(desk.statements) == 0, "whoever received it may be at work on it"
        await sql.execute("UPDATE upload SET started_at = started_at - $1::interval", CUT_SHORT_AFTER)
        assert await compare_cut_short(desk.statements) == 1
        assert (await desk.load(found)).state is ReconciliationState.DIFFERENT
        assert [one.n for one in await desk.differences(found)] == [one.n for one in before]
        assert await compare_cut_short(desk.statements, after=timedelta(0)) == 0
