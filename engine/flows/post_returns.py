"""Posting what banks have given back: decided under the cycle's row, booked once, taken up where it was cut short."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import asyncpg
import msgspec

from engine.core.accounts import AccountKind, account_kind, suspense_short
from engine.core.clearing import route_account
from engine.core.commands import Book, Entry
from engine.core.ids import BankId
from engine.core.postings import PostingKind
from engine.core.returns import (
    Claim,
    ReturnedClaim,
    ReturnState,
    entry_of_return,
    is_presented_again,
    stand_in_of,
    state_after_return,
)
from engine.core.settlement_entries import DroppedMove
from engine.flows.book import book_all, occasion
from engine.flows.settle_cycle import may_drop
from engine.ledger.router import Ledger
from engine.store.clearing_session import load_clearing_state, open_clearing
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.file_items import load_file_items
from engine.store.return_reads import Returns
from engine.store.returns import (
    BatchRow,
    ReturnRow,
    ReturnsSession,
    decide_return,
    keep_returned,
    load_returned,
    load_stand_in_bank,
    open_case,
    open_returns,
    return_row,
)
from engine.store.settlement import DroppedItem, insert_dropped

ITEMS_AT_ONCE: Final = 200  # of one transaction
LOCK_WAIT_S: Final = 120.0
CASE_SUSPENSE: Final = "suspense"
CASE_REJECTED: Final = "rejected"
RETURN_KEY: Final = "return"  # with the item and its direction: the key of its posting
SUSPEND_KEY: Final = "suspend"

OnBenefitReturned = Callable[[ReturnRow], Awaitable[None]]
"""Told of each benefit that was given back, once it is posted; perhaps more than once."""


class ReturnsDesk:
    """Posts what banks give back."""

    def __init__(
        self, pool: asyncpg.Pool, ledger: Ledger, database_url: str, *, on_benefit_returned: OnBenefitReturned
    ) -> None:
        """Each batch has a session of its own at *database_url*."""
        self.pool = pool
        self.database_url = database_url
        self._ledger = ledger
        self._on_benefit_returned = on_benefit_returned

    async def complete(self, batch: bytes, bank: BankId) -> None:
        """All of a batch is posted, if it was cut short; else nothing happens.

        Raises:
            Fault: it is not; the same call does what is left.
        """
        async with open_returns(self.database_url, bank) as session:
            await session.lock(wait_s=LOCK_WAIT_S)
            await self.post(session, batch)

    async def complete_all(self) -> None:
        """Everything that was cut short is posted.

        Raises:
            Fault: it is not; the next call does what is left.
        """
        for batch, bank in await Returns(self.pool).open_batches():
            await self.complete(batch, bank)

    async def post(self, session: ReturnsSession, batch: bytes) -> None:
        """All of an accepted batch is posted. *session* has the bank's lock.

        Raises:
            Fault: it is not; the same call does what is left.
        """
        found = await session.batch(batch)
        if found is None or found.done_at is not None:
            return
        if found.rejected_file is not None:
            await self._name_items(session, found)
        while rows := await session.unposted(batch, count=ITEMS_AT_ONCE):
            await self._post_rows(session, await self._decide(session, rows))
        await session.finish_batch(batch, at=(await load_clearing_state(session.connection)).now)

    async def _name_items(self, session: ReturnsSession, batch: BatchRow) -> None:
        """Every item of a file that is rejected whole is given back, but for those that were before."""
        assert batch.rejected_file is not None
        file = await Returns(session.connection).file(batch.bank, batch.rejected_file)
        assert file is not None, "only a published file is rejected"
        covered = (await session.files([file.name]))[file.name]
        async with open_clearing(self.database_url) as reading:
            async for page in load_file_items(reading, batch.bank, covered):
                rows = [
                    return_row(
                        ReturnedClaim(Claim(line=0, payment_id="", reason=batch.reason), item),
                        batch=batch.id,
                        n=place,
                        bank=batch.bank,
                        stand_in=stand_in_of(item, batch.bank),
                        file=file.flat_name,
                        seq=place,
                    )
                    for place, item in page
                    if item.is_returnable
                ]
                for at in range(0, len(rows), ITEMS_AT_ONCE):
                    await session.insert_rejected(rows[at : at + ITEMS_AT_ONCE])

    async def _decide(self, session: ReturnsSession, rows: Sequence[ReturnRow]) -> list[ReturnRow]:
        """Whether each item drops out of its cycle or is undone in the open one, and what becomes of it.

        Locks: the rows of their cycles, in order, for one short transaction.
        """
        undecided = [row for row in rows if row.kind is None]
        decided = [row for row in rows if row.kind is not None]
        if not undecided:
            return decided
        with translated():
            async with session.connection.transaction():
                may = {}
                for cycle in sorted({row.cycle for row in undecided}):
                    may[cycle] = await may_drop(session.connection, cycle)
                decided += [
                    await _decide_one(session.connection, row, may_still_drop=may[row.cycle]) for row in undecided
                ]
        return decided

    async def _post_rows(self, session: ReturnsSession, rows: Sequence[ReturnRow]) -> None:
        await book_all(self._ledger, [_return_of(row) for row in rows])
        await book_all(self._ledger, [_suspension_of(row) for row in rows if _is_given_up(row)])
        for row in rows:
            if account_kind(row.stand_in) is AccountKind.BENEFIT_PAYABLE:
                await self._on_benefit_returned(row)
        await session.mark_posted(rows)


def bookings_of_return(row: ReturnRow) -> list[Book]:
    """What the books have of an item that was given back, once it is posted."""
    return [_return_of(row), *([_suspension_of(row)] if _is_given_up(row) else ())]


async def _decide_one(connection: AnyConnection, row: ReturnRow, *, may_still_drop: bool) -> ReturnRow:
    now = (await load_clearing_state(connection)).now
    original, count = await load_returned(connection, row)
    kind = PostingKind.RETURN_UNSETTLED if may_still_drop else PostingKind.RETURN
    place = count + 1
    state = state_after_return(row.stand_in, place=place)
    await decide_return(connection, row, original=original, kind=kind, place=place)
    await keep_returned(connection, row, original=original, state=state, place=place, at=now)
    if state is ReturnState.SUSPENDED:
        subject = f"{original} {row.direction}"
        await open_case(connection, kind=CASE_SUSPENSE, subject=subject, bank=row.bank, reason=row.reason, at=now)
    if may_still_drop:
        dropped = DroppedItem(
            cycle=row.cycle,
            item=row.item,
            bank=row.bank,
            stand_in=await load_stand_in_bank(connection, row.cycle, row.stand_in),
            move=DroppedMove(row.direction, route_account(row.account), row.stand_in, row.amount),
            reason=row.reason,
        )
        await insert_dropped(connection, [dropped], at=now)
    return msgspec.structs.replace(row, original=original, kind=kind, place=place)


def _return_of(row: ReturnRow) -> Book:
    assert row.kind is not None, "decided before it is posted"
    entry = entry_of_return(row.direction, row.account, row.stand_in, row.amount)
    key = f"{RETURN_KEY}/{row.item}/{row.direction}"
    return occasion(key, about=row.payment, kind=row.kind, entries=[entry])


def _is_given_up(row: ReturnRow) -> bool:
    """Presented as often as anything is: from now on a person decides, and the cardholder owes nothing."""
    assert row.place is not None, "decided before it is posted"
    is_suspended = state_after_return(row.stand_in, place=row.place) is ReturnState.SUSPENDED
    return is_suspended and is_presented_again(row.stand_in)


def _suspension_of(row: ReturnRow) -> Book:
    entry = Entry(suspense_short(row.bank), row.stand_in, row.amount)
    key = f"{SUSPEND_KEY}/{row.original}/{row.direction}"
    return occasion(key, about=row.payment, kind=PostingKind.ADJUST, entries=[entry])
