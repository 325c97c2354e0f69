"""Bills as agencies see them: one query and one of our types each. What pays a bill is the lanes' business."""

from datetime import datetime

import asyncpg
import msgspec

from engine.core.bills import Bill, BillState
from engine.core.ids import AgencyId, CardId
from engine.core.participants import AgencyItem
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.rows import bill_of
from engine.store.sql import load_queries


class Agency(msgspec.Struct, frozen=True):
    """An agency that is registered. `item` is what it was registered for."""

    id: AgencyId
    region: int
    item: AgencyItem


class BillRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A bill with what only its readers need."""

    id: bytes
    bill: Bill
    item: AgencyItem
    description: str | None
    created_at: datetime
    is_settled: bool = False  # the cycle of the payment that pays it


async def load_agency(source: Source, agency: bytes) -> Agency | None:
    """An agency that is registered."""
    with translated():
        row = await source.fetchrow(load_queries("bills")["agency"], agency)
    return Agency(AgencyId(row["id"]), row["region"], AgencyItem(row["item"])) if row is not None else None


async def has_card(source: Source, card: CardId) -> bool:
    """True if there is such a card."""
    with translated():
        found: bool = await source.fetchval(load_queries("bills")["has_card"], card)
    return found


async def insert_bill(connection: AnyConnection, record: BillRecord) -> bool:
    """Keep a new bill; False if its number was used before."""
    bill = record.bill
    with translated():
        inserted = await connection.fetchval(
            load_queries("bills")["insert_bill"],
            bill.bill_no,
            record.id,
            bill.agency,
            record.item,
            bill.card,
            bill.amount,
            bill.deadline,
            record.description,
            record.created_at,
            bill.state,
        )
    return inserted is not None


async def withdraw_bill(connection: AnyConnection, agency: AgencyId, bill_no: str) -> None:
    """Nobody can pay the bill any more; nothing happens unless it is billed and not paid."""
    with translated():
        await connection.fetchval(
            load_queries("bills")["withdraw_bill"], bill_no, agency, BillState.WITHDRAWN, BillState.BILLED
        )


async def load_bill(source: Source, agency: AgencyId, bill_no: str) -> BillRecord | None:
    """An agency's own bill."""
    with translated():
        row = await source.fetchrow(load_queries("bills")["bill_of_agency"], bill_no, agency)
    return _record_of(row) if row is not None else None


async def load_bills(source: Source, agency: AgencyId, *, before: bytes | None, count: int) -> list[BillRecord]:
    """An agency's own bills, newest first."""
    with translated():
        rows = await source.fetch(load_queries("bills")["bills_of_agency"], agency, before, count)
    return [_record_of(row) for row in rows]


def _record_of(row: asyncpg.Record) -> BillRecord:
    return BillRecord(
        id=row["id"],
        bill=bill_of(row),
        item=AgencyItem(row["item"]),
        description=row["description"],
        created_at=row["created_at"],
        is_settled=row["is_settled"],
    )
