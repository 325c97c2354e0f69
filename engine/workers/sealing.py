"""Each process's own: notices that fields are to be sealed under a new key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import structlog

from engine.codes.keys import Keyring
from engine.flows.personal_data.sealing import follow_sealing
from engine.store.faults import Fault
from engine.workers.pauses import OnFault, pause, uncounted

PAUSE_S: Final = 20.0

log = structlog.get_logger("engine.workers")


@asynccontextmanager
async def open_sealing(pool: asyncpg.Pool, keyring: Keyring, *, on_fault: OnFault = uncounted) -> AsyncIterator[None]:
    """The keyring follows the database's newest key while this is open."""
    closing = asyncio.Event()
    running = asyncio.create_task(run_sealing(pool, keyring, closing, on_fault=on_fault))
    try:
        yield
    finally:
        closing.set()
        await running


async def run_sealing(
    pool: asyncpg.Pool, keyring: Keyring, stopping: asyncio.Event, *, on_fault: OnFault = uncounted
) -> None:
    """Look for a new key now and then, until *stopping*. Until it is noticed, the one before is as good."""
    while not stopping.is_set():
        await pause(stopping, PAUSE_S)
        try:
            await follow_sealing(pool, keyring)
        except Fault as fault:
            log.warning("sealing.failed", fault=str(fault) or type(fault).__name__)
            on_fault()
