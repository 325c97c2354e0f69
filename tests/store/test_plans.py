"""The plans of a batch's statements: an index for every table, whether it is empty or full, from the first batch on."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from engine.store.connection import LANE_SETTINGS, connect
from engine.store.sql import load_queries
from tests.builders import a_world
from tests.ledger.nodes import a_node, submit_all

STATEMENTS = ("lock_and_claim", "read_books", "read_earlier", "write_changes", "write_books")
# One row, and one a lane.
SMALL = {"control", "lane"}
TABLES_READ = {
    "lock_and_claim": {"device", "payment", "payer", "order_ref"},
    "read_books": {
        "order_ref",
        "payment",
        "code_use",
        "device",
        "merchant",
        "terminal",
        "refund",
    },
    "read_earlier": {"answer", "event"},
    "write_changes": {"payment", "hold"},
    "write_books": {"payer", "lane"},
}
FILL = """
INSERT INTO payer SELECT md5('c' || n)::uuid, 1, 2, md5('b')::uuid, 1000, 1, 0, 0, 0, 0, '2026-01-01', 0
  FROM generate_series(1, 3000) n;
INSERT INTO device SELECT n, md5('c' || n)::uuid, 1, false FROM generate_series(1, 3000) n;
INSERT INTO order_ref SELECT md5('m' || n % 50)::uuid, 'A' || n, NULL FROM generate_series(1, 3000) n;
INSERT INTO answer SELECT md5('m' || n % 50)::uuid, 1, 'K' || n, '2026-01-01', 1, n, 0 FROM generate_series(1, 3000) n;
INSERT INTO hold SELECT now() + n * interval '1 s', md5('p' || n)::uuid FROM generate_series(1, 3000) n;
INSERT INTO merchant SELECT md5('m' || n)::uuid, 'M' || n, 1, md5('b')::uuid, false, '{1}', '店', 'Shop'
  FROM generate_series(1, 3000) n;
INSERT INTO terminal SELECT md5('m' || n)::uuid, 'T' FROM generate_series(1, 3000) n;
INSERT INTO lane SELECT n, 1, 0, '', 'node' FROM generate_series(100, 130) n;
INSERT INTO code_use SELECT extract(epoch FROM now())::bigint / 30, n, 1 FROM generate_series(1, 3000) n;
ANALYZE;
"""


@pytest.fixture
async def lane(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A session with a lane's settings, in which the statements of a batch are prepared while the tables are empty."""
    connection = await connect(dsn, LANE_SETTINGS, application_name="plans")
    for name in STATEMENTS:
        await connection.execute(f"PREPARE {name} AS {load_queries('lane')[name]}")
    yield connection
    await connection.close()


async def plan_of(lane: asyncpg.Connection, name: str) -> dict[str, Any]:
    """The generic plan that the session has for a statement."""
    count = load_queries("lane")[name].count("$")
    for parameters in range(1, count + 1):
        try:
            plan = await lane.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {name} ({', '.join(['NULL'] * parameters)})")
        except asyncpg.PostgresSyntaxError:
            continue
        found: dict[str, Any] = json.loads(plan)[0]["Plan"]
        return found
    raise AssertionError(name)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every node of a plan."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def table_of(relation: str) -> str:
    """A partition's table: the name without month or day."""
    stem, _, tail = relation.rpartition("_")
    return stem if tail.isdigit() else relation


async def check_plans(lane: asyncpg.Connection) -> None:
    """Each statement finds each table's rows by a key: an index that is read from end to end is no better than none."""
    for name in STATEMENTS:
        plan = await plan_of(lane, name)
        scans = [node for node in nodes(plan) if "Relation Name" in node and "Scan" in node["Node Type"]]
        wrong = [
            (node["Relation Name"], node["Node Type"])
            for node in scans
            if not node.keys() & {"Index Cond", "Recheck Cond"} and node["Relation Name"] not in SMALL
        ]
        assert wrong == [], name
        assert {table_of(node["Relation Name"]) for node in scans} >= TABLES_READ[name], name


async def test_plans_made_for_empty_tables_use_indexes(lane: asyncpg.Connection) -> None:
    await check_plans(lane)
    for name in STATEMENTS:
        indexes = {node["Index Name"] for node in nodes(await plan_of(lane, name)) if "Index Name" in node}
        assert [index for index in indexes if not index.endswith("_pkey")] == [], "each row by its own key"


async def test_plans_made_for_tables_that_are_known_to_be_empty_use_indexes(
    sql: asyncpg.Connection, lane: asyncpg.Connection
) -> None:
    """Whoever gathers statistics too early must not slow the lanes down later."""
    await sql.execute("ANALYZE")
    await check_plans(lane)


async def test_plans_for_full_tables_use_indexes(dsn: str, sql: asyncpg.Connection, lane: asyncpg.Connection) -> None:
    await check_plans(lane)
    await sql.execute(FILL)
    world = await a_world(sql)
    async with a_node(dsn) as ledger:
        await submit_all(ledger, [world.authorize(card=n % 4, amount=1, capture=n % 2 == 0) for n in range(100)])
    await sql.execute("ANALYZE")
    await check_plans(lane)
    for name in STATEMENTS:
        await lane.execute(f"DEALLOCATE {name}")
        await lane.execute(f"PREPARE {name} AS {load_queries('lane')[name]}")
    await check_plans(lane)


async def test_number_of_partitions_that_a_batch_pays_for_is_bounded(dsn: str, sql: asyncpg.Connection) -> None:
    """Every update and read pays for each partition, pruned or not: what is updated has months, not days."""
    counts = await sql.fetch(
        "SELECT inhparent::regclass::text, count(*) FROM pg_inherits JOIN pg_class c ON c.oid = inhparent"
        " WHERE c.relkind = 'p' GROUP BY 1"
    )
    assert {row[0]: row[1] for row in counts} == {"payment": 3, "refund": 3, "posting": 16, "event": 16, "code_use": 9}
