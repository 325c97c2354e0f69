"""The barrier: what closing a cycle and stopping somebody wait for."""

import asyncpg

from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.sql import load_queries


async def pass_all_lanes(source: "AnyConnection | asyncpg.Pool") -> None:
    """When this returns, every batch that read the books as they were before has ended.

    A batch locks its lane before it reads anything else, so whoever gets the lane's lock after a change was committed
    knows that later batches see the change. A lane that is registered meanwhile sees it too.

    Locks: each lane's row for an instant. *source* must not be in a transaction.

    Raises:
        Fault: a lane could not be passed; the change stands, and passing has to be tried again.
    """
    queries = load_queries("barrier")
    with translated():
        for row in await source.fetch(queries["lanes"]):
            await source.fetchval(queries["pass_lane"], row["id"])
