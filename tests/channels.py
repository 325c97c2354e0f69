"""Channels for tests: live, for everything and everywhere, unless a test says otherwise."""

from datetime import UTC, datetime

import asyncpg

from engine.core.channels import ChannelState, OwnerClass, Product
from engine.core.ids import CallerId


async def add_channel(
    sql: asyncpg.Connection,
    channel: CallerId,
    *,
    number: str | None = None,
    parent: CallerId | None = None,
    products: tuple[Product, ...] = tuple(Product),
    regions: tuple[int, ...] = (0,),
    addresses: tuple[str, ...] = (),
    state: ChannelState = ChannelState.LIVE,
) -> None:
    """Register a channel as it stands."""
    now = datetime.now(UTC)
    record: tuple[object, ...] = (
        channel,
        number or f"{int.from_bytes(channel[-6:]) % 10**10:010d}",
        OwnerClass.SOCIAL,
        parent,
        "渠道",
        "Channel",
        None,
        1,
        0,
        list(products),
        list(regions),
        list(addresses),
        [],
        state,
        1,
        None,
        now,
        now,
    )
    await sql.copy_records_to_table("channel", records=[record])
