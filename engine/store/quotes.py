"""Pre-settlements as they were shown, and who presented a code or a card."""

from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from engine.core.benefits import MedicalBill, Split
from engine.core.ids import CardId, MerchantId, PaymentId, QuoteId
from engine.core.payer import Payer
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.rows import payer_of
from engine.store.sql import load_queries

_encode: Final = msgspec.msgpack.Encoder().encode
_bill: Final = msgspec.msgpack.Decoder(MedicalBill).decode
_split: Final = msgspec.msgpack.Decoder(Split).decode


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """A pre-settlement."""

    id: QuoteId
    merchant: MerchantId
    payer: CardId
    scenario: int
    bill: MedicalBill
    split: Split
    created_at: datetime
    expires_at: datetime


class PaymentOwner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose payment it is, and for which order of which merchant."""

    payer: CardId
    merchant: MerchantId
    order_no: str


async def insert_quote(connection: AnyConnection, quote: Quote) -> None:
    """Keep a pre-settlement."""
    with translated():
        await connection.execute(
            load_queries("reads")["insert_quote"],
            quote.id,
            quote.merchant,
            quote.payer,
            quote.scenario,
            _encode(quote.bill),
            _encode(quote.split),
            quote.created_at,
            quote.expires_at,
        )


async def load_quote(pool: asyncpg.Pool, quote: QuoteId, merchant: MerchantId) -> Quote | None:
    """A merchant's own pre-settlement."""
    with translated():
        row = await pool.fetchrow(load_queries("reads")["quote"], quote, merchant)
    if row is None:
        return None
    return Quote(
        id=quote,
        merchant=merchant,
        payer=CardId(row["payer"]),
        scenario=row["scenario"],
        bill=_bill(row["bill"]),
        split=_split(row["split"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


async def load_presenter(
    source: "AnyConnection | asyncpg.Pool", *, device_no: int | None, card: CardId | None
) -> tuple[Payer | None, Payer | None]:
    """Whose phone or card it is, and the relative whose personal account helps; as of now, and without locks."""
    with translated():
        row = await source.fetchrow(load_queries("reads")["presenter"], device_no, card)
    if row is None:
        return None, None
    return payer_of(row["payer"]), payer_of(row["family"]) if row["family"] is not None else None


async def card_of_device(pool: asyncpg.Pool, device_no: int) -> CardId | None:
    """Whose phone it is; that never changes."""
    with translated():
        card = await pool.fetchval(load_queries("reads")["card_of_device"], device_no)
    return CardId(card) if card is not None else None


async def owner_of_payment(pool: asyncpg.Pool, payment: PaymentId) -> PaymentOwner | None:
    """Whose payment it is; None if there is none."""
    with translated():
        row = await pool.fetchrow(load_queries("reads")["payer_of_payment"], payment)
    if row is None:
        return None
    return PaymentOwner(payer=CardId(row["payer"]), merchant=MerchantId(row["merchant"]), order_no=row["order_no"])
