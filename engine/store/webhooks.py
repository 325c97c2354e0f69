"""Webhook endpoints and their messages as their owners see them: one query and one of our types each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from engine.codes.keys import FIELD_KEY_ID
from engine.core.webhooks import EndpointState, MessageState
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import load_queries

SECRET_PLACE: Final = "webhook_endpoint.secret"  # noqa: S105  # where it is kept


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where an owner wants to be told. Its secrets are sealed."""

    id: bytes
    owner: bytes
    url: str
    types: tuple[str, ...]
    description: str | None
    sealed: bytes
    earlier_sealed: bytes | None
    earlier_ends: datetime | None
    state: EndpointState
    is_gone: bool
    created_at: datetime


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint is told, and what became of it."""

    id: bytes
    payment: bytes | None
    sequence: int | None
    type: str
    happened_at: datetime
    state: MessageState
    attempt: int
    next_at: datetime
    done_at: datetime | None
    last_status: int | None
    last_fault: str | None


async def count_endpoints(connection: AnyConnection, owner: bytes) -> int:
    """How many endpoints an owner has.

    Locks: that owner's endpoints, against others that count before they add one.
    """
    queries = load_queries("webhooks")
    with translated():
        await connection.fetchval(queries["lock_owner"], owner)
        found: int = await connection.fetchval(queries["count_endpoints"], owner, EndpointState.REMOVED)
    return found


async def insert_endpoint(connection: AnyConnection, endpoint: Endpoint) -> None:
    """Keep a new endpoint."""
    with translated():
        await connection.execute(
            load_queries("webhooks")["insert_endpoint"],
            endpoint.id,
            endpoint.owner,
            endpoint.url,
            endpoint.types,
            endpoint.description,
            endpoint.sealed,
            FIELD_KEY_ID,
            endpoint.state,
            endpoint.created_at,
        )


async def load_endpoint(source: Source, identifier: bytes, owner: bytes) -> Endpoint | None:
    """An owner's own endpoint."""
    with translated():
        row = await source.fetchrow(load_queries("webhooks")["endpoint"], identifier, owner, EndpointState.REMOVED)
    return _endpoint_of(row) if row is not None else None


async def lock_endpoint(connection: AnyConnection, identifier: bytes, owner: bytes) -> Endpoint | None:
    """An owner's own endpoint, which nobody else changes until the transaction ends."""
    with translated():
        row = await connection.fetchrow(
            load_queries("webhooks")["lock_endpoint"], identifier, owner, EndpointState.REMOVED
        )
    return _endpoint_of(row) if row is not None else None


async def load_endpoint_to_call(source: Source, identifier: bytes) -> Endpoint | None:
    """An endpoint, whoever's, if it is enabled."""
    with translated():
        row = await source.fetchrow(load_queries("webhooks")["endpoint_to_call"], identifier, EndpointState.ENABLED)
    return _endpoint_of(row) if row is not None else None


async def load_endpoints(source: Source, owner: bytes, *, before: bytes | None, count: int) -> list[Endpoint]:
    """An owner's own endpoints, newest first."""
    with translated():
        rows = await source.fetch(load_queries("webhooks")["endpoints"], owner, before, EndpointState.REMOVED, count)
    return [_endpoint_of(row) for row in rows]


async def set_state(connection: AnyConnection, identifier: bytes, state: EndpointState) -> None:
    """Enable or disable an endpoint."""
    with translated():
        await connection.execute(load_queries("webhooks")["set_state"], identifier, state)


async def remove_endpoint(connection: AnyConnection, identifier: bytes) -> None:
    """Nothing is sent there any more; what was, and what waits, goes later."""
    with translated():
        await connection.execute(load_queries("webhooks")["remove_endpoint"], identifier, EndpointState.REMOVED)


async def set_secret(
    connection: AnyConnection, identifier: bytes, *, sealed: bytes, earlier: bytes, earlier_ends: datetime
) -> None:
    """A new secret; the one before signs along until it ends."""
    with translated():
        await connection.execute(load_queries("webhooks")["set_secret"], identifier, sealed, earlier, earlier_ends)


async def load_messages(
    source: Source, endpoint: bytes, *, before: bytes | None, state: MessageState | None, count: int
) -> list[Message]:
    """An endpoint's messages, newest first."""
    with translated():
        rows = await source.fetch(load_queries("webhooks")["messages"], endpoint, before, state, count)
    return [_message_of(row) for row in rows]


async def load_message(source: Source, endpoint: bytes, identifier: bytes) -> Message | None:
    """One message of an endpoint."""
    with translated():
        row = await source.fetchrow(load_queries("webhooks")["message"], endpoint, identifier)
    return _message_of(row) if row is not None else None


async def send_again(
    connection: AnyConnection, endpoint: bytes, identifier: bytes, *, now: datetime, give_up_at: datetime
) -> Message | None:
    """A message of an endpoint is pending from *now* on, whatever became of it before; None if there is none."""
    with translated():
        row = await connection.fetchrow(
            load_queries("webhooks")["send_again"], endpoint, identifier, MessageState.PENDING, now, give_up_at
        )
    return _message_of(row) if row is not None else None


async def insert_messages(
    connection: AnyConnection, rows: Sequence[tuple[object, ...]], *, now: datetime, give_up_at: datetime
) -> None:
    """Keep new messages, due at once. Shape: *rows* as `new_webhook_message`."""
    with translated():
        await connection.execute(
            load_queries("webhooks")["insert_messages"], rows, MessageState.PENDING, now, give_up_at
        )


def _endpoint_of(row: asyncpg.Record) -> Endpoint:
    return Endpoint(
        id=row["id"],
        owner=row["owner"],
        url=row["url"],
        types=tuple(row["types"]),
        description=row["description"],
        sealed=row["secret"],
        earlier_sealed=row["earlier_secret"],
        earlier_ends=row["earlier_ends"],
        state=EndpointState(row["state"]),
        is_gone=row["is_gone"],
        created_at=row["created_at"],
    )


def _message_of(row: asyncpg.Record) -> Message:
    return Message(
        id=row["id"],
        payment=row["payment"],
        sequence=row["sequence"],
        type=row["type"],
        happened_at=row["happened_at"],
        state=MessageState(row["state"]),
        attempt=row["attempt"],
        next_at=row["next_at"],
        done_at=row["done_at"],
        last_status=row["last_status"],
        last_fault=row["last_fault"],
    )
