"""Watching over clearing: banks that are late, settlements that failed, and how much of their caps banks have used."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from engine.core.accounts import AccountId
from engine.core.calendar import CycleNumber
from engine.core.clearing import (
    AccountNotRouted,
    Movement,
    NetPosition,
    bank_of,
    has_own_bank,
    net_positions,
    route_account,
)
from engine.core.ids import BankId
from engine.core.settlement import (
    Alarm,
    AlarmKind,
    Exposure,
    exposures,
    overdue_receipts,
    settlement_alarms,
    without_dropped,
)
from engine.store.clearing_session import ClearingSession, ClearingState
from engine.store.clearing_store import (
    Turnover,
    load_banks,
    load_payee_routes,
    load_standing_routes,
)
from engine.store.faults import Fault, translated
from engine.store.live_turnover import load_turnover_since
from engine.store.settlement import (
    change_alarms,
    keep_liquidity,
    load_alarms,
    load_caps,
    load_receipts,
    load_settlement_bank,
    load_timetable,
    load_unsettled,
    load_unsettled_positions,
)

WATCHED_FOR: Final = timedelta(days=10)  # after it was published; longer while it is not settled, or has an alarm


class CapExceeded(Fault):
    """A bank would owe more than its net debit cap: the cycle is not published before the cap is raised."""

    def __init__(self, cycle: CycleNumber, exceeded: tuple[Exposure, ...]) -> None:
        """*exceeded* are the banks that owe too much."""
        super().__init__(f"{len(exceeded)} banks would exceed their net debit cap with cycle {cycle}")
        self.cycle = cycle
        self.exceeded = exceeded


class AlarmChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a look has changed: alarms that are new, alarms that ended, and all that are on now."""

    raised: frozenset[Alarm]
    ended: frozenset[Alarm]
    on: frozenset[Alarm]


class LiveNets:
    """What banks owe each other in cycles that are not netted yet, the open one included.

    Kept up by reading what each lane has added since the last look, so it is exact, and a look costs what is new.
    """

    def __init__(self) -> None:
        """Nothing was read yet."""
        self._cycles: dict[CycleNumber, _Running] = {}

    async def look(
        self, session: ClearingSession, cycles: Iterable[CycleNumber]
    ) -> dict[CycleNumber, tuple[NetPosition, ...]]:
        """The nets of some cycles up to now, and of no others. Merchants and funds without a bank are left out.

        Raises:
            Fault: the database cannot do it; the next look goes on.
        """
        self._cycles = {cycle: self._cycles.get(cycle) or _Running() for cycle in cycles}
        banks = {bank.id for bank in await load_banks(session)}
        standing = await load_standing_routes(session)
        nets = {}
        for cycle, running in self._cycles.items():
            await running.read_on(session, cycle, standing)
            routed = [moved for pair, moved in running.movements.items() if banks.issuperset(pair)]
            nets[cycle] = net_positions(routed, banks)
        return nets


async def require_caps(session: ClearingSession, cycle: CycleNumber) -> None:
    """No bank owes more than its cap over everything up to *cycle* that is netted and not settled.

    Raises:
        CapExceeded: one does.
        Fault: the database cannot do it.
    """
    with translated():
        caps = await load_caps(session.reader)
        positions = await _unsettled_nets(session, last=cycle) if caps else {}
    exceeded = tuple(one for one in exposures(positions.values(), caps) if one.is_exceeded)
    if exceeded:
        raise CapExceeded(cycle, exceeded)


async def watch_clearing(session: ClearingSession, live: LiveNets, *, held: CapExceeded | None) -> AlarmChanges:
    """Raise and end alarms as the books are now. *held* is why the next cycle is not published, if that is a cap.

    Locks: needs the closers' lock.

    Raises:
        Fault: the database cannot do it; the next look does.
    """
    state = await session.load_state()
    alarms = (
        {Alarm(held.cycle, one.bank, AlarmKind.CAP_EXCEEDED) for one in held.exceeded} if held is not None else set()
    )
    looks = await look_at_liquidity(session, live, state)
    alarms |= {Alarm(state.control.cycle, one.bank, AlarmKind.LIQUIDITY) for one in looks if one.is_high}
    with translated():
        timetable = await load_timetable(session.reader)
        receipts = await load_receipts(session.reader, since=state.now - WATCHED_FOR)
        alarms |= overdue_receipts(receipts, now=state.now, timetable=timetable)
        settlement_bank = await load_settlement_bank(session.reader)
        if settlement_bank is not None:
            unsettled = await load_unsettled(session.reader)
            alarms |= settlement_alarms(unsettled, settlement_bank=settlement_bank, now=state.now)
    return await _keep(session, alarms, looks, at=state.now)


async def look_at_liquidity(session: ClearingSession, live: LiveNets, state: ClearingState) -> tuple[Exposure, ...]:
    """What each bank that has a cap owes at this moment, the open cycle included.

    Raises:
        Fault: the database cannot do it.
    """
    with translated():
        caps = await load_caps(session.reader)
        if not caps:
            return ()
        netted = await _unsettled_nets(session, last=state.control.cycle)
    nets = await live.look(
        session, (*(cycle for cycle in state.unpublished if cycle not in netted), state.control.cycle)
    )
    return exposures((*netted.values(), *nets.values()), caps)


async def _unsettled_nets(session: ClearingSession, *, last: CycleNumber) -> dict[CycleNumber, tuple[NetPosition, ...]]:
    return {
        cycle: without_dropped(positions, dropped)
        for cycle, (positions, dropped) in (await load_unsettled_positions(session.reader, last=last)).items()
    }


async def _keep(
    session: ClearingSession, alarms: set[Alarm], looks: tuple[Exposure, ...], *, at: datetime
) -> AlarmChanges:
    async with session.transaction() as connection:
        before = await load_alarms(connection)
        if alarms != before:
            await change_alarms(connection, raised=alarms - before, ended=before - alarms, at=at)
        await keep_liquidity(connection, looks, at=at)
    return AlarmChanges(raised=frozenset(alarms - before), ended=frozenset(before - alarms), on=frozenset(alarms))


class _Running:
    """One cycle's movements between banks, as far as they were read."""

    def __init__(self) -> None:
        self.movements: dict[tuple[BankId, BankId], Movement] = {}
        self._read: dict[int, int] = {}  # the last sequence of each lane that was read
        self._routes: dict[AccountId, BankId] = {}

    async def read_on(self, session: ClearingSession, cycle: CycleNumber, standing: Mapping[AccountId, BankId]) -> None:
        async for lane, last_seq, turnover in load_turnover_since(session, cycle, self._read):
            new = {
                route_account(account)
                for moved in turnover
                for account in (moved.debit, moved.credit)
                if not has_own_bank(account)
            } - self._routes.keys()
            self._routes |= {account: standing[account] for account in new & standing.keys()}
            self._routes |= await load_payee_routes(session, new - standing.keys())
            for moved in turnover:
                self._add(moved)
            self._read[lane] = last_seq

    def _add(self, moved: Turnover) -> None:
        try:
            pair = bank_of(moved.debit, self._routes), bank_of(moved.credit, self._routes)
        except AccountNotRouted:
            return  # closing its cycle will say so
        before = self.movements.get(pair, Movement(*pair, 0, 0))
        self.movements[pair] = Movement(*pair, before.count + moved.count, before.amount + moved.amount)
