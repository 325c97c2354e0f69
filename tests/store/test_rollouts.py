"""Switches as they are kept: read as they were set, an off ends what was on below it, and every change is noticed."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest

from engine.core.ids import IdKind
from engine.core.rollout import Switch
from engine.core.scenarios import PARK, TRANSIT
from engine.store.connection import READ_SETTINGS, connect
from engine.store.rollouts import load_rollout, lock_rollout, set_switch
from tests.builders import an_id

AT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
OPERATOR = an_id(IdKind.OPERATOR)
VERSION = "SELECT rules_version FROM control"


def a_switch(region: int, *, is_on: bool, scenario: int = TRANSIT.number) -> Switch:
    """A switch that somebody sets."""
    return Switch(region=region, scenario=scenario, is_on=is_on, operator=OPERATOR, at=AT, reason="试点")


async def decide(sql: asyncpg.Connection, *switches: Switch) -> None:
    """Set switches, each in a transaction of its own."""
    for switch in switches:
        async with sql.transaction():
            await lock_rollout(sql)
            await set_switch(sql, switch)


async def test_switch_is_read_as_it_was_set_last(sql: asyncpg.Connection) -> None:
    assert (await load_rollout(sql)).nearest(110101, TRANSIT.number) is None
    await decide(sql, a_switch(110100, is_on=True), last := a_switch(110100, is_on=False))
    rollout = await load_rollout(sql)
    assert last == rollout.nearest(110101, TRANSIT.number)
    assert rollout.nearest(120101, TRANSIT.number) is None


async def test_every_change_counts_up_the_version_that_batches_read(sql: asyncpg.Connection) -> None:
    before = await sql.fetchval(VERSION)
    await decide(sql, a_switch(0, is_on=False), a_switch(110000, is_on=True))
    assert await sql.fetchval(VERSION) == before + 2


@pytest.mark.parametrize(
    ("place", "left"),
    [
        (110101, {0, 110100, 310000}),
        (110100, {0, 310000}),
        (110000, {0, 310000}),
        (310000, {0, 110100, 110101}),
        (0, set()),
    ],
)
async def test_off_ends_what_was_on_in_the_region_and_nothing_else(
    sql: asyncpg.Connection, place: int, left: set[int]
) -> None:
    await decide(sql, *(a_switch(region, is_on=True) for region in (0, 110100, 110101, 310000)))
    await decide(sql, a_switch(110102, is_on=False), a_switch(110101, is_on=True, scenario=PARK.number))
    await decide(sql, a_switch(place, is_on=False))
    rows = await sql.fetch("SELECT region, scenario, is_on FROM scenario_switch")
    stands = {(row["region"], row["scenario"]): row["is_on"] for row in rows}
    assert left == {region for (region, scenario), is_on in stands.items() if is_on and scenario == TRANSIT.number}
    assert stands[110102, TRANSIT.number] is False, "what is off below stays so"
    assert stands[110101, PARK.number] is True, "another scenario"
    assert stands[place, TRANSIT.number] is False


async def test_switches_are_changed_one_after_the_other(dsn: str, sql: asyncpg.Connection) -> None:
    """Whoever switches off knows of everything that was switched on before, also a moment ago."""
    other = await connect(dsn, READ_SETTINGS, application_name="second")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'second' AND wait_event_type = 'Lock'"
    look = await connect(dsn, READ_SETTINGS, application_name="look")
    async with sql.transaction():
        await lock_rollout(sql)
        await set_switch(sql, a_switch(110101, is_on=True))
        switching_off = asyncio.ensure_future(decide(other, a_switch(110000, is_on=False)))
        while not await look.fetchval(waiting):
            assert not switching_off.done()
    await switching_off
    assert not (await load_rollout(sql)).is_on(110101, TRANSIT.number)
    await other.close()
    await look.close()
