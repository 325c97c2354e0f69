"""What the books check reads of returns, resolutions and bills, and of the postings that they must have."""

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

import asyncpg
import msgspec

from engine.core.accounts import AccountId
from engine.core.approvals import Approval, ApprovalKind, ApprovalOutcome
from engine.core.bank_lines import Direction
from engine.core.bills import BillState
from engine.core.commands import Entry, Operation
from engine.core.ids import NO_ID
from engine.core.postings import Phase, PostingKind
from engine.core.returns import ReturnState
from engine.store.approvals import approval_of
from engine.store.faults import translated
from engine.store.reconciliation import DifferenceRecord, Reconciliations
from engine.store.return_reads import DueAgain, due_of
from engine.store.returns import ReturnRow, return_of
from engine.store.settlement import DIRECTIONS, NUMBERS
from engine.store.sql import load_queries
from engine.store.verify_rows import SliceChecked, slice_of

ItemEnd = tuple[str, Direction]
"""An item and its direction."""


class Booked(msgspec.Struct, frozen=True):
    """What one booking has in the books."""

    about: bytes
    kind: PostingKind | int
    entries: tuple[Entry, ...]


class BookedAnswer(NamedTuple):
    """A key of the engine's own, and the event that answered it."""

    key: str
    lane: int
    seq: int
    n: int


class HandledDifference(NamedTuple):
    """A difference that a person has dealt with, and what it names as having settled it."""

    reconciliation: bytes
    n: int
    resolution: str


class ReturnedSeen(NamedTuple):
    """What became of an item that was given back."""

    state: ReturnState
    stand_in: AccountId
    present_count: int


class ReturnReads:
    """Reads in slices of at most *size* rows. Every method raises `Fault` when the database cannot answer."""

    def __init__(self, connection: asyncpg.Connection, *, size: int) -> None:
        """On one connection, which does nothing else meanwhile."""
        self._connection = connection
        self._size = size
        self._queries: Final = load_queries("verify_returns")

    async def posted_returns(self, after: tuple[bytes, int]) -> list[ReturnRow]:
        """The next items that were given back and are posted, by batch and place."""
        return [return_of(row) for row in await self._fetch("posted_returns", *after, self._size)]

    async def presented_items(self, after: tuple[str, int]) -> list[DueAgain]:
        """The next items that were presented again, by item and number of the direction."""
        return [due_of(row) for row in await self._fetch("presented_items", *after, self._size)]

    async def carried_out(self, kinds: Collection[ApprovalKind], after: bytes) -> list[Approval]:
        """The next requests of some kinds that were carried out."""
        rows = await self._fetch("carried_out", after, list(kinds), ApprovalOutcome.DONE, self._size)
        return [approval_of(row) for row in rows]

    async def handled_differences(self, after: tuple[bytes, int]) -> list[HandledDifference]:
        """The next differences that a person has dealt with."""
        rows = await self._fetch("handled_differences", *after, self._size)
        return [HandledDifference._make(row) for row in rows]

    async def approvals(self, ids: Collection[bytes]) -> dict[bytes, Approval]:
        """Those of some requests that there are."""
        return {row["id"]: approval_of(row) for row in await self._fetch("approvals_of", list(ids))}

    async def difference(self, reconciliation: bytes, n: int) -> DifferenceRecord | None:
        """One difference."""
        found = await Reconciliations(self._connection).differences(reconciliation, after=n - 1, count=1)
        return found[0] if found and found[0].n == n else None

    async def bookings(self, keys: Sequence[str]) -> dict[str, Booked]:
        """What is posted under some keys of the engine's own; what is under none of them is missing."""
        found: dict[str, Booked] = {}
        for key, about, phase, kind, debit, credit, amount in await self._fetch(
            "bookings", NO_ID, Operation.BOOK, list(keys)
        ):
            assert phase == Phase.POST, "a booking holds nothing"
            before = found[key].entries if key in found else ()
            entry = Entry(AccountId(debit), AccountId(credit), amount)
            found[key] = Booked(about, kind, (*before, entry))
        return found

    async def booked_answers(self, after: str) -> list[BookedAnswer]:
        """The next keys of the engine's own, in their order."""
        rows = await self._fetch("booked_answers", NO_ID, Operation.BOOK, after, self._size)
        return [BookedAnswer._make(row) for row in rows]

    async def decided_returns(self, ends: Sequence[ItemEnd]) -> set[ItemEnd]:
        """Those of some items that were given back."""
        rows = await self._fetch("decided_returns", *_columns_of(ends))
        return {(row["item"], DIRECTIONS[row["direction"]]) for row in rows}

    async def returned_items(self, ends: Sequence[ItemEnd]) -> dict[ItemEnd, ReturnedSeen]:
        """What became of some items."""
        return {
            (row["item"], DIRECTIONS[row["direction"]]): ReturnedSeen(
                ReturnState(row["state"]), AccountId(row["stand_in"]), row["present_count"]
            )
            for row in await self._fetch("returned_items", *_columns_of(ends))
        }

    async def keep_answers(self, answers: Sequence[BookedAnswer]) -> None:
        """The folds know which events have answered keys; each answer is told once."""
        with translated():
            await self._connection.copy_records_to_table(
                "answer_fold", records=[answer[1:] for answer in answers], columns=("lane", "seq", "n")
            )

    async def check_answered(self, after: tuple[Any, ...]) -> SliceChecked:
        """Count the answers of the next bookings in the folds. Fault: lane, seq, n, how many answers it is."""
        return slice_of(await self._fetch("check_answered", *after, self._size), width=3)

    async def check_bills(self, after: tuple[Any, ...]) -> SliceChecked:
        """Look up the payments of the next bills. Fault: bill number, payment."""
        return slice_of(await self._fetch("check_bills", *after, BillState.REFUNDED, self._size), width=1)

    async def payments_of_bills(self, bill_nos: Collection[str]) -> dict[str, bytes | None]:
        """What some bills say that they are paid by."""
        rows = await self._fetch("payments_of_bills", list(bill_nos))
        return {row["bill_no"]: row["payment"] for row in rows}

    async def _fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        with translated():
            rows: list[asyncpg.Record] = await self._connection.fetch(self._queries[query], *values)
        return rows


def _columns_of(ends: Sequence[ItemEnd]) -> tuple[list[str], list[int]]:
    return [item for item, _ in ends], [NUMBERS[direction] for _, direction in ends]
