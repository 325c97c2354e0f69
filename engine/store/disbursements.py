"""Disbursements: batches and their lines until they are approved, one query and one of our types each."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from engine.core.approvals import ApprovalId
from engine.core.calendar import CycleNumber
from engine.core.disbursement import BatchState, FundKey, FundTotal, LineCounts, LineFault, LineState, ReadLine
from engine.core.ids import AgencyId, CardId, DisbursementId, DisbursementLineId
from engine.store.connection import AnyConnection
from engine.store.faults import StoreUnavailable, translated
from engine.store.participants import Source
from engine.store.rows import Row
from engine.store.sql import Sql, load_queries

DROPPED_AT_ONCE: Final = 10_000
DUPLICATE: Final = "the same benefit of this person, month and fund is in a batch already"


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as it stands. Units: fen."""

    id: DisbursementId
    agency: AgencyId
    region: int
    state: BatchState
    batch_no: str
    amount: int
    counts: LineCounts
    created_at: datetime
    approval: ApprovalId | None
    approved_at: datetime | None


class LockedBatch(msgspec.Struct, frozen=True):
    """What decides about a batch, while nobody else changes it."""

    agency: AgencyId
    region: int
    state: BatchState
    approval: ApprovalId | None
    is_approved: bool  # to its end: its lines may be sent


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line as it stands. Units: fen."""

    id: DisbursementLineId
    batch: DisbursementId
    n: int
    line_ref: str
    card: CardId
    benefit_code: str
    period: int
    fund: FundKey
    amount: int
    state: LineState
    reason: str | None
    cycle: CycleNumber | None
    is_settled: bool
    replaces: DisbursementLineId | None


class LinesWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a batch's lines; what is None does not matter."""

    after: int
    states: tuple[LineState, ...] | None
    is_settled: bool | None
    count: int


class Staged(msgspec.Struct, frozen=True):
    """A line that is to be kept: its id, its place in the batch, and what it says."""

    id: DisbursementLineId
    n: int
    line: ReadLine


async def begin_batch(source: Source, batch: DisbursementId, agency: AgencyId, *, region: int, now: datetime) -> None:
    """A batch that has no lines yet. *now* is the database's own clock, which tells later whether it was cut short."""
    with translated():
        await source.execute(_query("begin_batch"), batch, agency, region, BatchState.BEING_READ, now)


async def stage_lines(
    source: Source, batch: DisbursementId, lines: Sequence[Staged], *, faults_max: int
) -> tuple[list[LineFault], int]:
    """Keep some lines, in a transaction of their own.

    Returns what is wrong with those that cannot be paid, and of how many it is that the benefit is in a batch already.
    """
    rows: list[Row] = [
        (
            one.id,
            one.n,
            line.line_number,
            line.line_ref,
            line.card,
            line.benefit_code,
            line.period,
            *line.fund,
            line.amount,
        )
        for one in lines
        for line in (one.line,)
    ]
    with translated():
        refused = await source.fetch(_query("stage_lines"), batch, rows, LineState.PENDING)
    faults: list[LineFault] = []
    duplicates = 0
    for row in refused[:faults_max]:
        line = row["line"]
        if not row["has_card"]:
            faults.append(LineFault(line, "card_id", "no such card"))
        elif not row["has_fund"]:
            faults.append(LineFault(line, "fund_pay_type", "the payee's area has no such fund"))
        elif await _is_paid_already(source, row):
            faults.append(LineFault(line, "benefit_code", DUPLICATE))
            duplicates += 1
        else:
            faults.append(LineFault(line, "line_ref", "named twice in this batch"))
    return faults, duplicates


async def accept_batch(
    connection: AnyConnection,
    batch: DisbursementId,
    *,
    upload: bytes,
    batch_no: str,
    totals: Sequence[FundTotal],
    now: datetime,
) -> None:
    """A batch that was read to its end is a draft from now on.

    Raises:
        StoreUnavailable: it was given up meanwhile.
    """
    count, amount = sum(total.count for total in totals), sum(total.amount for total in totals)
    with translated():
        accepted = await connection.fetchval(
            _query("accept_batch"), batch, upload, batch_no, count, amount, BatchState.DRAFT, BatchState.BEING_READ, now
        )
        if accepted is None:
            raise StoreUnavailable("the batch took so long that it was given up")
        await connection.execute(
            _query("insert_funds"), [(batch, *total.fund, total.count, total.amount) for total in totals]
        )


async def give_up_batch(source: Source, batch: DisbursementId) -> None:
    """Nothing is left of a batch that was not accepted."""
    with translated():
        await source.execute(_query("give_up_batch"), batch, BatchState.GIVEN_UP, BatchState.BEING_READ)
    await drop_lines(source, batch)


async def drop_lines(source: Source, batch: DisbursementId) -> None:
    """Take away the lines of a batch that was given up or withdrawn, some at a time; then the former itself."""
    with translated():
        row = await source.fetchrow(_query("lock_batch"), batch)
        if row is None or row["state"] not in (BatchState.GIVEN_UP, BatchState.WITHDRAWN):
            return
        while await source.fetchval(_query("drop_lines"), batch, DROPPED_AT_ONCE) == DROPPED_AT_ONCE:
            pass
        await source.execute(_query("drop_batch"), batch, BatchState.GIVEN_UP)


async def load_unwanted(source: Source, *, begun_before: datetime) -> list[DisbursementId]:
    """Batches whose lines are to be taken away: given up, withdrawn, or cut short while they were read."""
    with translated():
        rows = await source.fetch(
            _query("unwanted_batches"),
            BatchState.GIVEN_UP,
            BatchState.BEING_READ,
            BatchState.WITHDRAWN,
            begun_before,
        )
    return [DisbursementId(row["id"]) for row in rows]


async def withdraw_batch(connection: AnyConnection, batch: DisbursementId, agency: AgencyId) -> None:
    """A draft is withdrawn; nothing happens to any other batch."""
    with translated():
        await connection.execute(_query("withdraw_batch"), batch, agency, BatchState.WITHDRAWN, BatchState.DRAFT)


async def load_batch(source: Source, batch: DisbursementId) -> Batch | None:
    """A batch that was accepted, whoever's it is."""
    with translated():
        row = await source.fetchrow(_query("batch"), batch)
    return _batch_of(row) if row is not None else None


async def load_batch_of_upload(source: Source, upload: bytes) -> DisbursementId | None:
    """The batch that came with an upload."""
    with translated():
        found = await source.fetchval(_query("batch_of_upload"), upload)
    return DisbursementId(found) if found is not None else None


async def load_batches(
    source: Source, *, agency: AgencyId | None, regions: tuple[int, int], before: bytes | None, count: int
) -> list[Batch]:
    """Batches, newest first."""
    with translated():
        rows = await source.fetch(_query("batches"), agency, *regions, before, count)
    return [_batch_of(row) for row in rows]


async def load_funds(source: Source, batches: Iterable[DisbursementId]) -> dict[DisbursementId, list[FundTotal]]:
    """What each batch takes from which fund."""
    found: dict[DisbursementId, list[FundTotal]] = {batch: [] for batch in batches}
    with translated():
        rows = await source.fetch(_query("funds_of_batches"), list(found))
    for row in rows:
        found[DisbursementId(row["batch"])].append(_total_of(row))
    return found


async def load_lines(source: Source, batch: DisbursementId, wanted: LinesWanted) -> list[Line]:
    """Lines of a batch, in their order."""
    with translated():
        rows = await source.fetch(_query("lines"), batch, wanted.after, wanted.states, wanted.is_settled, wanted.count)
    return [_line_of(row) for row in rows]


async def load_line(source: Source, line: DisbursementLineId) -> Line | None:
    """One line."""
    with translated():
        row = await source.fetchrow(_query("line"), line)
    return _line_of(row) if row is not None else None


async def lock_batch(connection: AnyConnection, batch: DisbursementId) -> LockedBatch | None:
    """The batch, which nobody else changes until the transaction ends."""
    with translated():
        row = await connection.fetchrow(_query("lock_batch"), batch)
    if row is None or row["state"] in (BatchState.BEING_READ, BatchState.GIVEN_UP):
        return None
    approval = ApprovalId(row["approval"]) if row["approval"] is not None else None
    return LockedBatch(
        AgencyId(row["agency"]), row["region"], BatchState(row["state"]), approval, row["approved_at"] is not None
    )


async def set_approval(connection: AnyConnection, batch: DisbursementId, approval: ApprovalId) -> None:
    """Let a batch wait for a second operator."""
    with translated():
        await connection.execute(_query("set_approval"), batch, approval)


async def set_approved(connection: AnyConnection, batch: DisbursementId) -> None:
    """The batch cannot be withdrawn any more."""
    with translated():
        await connection.execute(_query("set_state"), batch, BatchState.APPROVED)


async def load_totals_of_lines(source: Source, batch: DisbursementId) -> list[FundTotal]:
    """What the lines themselves add up to, fund by fund."""
    with translated():
        rows = await source.fetch(_query("totals_of_lines"), batch)
    return [_total_of(row) for row in rows]


async def _is_paid_already(source: Source, row: asyncpg.Record) -> bool:
    found: bool = await source.fetchval(
        _query("other_line"), row["card"], row["period"], row["benefit_code"], row["pay_type"], row["region"]
    )
    return found


def _query(name: str) -> Sql:
    return load_queries("disbursements")[name]


def _total_of(row: asyncpg.Record) -> FundTotal:
    return FundTotal(FundKey(row["region"], row["pay_type"]), row["line_count"], row["amount"])


def _batch_of(row: asyncpg.Record) -> Batch:
    return Batch(
        id=DisbursementId(row["id"]),
        agency=AgencyId(row["agency"]),
        region=row["region"],
        state=BatchState(row["state"]),
        batch_no=row["batch_no"],
        amount=row["amount"],
        counts=LineCounts(
            line_count=row["line_count"],
            pending=row["pending_count"],
            held=row["held_count"],
            sent=row["sent_count"],
            returned=row["returned_count"],
            reissued=row["reissued_count"],
            paid=row["paid_count"],
        ),
        created_at=row["created_at"],
        approval=ApprovalId(row["approval"]) if row["approval"] is not None else None,
        approved_at=row["approved_at"],
    )


def _line_of(row: asyncpg.Record) -> Line:
    return Line(
        id=DisbursementLineId(row["id"]),
        batch=DisbursementId(row["batch"]),
        n=row["n"],
        line_ref=row["line_ref"],
        card=CardId(row["card"]),
        benefit_code=row["benefit_code"],
        period=row["period"],
        fund=FundKey(row["region"], row["pay_type"]),
        amount=row["amount"],
        state=LineState(row["state"]),
        reason=row["reason"],
        cycle=CycleNumber(row["cycle"]) if row["cycle"] is not None else None,
        is_settled=row["is_settled"],
        replaces=DisbursementLineId(row["replaces"]) if row["replaces"] is not None else None,
    )
