"""Makes partitions ahead of time, and takes away the code uses that no code can come from any more."""

import asyncio
from typing import Final

import asyncpg
import structlog

from engine.store.faults import Fault, translated
from engine.store.partitions import drop_old_code_uses, ensure_partitions
from engine.store.reads import Reads
from engine.workers.pauses import OnFault, pause, uncounted

PAUSE_S: Final = 3_600.0  # partitions exist fourteen days ahead, so an hour more or less is nothing

log = structlog.get_logger("engine.workers")


async def keep_partitions(pool: asyncpg.Pool, reads: Reads) -> tuple[int, int]:
    """Make what must exist, drop what is old. Returns how many partitions were made and how many went.

    Several nodes may do it at once: what exists is left alone.

    Raises:
        Fault: the database cannot do it now.
    """
    now = (await reads.business_now()).now
    with translated():
        async with pool.acquire() as connection:
            made = await ensure_partitions(connection, now)
            dropped = await drop_old_code_uses(connection, now)
    return made, dropped


async def run_partition_keeper(
    pool: asyncpg.Pool, reads: Reads, stopping: asyncio.Event, *, on_fault: OnFault = uncounted
) -> None:
    """Keep partitions until *stopping*. What fails is tried again after a pause."""
    while not stopping.is_set():
        try:
            made, dropped = await keep_partitions(pool, reads)
            if made or dropped:
                log.info("partitions.kept", made=made, dropped=dropped)
        except Fault as fault:
            log.warning("partitions.failed", fault=str(fault) or type(fault).__name__)
            on_fault()
        await pause(stopping, PAUSE_S)
