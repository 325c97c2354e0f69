"""Closing a cycle: what is captured from now on belongs to the next one, and what belongs to this one is sealed."""

from typing import Final

from engine.codes.keys import SigningKey
from engine.core.calendar import (
    CYCLES_PER_DAY_MAX,
    CycleNumber,
    business_date_at,
    cycle_date,
    cycle_sequence,
    next_cutoff,
    next_cycle,
)
from engine.core.clearing import seal_root
from engine.store.clearing_session import ClearingSession, ClearingState
from engine.store.clearing_store import insert_seal, load_lane_ends, open_next_cycle
from engine.store.faults import Fault, translated
from engine.store.settlement import load_timetable

LOCK_WAIT_S: Final = 120.0  # another closer may be publishing a large cycle


class NoCycleLeft(Fault):
    """The business date has had all the cycles that it can have; the next one opens after its cut-over."""


async def close_cycle(
    session: ClearingSession,
    *,
    signing_key: SigningKey,
    cycle: CycleNumber | None = None,
    lock_wait_s: float = LOCK_WAIT_S,
) -> CycleNumber:
    """Close *cycle*, or the one that was open when this was called, and return it: nothing can be added to it any more.

    Closing it again finishes what an earlier closer left, and changes nothing that is done. Two that close at once
    close one cycle. Payments never wait for it beyond an instant.

    Locks: the closers' advisory lock until *session* ends; each lane's row for an instant.

    Raises:
        ClearingBusy: another closer is at work.
        NoCycleLeft: the business date has no number left.
        Fault: the database cannot do it; the same call goes on where this one stopped.
    """
    if cycle is None:
        cycle = (await session.load_state()).control.cycle
    await session.lock(wait_s=lock_wait_s)
    state = await session.load_state()
    if cycle == state.control.cycle:
        following = _following(state)
        with translated():
            timetable = await load_timetable(session.reader)
        await open_next_cycle(
            session,
            cycle=cycle,
            following=following,
            cutoff_at=next_cutoff(cycle_date(following), state.now, timetable.cut_offs),
            closed_at=state.now,
            settlement_date=timetable.settlement_date(cycle_date(cycle)),
        )
    await seal_cycle(session, cycle=cycle, signing_key=signing_key)
    return cycle


async def seal_cycle(session: ClearingSession, *, cycle: CycleNumber, signing_key: SigningKey) -> None:
    """Pass the barrier and keep the seal of a closed cycle: the lanes' chains up to its end, tied together and signed.

    Raises:
        Fault: the database cannot do it.
    """
    run = await session.load_run(cycle)
    assert run is not None, "only a closed cycle is sealed"
    if run.sealed_at is not None:
        return
    await session.pass_all_lanes()
    ends = await load_lane_ends(session, cycle)
    root = seal_root(ends)
    await insert_seal(
        session,
        cycle=cycle,
        at=(await session.load_state()).now,
        ends=ends,
        root=root,
        key_id=signing_key.key_id,
        signature=signing_key.sign(root),
    )


def _following(state: ClearingState) -> CycleNumber:
    """The cycle that closing the open one opens."""
    open_cycle = state.control.cycle
    is_same_day = business_date_at(state.now) <= cycle_date(open_cycle)
    if is_same_day and cycle_sequence(open_cycle) == CYCLES_PER_DAY_MAX:
        raise NoCycleLeft(f"{cycle_date(open_cycle)} has had {CYCLES_PER_DAY_MAX} cycles")
    return next_cycle(open_cycle, state.now)
