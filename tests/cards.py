"""Cards for tests that need no books: a payer's row, and a password."""

import asyncpg

from engine.core.ids import BankId, CardId, IdKind
from engine.core.payer import CardStatus, IssueLevel, Payer, TenderOrder
from engine.store.rows import payer_row
from tests.builders import an_id


async def a_card(sql: asyncpg.Connection) -> CardId:
    """A card without a password."""
    payer = Payer(
        id=CardId(an_id(IdKind.CARD)),
        status=CardStatus.ACTIVE,
        issue_level=IssueLevel.PAYMENT,
        bank=BankId(an_id(IdKind.BANK)),
        bank_allowance=100_000,
        tender_order=TenderOrder.PERSONAL_ACCOUNT_FIRST,
    )
    await sql.copy_records_to_table("payer", records=[payer_row(payer)])
    return payer.id


async def take_into_use(sql: asyncpg.Connection, card: CardId, version: int) -> None:
    """What the ledger does once a new password is written down."""
    await sql.execute("UPDATE payer SET password_version = $2 WHERE id = $1", card, version)
