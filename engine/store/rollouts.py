"""Switches of scenarios by region, as they are kept."""

from typing import TypeAlias

import asyncpg

from engine.core.participants import regions_of
from engine.core.rollout import Rollout, Switch
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.plans import advance_rules, lock_rules
from engine.store.sql import load_queries

Source: TypeAlias = "AnyConnection | asyncpg.Pool"


async def load_rollout(source: Source) -> Rollout:
    """All switches as they stand."""
    with translated():
        rows = await source.fetch(load_queries("regions")["switches"])
    return Rollout(Switch(**dict(row)) for row in rows)


async def lock_rollout(connection: AnyConnection) -> Rollout:
    """All switches, which nobody else changes until the transaction ends.

    Locks: as `lock_rules`.
    """
    await lock_rules(connection)
    return await load_rollout(connection)


async def set_switch(connection: AnyConnection, switch: Switch) -> None:
    """Decide about a scenario in a region; batches from now on know it. What is off is off in all of it: nothing below
    stays on.

    *connection* has called `lock_rollout`.
    """
    queries = load_queries("regions")
    await advance_rules(connection)
    with translated():
        await connection.execute(
            queries["set_switch"],
            switch.region,
            switch.scenario,
            switch.is_on,
            switch.operator,
            switch.at,
            switch.reason,
        )
        if not switch.is_on:
            lowest, highest = regions_of(switch.region)
            await connection.execute(queries["drop_exceptions"], switch.scenario, switch.region, lowest, highest)
