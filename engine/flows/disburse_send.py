"""Sending benefits: line by line into the open cycle, once each, however often it is begun or cut short.

A line's posting has a key of its own, so the ledger knows what is sent before its row does: what was booked and not
marked is booked again without effect, and marked with the cycle that it is in.
"""

from collections.abc import Sequence
from typing import Final

import asyncpg
import structlog

from engine.core.calendar import CycleNumber
from engine.core.commands import Book
from engine.core.disbursement import NOT_CERTIFIED, LineState, Payout, entry_of_payout
from engine.core.ids import DisbursementId, DisbursementLineId, IdKind, id_text, kind_number
from engine.core.postings import PostingKind
from engine.flows.book import book_all, occasion
from engine.flows.disburse import Eligibility
from engine.ledger.router import Ledger
from engine.store.disbursements import load_line
from engine.store.faults import Fault, translated
from engine.store.payouts import (
    claim_batch,
    hold_lines,
    load_due,
    load_payouts,
    mark_returned,
    mark_sent,
    release_lines,
    set_asked_cycle,
)
from engine.store.reads import Reads
from engine.store.returns import ReturnRow

PAGE: Final = 512  # booked within one short transaction, which keeps other processes away from the batch

log = structlog.get_logger("engine.disbursement")


class Sender:
    """Sends what is approved and not held."""

    def __init__(self, pool: asyncpg.Pool, ledger: Ledger, eligibility: Eligibility) -> None:
        """Through *ledger*; *eligibility* is asked about every line before it is sent."""
        self._pool = pool
        self._ledger = ledger
        self._eligibility = eligibility

    async def send_due(self) -> int:
        """Send every line that is due. Returns how many were. What fails in one batch keeps no other back.

        Raises:
            Fault: the first that was met; the next call goes on where this one stopped.
        """
        sent = 0
        first: Fault | None = None
        cycle = (await Reads(self._pool).business_now()).control.cycle
        for batch in await load_due(self._pool, cycle=cycle):
            try:
                await self._look_again(batch, cycle)
                sent += await self._send_batch(batch)
            except Fault as fault:
                first = first or fault
        if first is not None:
            raise first
        return sent

    async def _look_again(self, batch: DisbursementId, cycle: CycleNumber) -> None:
        """Let go of the held lines whose payees are not late any more: once in each cycle."""
        after = 0
        while True:
            with translated():
                async with self._pool.acquire() as connection, connection.transaction():
                    asked = await claim_batch(connection, batch)
                    if asked is None or asked >= cycle:
                        return
                    held = await load_payouts(connection, batch, LineState.HELD, after=after, count=PAGE)
                    if not held:
                        await set_asked_cycle(connection, batch, cycle)
                        return
                    overdue = set(await self._eligibility.overdue(held))
                    free = [payout.id for payout in held if payout.id not in overdue]
                    if free:
                        await release_lines(connection, batch, free)
                    after = held[-1].n

    async def _send_batch(self, batch: DisbursementId) -> int:
        sent = after = 0
        while True:
            with translated():
                async with self._pool.acquire() as connection, connection.transaction():
                    if await claim_batch(connection, batch) is None:
                        return sent
                    payouts = await load_payouts(connection, batch, LineState.PENDING, after=after, count=PAGE)
                    if not payouts:
                        break
                    overdue = set(await self._eligibility.overdue(payouts))
                    if overdue:
                        await hold_lines(connection, batch, list(overdue), reason=NOT_CERTIFIED)
                    going = [payout for payout in payouts if payout.id not in overdue]
                    booked = await _booked(self._ledger, going)
                    await mark_sent(connection, batch, booked)
            sent += len(booked)
            after = payouts[-1].n
        if sent:
            log.info("disbursement.sent", disbursement=id_text(batch), lines=sent)
        return sent


async def note_returned(pool: asyncpg.Pool, ledger: Ledger, row: ReturnRow) -> None:
    """A bank has given a line back, for the reason that it tells. Told twice, it counts once.

    Raises:
        Fault: it could not be written down; it has to be told again.
    """
    if kind_number(row.payment) != IdKind.DISBURSEMENT_LINE:
        return
    line = DisbursementLineId(row.payment)
    found = await load_line(pool, line)
    if found is None:  # a benefit that was posted by hand
        return
    if found.state is LineState.PENDING:  # booked, and cut short before it was marked
        payouts = await load_payouts(pool, found.batch, LineState.PENDING, after=found.n - 1, count=1)
        await mark_sent(pool, found.batch, await _booked(ledger, payouts))
    await mark_returned(pool, [(line, row.reason)])


async def _booked(ledger: Ledger, payouts: Sequence[Payout]) -> list[tuple[DisbursementLineId, CycleNumber]]:
    cycles = await book_all(ledger, [_book_of(payout) for payout in payouts])
    return [(payout.id, cycle) for payout, cycle in zip(payouts, cycles, strict=True)]


def _book_of(payout: Payout) -> Book:
    return occasion(
        f"benefit/{id_text(payout.id)}", about=payout.id, kind=PostingKind.BENEFIT, entries=[entry_of_payout(payout)]
    )
