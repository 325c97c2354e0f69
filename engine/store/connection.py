"""Connections to PostgreSQL: ids as sixteen raw bytes, and the settings that make a failure show in seconds."""

from typing import Any, Final, TypeAlias

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from asyncpg.pool import PoolConnectionProxy

from engine.store.faults import translated

AnyConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
"""One connection, our own or lent by a pool."""

CONNECT_TIMEOUT_S: Final = 10.0
KEEPALIVE: Final = {
    # A dead peer is noticed in about ten seconds, and so is data that nobody acknowledges.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
LANE_SETTINGS: Final = {
    **KEEPALIVE,
    # Plans made while tables were empty cost up to seconds later; a generic plan over indexes never does.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "idle_in_transaction_session_timeout": "5000",
    "statement_timeout": "5000",
    "lock_timeout": "1000",
    "jit": "off",
}
READ_SETTINGS: Final = {
    **KEEPALIVE,
    "idle_in_transaction_session_timeout": "10000",
    "statement_timeout": "10000",
    "lock_timeout": "2000",
    "jit": "off",
}


async def with_raw_ids(connection: Any) -> None:
    """Make uuid columns sixteen raw bytes on this connection: no object is built for an id."""
    await connection.set_type_codec("uuid", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary")


async def connect(dsn: str, settings: dict[str, str], *, application_name: str) -> asyncpg.Connection:
    """A connection to the primary.

    Raises:
        Fault: the database cannot be reached.
    """
    with translated():
        connection = await asyncpg.connect(
            dsn,
            timeout=CONNECT_TIMEOUT_S,
            target_session_attrs=SessionAttribute.read_write,
            server_settings=settings | {"application_name": application_name},
        )
        await with_raw_ids(connection)
    return connection


async def _leave_as_it_is(_: asyncpg.Connection) -> None:
    """What a connection of the pool is left with is a transaction at most, which the pool rolls back by itself.

    Its usual four statements, against settings, listeners, cursors and locks of the session, cost as much as a read:
    whatever needs those opens a connection of its own.
    """


async def open_pool(dsn: str, *, size_max: int, application_name: str = "reads") -> asyncpg.Pool:
    """A pool for everything that is not a lane. A connection lives for minutes, so a failover is soon noticed.

    Raises:
        Fault: the database cannot be reached.
    """
    with translated():
        pool = await asyncpg.create_pool(
            dsn,
            min_size=0,  # while the database is away, nobody but callers should notice
            max_size=size_max,
            max_inactive_connection_lifetime=120.0,
            timeout=CONNECT_TIMEOUT_S,
            init=with_raw_ids,
            reset=_leave_as_it_is,
            target_session_attrs=SessionAttribute.read_write,
            server_settings=READ_SETTINGS | {"application_name": application_name},
        )
    assert pool is not None
    return pool
