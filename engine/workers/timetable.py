"""The clearing timetable: closes the cycles that are due and publishes what is closed, by itself."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from engine.codes.keys import SigningKey
from engine.core.calendar import CycleNumber
from engine.flows.close_cycle import close_cycle
from engine.flows.publish_cycle import publish_cycle
from engine.store.clearing_session import ClearingBusy, ClearingSession, open_clearing
from engine.store.faults import Fault
from engine.workers.pauses import OnFault, pause, uncounted

PAUSE_S: Final = 1.0
PAUSE_S_MAX: Final = 60.0  # after failures: a cycle that cannot be published must not be read again and again
CATCH_UP_MAX: Final = 400  # cycles in one turn: a sandbox may jump a year
HAND_WAIT_S: Final = 120.0

log = structlog.get_logger("engine.workers")


async def close_due_cycles(
    dsn: str, signing_key: SigningKey, *, lock_wait_s: float = HAND_WAIT_S
) -> tuple[CycleNumber, ...]:
    """Close what is due and publish what is closed. Returns the cycles that were published.

    Raises:
        ClearingBusy: another closer is still at work after *lock_wait_s*; it does the same.
        Fault: the database cannot do it; the next call goes on where this one stopped.
    """
    async with open_clearing(dsn) as session:
        return await _close_due(session, signing_key, lock_wait_s=lock_wait_s)


async def close_and_publish(dsn: str, signing_key: SigningKey) -> CycleNumber:
    """Close the open cycle now, whatever the timetable says, and publish it. Returns it.

    Raises:
        Fault: another closer is busy for too long, or the database cannot do it.
    """
    async with open_clearing(dsn) as session:
        cycle = await close_cycle(session, signing_key=signing_key, lock_wait_s=HAND_WAIT_S)
        await publish_cycle(session, cycle=cycle, signing_key=signing_key, lock_wait_s=HAND_WAIT_S)
    return cycle


async def run_timetable(
    dsn: str, signing_key: SigningKey, stopping: asyncio.Event, *, on_fault: OnFault = uncounted
) -> None:
    """Keep to the timetable until *stopping*. What fails is tried again, after a pause that grows."""
    pause_s = PAUSE_S
    while not stopping.is_set():
        try:
            async with open_clearing(dsn) as session:
                while not stopping.is_set():
                    await _turn(session, signing_key)
                    pause_s = PAUSE_S
                    await pause(stopping, pause_s)
        except Fault as fault:
            log.warning("timetable.failed", fault=str(fault) or type(fault).__name__)
            on_fault()
            await pause(stopping, pause_s)
            pause_s = min(2 * pause_s, PAUSE_S_MAX)


async def _turn(session: ClearingSession, signing_key: SigningKey) -> None:
    with suppress(ClearingBusy):  # the other closer does what is due
        for cycle in await _close_due(session, signing_key, lock_wait_s=0.0):
            log.info("cycle.published", cycle=cycle)


async def _close_due(
    session: ClearingSession, signing_key: SigningKey, *, lock_wait_s: float
) -> tuple[CycleNumber, ...]:
    published: tuple[CycleNumber, ...] = ()
    for _ in range(CATCH_UP_MAX):
        state = await session.load_state()
        cycle = state.control.cycle
        if state.now >= state.control.cutoff_at:
            await close_cycle(session, signing_key=signing_key, cycle=cycle, lock_wait_s=lock_wait_s)
        elif state.unpublished:
            cycle = state.unpublished[-1]
        else:
            break
        published += await publish_cycle(session, cycle=cycle, signing_key=signing_key, lock_wait_s=lock_wait_s)
    await session.unlock()
    return published
