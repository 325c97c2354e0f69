"""Lets cards expire, and ends the links of relatives, on the day after their last."""

import asyncio
from typing import Final

import asyncpg
import structlog

from engine.flows.relatives import Deciding, end_what_is_over
from engine.store.faults import Fault
from engine.store.reads import Reads
from engine.workers.pauses import OnFault, pause, uncounted

PAUSE_S: Final = 60.0

log = structlog.get_logger("engine.workers")


async def run_card_keeper(
    pool: asyncpg.Pool, ledger: Deciding, reads: Reads, stopping: asyncio.Event, *, on_fault: OnFault = uncounted
) -> None:
    """Do what is due until *stopping*. What fails is tried again after a pause. Several nodes may do it at once."""
    while not stopping.is_set():
        try:
            business = await reads.business_now()
            while await end_what_is_over(pool, ledger, now=business.now, today=business.control.business_date):
                pass
        except Fault as fault:
            log.warning("cards.failed", fault=str(fault) or type(fault).__name__)
            on_fault()
        await pause(stopping, PAUSE_S)
