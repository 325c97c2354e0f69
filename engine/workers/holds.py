"""Lets go of holds whose time is over. The ledger judges each again, so two sweepers do no harm."""

import asyncio
from typing import Final

import structlog

from engine.core.commands import Expire
from engine.core.ids import NO_ID, CallerId
from engine.ledger.queue import Overloaded
from engine.ledger.router import Ledger
from engine.store.faults import Fault
from engine.store.reads import Reads
from engine.workers.pauses import OnFault, pause, uncounted

PAGE: Final = 500
PAUSE_S: Final = 1.0

log = structlog.get_logger("engine.workers")


async def sweep_holds(ledger: Ledger, reads: Reads) -> int:
    """Let go of every hold that has lapsed. Returns how many were found.

    Raises:
        Fault: the database cannot answer.
        Overloaded: the ledger has no room; payments go first.
    """
    found = 0
    while True:
        now = (await reads.business_now()).now
        due = await reads.due_holds(now, count=PAGE)
        commands = [Expire(caller=CallerId(NO_ID), key=None, payment=payment) for payment in due]
        outcomes = await asyncio.gather(*(ledger.submit(command) for command in commands))
        found += len(due)
        # A page of which nothing could be let go would come again and again.
        if len(due) < PAGE or all(outcome.answer.refusal is not None for outcome in outcomes):
            return found


async def run_hold_sweeper(
    ledger: Ledger, reads: Reads, stopping: asyncio.Event, *, on_fault: OnFault = uncounted
) -> None:
    """Sweep until *stopping*. What fails is tried again after a pause."""
    while not stopping.is_set():
        try:
            await sweep_holds(ledger, reads)
        except (Fault, Overloaded) as fault:
            log.warning("holds.sweep_failed", fault=str(fault) or type(fault).__name__)
            on_fault()
        await pause(stopping, PAUSE_S)
