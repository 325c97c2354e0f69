"""What a merchant's daily statement is read from: its payments and later moves of a date, and their postings.

Nothing here takes longer than the merchant's own day is long: not what other merchants have done, nor what this one has
done on other days.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

import asyncpg
import msgspec

from engine.core.accounts import AccountId, merchant_payable
from engine.core.calendar import CYCLES_PER_DAY_MAX, CycleNumber, cycle_number
from engine.core.clearing import CLEARED_KINDS, CLEARED_PHASE
from engine.core.ids import MerchantId, PaymentId
from engine.core.merchant_statement import LineType, Moved, Share, StatementLine, source_of
from engine.core.payments import Refund
from engine.store.faults import StoreUnavailable, translated
from engine.store.rows import remembered_of
from engine.store.sql import load_queries

BEFORE_ALL: Final = (-1, -1, -1)
"""Before the first place of the journal."""


class DayBounds(msgspec.Struct, frozen=True, kw_only=True):
    """A business date as far as the cycles tell: instants of business time, None where there is no bound."""

    open_date: date  # the one that is open now
    began_at: datetime | None
    ended_at: datetime | None
    is_final: bool  # nothing can be added any more


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a merchant did: maybe money was posted by it."""

    payment: PaymentId
    order_no: str
    terminal_id: str
    at: datetime
    place: tuple[int, int, int]  # lane, sequence and n of its event
    refund: Refund | None


class MerchantStatements:
    """Reads of one merchant's business date. Every method raises `Fault` when the database cannot answer."""

    def __init__(self, pool: asyncpg.Pool, merchant: MerchantId, business_date: date) -> None:
        """Read through *pool*; a connection is held for one query at a time."""
        self._pool = pool
        self._merchant = merchant
        self._date = business_date
        self._cycles = cycle_number(business_date, 1), cycle_number(business_date, CYCLES_PER_DAY_MAX)
        self._queries = load_queries("merchant_statements")

    async def bounds(self) -> DayBounds:
        """When the date began and ended."""
        rows = await self._fetch("day_bounds", *self._cycles)
        if not rows:
            raise StoreUnavailable("the books are not set up")
        return DayBounds(**rows[0])

    async def settlement_dates(self) -> dict[CycleNumber, date | None]:
        """When each closed cycle of the date is settled; None where it is not kept."""
        rows = await self._fetch("settlement_dates", *self._cycles)
        return {CycleNumber(row["cycle"]): row["settlement_date"] for row in rows}

    async def first_payment_from(self, lowest: PaymentId) -> tuple[PaymentId, datetime] | None:
        """The merchant's payment of the lowest id that is not below *lowest*, and when it was made."""
        rows = await self._fetch("first_payment_from", self._merchant, lowest)
        return (PaymentId(rows[0]["id"]), rows[0]["created_at"]) if rows else None

    async def captured_at_once(self, *, after: PaymentId, last: PaymentId, count: int) -> list[Move]:
        """Payments of the date that were captured with their authorization, by id: above *after*, up to *last*."""
        return [
            _move_of(row)
            for row in await self._fetch("captured_at_once", self._merchant, after, last, self._date, count)
        ]

    async def later_moves(self, *, after: tuple[int, int, int], count: int) -> list[Move]:
        """What else the merchant asked for on the date, in the order of the journal; refused or not."""
        return [_move_of(row) for row in await self._fetch("later_moves", self._merchant, self._date, *after, count)]

    async def lines(self, moves: Sequence[Move]) -> list[StatementLine]:
        """The lines of some moves, in their order. A move that has posted nothing for the merchant has none."""
        found: dict[tuple[int, int, int], list[asyncpg.Record]] = defaultdict(list)
        for row in await self._postings("shares_of_moves", moves):
            found[row["lane"], row["seq"], row["event"]].append(row)
        return [_line_of(move, found[move.place]) for move in moves if move.place in found]

    async def sums(self, moves: Sequence[Move]) -> list[Moved]:
        """What the lines of some moves add up to."""
        return [
            Moved(
                CycleNumber(row["cycle"]),
                _type_of(row),
                source_of(AccountId(row["source"])) if row["source"] is not None else None,
                row["count"],
                row["amount"],
            )
            for row in await self._postings("sums_of_moves", moves)
        ]

    async def _postings(self, query: str, moves: Sequence[Move]) -> list[asyncpg.Record]:
        lanes, seqs, numbers = ([move.place[n] for move in moves] for n in range(3))
        account = merchant_payable(self._merchant)
        return await self._fetch(query, self._date, account, CLEARED_PHASE, CLEARED_KINDS, lanes, seqs, numbers)

    async def _fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        with translated():
            rows: list[asyncpg.Record] = await self._pool.fetch(self._queries[query], *values)
        return rows


def _move_of(row: asyncpg.Record) -> Move:
    return Move(
        payment=PaymentId(row["payment"]),
        order_no=row["order_no"] or "",
        terminal_id=row["terminal_id"] or "",
        at=row["at"],
        place=(row["lane"], row["seq"], row["n"]),
        refund=remembered_of(row["body"]).answer.refund if row["body"] is not None else None,
    )


def _line_of(move: Move, postings: Sequence[asyncpg.Record]) -> StatementLine:
    type_ = _type_of(postings[0])
    assert all(_type_of(row) is type_ for row in postings), "one event pays, or gives back"
    assert (move.refund is not None) is (type_ is LineType.REFUND), "a refund's postings and its record are one event's"
    return StatementLine(
        type=type_,
        place=move.place,
        payment=move.payment,
        order_no=move.order_no,
        terminal_id=move.terminal_id,
        refund=move.refund.id if move.refund is not None else None,
        refund_no=move.refund.refund_no if move.refund is not None else None,
        at=move.at,
        cycle=CycleNumber(postings[0]["cycle"]),
        shares=tuple(Share(source_of(AccountId(row["source"])), row["amount"]) for row in postings),
    )


def _type_of(row: asyncpg.Record) -> LineType:
    return LineType.PAYMENT if row["is_paid"] else LineType.REFUND
