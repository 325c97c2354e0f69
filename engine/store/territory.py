"""How many have an electronic card, by city and day."""

from collections.abc import Sequence
from datetime import date, datetime

from engine.core.participants import regions_of
from engine.core.territory import Activation
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import load_queries


async def count_activation(connection: AnyConnection, day: date, *, now: datetime) -> int:
    """The figures of *day* are written down, by whoever comes first. Returns for how many cities they are new."""
    with translated():
        done = await connection.execute(load_queries("territory")["count_activation"], day, now)
    return int(done.rpartition(" ")[2])


async def load_last_counted(source: Source, *, until: date) -> date | None:
    """The newest day that was counted, up to *until*."""
    with translated():
        day: date | None = await source.fetchval(load_queries("territory")["last_counted"], until)
    return day


async def load_activation(source: Source, day: date, region: int) -> Sequence[Activation]:
    """The figures of each city of *region* that has a card holder, by code."""
    with translated():
        rows = await source.fetch(load_queries("territory")["activation_of_day"], day, *regions_of(region))
    return [Activation(**dict(row)) for row in rows]


async def load_activation_history(source: Source, region: int, *, before: date, count: int) -> Sequence[Activation]:
    """What all of *region* adds up to on each day that was counted, newest first."""
    with translated():
        rows = await source.fetch(load_queries("territory")["activation_history"], *regions_of(region), before, count)
    return [Activation(region=region, **dict(row)) for row in rows]
