"""Operators without a node: registered in the database, and at work in a transaction."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from engine.core.ids import CallerId, IdKind
from engine.core.participants import OperatorRole
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, asking
from engine.flows.clock import IdSource
from engine.store.connection import open_pool
from tests.builders import an_id

IDS = IdSource()


@asynccontextmanager
async def a_pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections as a node has them."""
    pool = await open_pool(dsn, size_max=8)
    try:
        yield pool
    finally:
        await pool.close()


async def an_operator(
    pool: asyncpg.Pool, code: str, *, role: OperatorRole = OperatorRole.OPERATIONS, region: int = 0
) -> CallerId:
    """A registered operator."""
    operator = CallerId(an_id(IdKind.OPERATOR, region=region))
    await pool.execute(
        "INSERT INTO operator (id, code, role, region, name_zh, name_en) VALUES ($1, $2, $3, $4, $2, $2)",
        operator,
        code,
        role,
        region,
    )
    return operator


@asynccontextmanager
async def at_work(pool: asyncpg.Pool, operator: bytes) -> AsyncIterator[Asking]:
    """An operator in a transaction of its own."""
    async with pool.acquire() as connection, connection.transaction():
        asked = await asking(connection, operator, IDS)
        assert not isinstance(asked, NotDone), asked
        yield asked
