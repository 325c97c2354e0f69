"""The lines of approved disbursements: held, sent, returned, issued again.

The counts of a batch change in the same statements as its lines, so that they are right whatever is cut short.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from engine.core.calendar import CycleNumber
from engine.core.disbursement import FundKey, LineState, Payout
from engine.core.ids import BankId, CardId, DisbursementId, DisbursementLineId
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import Sql, load_queries


async def start_sending(source: Source, batch: DisbursementId, *, now: datetime) -> None:
    """The lines of an approved batch may be sent."""
    with translated():
        await source.execute(_query("start_sending"), batch, now)


async def load_payouts(
    source: Source, batch: DisbursementId, state: LineState, *, after: int, count: int
) -> list[Payout]:
    """Lines of a batch that are pending or held, in their order."""
    with translated():
        rows = await source.fetch(_query("payouts"), batch, after, state, count)
    return [
        Payout(
            id=DisbursementLineId(row["id"]),
            n=row["n"],
            card=CardId(row["card"]),
            benefit_code=row["benefit_code"],
            period=row["period"],
            fund=FundKey(row["region"], row["pay_type"]),
            amount=row["amount"],
            bank=BankId(row["bank"]),
        )
        for row in rows
    ]


async def hold_lines(
    source: Source, batch: DisbursementId, lines: Sequence[DisbursementLineId], *, reason: str
) -> None:
    """Lines that wait are held."""
    with translated():
        await source.execute(_query("hold_lines"), batch, lines, reason, LineState.HELD, LineState.PENDING)


async def release_lines(source: Source, batch: DisbursementId, lines: Sequence[DisbursementLineId]) -> None:
    """Lines that were held wait to be sent again."""
    with translated():
        await source.execute(_query("release_lines"), batch, lines, LineState.HELD, LineState.PENDING)


async def load_due(source: Source, *, cycle: CycleNumber) -> list[DisbursementId]:
    """Batches with lines to be sent, or with held ones that were not looked at since *cycle* is open."""
    with translated():
        rows = await source.fetch(_query("due_batches"), cycle)
    return [DisbursementId(row["id"]) for row in rows]


async def claim_batch(connection: AnyConnection, batch: DisbursementId) -> CycleNumber | None:
    """The last cycle in which its held lines were looked at; None if another process is at this batch.

    Locks: its row, until the transaction ends.
    """
    with translated():
        asked: int | None = await connection.fetchval(_query("claim_batch"), batch)
    return CycleNumber(asked) if asked is not None else None


async def set_asked_cycle(source: Source, batch: DisbursementId, cycle: CycleNumber) -> None:
    """The held lines of a batch were looked at in this cycle."""
    with translated():
        await source.execute(_query("set_asked_cycle"), batch, cycle)


async def mark_sent(
    source: Source, batch: DisbursementId, sent: Iterable[tuple[DisbursementLineId, CycleNumber]]
) -> None:
    """Lines are sent, each in its cycle."""
    with translated():
        await source.execute(_query("mark_sent"), batch, list(sent), LineState.SENT, LineState.PENDING)


async def mark_returned(source: Source, returned: Iterable[tuple[DisbursementLineId, str]]) -> None:
    """Lines came back, each for its reason."""
    with translated():
        await source.execute(_query("mark_returned"), list(returned), LineState.RETURNED, LineState.SENT)


async def reissue_line(
    source: Source, line: DisbursementLineId, fresh: DisbursementLineId
) -> DisbursementLineId | None:
    """The line in the place of a returned one: *fresh* or the earlier one; None if it did not come back."""
    with translated():
        await source.execute(
            _query("reissue_line"), fresh, line, LineState.REISSUED, LineState.RETURNED, LineState.PENDING
        )
        found = await source.fetchval(_query("replacement_of"), line)
    return DisbursementLineId(found) if found is not None else None


def _query(name: str) -> Sql:
    return load_queries("disbursements")[name]
