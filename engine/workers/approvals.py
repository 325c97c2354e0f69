"""What falls due of four eyes: requests that are over, approved ones still to be done, keys whose overlap ends."""

import asyncio
from typing import Final

import asyncpg
import structlog

from engine.flows.approve import Executors, carry_out_waiting, lapse_overdue
from engine.flows.import_participants import drop_unwanted_files
from engine.flows.participant_keys import end_overlaps
from engine.store.faults import Fault
from engine.workers.pauses import OnFault, pause, uncounted

PAUSE_S: Final = 2.0

log = structlog.get_logger("engine.workers")


async def keep_approvals(pool: asyncpg.Pool, executors: Executors) -> None:
    """Do what is due. Several nodes may do it at once.

    Raises:
        Fault: something cannot be done now.
    """
    ended = await end_overlaps(pool)
    lapsed = await lapse_overdue(pool)
    dropped = await drop_unwanted_files(pool)
    carried_out = await carry_out_waiting(pool, executors)
    if ended or lapsed or dropped or carried_out:
        log.info("approvals.kept", keys_ended=ended, lapsed=lapsed, dropped=dropped, carried_out=carried_out)


async def run_approval_keeper(
    pool: asyncpg.Pool, executors: Executors, stopping: asyncio.Event, *, on_fault: OnFault = uncounted
) -> None:
    """Do what is due until *stopping*. What fails is tried again after a pause."""
    while not stopping.is_set():
        try:
            await keep_approvals(pool, executors)
        except Fault as fault:
            log.warning("approvals.failed", fault=str(fault) or type(fault).__name__)
            on_fault()
        await pause(stopping, PAUSE_S)
