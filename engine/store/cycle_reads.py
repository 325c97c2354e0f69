"""What operators and banks read of cycles: how far each is, what it moves, and what somebody has to look at."""

from collections.abc import Iterable
from datetime import datetime

import asyncpg
import msgspec

from engine.core.calendar import CycleNumber
from engine.core.clearing import NetPosition
from engine.core.ids import BankId
from engine.core.settlement import Alarm, AlarmKind, Instruction
from engine.store.clearing_session import ClearingRun, run_of
from engine.store.faults import translated
from engine.store.settlement import (
    load_instructions,
    load_positions,
    load_settlement_bank,
    load_settlement_nets,
)
from engine.store.sql import load_queries


class RaisedAlarm(msgspec.Struct, frozen=True):
    """An alarm with when it was raised and, if it is over, when it ended."""

    alarm: Alarm
    raised_at: datetime
    ended_at: datetime | None


class CycleFile(msgspec.Struct, frozen=True):
    """A published file, and what its bank has done with it."""

    name: str
    bank: BankId
    item_count: int
    pulled_at: datetime | None
    acknowledged_at: datetime | None


class LiquidityLook(msgspec.Struct, frozen=True):
    """How much of its cap a bank had used when somebody last looked. Units: fen."""

    bank: BankId
    cap: int
    used: int
    at: datetime


class CycleReads:
    """Reads of cycles; *bank* is the only bank whose part is wanted, None is everybody's.

    Every method raises `Fault` when the database cannot answer.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        """Read through *pool*; a connection is held for one query at a time."""
        self._pool = pool
        self._queries = load_queries("settlement")

    async def closed(self, *, cycle_from: CycleNumber, cycle_to: CycleNumber, count: int) -> list[ClearingRun]:
        """Closed cycles, newest first."""
        with translated():
            rows = await self._pool.fetch(self._queries["cycles"], cycle_from, cycle_to, count)
        return [run_of(row) for row in rows]

    async def alarms(self, cycles: Iterable[CycleNumber], bank: BankId | None) -> dict[CycleNumber, list[RaisedAlarm]]:
        """The alarms of some cycles, those that are over included."""
        wanted = list(cycles)
        found: dict[CycleNumber, list[RaisedAlarm]] = {cycle: [] for cycle in wanted}
        with translated():
            rows = await self._pool.fetch(self._queries["alarms_of_cycles"], wanted, bank)
        for row in rows:
            alarm = Alarm(CycleNumber(row["cycle"]), BankId(row["bank"]), AlarmKind(row["kind"]))
            found[alarm.cycle].append(RaisedAlarm(alarm, row["raised_at"], row["ended_at"]))
        return found

    async def positions(self, cycle: CycleNumber, bank: BankId | None) -> list[NetPosition]:
        """What a netted cycle takes from each bank and gives to it."""
        with translated():
            positions = await load_positions(self._pool, cycle)
        return [position for position in positions if bank in (None, position.bank)]

    async def files(self, cycle: CycleNumber, bank: BankId | None) -> list[CycleFile]:
        """A published cycle's files, by bank and name."""
        with translated():
            rows = await self._pool.fetch(self._queries["files_of_cycle"], cycle, bank)
        return [
            CycleFile(row["name"], BankId(row["bank"]), row["item_count"], row["pulled_at"], row["acknowledged_at"])
            for row in rows
        ]

    async def settlements(
        self, cycle: CycleNumber, bank: BankId | None
    ) -> tuple[tuple[Instruction, ...], list[NetPosition]]:
        """The attempts to settle a cycle, and what the latest moves. The settlement bank is told of every bank: it
        moves their money.
        """
        with translated():
            instructions = await load_instructions(self._pool, cycle)
            if not instructions:
                return (), []
            nets = await load_settlement_nets(self._pool, cycle, instructions[-1].attempt)
            sees_all = bank is None or bank == await load_settlement_bank(self._pool)
        return instructions, [net for net in nets if sees_all or net.bank == bank]

    async def liquidity(self, bank: BankId | None) -> list[LiquidityLook]:
        """How much of its cap each bank has used, of banks that have one."""
        with translated():
            rows = await self._pool.fetch(self._queries["liquidity"], bank)
        return [LiquidityLook(BankId(row["bank"]), row["cap"], row["used"], row["looked_at"]) for row in rows]

    async def is_settlement_bank(self, bank: BankId) -> bool:
        """True for the bank at which nets are settled."""
        with translated():
            return bank == await load_settlement_bank(self._pool)
