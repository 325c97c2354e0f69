"""Plans brought into a database: all or none, in one version, never two for one day, and never with other terms."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

import asyncpg
import msgspec
import pytest

from engine.core.benefits import Plan
from engine.core.plan_book import PlanBook, PlanProblem
from engine.flows.load_plans import LoadedPlans, load_plans
from engine.store.connection import READ_SETTINGS, connect, open_pool
from engine.store.plans import load_plan_book
from tests.core.medical import a_plan

NEW_YEAR, MAY_DAY = date(2026, 1, 1), date(2026, 5, 1)
OPEN = a_plan(id="first", valid_from=NEW_YEAR, valid_to=None)
ENDED = msgspec.structs.replace(OPEN, valid_to=MAY_DAY)
NEXT = a_plan(id="second", valid_from=MAY_DAY, valid_to=None, deductible=0)


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """What a node reads with."""
    pool = await open_pool(dsn, size_max=2)
    yield pool
    await pool.close()


async def load(sql: asyncpg.Connection, *plans: Plan) -> LoadedPlans:
    """Load plans that can be loaded."""
    loaded = await load_plans(sql, plans)
    assert isinstance(loaded, LoadedPlans)
    return loaded


async def test_books_begin_without_plans(pool: asyncpg.Pool) -> None:
    version, book = await load_plan_book(pool)
    assert (version, book.plans) == (0, ())
    assert isinstance(book, PlanBook)


async def test_loaded_plan_is_read_as_it_is(sql: asyncpg.Connection, pool: asyncpg.Pool) -> None:
    loaded = await load(sql, OPEN)
    assert loaded == LoadedPlans(version=1, added=("first",), ended=(), unchanged=())
    version, book = await load_plan_book(pool)
    assert (version, book.plans) == (1, (OPEN,))
    assert await sql.fetchval("SELECT loaded_at - clock_timestamp() < interval '1 minute' FROM benefit_plan")


async def test_loading_again_changes_nothing(sql: asyncpg.Connection) -> None:
    await load(sql, OPEN)
    before = await sql.fetch("SELECT xmin::text, * FROM benefit_plan")
    assert await load(sql, OPEN) == LoadedPlans(version=1, added=(), ended=(), unchanged=("first",))
    assert await sql.fetch("SELECT xmin::text, * FROM benefit_plan") == before


async def test_one_plan_ends_and_the_next_begins_in_one_go(sql: asyncpg.Connection, pool: asyncpg.Pool) -> None:
    await load(sql, OPEN)
    loaded = await load(sql, NEXT, ENDED)
    assert loaded == LoadedPlans(version=2, added=("second",), ended=("first",), unchanged=())
    _, book = await load_plan_book(pool)
    assert book.plan_for(110100, 310, date(2026, 4, 30)) == ENDED
    assert book.plan_for(110100, 310, MAY_DAY) == NEXT
    assert await sql.fetchval("SELECT valid_to FROM benefit_plan WHERE id = 'first'") == MAY_DAY


@pytest.mark.parametrize("known", [ENDED, OPEN])
async def test_end_can_be_moved_either_way(sql: asyncpg.Connection, pool: asyncpg.Pool, known: Plan) -> None:
    await load(sql, known)
    other = OPEN if known is ENDED else ENDED
    assert (await load(sql, other)).ended == ("first",)
    assert (await load_plan_book(pool))[1].plans == (other,)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ((NEXT,), PlanProblem("second", "begins while first holds, for the same region and insurance")),
        (
            (a_plan(id="twin", valid_from=NEW_YEAR),),
            PlanProblem("twin", "begins while first holds, for the same region and insurance"),
        ),
        ((msgspec.structs.replace(OPEN, deductible=1),), PlanProblem("first", "this id is a plan's with other terms")),
        (
            (msgspec.structs.replace(ENDED, annual_cap=1),),
            PlanProblem("first", "this id is a plan's with other terms"),
        ),
    ],
)
async def test_what_contradicts_is_refused(
    sql: asyncpg.Connection, pool: asyncpg.Pool, given: tuple[Plan, ...], problem: PlanProblem
) -> None:
    await load(sql, OPEN)
    found = await load_plans(sql, (a_plan(id="elsewhere", region=310100), *given))
    assert found == (problem,)
    version, book = await load_plan_book(pool)
    assert (version, book.plans) == (1, (OPEN,))


async def test_two_plans_with_one_id_in_one_go_are_refused(sql: asyncpg.Connection) -> None:
    other = a_plan(id="first", region=310100)
    assert await load_plans(sql, (OPEN, other)) == (PlanProblem("first", "this id is a plan's with other terms"),)
    assert await load_plans(sql, (OPEN, ENDED)) == (PlanProblem("first", "this id is a plan's with other terms"),)


async def test_of_two_that_contradict_loaded_at_once_one_is_refused(dsn: str, sql: asyncpg.Connection) -> None:
    others = [await connect(dsn, READ_SETTINGS, application_name="test") for _ in range(8)]
    plans = [a_plan(id=f"plan-{n}", valid_from=date(2026, 1 + n, 1), valid_to=None) for n in range(8)]
    found = await asyncio.gather(*(load_plans(other, [plan]) for other, plan in zip(others, plans, strict=True)))
    assert sum(isinstance(one, LoadedPlans) for one in found) == 1
    assert await sql.fetchval("SELECT count(*) FROM benefit_plan") == 1
    assert await sql.fetchval("SELECT rules_version FROM control") == 1
    for other in others:
        await other.close()


async def test_lanes_read_the_control_row_while_plans_are_loaded(dsn: str, sql: asyncpg.Connection) -> None:
    reader = await connect(dsn, READ_SETTINGS | {"lock_timeout": "1"}, application_name="test")
    async with sql.transaction():
        await load(sql, OPEN)
        assert await reader.fetchval("SELECT rules_version FROM control") == 0
    assert await reader.fetchval("SELECT rules_version FROM control") == 1
    await reader.close()
