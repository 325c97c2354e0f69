"""Orders that are shown to be paid, and what claims their numbers: one query and one of our types each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from engine.core.benefits import MedicalBill
from engine.core.bills import Bill
from engine.core.ids import MerchantId, OrderId, PaymentId
from engine.core.orders import UNDECIDED, Claim, OrderItem, ShownOrder
from engine.core.pay_orders import PayOrder
from engine.core.payments import HELD, State
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.rows import bill_of
from engine.store.sql import load_queries

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_bill: Final = msgspec.msgpack.Decoder(MedicalBill).decode
_decode_items: Final = msgspec.msgpack.Decoder(tuple[OrderItem, ...]).decode


class OrderMerchant(msgspec.Struct, frozen=True, kw_only=True):
    """The merchant of an order, as far as its orders need it."""

    id: MerchantId
    code: str
    region: int
    is_suspended: bool
    scenarios: tuple[int, ...]
    name_zh: str
    name_en: str
    has_terminal: bool  # the one that was asked about


class OrderSeen(msgspec.Struct, frozen=True):
    """An order, and what claims its number."""

    order: ShownOrder
    claim: Claim | None


async def load_order_merchant(source: Source, merchant: bytes, *, terminal_id: str) -> OrderMerchant | None:
    """A merchant that takes part."""
    with translated():
        row = await source.fetchrow(load_queries("orders")["merchant_of_order"], merchant, terminal_id)
    if row is None:
        return None
    return OrderMerchant(
        id=MerchantId(row["id"]),
        code=row["code"],
        region=row["region"],
        is_suspended=row["is_suspended"],
        scenarios=tuple(row["scenarios"]),
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        has_terminal=row["has_terminal"],
    )


async def insert_order(connection: AnyConnection, order: ShownOrder) -> bool:
    """Keep a new order; False if the merchant's number has one already.

    Waits for whoever keeps an order of this number at the same time.
    """
    with translated():
        inserted = await connection.fetchval(
            load_queries("orders")["insert_order"],
            order.id,
            order.merchant,
            order.order_no,
            order.token,
            order.version,
            order.amount,
            order.scenario,
            order.terminal_id,
            order.description,
            _encode(order.items),
            order.return_url,
            order.lives_s,
            order.expires_at,
            order.created_at,
            order.bill_no,
            _encode(order.bill) if order.bill is not None else None,
        )
    return inserted is not None


async def lock_order(connection: AnyConnection, merchant: MerchantId, order_no: str) -> ShownOrder:
    """The order of a number that has one. Until the transaction ends no other version comes, and no lane pays it."""
    with translated():
        row = await connection.fetchrow(load_queries("orders")["lock_order"], merchant, order_no)
    assert row is not None, "orders are never deleted"
    return order_of(row)


async def replace_order(connection: AnyConnection, order: ShownOrder) -> None:
    """A later version of an order that is locked."""
    with translated():
        await connection.fetchval(
            load_queries("orders")["replace_order"],
            order.id,
            order.version,
            order.amount,
            order.scenario,
            order.terminal_id,
            order.description,
            _encode(order.items),
            order.return_url,
            order.lives_s,
            order.expires_at,
            order.created_at,
            order.bill_no,
            _encode(order.bill) if order.bill is not None else None,
        )


async def load_named_bill(source: Source, bill_no: str) -> Bill | None:
    """The bill of a number, whoever has sent it."""
    with translated():
        row = await source.fetchrow(load_queries("orders")["bill_of_number"], bill_no)
    return bill_of(row) if row is not None else None


async def load_claim(source: Source, merchant: MerchantId, order_no: str) -> Claim | None:
    """What claims an order number; None if nothing does."""
    with translated():
        row = await source.fetchrow(load_queries("orders")["claim_of_number"], merchant, order_no)
    return _claim_of(row) if row is not None else None


async def load_order(source: Source, order: OrderId, merchant: MerchantId) -> OrderSeen | None:
    """A merchant's own order."""
    with translated():
        row = await source.fetchrow(load_queries("orders")["order_of_merchant"], order, merchant)
    return _seen_of(row) if row is not None else None


async def load_order_by_token(source: Source, token: bytes) -> OrderSeen | None:
    """The order of whoever knows its token."""
    with translated():
        row = await source.fetchrow(load_queries("orders")["order_of_token"], token)
    return _seen_of(row) if row is not None else None


async def load_orders(
    source: Source, merchant: MerchantId, *, before: bytes | None, order_no: str | None, count: int
) -> list[OrderSeen]:
    """A merchant's own orders, newest first."""
    with translated():
        rows = await source.fetch(load_queries("orders")["orders_of_merchant"], merchant, before, order_no, count)
    return [_seen_of(row) for row in rows]


async def hold_pay_orders(connection: AnyConnection, orders: Sequence[PayOrder]) -> bool:
    """True if no other version of these orders has come since they were read; then none does until the batch ends.

    Locks: the orders, in id order.
    """
    read = sorted((order.id, order.amount, order.expires_at) for order in orders)
    with translated():
        unchanged: int = await connection.fetchval(load_queries("orders")["hold_pay_orders"], read)
    return unchanged == len(read)


async def settled_payments(source: Source, payments: Sequence[bytes]) -> list[bytes]:
    """Which of these payments have nothing left to wait for."""
    states = [state for state in State if state not in HELD]
    with translated():
        rows = await source.fetch(load_queries("orders")["settled_payments"], payments, states)
    return [PaymentId(row["id"]) for row in rows]


async def closed_orders(source: Source, orders: Sequence[bytes], *, now: datetime) -> list[bytes]:
    """Which of these orders nobody can pay any more."""
    with translated():
        rows = await source.fetch(load_queries("orders")["closed_orders"], orders, now, sorted(UNDECIDED))
    return [OrderId(row["id"]) for row in rows]


def order_of(row: asyncpg.Record) -> ShownOrder:
    """The order of a row of `pay_order`."""
    return ShownOrder(
        id=OrderId(row["id"]),
        merchant=MerchantId(row["merchant"]),
        order_no=row["order_no"],
        token=row["token"],
        version=row["version"],
        amount=row["amount"],
        scenario=row["scenario"],
        terminal_id=row["terminal_id"],
        description=row["description"],
        items=_decode_items(row["items"]),
        return_url=row["return_url"],
        bill_no=row["bill_no"],
        bill=_decode_bill(row["bill"]) if row["bill"] is not None else None,
        lives_s=row["lives_s"],
        expires_at=row["expires_at"],
        created_at=row["created_at"],
    )


def _claim_of(row: asyncpg.Record) -> Claim:
    if row["payment"] is None:
        return Claim(None, None, None)
    return Claim(PaymentId(row["payment"]), State(row["state"]), row["held_until"])


def _seen_of(row: asyncpg.Record) -> OrderSeen:
    return OrderSeen(order_of(row), _claim_of(row) if row["is_claimed"] else None)
