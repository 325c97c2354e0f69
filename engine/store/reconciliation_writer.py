"""What a comparison writes: its row, what matched, what differs, and the loose ends that it ties."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Final

import asyncpg
import msgspec

from engine.core.calendar import CycleNumber
from engine.core.differences import Cause, DifferenceClass, DifferenceState, Effect, ReconciliationState
from engine.core.ids import BankId
from engine.core.loose_ends import Finding, LooseItem, LooseLine, Place, Tie
from engine.core.reconciliation import Difference
from engine.core.side_by_side import MatchRow
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.reconciliation import pack_matches
from engine.store.reconciliation_session import DIRECTIONS, NUMBERS
from engine.store.sql import load_queries

_COMPARED: Final = ReconciliationState.BALANCED  # whether it has open differences is asked when it is read
_DIFFERENCE_COLUMNS: Final = (
    *("reconciliation", "n", "bank", "kind", "effect", "cause", "found_kind", "found_effect", "found_cause"),
    *("is_loose", "payment_id", "leg", "our_direction", "our_amount", "our_date", "our_file", "our_seq", "order_no"),
    *("direction", "amount", "booked_on", "line", "bank_ref", "account", "state", "first_seen_at", "first_seen_on"),
    *("owner", "is_handled", "resolution", "settled_at"),
)


class NewReconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that is accepted and will be compared."""

    id: bytes
    upload: bytes
    bank: BankId
    business_date: date
    cycle_from: CycleNumber
    cycle_to: CycleNumber
    is_whole_day: bool
    files: tuple[str, ...]
    created_at: datetime


class OurTotals(msgspec.Struct, frozen=True):
    """What our side adds up to. Units: fen."""

    count: int
    debits: int
    credits: int


class LooseEnds(msgspec.Struct):
    """A payment's loose ends in all standing statements of one bank."""

    items: list[LooseItem]
    lines: list[LooseLine]
    refs: dict[Place, str]  # references of the lines


class FoundDifference(msgspec.Struct, frozen=True, gc=False):
    """A difference with its number and the payment it is about."""

    n: int
    payment_id: str
    difference: Difference


async def insert_reconciliation(connection: AnyConnection, new: NewReconciliation) -> None:
    """The statement will be compared. Part of the transaction that accepts it."""
    await connection.execute(
        load_queries("reconciliation")["insert_reconciliation"],
        new.id,
        new.upload,
        new.bank,
        new.business_date,
        new.cycle_from,
        new.cycle_to,
        new.is_whole_day,
        new.files,
        ReconciliationState.PENDING,
        new.created_at,
    )


class ReconciliationWriter:
    """Writes one comparison, each step in a transaction of its own. Every method raises `Fault` when the database
    cannot do it.
    """

    def __init__(self, connection: asyncpg.Connection, reconciliation: bytes, bank: BankId) -> None:
        """Through the session that has the bank's lock."""
        self._connection = connection
        self._id = reconciliation
        self._bank = bank
        self._queries = load_queries("reconciliation")

    async def drop_partial(self) -> None:
        """Nothing is left of an attempt that was cut short."""
        await self._execute("drop_matches", self._id)
        await self._execute("drop_differences", self._id)

    async def add_matches(self, rows: Sequence[Sequence[MatchRow]]) -> None:
        """Keep what matched: each of *rows* is packed into one, in order of payments."""
        records = [(self._id, *pack_matches(matches)) for matches in rows]
        with translated():
            await self._connection.copy_records_to_table("reconciliation_match", records=records)

    async def add_differences(
        self, found: Iterable[FoundDifference], *, files: Sequence[str], seen_at: datetime, seen_on: date
    ) -> None:
        """Keep what differs."""
        records = [self._row_of(one, files=files, seen_at=seen_at, seen_on=seen_on) for one in found]
        with translated():
            await self._connection.copy_records_to_table("difference", records=records, columns=_DIFFERENCE_COLUMNS)

    async def overlapping(self) -> list[bytes]:
        """The bank's standing reconciliations that are about some of the same cycles, oldest first."""
        return [row["id"] for row in await self._fetch("overlapping", self._id)]

    async def supersede(self, reconciliations: Sequence[bytes], *, by: bytes) -> None:
        """These do not stand any more; their loose ends are nobody's."""
        await self._execute("supersede", reconciliations, by, ReconciliationState.SUPERSEDED)

    async def carry_over(self) -> None:
        """What persons have done with the same differences of what this one supersedes stays done."""
        await self._execute("carry_over", self._id, ReconciliationState.SUPERSEDED)

    async def finish(self, *, at: datetime, ours: OurTotals, matched: int) -> None:
        """The comparison is complete and can be seen."""
        await self._execute(
            "finish_reconciliation", self._id, _COMPARED, at, ours.count, ours.debits, ours.credits, matched
        )

    async def loose_payments(self, business_date: date, *, count: int) -> AsyncIterator[list[str]]:
        """Payments whose loose ends have to be tied anew because of this reconciliation, some at a time."""
        await self._execute("stage_loose_payments", self._id, self._bank, business_date)
        after = ""
        while rows := await self._fetch("loose_payments", after, count):
            yield [row["payment"] for row in rows]
            after = rows[-1]["payment"]

    async def loose_ends(self, payment_ids: Sequence[str]) -> dict[str, LooseEnds]:
        """All loose ends of these payments."""
        found = {payment_id: LooseEnds([], [], {}) for payment_id in payment_ids}
        for row in await self._fetch("loose_ends", self._bank, payment_ids):
            ends = found[row["payment_id"]]
            place = (row["reconciliation"], row["n"])
            if row["line"] is None:
                direction = DIRECTIONS[row["our_direction"]]
                ends.items.append(LooseItem(place, row["our_date"], direction, row["our_amount"], row["is_handled"]))
            else:
                finding = Finding(
                    DifferenceClass(row["found_kind"]), Effect(row["found_effect"]), Cause(row["found_cause"])
                )
                direction = DIRECTIONS[row["direction"]]
                ends.lines.append(
                    LooseLine(place, row["booked_on"], direction, row["amount"], finding, row["is_handled"])
                )
                ends.refs[place] = row["bank_ref"]
        return found

    async def tie(self, ties: Mapping[Place, Tie], ends: Mapping[Place, LooseEnds], *, at: datetime) -> None:
        """Write what became of some loose ends, each in the row it has; *ends* are those of its payment."""
        rows = [_tie_row(place, tie, ends[place]) for place, tie in ties.items()]
        await self._execute("tie_differences", *map(list, zip(*rows, strict=True)), at)

    def _row_of(
        self, found: FoundDifference, *, files: Sequence[str], seen_at: datetime, seen_on: date
    ) -> tuple[object, ...]:
        difference = found.difference
        item, line = difference.item, difference.line
        kind = (difference.kind, difference.effect, difference.cause)
        state = DifferenceState.RESOLVED if difference.is_settled else DifferenceState.OPEN
        account = (item.account if item is not None else "") or (line.account if line is not None else "")
        return (
            *(self._id, found.n, self._bank, *kind, *kind, difference.is_loose, found.payment_id),
            item.leg if item is not None else "",
            NUMBERS[item.direction] if item is not None else None,
            item.amount if item is not None else None,
            item.business_date if item is not None else None,
            files[item.file] if item is not None else None,
            item.seq if item is not None else None,
            item.order_no if item is not None else "",
            NUMBERS[line.direction] if line is not None else None,
            line.amount if line is not None else None,
            line.booked_on if line is not None else None,
            line.line_number if line is not None else None,
            line.bank_ref if line is not None else "",
            *(account, state, seen_at, seen_on, "", False, "", seen_at if difference.is_settled else None),
        )

    async def _execute(self, query: str, *values: object) -> None:
        with translated():
            await self._connection.execute(self._queries[query], *values)

    async def _fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        with translated():
            rows: list[asyncpg.Record] = await self._connection.fetch(self._queries[query], *values)
        return rows


def _tie_row(place: Place, tie: Tie, ends: LooseEnds) -> tuple[object, ...]:
    """One row of `tie_differences`: what is known of both sides once the loose end is tied, or loose again."""
    finding, item, line = tie.finding, tie.item, tie.line
    if place in ends.refs:
        line, bank_ref = next(own for own in ends.lines if own.place == place), ends.refs[place]
        other = item.place if item is not None else None
    else:
        item = next(own for own in ends.items if own.place == place)
        other = line.place if line is not None else None
        bank_ref = ends.refs[line.place] if line is not None else ""
    state = DifferenceState.RESOLVED if finding.is_settled else DifferenceState.OPEN
    return (
        *(*place, finding.kind, finding.effect, finding.cause, state),
        *(other if other is not None else (None, None)),
        item.business_date if item is not None else None,
        line.booked_on if line is not None else None,
        bank_ref,
    )
