"""Publishing what is closed, as far as the timetable and the banks' caps let it."""

from collections.abc import Awaitable, Callable

import msgspec

from engine.codes.keys import SigningKey
from engine.core.calendar import CycleNumber
from engine.core.timetable import Timetable
from engine.flows.close_cycle import seal_cycle
from engine.flows.publish_cycle import net_cycle, publish_cycle
from engine.flows.watch_clearing import CapExceeded, require_caps
from engine.store.clearing_session import ClearingSession
from engine.store.faults import translated
from engine.store.settlement import load_timetable


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """The cycles that were published, and what keeps the next one from it, if that is a cap."""

    published: tuple[CycleNumber, ...] = ()
    held: CapExceeded | None = None


Publish = Callable[[ClearingSession], Awaitable[Publication]]
"""Publishes what may be published by now, whoever does the work."""


async def publish_due(session: ClearingSession, signing_key: SigningKey, *, lock_wait_s: float) -> Publication:
    """Publish what may be published by now.

    Raises:
        ClearingBusy: another closer is still at work after *lock_wait_s*.
        Fault: the database cannot do it; the next call goes on where this one stopped.
    """
    state = await session.load_state()
    if not state.unpublished:
        return Publication()
    with translated():
        timetable = await load_timetable(session.reader)
    published: tuple[CycleNumber, ...] = ()
    for cycle in state.unpublished:
        try:
            new = await publish_closed(session, cycle, signing_key, lock_wait_s=lock_wait_s, timetable=timetable)
        except CapExceeded as exceeded:
            return Publication(published=published, held=exceeded)
        published += new
        if not new:
            break  # files name the ones before them, so cycles are published in their order
    return Publication(published=published)


async def look_at_due(session: ClearingSession) -> tuple[bool, CapExceeded | None]:
    """Whether `publish_due` would find work by now, and the cap that keeps the next cycle back, if any.

    Raises:
        Fault: the database cannot answer.
    """
    state = await session.load_state()
    if not state.unpublished:
        return False, None
    run = await session.load_run(state.unpublished[0])
    assert run is not None, "only a closed cycle is published"
    if run.sealed_at is None:
        return True, None
    with translated():
        timetable = await load_timetable(session.reader)
    if run.netted_at is None:
        return timetable.may_net(run.closed_at, state.now), None
    try:
        await require_caps(session, run.cycle)
    except CapExceeded as exceeded:
        return False, exceeded
    return timetable.may_publish(run.closed_at, state.now), None


async def publish_closed(
    session: ClearingSession,
    cycle: CycleNumber,
    signing_key: SigningKey,
    *,
    lock_wait_s: float,
    timetable: Timetable | None = None,
) -> tuple[CycleNumber, ...]:
    """Take a closed cycle as far as *timetable* lets it, or to its end. Returns it if it was published by this.

    Nothing is published before every bank is within its cap: from then on banks act on it, and it is never taken back.

    Raises:
        CapExceeded: a bank is not.
        ClearingBusy: another closer is still at work after *lock_wait_s*.
        Fault: the database cannot do it.
    """
    await session.lock(wait_s=lock_wait_s)
    await seal_cycle(session, cycle=cycle, signing_key=signing_key)
    run = await session.load_run(cycle)
    assert run is not None, "only a closed cycle is published"
    now = (await session.load_state()).now
    if timetable is not None and not timetable.may_net(run.closed_at, now):
        return ()
    await net_cycle(session, cycle=cycle)
    await require_caps(session, cycle)
    if timetable is not None and not timetable.may_publish(run.closed_at, now):
        return ()
    return await publish_cycle(session, cycle=cycle, signing_key=signing_key, lock_wait_s=lock_wait_s)
