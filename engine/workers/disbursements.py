"""Sends approved benefits, and takes away the lines of batches that nobody will pay."""

import asyncio
from typing import Final

import asyncpg
import structlog

from engine.flows.disburse_send import Sender
from engine.flows.disburse_upload import drop_unwanted
from engine.store.faults import Fault
from engine.workers.pauses import OnFault, pause, uncounted

PAUSE_S: Final = 1.0

log = structlog.get_logger("engine.workers")


async def run_disbursement_sender(
    pool: asyncpg.Pool, sender: Sender, stopping: asyncio.Event, *, on_fault: OnFault = uncounted
) -> None:
    """Do what is due until *stopping*. What fails is tried again after a pause. Several nodes may do it at once."""
    while not stopping.is_set():
        try:
            await drop_unwanted(pool)
            await sender.send_due()
        except Fault as fault:
            log.warning("disbursements.failed", fault=str(fault) or type(fault).__name__)
            on_fault()
        await pause(stopping, PAUSE_S)
