"""The clearing timetable: cycles are closed, netted, published and settled at their times, by themselves."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

import msgspec
import structlog

from engine.codes.keys import SigningKey
from engine.core.calendar import CycleNumber
from engine.core.ids import id_text
from engine.core.settlement import AlarmKind, Instruction
from engine.flows.close_cycle import close_cycle
from engine.flows.settle_cycle import (
    SettlementBooks,
    SettlementTurn,
    finish_settlement,
    instruct_cycle,
    settle_due,
)
from engine.flows.watch_clearing import AlarmChanges, CapExceeded, LiveNets, watch_clearing
from engine.store.clearing_session import ClearingBusy, ClearingSession, open_clearing
from engine.store.faults import Fault, translated
from engine.store.settlement import load_unsettled
from engine.workers.pauses import OnFault, pause, uncounted
from engine.workers.publishing import Publish, publish_closed, publish_due

PAUSE_S: Final = 1.0
PAUSE_S_MAX: Final = 60.0  # after failures: a cycle that cannot be published must not be read again and again
WATCH_S: Final = 10.0  # between two looks at who is late and how much of the caps is used
CATCH_UP_MAX: Final = 400  # cycles in one turn: a sandbox may jump a year
HAND_WAIT_S: Final = 120.0

OnAlarms = Callable[[Mapping[AlarmKind, int]], None]
"""Told after each look how many alarms of each kind are on."""

log = structlog.get_logger("engine.workers")


class ClearingBooks(SettlementBooks, Protocol):
    """Who posts what clearing leads to. Everything may be asked again at any time."""

    async def finish_returns(self) -> None:
        """What banks have given back is posted, wherever that was cut short.

        Raises:
            Fault: it is not; the next turn goes on.
        """

    async def present_again(self) -> None:
        """What was given back and is due is presented again, in the cycle that is open.

        Raises:
            Fault: it is not; the next turn goes on.
        """


class Turn(msgspec.Struct, kw_only=True):
    """What one turn has done, and what keeps the next cycle from being published, if that is a cap."""

    published: tuple[CycleNumber, ...] = ()
    settlement: SettlementTurn = SettlementTurn()
    held: CapExceeded | None = None


def unseen(_counts: Mapping[AlarmKind, int]) -> None:
    """Nobody looks."""


async def close_due_cycles(
    dsn: str, signing_key: SigningKey, *, books: ClearingBooks, lock_wait_s: float = HAND_WAIT_S
) -> tuple[CycleNumber, ...]:
    """Do all that is due: close, net, publish, instruct, settle, raise alarms. Returns the cycles that were published.

    Raises:
        ClearingBusy: another closer is still at work after *lock_wait_s*; it does the same.
        Fault: the database cannot do it; the next call goes on where this one stopped.
    """
    publish = partial(publish_due, signing_key=signing_key, lock_wait_s=lock_wait_s)
    async with open_clearing(dsn) as session:
        turn = await _do_due(session, signing_key, publish, books=books, lock_wait_s=lock_wait_s)
        await session.lock(wait_s=lock_wait_s)
        _tell(await watch_clearing(session, LiveNets(), held=turn.held))
        await session.unlock()
    return turn.published


async def close_and_publish(dsn: str, signing_key: SigningKey, *, books: ClearingBooks) -> CycleNumber:
    """Close the open cycle now, whatever the timetable says, and publish it. Returns it.

    Raises:
        CapExceeded: a bank would owe more than it may; the cycle is closed, and published once the cap is raised.
        Fault: another closer is busy for too long, or the database cannot do it.
    """
    async with open_clearing(dsn) as session:
        await books.present_again()
        cycle = await close_cycle(session, signing_key=signing_key, lock_wait_s=HAND_WAIT_S)
        for closed in (await session.load_state()).unpublished:
            await publish_closed(session, closed, signing_key, lock_wait_s=HAND_WAIT_S)
    return cycle


async def instruct_by_hand(
    dsn: str, *, cycle: CycleNumber | None = None, books: SettlementBooks
) -> tuple[Instruction, ...]:
    """Tell the settlement bank now what *cycle* moves, or every published cycle that is not settled, whatever the
    timetable says. Returns the instructions that are new; a cycle that moves nothing is settled with its instruction.

    Raises:
        Fault: another closer is busy for too long, or the database cannot do it.
    """
    instructed = []
    async with open_clearing(dsn) as session:
        await session.lock(wait_s=HAND_WAIT_S)
        with translated():
            cycles = [one.cycle for one in await load_unsettled(session.reader)] if cycle is None else [cycle]
        for one in cycles:
            instruction = await instruct_cycle(session, one)
            if instruction is not None:
                instructed.append(instruction)
            if instruction is not None and instruction.outcome is not None:
                await finish_settlement(session.transaction, one, books=books)
    return tuple(instructed)


async def run_timetable(
    dsn: str,
    signing_key: SigningKey,
    stopping: asyncio.Event,
    *,
    books: ClearingBooks,
    publish: Publish | None = None,
    on_fault: OnFault = uncounted,
    on_alarms: OnAlarms = unseen,
) -> None:
    """Keep to the timetable until *stopping*. What fails is tried again, after a pause that grows.

    Cycles are published by *publish*, or else by this process.
    """
    publish = publish or partial(publish_due, signing_key=signing_key, lock_wait_s=0.0)
    pause_s = PAUSE_S
    watch = _Watch(on_alarms)
    while not stopping.is_set():
        try:
            async with open_clearing(dsn) as session:
                while not stopping.is_set():
                    await _turn(session, signing_key, publish, books, watch)
                    pause_s = PAUSE_S
                    await pause(stopping, pause_s)
        except Fault as fault:
            log.warning("timetable.failed", fault=str(fault) or type(fault).__name__)
            on_fault()
            await pause(stopping, pause_s)
            pause_s = min(2 * pause_s, PAUSE_S_MAX)


class _Watch:
    """When the loop looks at alarms, and whom it tells."""

    def __init__(self, on_alarms: OnAlarms) -> None:
        self.held: CapExceeded | None = None
        self._live = LiveNets()
        self._next_at = 0.0
        self._on_alarms = on_alarms

    async def look(self, session: ClearingSession) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._next_at:
            return
        await session.lock(wait_s=0.0)
        changes = await watch_clearing(session, self._live, held=self.held)
        await session.unlock()
        self._next_at = now + WATCH_S
        _tell(changes)
        self._on_alarms(dict.fromkeys(AlarmKind, 0) | Counter(alarm.kind for alarm in changes.on))


async def _turn(
    session: ClearingSession, signing_key: SigningKey, publish: Publish, books: ClearingBooks, watch: _Watch
) -> None:
    with suppress(ClearingBusy):  # the other closer does what is due
        await watch.look(session)  # first, so that whatever fails afterwards hides nothing
        turn = await _do_due(session, signing_key, publish, books=books, lock_wait_s=0.0)
        watch.held = turn.held
        for cycle in turn.published:
            log.info("cycle.published", cycle=cycle)
        for instruction in turn.settlement.instructed:
            log.info("cycle.instructed", cycle=instruction.cycle, attempt=instruction.attempt)
        for cycle in turn.settlement.settled:
            log.info("cycle.settled", cycle=cycle)


async def _do_due(
    session: ClearingSession, signing_key: SigningKey, publish: Publish, *, books: ClearingBooks, lock_wait_s: float
) -> Turn:
    """Post returns, close, publish and settle what is due; what fails in one of these keeps nothing from the others.

    Raises:
        ClearingBusy: another closer is at work.
        Fault: the first that was met.
    """
    turn = Turn()

    async def publish_all() -> None:
        done = await publish(session)
        turn.published, turn.held = done.published, done.held

    async def settle() -> None:
        turn.settlement = await settle_due(session, books=books, lock_wait_s=lock_wait_s)

    first: Fault | None = None
    close = partial(_close_due, session, signing_key, books=books, lock_wait_s=lock_wait_s)
    for step in (books.finish_returns, close, publish_all, settle):
        try:
            await step()
        except ClearingBusy:
            raise
        except Fault as fault:
            first = first or fault
    if first is not None:
        raise first
    await session.unlock()
    return turn


async def _close_due(
    session: ClearingSession, signing_key: SigningKey, *, books: ClearingBooks, lock_wait_s: float
) -> None:
    for _ in range(CATCH_UP_MAX):
        state = await session.load_state()
        if state.now < state.control.cutoff_at:
            break
        await books.present_again()  # so that it is in the cycle that is closed
        await close_cycle(session, signing_key=signing_key, cycle=state.control.cycle, lock_wait_s=lock_wait_s)


def _tell(changes: AlarmChanges) -> None:
    for alarm in sorted(changes.raised):
        log.warning("clearing.alarm_raised", kind=alarm.kind, cycle=alarm.cycle, bank=id_text(alarm.bank))
    for alarm in sorted(changes.ended):
        log.info("clearing.alarm_ended", kind=alarm.kind, cycle=alarm.cycle, bank=id_text(alarm.bank))
