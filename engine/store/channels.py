"""Channels, what stops them, and what they do wrong: one query and one of our types each.

Whatever writes takes a connection that is in a transaction; whatever only reads also takes a pool.
"""

from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from engine.codes.keys import FIELD_KEY_ID
from engine.core.channel_risk import ChannelFigures
from engine.core.channels import (
    Channel,
    ChannelMove,
    ChannelState,
    OwnerClass,
    Product,
    Standing,
    Stop,
    StopKind,
    StopOrder,
    StoppedChannels,
)
from engine.core.ids import CallerId
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import load_queries

CONTACT_PLACE: Final = "channel.contact"


class ChannelsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A page of channels; what is None does not matter."""

    before: bytes | None
    state: ChannelState | None
    owner_class: OwnerClass | None
    count: int


class ListedChannel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel as the public sees it."""

    channel_no: str
    owner_class: OwnerClass
    name_zh: str
    name_en: str
    products: tuple[Product, ...]
    regions: tuple[int, ...]


class ChannelStep(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a channel's history. `operator` None: the engine itself."""

    version: int
    move: ChannelMove
    operator: bytes | None
    at: datetime
    reason: str


async def load_channel(source: Source, channel: bytes) -> Channel | None:
    """One channel."""
    with translated():
        row = await source.fetchrow(load_queries("channels")["channel"], channel)
    return _channel_of(row) if row is not None else None


async def load_channel_by_number(source: Source, channel_no: str) -> Channel | None:
    """The channel of a number."""
    with translated():
        row = await source.fetchrow(load_queries("channels")["channel_by_number"], channel_no)
    return _channel_of(row) if row is not None else None


async def load_channels(source: Source, wanted: ChannelsWanted) -> list[Channel]:
    """Channels, newest first."""
    with translated():
        rows = await source.fetch(
            load_queries("channels")["channels"],
            wanted.before,
            wanted.state,
            wanted.owner_class,
            wanted.count,
        )
    return [_channel_of(row) for row in rows]


async def load_directory(source: Source, *, after: str, count: int) -> list[ListedChannel]:
    """Channels that a person can choose from, by number."""
    with translated():
        rows = await source.fetch(load_queries("channels")["directory"], after, count)
    return [
        ListedChannel(
            channel_no=row["channel_no"],
            owner_class=OwnerClass(row["owner_class"]),
            name_zh=row["name_zh"],
            name_en=row["name_en"],
            products=tuple(map(Product, row["products"])),
            regions=tuple(row["regions"]),
        )
        for row in rows
    ]


async def lock_channel(connection: AnyConnection, channel: bytes) -> Channel | None:
    """The channel, which nobody else changes until the transaction ends.

    Locks: its row.
    """
    with translated():
        await connection.fetchval(load_queries("channels")["lock_channel"], channel)
    return await load_channel(connection, channel)


async def load_standing(source: Source, channel: bytes) -> Standing | None:
    """What a channel may do as of now; None if there is no such channel."""
    with translated():
        rows = await source.fetch(load_queries("channels")["standing"], channel)
    standing: Standing | None = None
    for row in reversed(rows):
        standing = Standing(
            state=ChannelState(row["state"]),
            products=frozenset(map(Product, row["products"])),
            regions=tuple(row["regions"]),
            addresses=tuple(row["addresses"]),
            stops=tuple(
                Stop(StopKind(kind), Product(product) if product else None, region)
                for kind, product, region in row["stops"] or ()
            ),
            parent=standing,
        )
    return standing


async def load_stopped(source: Source) -> StoppedChannels:
    """The channels through which nothing is paid now, and where."""
    with translated():
        rows = await source.fetch(load_queries("channels")["stopped_for_payment"])
    return StoppedChannels((row["channel"], row["region"]) for row in rows)


async def insert_channel(connection: AnyConnection, channel: Channel, *, operator: bytes) -> bool:
    """Keep a channel that has applied. False if its number is taken."""
    with translated():
        inserted = await connection.fetchval(
            load_queries("channels")["insert_channel"],
            channel.id,
            channel.channel_no,
            channel.owner_class,
            channel.parent,
            channel.name_zh,
            channel.name_en,
            channel.contact,
            FIELD_KEY_ID,
            channel.region,
            channel.products,
            channel.regions,
            channel.addresses,
            channel.callback_urls,
            operator,
            channel.applied_at,
        )
    return inserted is not None


async def set_terms(connection: AnyConnection, channel: Channel) -> None:
    """What a locked channel may do and where it is reached is as *channel* says. Its move is another call."""
    with translated():
        await connection.execute(
            load_queries("channels")["set_terms"],
            channel.id,
            channel.name_zh,
            channel.name_en,
            channel.contact,
            channel.region,
            channel.products,
            channel.regions,
            channel.addresses,
            channel.callback_urls,
        )


async def record_move(
    connection: AnyConnection,
    channel: bytes,
    move: ChannelMove,
    *,
    version: int,
    operator: bytes | None,
    at: datetime,
    reason: str,
) -> None:
    """One more line of a channel's history."""
    with translated():
        await connection.execute(load_queries("channels")["record_move"], channel, version, move, operator, at, reason)


async def move_channel(
    connection: AnyConnection,
    channel: bytes,
    move: ChannelMove,
    state: ChannelState,
    *,
    operator: bytes | None,
    at: datetime,
    reason: str,
) -> None:
    """A locked channel stands in *state* from now on."""
    with translated():
        version: int = await connection.fetchval(load_queries("channels")["move_channel"], channel, state, at)
    await record_move(connection, channel, move, version=version, operator=operator, at=at, reason=reason)


async def load_moves(source: Source, channel: bytes, *, count: int) -> list[ChannelStep]:
    """A channel's history, newest first."""
    with translated():
        rows = await source.fetch(load_queries("channels")["moves"], channel, count)
    return [
        ChannelStep(
            version=row["version"],
            move=ChannelMove(row["move"]),
            operator=row["operator"],
            at=row["at"],
            reason=row["reason"],
        )
        for row in rows
    ]


async def load_last_let_on(source: Source, channel: bytes) -> datetime | None:
    """When a channel went live or was let go on last, in business time."""
    with translated():
        found: datetime | None = await source.fetchval(
            load_queries("channels")["last_let_on"], channel, [ChannelMove.GO_LIVE, ChannelMove.RESUME]
        )
    return found


async def insert_stop(connection: AnyConnection, order: StopOrder) -> None:
    """An order that stops a locked channel."""
    with translated():
        await connection.execute(
            load_queries("channels")["insert_stop"],
            order.id,
            order.channel,
            order.kind,
            order.product,
            order.region,
            order.reason,
            order.evidence,
            order.restore_condition,
            order.operator,
            order.effective_at,
        )


async def load_stop(source: Source, stop: bytes, channel: bytes) -> StopOrder | None:
    """One of a channel's orders."""
    with translated():
        row = await source.fetchrow(load_queries("channels")["stop"], stop, channel)
    return _order_of(row) if row is not None else None


async def load_stops(source: Source, channel: bytes, *, before: bytes | None, count: int) -> list[StopOrder]:
    """A channel's orders, newest first."""
    with translated():
        rows = await source.fetch(load_queries("channels")["stops"], channel, before, count)
    return [_order_of(row) for row in rows]


async def lift_stop(connection: AnyConnection, stop: bytes, *, now: datetime, operator: bytes) -> None:
    """An order is in force no more."""
    with translated():
        await connection.execute(load_queries("channels")["lift_stop"], stop, now, operator)


async def lift_whole_stops(connection: AnyConnection, channel: bytes, *, now: datetime, operator: bytes) -> None:
    """Whatever had stopped all of a channel is in force no more."""
    with translated():
        await connection.execute(load_queries("channels")["lift_whole_stops"], channel, now, operator)


async def add_figures(source: Source, channel: bytes, minute: datetime, figures: ChannelFigures) -> ChannelFigures:
    """Add what one process has counted. Returns the sums of all."""
    with translated():
        row = await source.fetchrow(
            load_queries("channels")["add_figures"],
            channel,
            minute,
            figures.requests,
            figures.errors,
            figures.signature_failures,
        )
    assert row is not None, "it is there now"
    return ChannelFigures(**dict(row))


async def drop_figures(source: Source, *, before: datetime) -> None:
    """Figures of minutes that are long past are gone."""
    with translated():
        await source.execute(load_queries("channels")["drop_figures"], before)


def _channel_of(row: asyncpg.Record) -> Channel:
    return Channel(
        id=CallerId(row["id"]),
        channel_no=row["channel_no"],
        owner_class=OwnerClass(row["owner_class"]),
        parent=CallerId(row["parent"]) if row["parent"] is not None else None,
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        contact=row["contact"],
        region=row["region"],
        products=tuple(map(Product, row["products"])),
        regions=tuple(row["regions"]),
        addresses=tuple(row["addresses"]),
        callback_urls=tuple(row["callback_urls"]),
        state=ChannelState(row["state"]),
        version=row["version"],
        applied_at=row["applied_at"],
        changed_at=row["changed_at"],
    )


def _order_of(row: asyncpg.Record) -> StopOrder:
    return StopOrder(
        id=row["id"],
        channel=row["channel"],
        kind=StopKind(row["kind"]),
        product=Product(row["product"]) if row["product"] is not None else None,
        region=row["region"],
        reason=row["reason"],
        evidence=row["evidence"],
        restore_condition=row["restore_condition"],
        operator=row["operator"],
        effective_at=row["effective_at"],
        lifted_at=row["lifted_at"],
        lifted_by=row["lifted_by"],
    )
