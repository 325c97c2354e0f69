"""A merchant's daily statement: found by the merchant's own payments and moves, read in pages, in flat memory.

The order of the lines: payments that were captured at once, by their ids; then captures of holds, refunds and
cancellations, as the journal has them.

A payment's id tells when it was made by the clock of the world, a business date is of business time; but both only go
forward. So where a date begins and ends among a merchant's ids is searched for by halves.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final

import asyncpg
import msgspec

from engine.core.calendar import CycleNumber
from engine.core.ids import NO_ID, IdKind, MalformedId, MerchantId, PaymentId, at_ms_of, id_text, parse_id
from engine.core.merchant_statement import StatementLine, StatementTotals
from engine.store.merchant_statements import BEFORE_ALL, DayBounds, MerchantStatements, Move

MOVES_AT_ONCE: Final = 500
CLOCKS_APART_MAX: Final = timedelta(minutes=10)
"""How far the order of ids may be from the order in which payments were made: clocks of nodes, waiting in a lane."""

_LAST_ID: Final = PaymentId(b"\xff" * len(NO_ID))
_MS_MAX: Final = 1 << 48


class StatementOfDay(msgspec.Struct, frozen=True, kw_only=True):
    """A business date of a merchant, ready to be read."""

    reads: MerchantStatements
    is_final: bool
    settlement_dates: dict[CycleNumber, date | None]  # of the closed cycles
    after: PaymentId  # the date's own payments are above this one,
    last: PaymentId  # up to this one


class Place(msgspec.Struct, frozen=True):
    """How far a statement was read: the last payment among those captured at once, or the last of the other moves."""

    payment: PaymentId | None = None
    move: tuple[int, int, int] | None = None

    @property
    def text(self) -> str:
        """The place as a cursor."""
        if self.move is not None:
            return ".".join(map(str, self.move))
        assert self.payment is not None, "nothing was read"
        return id_text(self.payment)


class LinesPage(msgspec.Struct, frozen=True):
    """Some lines, and where the next ones are; None after the last one."""

    lines: list[StatementLine]
    next: Place | None


async def open_statement(pool: asyncpg.Pool, merchant: MerchantId, business_date: date) -> StatementOfDay | None:
    """The merchant's statement of a date, open ones included; None for a date that has not begun.

    Raises:
        Fault: the database cannot answer.
    """
    reads = MerchantStatements(pool, merchant, business_date)
    bounds = await reads.bounds()
    if business_date > bounds.open_date:
        return None
    after, last = await _ids_of(reads, bounds)
    return StatementOfDay(
        reads=reads,
        is_final=bounds.is_final,
        settlement_dates=await reads.settlement_dates(),
        after=after,
        last=last,
    )


async def add_up(statement: StatementOfDay) -> StatementTotals:
    """What the whole statement adds up to; the database adds, so that no line is read."""
    totals = StatementTotals()
    async for moves in _all_moves(statement):
        totals.add(await statement.reads.sums(moves))
    return totals


async def all_lines(statement: StatementOfDay) -> AsyncIterator[list[StatementLine]]:
    """Every line, some at a time."""
    async for moves in _all_moves(statement):
        yield await statement.reads.lines(moves)


async def read_page(statement: StatementOfDay, place: Place | None, *, count: int) -> LinesPage:
    """Up to *count* lines from *place* on. Some moves have no line, so a page may have fewer and not be the last."""
    moves: list[Move] = []
    next_place: Place | None = None
    if place is None or place.move is None:
        after = place.payment if place is not None and place.payment is not None else statement.after
        moves = await statement.reads.captured_at_once(
            after=max(after, statement.after), last=statement.last, count=count
        )
        next_place = Place(payment=moves[-1].payment) if len(moves) == count else None
    if next_place is None:
        wanted = count - len(moves)
        since = place.move if place is not None and place.move is not None else BEFORE_ALL
        later = await statement.reads.later_moves(after=since, count=wanted)
        moves += later
        next_place = Place(move=later[-1].place) if len(later) == wanted else None
    return LinesPage(await statement.reads.lines(moves), next_place)


def parse_place(text: str) -> Place:
    """Read a cursor.

    Raises:
        ValueError: it is none.
    """
    try:
        return Place(payment=PaymentId(parse_id(text, IdKind.PAYMENT)))
    except MalformedId:
        parts = text.split(".")
        if len(parts) != len(BEFORE_ALL) or not all(part.isascii() and part.isdigit() for part in parts):
            raise ValueError("no place of a statement") from None
        lane, seq, n = map(int, parts)
        if lane >= 1 << 15 or seq >= 1 << 63 or n >= 1 << 15:
            raise ValueError("no place of the journal") from None
        return Place(move=(lane, seq, n))


async def _all_moves(statement: StatementOfDay) -> AsyncIterator[Sequence[Move]]:
    payment = statement.after
    while moves := await statement.reads.captured_at_once(after=payment, last=statement.last, count=MOVES_AT_ONCE):
        yield moves
        payment = moves[-1].payment
    place = BEFORE_ALL
    while moves := await statement.reads.later_moves(after=place, count=MOVES_AT_ONCE):
        yield moves
        place = moves[-1].place


async def _ids_of(reads: MerchantStatements, bounds: DayBounds) -> tuple[PaymentId, PaymentId]:
    """Two ids: the payments of the date are above the first one, up to the second. Some of other dates are, too."""
    after, last = PaymentId(NO_ID), _LAST_ID
    if bounds.began_at is not None:
        after = await _first_made_since(reads, bounds.began_at - CLOCKS_APART_MAX)
    if bounds.ended_at is not None:
        last = await _first_made_since(reads, bounds.ended_at + CLOCKS_APART_MAX)
    return after, last


async def _first_made_since(reads: MerchantStatements, instant: datetime) -> PaymentId:
    """An id before which the merchant's payments were made before *instant*, give or take what clocks are apart."""
    low, high = 0, _MS_MAX - 1  # milliseconds of ids: those before low were made before it, those from high on were not
    while low < high:
        middle = (low + high) // 2
        found = await reads.first_payment_from(_lowest_id(middle))
        if found is not None and found[1] < instant:
            low = at_ms_of(found[0]) + 1
        else:
            high = middle
    return _lowest_id(low)


def _lowest_id(at_ms: int) -> PaymentId:
    """Below every payment that was made from then on."""
    return PaymentId(at_ms.to_bytes(6, "big") + bytes(10))
