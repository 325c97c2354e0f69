"""Channels for tests: live, for everything and everywhere, unless a test says otherwise."""

from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg

from engine.core.cards import SIGN_LASTS
from engine.core.channels import ChannelState, OwnerClass, Product
from engine.core.ids import CallerId, CardId, IdKind, with_kind_number
from engine.core.payer import IssueLevel


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


async def add_signs(sql: asyncpg.Connection, cards: Sequence[CardId], channel: CallerId) -> None:
    """The channel has issued the cards, and let them pay."""
    now = datetime.now(UTC)
    records = [
        (with_kind_number(card, IdKind.SIGN), card, channel, IssueLevel.PAYMENT, now, now + SIGN_LASTS, None)
        for card in cards
    ]
    await sql.copy_records_to_table("card_sign", records=records)
