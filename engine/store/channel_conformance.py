"""Runs in which channels show that they work, and their steps."""

from datetime import datetime
from typing import Final

import msgspec

from engine.codes.keys import FIELD_KEY_ID
from engine.core.channel_conformance import STEPS, Step
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import load_queries

SECRET_PLACE: Final = "conformance_run.secret"  # noqa: S105  # the name of a column


class ConformanceRun(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of a channel; `secret` is sealed."""

    id: bytes
    channel: bytes
    callback_url: str
    secret: bytes
    opened_at: datetime

    def __repr__(self) -> str:
        return f"ConformanceRun(id={self.id.hex()})"


async def insert_run(connection: AnyConnection, run: ConformanceRun) -> None:
    """A run is open."""
    with translated():
        await connection.execute(
            load_queries("channels")["insert_run"],
            run.id,
            run.channel,
            run.callback_url,
            run.secret,
            FIELD_KEY_ID,
            run.opened_at,
        )


async def load_run(source: Source, run: bytes, channel: bytes) -> ConformanceRun | None:
    """One of a channel's runs."""
    with translated():
        row = await source.fetchrow(load_queries("channels")["conformance_run"], run, channel)
    return ConformanceRun(**dict(row)) if row is not None else None


async def lock_run(connection: AnyConnection, run: bytes) -> None:
    """Nobody else adds a step until the transaction ends.

    Locks: the run's row.
    """
    with translated():
        await connection.fetchval(load_queries("channels")["lock_run"], run)


async def load_steps(source: Source, run: bytes) -> list[Step]:
    """Everything that happened in a run, in its order."""
    with translated():
        rows = await source.fetch(load_queries("channels")["steps"], run)
    return [STEPS.decode(row["body"]) for row in rows]


async def insert_step(connection: AnyConnection, run: bytes, n: int, step: Step, *, now: datetime) -> None:
    """One more step of a locked run."""
    with translated():
        await connection.execute(load_queries("channels")["insert_step"], run, n, now, msgspec.json.encode(step))
