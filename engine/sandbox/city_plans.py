"""Puts the plans of the sample city's insurances into a database."""

import asyncpg

from engine.core.benefits import Plan
from engine.flows.load_plans import load_plans
from engine.sandbox.plans import PLANS
from engine.store.plans import load_plan_book


async def has_city_plans(connection: asyncpg.Connection) -> bool:
    """True if each insurance of the city was given a plan, the sample's or somebody's own."""
    return not await _missing(connection)


async def load_city_plans(connection: asyncpg.Connection) -> None:
    """Load the plans of insurances that never had one. What was ended since, or is somebody's own, stays so."""
    if missing := await _missing(connection):
        await load_plans(connection, missing)


async def _missing(connection: asyncpg.Connection) -> list[Plan]:
    _, book = await load_plan_book(connection)
    known = {(plan.region, plan.insurance) for plan in book.plans}
    return [plan for plan in PLANS if (plan.region, plan.insurance) not in known]
