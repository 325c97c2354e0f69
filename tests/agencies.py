"""Agencies in a small world, what they bill, and what they pay out."""

import itertools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from engine.core.bills import BillState
from engine.core.ids import AgencyId, CardId, IdKind, id_text
from engine.core.participants import AgencyItem
from tests.builders import REGION, World, an_id

FUND_PAY_TYPE = 310100  # the world's pooled fund
PERIOD = "202611"
_numbers = itertools.count(1)


async def an_agency(
    sql: asyncpg.Connection, world: World, *, bank: int = 0, item: AgencyItem = AgencyItem.PREMIUM, region: int = REGION
) -> AgencyId:
    """A registered agency whose account the *bank*-th bank keeps."""
    agency = AgencyId(an_id(IdKind.AGENCY, region=region))
    await sql.execute(
        "INSERT INTO agency (id, code, region, item, bank, name_zh, name_en) VALUES ($1, $2, $3, $4, $5, $2, $2)",
        agency,
        f"agency-{next(_numbers)}",
        region,
        item,
        world.banks[bank],
    )
    return agency


async def a_bill(
    sql: asyncpg.Connection,
    agency: AgencyId,
    *,
    amount: int = 500,
    card: CardId | None = None,
    deadline: datetime | None = None,
    state: BillState = BillState.BILLED,
) -> str:
    """The number of a bill that *card*'s holder can pay, or anybody; by default for a day."""
    bill_no = f"B-{next(_numbers)}"
    now = datetime.now(UTC)
    await sql.execute(
        "INSERT INTO bill (bill_no, id, agency, item, card, amount, deadline, created_at, state) "
        "VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8)",
        bill_no,
        an_id(IdKind.BILL),
        agency,
        card,
        amount,
        deadline if deadline is not None else now + timedelta(days=1),
        now,
        state,
    )
    return bill_no


async def state_of_bill(sql: asyncpg.Connection, bill_no: str) -> tuple[BillState, bytes | None]:
    """Where a bill stands in the books, and the payment that pays it."""
    row = await sql.fetchrow("SELECT state, payment FROM bill WHERE bill_no = $1", bill_no)
    assert row is not None, "bills are never deleted"
    return BillState(row["state"]), row["payment"]


def benefit_line(
    card: CardId | str,
    *,
    line_no: str | None = None,
    benefit_code: str = "PENSION",
    period: str = PERIOD,
    fund_pay_type: int = FUND_PAY_TYPE,
    amount: int = 1_000,
) -> str:
    """A line of a batch as CSV: a reference that nobody has used, unless one is given."""
    card_id = card if isinstance(card, str) else id_text(card)
    return f"{line_no or next(_numbers)},{card_id},{benefit_code},{period},{fund_pay_type},{amount}"


def a_batch(lines: Iterable[str]) -> bytes:
    """A batch as CSV."""
    return "\n".join(("line_no,card_id,benefit_code,period,fund_pay_type,amount", *lines, "")).encode()


def one_line_each(cards: Sequence[CardId], **changes: object) -> bytes:
    """A batch with a line for each of these cards."""
    return a_batch(benefit_line(card, **changes) for card in cards)  # type: ignore[arg-type]  # those of `benefit_line`
