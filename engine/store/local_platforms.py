"""Local platforms that move to the one model, and the balances that they hand over."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

import asyncpg
import msgspec

from engine.core.accounts import opening
from engine.core.ids import CardId
from engine.core.local_platforms import (
    DifferenceKind,
    Found,
    LocalPlatform,
    LocalPlatformId,
    Opened,
    PlatformDifference,
    PlatformState,
)
from engine.core.participants import regions_of
from engine.core.postings import PostingKind
from engine.core.rollout import regions_above
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.plans import advance_rules
from engine.store.sql import load_queries


class BalanceRow(NamedTuple):
    """A line of a file of balances. Units: fen."""

    number_index: bytes
    line: int
    amount: int


class LineToOpen(msgspec.Struct, frozen=True):
    """A balance that is to be posted. Units: fen."""

    number_index: bytes
    card: CardId
    amount: int


class DifferencesWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A page of differences: those after one of a kind at a place."""

    after: tuple[int, str]
    count: int


async def load_platform(source: Source, region: int) -> LocalPlatform | None:
    """The local platform of a city, if it has one that moves or has moved."""
    with translated():
        row = await source.fetchrow(load_queries("local_platforms")["platform_of_region"], region)
    return _platform_of(row) if row is not None else None


async def lock_platform(connection: AnyConnection, region: int) -> LocalPlatform | None:
    """The same, which nobody else changes until the transaction ends."""
    with translated():
        row = await connection.fetchrow(load_queries("local_platforms")["lock_platform"], region)
    return _platform_of(row) if row is not None else None


async def load_platforms_of_state(source: Source, state: PlatformState) -> Sequence[LocalPlatform]:
    """Those that are so far, by region."""
    with translated():
        rows = await source.fetch(load_queries("local_platforms")["platforms_of_state"], state)
    return [_platform_of(row) for row in rows]


async def is_moving(source: Source, region: int) -> bool:
    """True if *region* belongs to a local platform that is not switched on yet."""
    with translated():
        moving: bool = await source.fetchval(load_queries("local_platforms")["is_moving"], list(regions_above(region)))
    return moving


async def declare_platform(connection: AnyConnection, platform: LocalPlatform) -> None:
    """Write down what a local platform declares, once more if it was wrong; who has prepared it, and when, stays."""
    with translated():
        await connection.execute(
            load_queries("local_platforms")["declare_platform"],
            platform.id,
            platform.region,
            platform.name,
            platform.state,
            platform.declared_cards,
            platform.declared_balance,
            platform.prepared_by,
            platform.prepared_at,
        )


async def begin_balances(
    connection: AnyConnection, platform: LocalPlatform, state: PlatformState, sha256: bytes
) -> None:
    """No line of an earlier file counts any more. *connection* has locked the platform."""
    queries = load_queries("local_platforms")
    with translated():
        await connection.execute(queries["take_balances"], platform.id, state, sha256)
        await connection.execute(queries["drop_balances"], platform.id)


async def insert_balances(connection: AnyConnection, platform: LocalPlatformId, rows: Sequence[BalanceRow]) -> set[int]:
    """Keep some lines. Returns those whose card no earlier line has named."""
    indexes, lines, amounts = zip(*rows, strict=True)
    with translated():
        fresh = await connection.fetch(
            load_queries("local_platforms")["insert_balances"], platform, list(indexes), list(lines), list(amounts)
        )
    return {row["line"] for row in fresh}


async def analyze_balances(connection: AnyConnection) -> None:
    """The database knows how many lines there are by now."""
    with translated():
        await connection.execute(load_queries("local_platforms")["analyze_balances"])


async def load_found(connection: AnyConnection, platform: LocalPlatform) -> Found:
    """What of a local platform is here. *connection* is in a transaction, and may take minutes from here on."""
    with translated():
        await connection.execute(load_queries("local_platforms")["allow_minutes"])
        row = await connection.fetchrow(
            load_queries("local_platforms")["found"], platform.id, *regions_of(platform.region)
        )
    assert row is not None, "an aggregate is one row"
    return Found(**dict(row))


async def load_differences(
    connection: AnyConnection, platform: LocalPlatform, wanted: DifferencesWanted
) -> Sequence[PlatformDifference]:
    """A page of what differs: before balances are let in, between lines and register; afterwards, lines and journal.

    *connection* is in a transaction, and may take minutes from here on.
    """
    queries = load_queries("local_platforms")
    with translated():
        await connection.execute(queries["allow_minutes"])
        if platform.opening_on is None:
            rows = await connection.fetch(
                queries["differences"], platform.id, *regions_of(platform.region), *wanted.after, wanted.count
            )
        else:
            rows = await connection.fetch(
                queries["posting_differences"],
                platform.id,
                *_openings(platform),
                *wanted.after,
                wanted.count,
            )
    return [PlatformDifference(**dict(row) | {"kind": DifferenceKind(row["kind"])}) for row in rows]


async def let_balances_in(connection: AnyConnection, platform: LocalPlatformId, state: PlatformState) -> None:
    """Its balances may be posted from now on. *connection* has locked the platform."""
    with translated():
        await connection.execute(load_queries("local_platforms")["begin_openings"], platform, state)


async def load_lines_to_open(
    source: Source, platform: LocalPlatformId, *, after: bytes, count: int
) -> Sequence[LineToOpen]:
    """Some lines that are not marked as posted, in order."""
    with translated():
        rows = await source.fetch(load_queries("local_platforms")["lines_to_open"], platform, after, count)
    return [LineToOpen(row["number_index"], CardId(row["card"]), row["amount"]) for row in rows]


async def mark_opened(source: Source, platform: LocalPlatformId, number_indexes: Iterable[bytes]) -> None:
    """These lines are posted."""
    with translated():
        await source.execute(load_queries("local_platforms")["mark_opened"], platform, list(number_indexes))


async def load_opened(source: Source, platform: LocalPlatform) -> Opened:
    """What the journal has of the balances that were let in."""
    with translated():
        row = await source.fetchrow(load_queries("local_platforms")["opened"], platform.id, *_openings(platform))
    assert row is not None, "an aggregate is one row"
    return Opened(**dict(row))


async def mark_proven(source: Source, platform: LocalPlatformId, state: PlatformState, *, now: datetime) -> None:
    """The books have what was declared."""
    with translated():
        await source.execute(load_queries("local_platforms")["mark_proven"], platform, state, now)


async def mark_switched_on(
    connection: AnyConnection, platform: LocalPlatform, state: PlatformState, *, now: datetime
) -> None:
    """What the preparation has switched off is no longer: what was decided otherwise counts, above or since.

    *connection* has called `lock_rollout`. Batches from now on know it.
    """
    queries = load_queries("local_platforms")
    await advance_rules(connection)
    with translated():
        await connection.execute(queries["mark_switched_on"], platform.id, state, now)
        await connection.execute(queries["drop_switches"], platform.region, platform.prepared_by, platform.prepared_at)


def _openings(platform: LocalPlatform) -> tuple[date, PostingKind, bytes]:
    assert platform.opening_on is not None, "its balances were let in"
    return platform.opening_on, PostingKind.OPENING, opening(platform.region)


def _platform_of(row: asyncpg.Record) -> LocalPlatform:
    return LocalPlatform(**dict(row) | {"state": PlatformState(row["state"])})
