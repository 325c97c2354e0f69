"""Counts who has an electronic card as each business date begins, and posts what local platforms hand over."""

import asyncio
from typing import Final

import asyncpg
import structlog

from engine.flows.territory.open_balances import Posting, load_opening, open_balances, prove
from engine.store.connection import READ_SETTINGS, connect
from engine.store.faults import Fault, translated
from engine.store.reads import Reads
from engine.store.territory import count_activation, load_last_counted
from engine.workers.pauses import OnFault, pause, uncounted

PAUSE_S: Final = 30.0
LONG: Final = READ_SETTINGS | {"statement_timeout": "0"}
"""A whole register is counted in one statement, and nobody waits for it."""

log = structlog.get_logger("engine.workers")


async def keep_territory(database_url: str, pool: asyncpg.Pool, ledger: Posting, reads: Reads) -> None:
    """The day is counted, unless it is; what was let in is posted and proven. Several nodes may do it at once.

    Raises:
        Fault: not now; the next call goes on.
    """
    business = await reads.business_now()
    today = business.control.business_date
    opening = await load_opening(pool)
    if not opening and await load_last_counted(pool, until=today) == today:
        return
    connection = await connect(database_url, LONG, application_name="territory")
    try:
        with translated():
            cities = await count_activation(connection, today, now=business.now)
        if cities:
            log.info("activation.counted", cities=cities)
        for platform in opening:
            opened = await open_balances(pool, ledger, platform)
            is_proven = await prove(connection, platform, now=(await reads.business_now()).now)
            say = log.info if is_proven else log.error  # what does not add up needs a person
            say("balances.opened", region=platform.region, opened=opened, is_proven=is_proven)
    finally:
        await connection.close()


async def run_territory_keeper(
    database_url: str,
    pool: asyncpg.Pool,
    ledger: Posting,
    reads: Reads,
    stopping: asyncio.Event,
    *,
    on_fault: OnFault = uncounted,
) -> None:
    """Do what is due until *stopping*. What fails is tried again after a pause."""
    while not stopping.is_set():
        try:
            await keep_territory(database_url, pool, ledger, reads)
        except Fault as fault:
            log.warning("territory.failed", fault=str(fault) or type(fault).__name__)
            on_fault()
        await pause(stopping, PAUSE_S)
