"""Settling published cycles: the instruction, the settlement bank's answer, and what nothing changes any more."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Final, Protocol, TypeAlias

import asyncpg
import msgspec

from engine.core.calendar import CycleNumber
from engine.core.ids import BankId
from engine.core.refusals import Refusal
from engine.core.settlement import (
    CYCLE_TRANSITIONS,
    MOVE_OF,
    CycleState,
    Instruction,
    Outcome,
    SettledCycle,
    SettlementStep,
    judge_answer,
    settlement_step,
    transfers,
    without_dropped,
)
from engine.core.timetable import local_date
from engine.flows.cycle_files import NoSettlementBank
from engine.store.clearing_session import ClearingSession, load_clearing_state
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.settlement import (
    answer_instruction,
    insert_instruction,
    load_dropped,
    load_instructions,
    load_positions,
    load_settlement_bank,
    load_settlement_nets,
    load_timetable,
    load_unsettled,
    lock_cycle,
    settle_run,
)

NOTHING_MOVES: Final = "nothing-moves"
"""The reference of an instruction without transfers: there is nothing that the settlement bank could answer."""

Transaction: TypeAlias = Callable[[], AbstractAsyncContextManager[AnyConnection]]


class SettlementBooks(Protocol):
    """Who posts a settlement. Asked again after a crash, so it must post once for each cycle."""

    async def post(self, settled: SettledCycle) -> None:
        """The settlement's postings are in the books.

        Raises:
            Fault: they are not, or nobody knows; the cycle is settled later.
        """


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The instruction with its answer, and whether it had been given before."""

    instruction: Instruction
    is_replay: bool


class SettlementTurn(msgspec.Struct, frozen=True, kw_only=True):
    """What one turn has done."""

    instructed: tuple[Instruction, ...] = ()
    settled: tuple[CycleNumber, ...] = ()


async def settle_due(session: ClearingSession, *, books: SettlementBooks, lock_wait_s: float) -> SettlementTurn:
    """Instruct the cycles whose day has come, and settle those that are confirmed or have nothing to settle.

    Each step is kept when it is done; another turn goes on where this one stopped, and repeats nothing.

    Locks: the closers' advisory lock until *session* ends, if anything is due; a cycle's row for an instant.

    Raises:
        ClearingBusy: another closer is at work.
        NoSettlementBank: nothing can be settled.
        Fault: the database cannot do it.
    """
    with translated():
        unsettled = await load_unsettled(session.reader)
        if not unsettled:
            return SettlementTurn()
        timetable = await load_timetable(session.reader)
    now = (await session.load_state()).now
    instructed: list[Instruction] = []
    settled: list[CycleNumber] = []
    for one in unsettled:
        step = settlement_step(one, now=now, timetable=timetable)
        if step is None:
            continue
        await session.lock(wait_s=lock_wait_s)
        match step:
            case SettlementStep.SETTLE_EMPTY:
                await _settle(session.transaction, one.cycle)
                settled.append(one.cycle)
            case SettlementStep.FINISH:
                await finish_settlement(session.transaction, one.cycle, books=books)
                settled.append(one.cycle)
            case SettlementStep.INSTRUCT:
                instruction = await instruct_cycle(session, one.cycle)
                if instruction is not None:
                    instructed.append(instruction)
                if instruction is not None and instruction.outcome is not None:
                    await finish_settlement(session.transaction, one.cycle, books=books)
                    settled.append(one.cycle)
    return SettlementTurn(instructed=tuple(instructed), settled=tuple(settled))


async def instruct_cycle(session: ClearingSession, cycle: CycleNumber) -> Instruction | None:
    """Tell the settlement bank now what a published cycle moves, whatever the timetable says. Returns the instruction;
    None if the cycle is settled, or an instruction of it waits for its answer.

    What has dropped out by now is left out, and nothing drops out any more until the instruction has failed. One that
    moves nothing is confirmed at once.

    Raises:
        NoSettlementBank: nothing can be settled.
        Fault: the database cannot do it.
    """
    async with session.transaction() as connection:
        run = await lock_cycle(connection, cycle)
        if run is None or run.published_at is None or run.settled_at is not None:
            return None
        earlier = await load_instructions(connection, cycle)
        if earlier and earlier[-1].outcome is not Outcome.FAILED:
            return None
        now = (await load_clearing_state(connection)).now
        nets = without_dropped(await load_positions(connection, cycle), await load_dropped(connection, cycle))
        instruction = Instruction(
            cycle=cycle, attempt=len(earlier) + 1, settlement_date=local_date(now), instructed_at=now
        )
        await insert_instruction(connection, instruction, nets)
        if not transfers(nets, await _settlement_bank(connection)):
            instruction = await _answer(connection, instruction, Outcome.CONFIRMED, NOTHING_MOVES, now)
    return instruction


async def take_answer(
    connection: AnyConnection, *, cycle: CycleNumber, outcome: Outcome, reference: str
) -> Answered | Refusal:
    """Keep the settlement bank's answer; `finish_settlement` follows once it is committed. Needs a transaction.

    The same answer again is a replay; one answer is taken, however many are sent at once. A failure lets the cycle join
    the next working day's instruction.

    Locks: the cycle's row.
    """
    run = await lock_cycle(connection, cycle)
    if run is None:
        return Refusal.NOT_FOUND
    judged = judge_answer(await load_instructions(connection, cycle), outcome=outcome, reference=reference)
    if isinstance(judged, Refusal):
        return judged
    if judged.outcome is not None:
        return Answered(instruction=judged, is_replay=True)
    assert (CycleState.PUBLISHED, MOVE_OF[outcome]) in CYCLE_TRANSITIONS
    now = (await load_clearing_state(connection)).now
    return Answered(instruction=await _answer(connection, judged, outcome, reference, now), is_replay=False)


async def answer_settlement(
    pool: asyncpg.Pool, *, cycle: CycleNumber, outcome: Outcome, reference: str, books: SettlementBooks
) -> Answered | Refusal:
    """Take the settlement bank's answer to its end: a confirmation makes the cycle SETTLED, which is final.

    Raises:
        Fault: the database or the ledger cannot do it; the same call goes on where this one stopped.
    """
    transaction = transactions_of(pool)
    async with transaction() as connection:
        taken = await take_answer(connection, cycle=cycle, outcome=outcome, reference=reference)
    if isinstance(taken, Answered) and taken.instruction.outcome is Outcome.CONFIRMED:
        await finish_settlement(transaction, cycle, books=books)
    return taken


async def finish_settlement(transaction: Transaction, cycle: CycleNumber, *, books: SettlementBooks) -> None:
    """Post a confirmed settlement, then settle its cycle. Does nothing if it is settled.

    Raises:
        NoSettlementBank: there was one when it was instructed, and there is none any more.
        Fault: the database or the ledger cannot do it now; whoever comes next goes on.
    """
    async with transaction() as connection:
        run = await lock_cycle(connection, cycle)
        assert run is not None, "only a closed cycle is confirmed"
        if run.settled_at is not None:
            return
        latest = (await load_instructions(connection, cycle))[-1]
        assert latest.outcome is Outcome.CONFIRMED, "only a confirmed cycle is settled"
        nets = await load_settlement_nets(connection, cycle, latest.attempt)
        bank = await _settlement_bank(connection)
    await books.post(SettledCycle(cycle=cycle, settlement_bank=bank, nets=nets, transfers=transfers(nets, bank)))
    await _settle(transaction, cycle)


async def may_drop(connection: AnyConnection, cycle: CycleNumber) -> bool:
    """Whether items of a published cycle may still drop out of its settlement, by `insert_dropped`. If not, the cycle
    is instructed or settled, and only an opposite posting in the open cycle helps.

    Needs a transaction, which holds the cycle's row: nobody instructs it meanwhile.
    """
    run = await lock_cycle(connection, cycle)
    assert run is not None, "only what was published is returned"
    assert run.published_at is not None, "only what was published is returned"
    instructions = await load_instructions(connection, cycle)
    return run.settled_at is None and (not instructions or instructions[-1].outcome is Outcome.FAILED)


async def _answer(
    connection: AnyConnection, instruction: Instruction, outcome: Outcome, reference: str, at: datetime
) -> Instruction:
    await answer_instruction(connection, instruction, outcome=outcome, reference=reference, at=at)
    return msgspec.structs.replace(instruction, outcome=outcome, reference=reference, answered_at=at)


async def _settle(transaction: Transaction, cycle: CycleNumber) -> None:
    async with transaction() as connection:
        await lock_cycle(connection, cycle)
        await settle_run(connection, cycle, at=(await load_clearing_state(connection)).now)


async def _settlement_bank(connection: AnyConnection) -> BankId:
    bank = await load_settlement_bank(connection)
    if bank is None:
        raise NoSettlementBank("no bank is the settlement bank: net positions cannot be settled")
    return bank


def transactions_of(pool: asyncpg.Pool) -> Transaction:
    """Transactions on connections of a pool; what goes wrong with the database is a `Fault`."""
    return partial(_transaction, pool)


@asynccontextmanager
async def _transaction(pool: asyncpg.Pool) -> AsyncIterator[AnyConnection]:
    with translated():
        async with pool.acquire() as connection, connection.transaction():
            yield connection
