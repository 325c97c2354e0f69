"""The machinery of `engine bench ledger`, with runs too short to say anything about speed."""

from collections import Counter
from collections.abc import AsyncIterator

import asyncpg
import pytest

from engine.bench.cluster import Cluster, ProgramFailed, tps_of
from engine.bench.copy_side import CopySide
from engine.bench.figures import GOALS
from engine.bench.lanes_side import LanesSide
from engine.bench.measure_ledger import measure_ledger
from engine.bench.turns import in_turns
from engine.bench.world import Customers, World, new_world, store_world
from engine.codes.pay_code import step_at
from engine.embedded.postgres import EmbeddedPostgres
from engine.flows.clock import Clock, IdSource
from engine.flows.verify_books import verify_books
from engine.settings import LANE_COUNT

CARDS = 60
COPIED_TABLES = ("answer", "order_ref", "code_use", "payment", "posting", "event", "batch")


@pytest.fixture
async def world(sql: asyncpg.Connection) -> World:
    made = new_world(IdSource(), card_count=CARDS)
    await store_world(sql, made)
    return made


def customers_of(world: World) -> Customers:
    return Customers(world, IdSource(), first_step=step_at(Clock().wall_s()))


@pytest.fixture
async def lanes(dsn: str, world: World) -> AsyncIterator[LanesSide]:
    side = LanesSide(dsn, customers_of(world))
    await side.open()
    yield side
    await side.close()


async def test_every_payment_through_lanes_has_three_postings(
    dsn: str, sql: asyncpg.Connection, lanes: LanesSide
) -> None:
    assert await lanes.run(CARDS) > 0
    assert await lanes.run(CARDS) > 0, "the same cards pay again, by other codes"
    counts = await sql.fetch("SELECT payment, count(*) FROM posting JOIN payment ON id = payment GROUP BY payment")
    assert [row["count"] for row in counts] == [3] * 2 * CARDS
    assert lanes.refusals == {}
    assert 1 <= lanes.batch_median <= CARDS
    report = await verify_books(dsn, public_keys=None, progress=lambda *_: None)
    assert report.violation is None, report.violation.text


async def test_stored_payments_are_of_cards_with_empty_accounts(
    dsn: str, sql: asyncpg.Connection, lanes: LanesSide
) -> None:
    told: list[int] = []
    await lanes.store(CARDS + 10, progress=told.append)
    assert told == [CARDS + 10]
    assert await sql.fetchval("SELECT count(*) FROM payment") == CARDS + 10
    assert await sql.fetchval("SELECT count(*) FROM posting") == 2 * (CARDS + 10)
    report = await verify_books(dsn, public_keys=None, progress=lambda *_: None)
    assert report.violation is None, report.violation.text


async def test_copy_writes_the_rows_that_lanes_write(
    dsn: str, sql: asyncpg.Connection, world: World, lanes: LanesSide
) -> None:
    """What a lane writes for the same payments, column by column, but for ids, keys and times."""
    await lanes.run(CARDS)
    by_lanes = await pictures(sql)
    await sql.execute(f"TRUNCATE {', '.join(COPIED_TABLES)}")
    side = CopySide(dsn, world, customers_of(world), Clock())
    await side.open()
    await side.run(CARDS, batch_size=7)
    await side.close()
    by_copy = await pictures(sql)
    assert by_copy == by_lanes
    assert await sql.fetchval("SELECT count(*) FROM batch") == sum(
        -(-count // 7) for count in Counter(n % 256 % LANE_COUNT for n in range(CARDS)).values()
    )


async def pictures(sql: asyncpg.Connection) -> list[object]:
    """The tables without what differs between any two runs."""
    statements = (
        "SELECT operation, length(key), business_date, count(*) FROM answer GROUP BY 1, 2, 3",
        "SELECT order_no FROM order_ref ORDER BY 1",
        "SELECT device, refresh FROM code_use ORDER BY 1",
        """SELECT order_no, merchant, payer, amount, scenario, mode, terminal_id, state, captured, refunded, tenders,
                  business_date, cycle, limit_day
             FROM payment ORDER BY 1""",
        """SELECT p.business_date, p.cycle, p.region, p.phase, p.kind, p.debit, p.credit, p.amount, y.order_no
             FROM posting p JOIN payment y ON y.id = p.payment ORDER BY order_no, debit""",
        """SELECT e.business_date, e.kind, e.region, length(e.body), y.order_no
             FROM event e JOIN payment y ON y.id = e.payment ORDER BY order_no""",
    )
    return [[tuple(row) for row in await sql.fetch(statement)] for statement in statements]


async def test_a_refused_payment_is_counted(sql: asyncpg.Connection, lanes: LanesSide) -> None:
    await sql.execute("UPDATE merchant SET is_suspended = true")
    await lanes.run(CARDS)
    assert lanes.refusals == {"merchant_suspended": CARDS}


async def test_sides_take_turns() -> None:
    order: list[str] = []

    async def side(name: str) -> float:
        order.append(name)
        return float(len(order))

    measured = await in_turns({name: lambda name=name: side(name) for name in "ab"}, turns=3, say=lambda _: None)  # type: ignore[misc]  # mypy does not infer a default's type
    assert order == ["a", "b"] * 3
    assert measured == {"a": [1, 3, 5], "b": [2, 4, 6]}


def test_the_rate_that_pgbench_reports() -> None:
    output = "number of failed transactions: 0 (0.000%)\ntps = 3210.5 (without initial connection time)\n"
    assert tps_of(output) == 3210.5
    with pytest.raises(ProgramFailed):
        tps_of("pgbench: error")


@pytest.mark.timeout(600)
async def test_the_whole_of_it(postgres: EmbeddedPostgres) -> None:
    said: list[str] = []
    result = await measure_ledger(
        Cluster(postgres), seconds=0.02, stored=100, turns=1, say=said.append, pgbench_scale=1
    )
    assert [line.id for line in result.figures] == ["P1", "P1b", "P7"]
    assert {line.id for line in result.figures} <= GOALS.keys()
    assert (result.refusals, result.skipped) == ({}, ())
    assert all(line.ratio > 0 for line in result.figures)
    assert len(result.books) == 2
    for dsn in result.books:
        report = await verify_books(dsn, public_keys=None, progress=lambda *_: None)
        assert report.violation is None, report.violation.text
