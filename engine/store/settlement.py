"""What settlement reads and writes. Whoever changes something of a cycle's settlement holds that cycle's row meanwhile.

Lock order: the cycle's row, then control. No row that a payment needs is locked but control, and lanes only read that.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Final, TypeAlias

import asyncpg
import msgspec

from engine.core.accounts import AccountId
from engine.core.bank_lines import Direction
from engine.core.calendar import CycleNumber, cycle_date
from engine.core.calendar import settlement_date as day_after
from engine.core.clearing import NetPosition
from engine.core.ids import BankId
from engine.core.settlement import Alarm, AlarmKind, Dropped, Exposure, Instruction, Outcome, Receipts, Unsettled
from engine.core.settlement_entries import DroppedMove
from engine.core.timetable import Timetable
from engine.store.clearing_session import ClearingRun, run_of
from engine.store.clearing_store import position_of
from engine.store.connection import AnyConnection
from engine.store.sql import load_queries

Reader: TypeAlias = "AnyConnection | asyncpg.Pool"

NUMBERS: Final = {Direction.DEBIT: 1, Direction.CREDIT: 2}
DIRECTIONS: Final = {number: direction for direction, number in NUMBERS.items()}

_QUERIES: Final = load_queries("settlement")


class DroppedItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item that is not settled with its cycle by its bank."""

    cycle: CycleNumber
    item: str  # names it, with its direction
    bank: BankId
    stand_in: BankId
    move: DroppedMove
    reason: str


async def load_timetable(reader: Reader) -> Timetable:
    """The national timetable, with the days that are decided otherwise than the calendar knows."""
    row = await reader.fetchrow(_QUERIES["timetable"])
    assert row is not None, "a migration puts it there"
    return Timetable(
        cut_offs=tuple(row["cut_offs"]),
        net_after_s=row["net_after_s"],
        publish_after_s=row["publish_after_s"],
        pull_by=row["pull_by"],
        acknowledge_by=row["acknowledge_by"],
        instruct_at=row["instruct_at"],
        exceptions={row["day"]: row["is_working"] for row in await reader.fetch(_QUERIES["working_days"])},
    )


async def set_timetable(connection: AnyConnection, timetable: Timetable) -> None:
    """Put another timetable in force, its exceptions apart. Its cut-offs hold from the next cycle that opens."""
    await connection.execute(
        _QUERIES["set_timetable"],
        list(timetable.cut_offs),
        timetable.net_after_s,
        timetable.publish_after_s,
        timetable.pull_by,
        timetable.acknowledge_by,
        timetable.instruct_at,
    )


async def set_working_day(connection: AnyConnection, day: date, *, is_working: bool, reason: str) -> None:
    """Decide a day, whatever the calendar knows. Settlement dates that are fixed stay."""
    await connection.execute(_QUERIES["set_working_day"], day, is_working, reason)


async def load_unsettled(reader: Reader) -> tuple[Unsettled, ...]:
    """Published cycles that are not settled, oldest first, each with its latest instruction."""
    found = []
    for row in await reader.fetch(_QUERIES["unsettled"]):
        cycle = CycleNumber(row["cycle"])
        found.append(
            Unsettled(
                cycle=cycle,
                due_on=row["due_on"] or day_after(cycle_date(cycle)),
                item_count=row["item_count"],
                latest=_instruction_of(row) if row["attempt"] is not None else None,
            )
        )
    return tuple(found)


async def lock_cycle(connection: AnyConnection, cycle: CycleNumber) -> ClearingRun | None:
    """How far a closed cycle has come; nobody else changes its settlement until the transaction ends."""
    row = await connection.fetchrow(_QUERIES["lock_cycle"], cycle)
    return run_of(row) if row is not None else None


async def load_instructions(reader: Reader, cycle: CycleNumber) -> tuple[Instruction, ...]:
    """The attempts to settle a cycle, in order."""
    return tuple(_instruction_of(row) for row in await reader.fetch(_QUERIES["instructions"], cycle))


async def insert_instruction(connection: AnyConnection, instruction: Instruction, nets: Sequence[NetPosition]) -> None:
    """Keep a new attempt, with what it takes from each bank and gives to it."""
    await connection.execute(
        _QUERIES["insert_instruction"],
        instruction.cycle,
        instruction.attempt,
        instruction.settlement_date,
        instruction.instructed_at,
    )
    await connection.execute(
        _QUERIES["insert_settlement_nets"],
        [
            (instruction.cycle, instruction.attempt, p.bank, p.debits, p.credits, p.debit_count, p.credit_count)
            for p in nets
        ],
    )


async def load_settlement_nets(reader: Reader, cycle: CycleNumber, attempt: int) -> tuple[NetPosition, ...]:
    """What an attempt takes from each bank and gives to it, by bank."""
    return tuple(position_of(row) for row in await reader.fetch(_QUERIES["settlement_nets"], cycle, attempt))


async def load_positions(reader: Reader, cycle: CycleNumber) -> tuple[NetPosition, ...]:
    """What a netted cycle takes from each bank and gives to it as published, by bank."""
    return tuple(position_of(row) for row in await reader.fetch(_QUERIES["cycle_positions"], cycle))


async def load_dropped(reader: Reader, cycle: CycleNumber) -> tuple[Dropped, ...]:
    """What has dropped out of a cycle, by direction, bank and the one that stands in."""
    return tuple(_dropped_of(row) for row in await reader.fetch(_QUERIES["dropped_of_cycle"], cycle))


async def load_dropped_moves(reader: Reader, cycle: CycleNumber) -> tuple[DroppedMove, ...]:
    """The same by the accounts that it was to move, and moves instead."""
    return tuple(
        DroppedMove(
            DIRECTIONS[row["direction"]],
            AccountId(row["account"]),
            AccountId(row["stand_in_account"]),
            row["amount"],
        )
        for row in await reader.fetch(_QUERIES["dropped_moves"], cycle)
    )


async def load_unsettled_positions(
    reader: Reader, *, last: CycleNumber
) -> dict[CycleNumber, tuple[list[NetPosition], list[Dropped]]]:
    """What netted cycles up to *last* that are not settled take and give, and what has dropped out of each."""
    found: dict[CycleNumber, tuple[list[NetPosition], list[Dropped]]] = {}
    for row in await reader.fetch(_QUERIES["unsettled_positions"], last):
        found.setdefault(CycleNumber(row["cycle"]), ([], []))[0].append(position_of(row))
    for row in await reader.fetch(_QUERIES["dropped_of_unsettled"], last):
        found[CycleNumber(row["cycle"])][1].append(_dropped_of(row))
    return found


async def answer_instruction(
    connection: AnyConnection, instruction: Instruction, *, outcome: Outcome, reference: str, at: datetime
) -> None:
    """Keep the settlement bank's answer; an instruction has one."""
    await connection.execute(
        _QUERIES["answer_instruction"], instruction.cycle, instruction.attempt, outcome.value, reference, at
    )


async def settle_run(connection: AnyConnection, cycle: CycleNumber, *, at: datetime) -> bool:
    """A published cycle is settled, and control says up to which cycle all are. Returns False if it was settled.

    Needs a transaction.
    """
    is_new = await connection.fetchval(_QUERIES["settle_run"], cycle, at)
    if is_new:
        await connection.execute(_QUERIES["lock_control"])
        await connection.execute(_QUERIES["advance_settled"])
    return bool(is_new)


async def insert_dropped(connection: AnyConnection, items: Iterable[DroppedItem], *, at: datetime) -> None:
    """Keep that items are not settled with their cycles by their banks; the first time stays."""
    await connection.executemany(
        _QUERIES["insert_dropped"],
        [
            (
                item.cycle,
                item.item,
                item.bank,
                item.stand_in,
                item.move.amount,
                item.reason,
                at,
                NUMBERS[item.move.direction],
                item.move.account,
                item.move.stand_in,
            )
            for item in items
        ],
    )


async def note_pulled(writer: Reader, name: str, *, at: datetime) -> None:
    """Keep when a file was first pulled to its end."""
    await writer.execute(_QUERIES["note_pulled"], name, at)


async def note_acknowledged(writer: Reader, name: str, *, at: datetime) -> None:
    """Keep when a file was first acknowledged, whatever the acknowledgement says."""
    await writer.execute(_QUERIES["note_acknowledged"], name, at)


async def load_receipts(reader: Reader, *, since: datetime) -> tuple[Receipts, ...]:
    """What each bank has done with its files of the cycles that are watched: those published *since*, those that are
    not settled, and those with an alarm.
    """
    return tuple(
        Receipts(
            cycle=CycleNumber(row["cycle"]),
            bank=BankId(row["bank"]),
            published_at=row["published_at"],
            has_pulled=row["has_pulled"],
            has_acknowledged=row["has_acknowledged"],
        )
        for row in await reader.fetch(_QUERIES["receipts"], since)
    )


async def load_alarms(reader: Reader) -> set[Alarm]:
    """The alarms that are on."""
    return {_alarm_of(row) for row in await reader.fetch(_QUERIES["alarms_on"])}


async def change_alarms(
    connection: AnyConnection, *, raised: Iterable[Alarm], ended: Iterable[Alarm], at: datetime
) -> set[Alarm]:
    """Raise some alarms and end others. Returns those that were not on before."""
    new = await connection.fetch(
        _QUERIES["raise_alarms"], [(a.cycle, a.bank, a.kind.value, at, None) for a in sorted(raised)]
    )
    await connection.execute(
        _QUERIES["end_alarms"], [(a.cycle, a.bank, a.kind.value, at, at) for a in sorted(ended)], at
    )
    return {_alarm_of(row) for row in new}


async def load_caps(reader: Reader) -> dict[BankId, int]:
    """The net debit caps that hold now, in fen, of banks that have one."""
    return {BankId(row["bank"]): row["cap"] for row in await reader.fetch(_QUERIES["net_debit_caps"])}


async def insert_cap(connection: AnyConnection, bank: BankId, *, cap: int | None, approval: str, at: datetime) -> None:
    """Give a bank another net debit cap, or none. The same approval does it once."""
    await connection.execute(_QUERIES["insert_net_debit_cap"], bank, cap, at, approval)


async def keep_liquidity(connection: AnyConnection, looks: Iterable[Exposure], *, at: datetime) -> None:
    """Keep how much of its cap each bank has used."""
    await connection.execute(_QUERIES["keep_liquidity"], [(look.bank, look.cap, look.used, at) for look in looks])


async def has_bank(reader: Reader, bank: BankId) -> bool:
    """True if there is such a bank."""
    found: bool = await reader.fetchval(_QUERIES["has_bank"], bank)
    return found


async def load_settlement_bank(reader: Reader) -> BankId | None:
    """The bank at which nets are settled."""
    bank = await reader.fetchval(_QUERIES["settlement_bank"])
    return BankId(bank) if bank is not None else None


def _instruction_of(row: asyncpg.Record) -> Instruction:
    return Instruction(
        cycle=CycleNumber(row["cycle"]),
        attempt=row["attempt"],
        settlement_date=row["settlement_date"],
        instructed_at=row["instructed_at"],
        outcome=Outcome(row["outcome"]) if row["outcome"] is not None else None,
        reference=row["reference"],
        answered_at=row["answered_at"],
    )


def _dropped_of(row: asyncpg.Record) -> Dropped:
    return Dropped(
        DIRECTIONS[row["direction"]], BankId(row["bank"]), BankId(row["stand_in"]), row["count"], row["amount"]
    )


def _alarm_of(row: asyncpg.Record) -> Alarm:
    return Alarm(CycleNumber(row["cycle"]), BankId(row["bank"]), AlarmKind(row["kind"]))
