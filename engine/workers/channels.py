"""Writes down what a web process has counted of channels, and lets the rules stop whoever does too much wrong."""

import asyncio
from typing import Final

import asyncpg
import structlog

from engine.flows.channels.desk import ChannelDesk
from engine.flows.channels.watch import drop_old_figures, watch_channels
from engine.flows.clock import IdSource
from engine.store.faults import Fault
from engine.workers.pauses import OnFault, pause, uncounted

PAUSE_S: Final = 1.0
DROP_EVERY: Final = 3_600  # turns

log = structlog.get_logger("engine.workers")


async def run_channel_watch(
    pool: asyncpg.Pool, desk: ChannelDesk, ids: IdSource, stopping: asyncio.Event, *, on_fault: OnFault = uncounted
) -> None:
    """Each web process's own, until *stopping*; then what is left is written down. What fails is tried again."""
    turn = 0
    while True:
        is_last = stopping.is_set()
        try:
            await watch_channels(pool, desk, ids)
            if turn % DROP_EVERY == 0:
                await drop_old_figures(pool)
        except Fault as fault:
            log.warning("channels.failed", fault=str(fault) or type(fault).__name__)
            on_fault()
        if is_last:
            return
        turn += 1
        await pause(stopping, PAUSE_S)
