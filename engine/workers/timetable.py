"""The clearing timetable: closes the cycles that are due and publishes what is closed, by itself."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from engine.codes.keys import SigningKey
from engine.core.calendar import CycleNumber
from engine.flows.close_cycle import close_cycle
from engine.flows.publish_cycle import publish_cycle
from engine.store.clearing_session import ClearingBusy, open_clearing
from engine.store.faults import Fault

PAUSE_S: Final = 1.0
CATCH_UP_MAX: Final = 400  # cycles in one turn: a sandbox may jump a year
HAND_WAIT_S: Final = 120.0

log = structlog.get_logger("engine.workers")


async def close_due_cycles(dsn: str, signing_key: SigningKey) -> tuple[CycleNumber, ...]:
    """Close what is due and publish what is closed. Returns the cycles that were published.

    Raises:
        ClearingBusy: another closer is at work; it does the same.
        Fault: the database cannot do it; the next turn goes on where this one stopped.
    """
    published: tuple[CycleNumber, ...] = ()
    for _ in range(CATCH_UP_MAX):
        async with open_clearing(dsn) as session:
            state = await session.load_state()
            if state.now >= state.control.cutoff_at:
                cycle = await close_cycle(
                    session, signing_key=signing_key, cycle=state.control.cycle, lock_wait_s=0.0
                )
            elif state.unpublished:
                cycle = state.unpublished[-1]
            else:
                break
            published += await publish_cycle(session, cycle=cycle, signing_key=signing_key, lock_wait_s=0.0)
    return published


async def close_and_publish(dsn: str, signing_key: SigningKey) -> CycleNumber:
    """Close the open cycle now, whatever the timetable says, and publish it. Returns it.

    Raises:
        Fault: another closer is busy for too long, or the database cannot do it.
    """
    async with open_clearing(dsn) as session:
        cycle = await close_cycle(session, signing_key=signing_key, lock_wait_s=HAND_WAIT_S)
        await publish_cycle(session, cycle=cycle, signing_key=signing_key, lock_wait_s=HAND_WAIT_S)
    return cycle


async def run_timetable(dsn: str, signing_key: SigningKey, stopping: asyncio.Event) -> None:
    """Keep to the timetable until *stopping*. What fails is tried again after a pause."""
    while not stopping.is_set():
        try:
            for cycle in await close_due_cycles(dsn, signing_key):
                log.info("cycle.published", cycle=cycle)
        except ClearingBusy:
            pass  # the other closer does what is due
        except Fault as fault:
            log.warning("timetable.failed", fault=str(fault) or type(fault).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), PAUSE_S)
