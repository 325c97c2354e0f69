"""Plans of insurances in the database. Whoever changes them holds the control row meanwhile; lanes only read it."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

import asyncpg

from engine.core.benefits import Plan
from engine.core.plan_book import PlanBook
from engine.formats import plan_json
from engine.store.connection import AnyConnection
from engine.store.faults import StoreUnavailable, translated
from engine.store.sql import load_queries

Reader: TypeAlias = "AnyConnection | asyncpg.Pool"


async def load_plan_book(reader: Reader) -> tuple[int, PlanBook]:
    """All plans, and the version of the rules that they are of."""
    with translated():
        rows = await reader.fetch(load_queries("plans")["plan_book"])
    if not rows:
        raise StoreUnavailable("the books are not set up")
    return rows[0]["rules_version"], PlanBook(_plan_of(row["body"]) for row in rows if row["body"] is not None)


async def lock_rules(connection: AnyConnection) -> None:
    """Keep everybody else from changing rules until the transaction ends."""
    with translated():
        await connection.execute(load_queries("plans")["lock_rules"])


async def insert_plans(connection: AnyConnection, plans: Iterable[Plan], *, now: datetime) -> None:
    """Keep plans that are new."""
    rows = [
        (plan.id, plan.region, plan.insurance, plan.valid_from, plan.valid_to, _body_of(plan), now) for plan in plans
    ]
    with translated():
        await connection.executemany(load_queries("plans")["insert_plan"], rows)


async def end_plans(connection: AnyConnection, plans: Iterable[Plan]) -> None:
    """Let plans that are kept end when these say; nothing else of them is different."""
    rows = [(plan.id, plan.valid_to, _body_of(plan)) for plan in plans]
    with translated():
        await connection.executemany(load_queries("plans")["end_plan"], rows)


async def advance_rules(connection: AnyConnection) -> int:
    """Make every lane read the rules anew; returns their version."""
    with translated():
        version: int = await connection.fetchval(load_queries("plans")["advance_rules"])
    return version


def _body_of(plan: Plan) -> bytes:
    body = plan_json.write(plan)
    assert plan_json.read(body) == plan, "what could not be read again would stop every lane"
    return body


def _plan_of(body: bytes) -> Plan:
    plan = plan_json.read(body)
    assert isinstance(plan, Plan), "plans are checked before they are kept"
    return plan
