"""Participants, their keys and terminals, and the funds: one query and one of our types each.

Whatever writes takes a connection that is in a transaction; whatever only reads also takes a pool.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

import asyncpg
import msgspec

from engine.core.ids import BankId
from engine.core.participants import (
    AgencyItem,
    Operator,
    OperatorRole,
    Participant,
    ParticipantKind,
)
from engine.store.connection import AnyConnection
from engine.store.faults import StoreUnavailable, translated
from engine.store.rows import instant
from engine.store.sql import load_queries

Source: TypeAlias = "AnyConnection | asyncpg.Pool"


class KeyState(msgspec.Struct, frozen=True, kw_only=True):
    """One key that a participant has or had; what it verifies with is not part of it."""

    keyid: str
    alg: str
    added_at: datetime | None  # None: it came with the sandbox
    retires_at: datetime | None
    revoked_at: datetime | None
    is_suspended: bool
    is_live: bool


class Fund(msgspec.Struct, frozen=True):
    """Which bank holds a pooling area's money of one pay type. `bank` is its CNAPS number."""

    region: int
    pay_type: int
    bank: str


class Clocks(msgspec.Struct, frozen=True):
    """Business time, and the database's own, which keys live by."""

    business: datetime
    wall: datetime


class ParticipantsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A page of participants; what is None does not matter."""

    regions: tuple[int, int]
    before: bytes | None
    kind: ParticipantKind | None
    code: str | None
    is_suspended: bool | None
    count: int


async def load_clocks(source: Source) -> Clocks:
    """What time it is."""
    with translated():
        row = await source.fetchrow(load_queries("participants")["business_clock"])
    if row is None:
        raise StoreUnavailable("the books are not set up")
    return Clocks(instant(row["clock"], row["sandbox_offset_us"]), row["clock"])


async def load_participant(source: Source, identifier: bytes) -> Participant | None:
    """One participant."""
    with translated():
        row = await source.fetchrow(load_queries("participants")["participant"], identifier)
    return participant_of(row) if row is not None else None


async def load_participants(source: Source, wanted: ParticipantsWanted) -> list[Participant]:
    """Participants, newest first."""
    with translated():
        rows = await source.fetch(
            load_queries("participants")["participants"],
            *wanted.regions,
            wanted.before,
            wanted.kind,
            wanted.code,
            wanted.is_suspended,
            wanted.count,
        )
    return [participant_of(row) for row in rows]


async def load_operator(source: Source, operator: bytes) -> Operator | None:
    """What an operator may do."""
    with translated():
        row = await source.fetchrow(load_queries("participants")["operator"], operator)
    if row is None:
        return None
    return Operator(row["id"], OperatorRole(row["role"]), row["region"], row["is_suspended"])


async def hold_operator(connection: AnyConnection, operator: bytes) -> Operator | None:
    """What an operator may do, and goes on being able to do until the transaction ends.

    Locks: the operator's row, shared; suspending or changing the operator waits for it, and it for them.
    """
    with translated():
        await connection.fetchval(load_queries("participants")["share_operator"], operator)
    return await load_operator(connection, operator)


async def lock_participant(connection: AnyConnection, identifier: bytes, *, now: datetime) -> Participant | None:
    """The participant, which nobody else changes until the transaction ends.

    Locks: its row of `participant`, and that of an operator against what the operator is about to do.
    """
    queries = load_queries("participants")
    with translated():
        await connection.fetchval(queries["lock_operator"], identifier)
        if await load_participant(connection, identifier) is None:
            return None
        await connection.execute(queries["claim_participant"], identifier, now)
        await connection.fetchval(queries["lock_participant"], identifier)
    return await load_participant(connection, identifier)


async def count_deciding_operators(source: Source, roles: Sequence[OperatorRole]) -> int:
    """How many operators of these roles are not suspended."""
    with translated():
        found: int = await source.fetchval(load_queries("participants")["count_operators"], list(roles))
    return found


async def find_bank(source: Source, number: str) -> BankId | None:
    """The bank of a CNAPS number."""
    with translated():
        found = await source.fetchval(load_queries("participants")["bank_by_number"], int(number))
    return BankId(found) if found is not None else None


async def has_settlement_bank(source: Source) -> bool:
    """True if there is one: there cannot be two."""
    with translated():
        found: bool = await source.fetchval(load_queries("participants")["has_settlement_bank"])
    return found


async def load_terminals(source: Source, merchant: bytes, *, after: str, count: int) -> list[str]:
    """A merchant's terminals, in their own order."""
    with translated():
        rows = await source.fetch(load_queries("participants")["terminals"], merchant, after, count)
    return [row["terminal_id"] for row in rows]


async def count_terminals(source: Source, merchant: bytes) -> int:
    """How many terminals a merchant has."""
    with translated():
        found: int = await source.fetchval(load_queries("participants")["count_terminals"], merchant)
    return found


async def load_keys(source: Source, caller: bytes) -> list[KeyState]:
    """Every key that a participant has or had, newest first."""
    with translated():
        rows = await source.fetch(load_queries("participants")["keys"], caller)
    return [KeyState(**dict(row)) for row in rows]


async def count_keys(source: Source, caller: bytes) -> int:
    """How many keys a participant was ever given."""
    with translated():
        found: int = await source.fetchval(load_queries("participants")["count_keys"], caller)
    return found


async def load_funds(source: Source, *, after: tuple[int, int], regions: tuple[int, int], count: int) -> list[Fund]:
    """Funds, by region and pay type."""
    with translated():
        rows = await source.fetch(load_queries("participants")["funds"], *after, *regions, count)
    return [Fund(row["region"], row["pay_type"], f"{row['bank']:012d}") for row in rows]


def participant_of(row: asyncpg.Record) -> Participant:
    """The participant of an `every_participant` row."""
    return Participant(
        id=row["id"],
        kind=ParticipantKind(row["kind"]),
        code=row["code"],
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        region=row["region"],
        bank=f"{row['bank']:012d}" if row["bank"] is not None else None,
        scenarios=tuple(row["scenarios"] or ()),
        level=row["level"],
        item=AgencyItem(row["item"]) if row["item"] is not None else None,
        role=OperatorRole(row["role"]) if row["role"] is not None else None,
        is_settlement_bank=bool(row["is_settlement_bank"]),
        delivery=tuple(row["delivery"] or ()),
        is_suspended=row["is_suspended"],
        suspended_reason=row["suspended_reason"],
        version=row["version"],
        registered_at=row["registered_at"],
        changed_at=row["changed_at"],
    )
