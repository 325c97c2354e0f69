"""Settlement: instructed on its day, answered once, final; what failed comes again, and what dropped out does not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta

import asyncpg
import pytest

from engine.core.accounts import bank_receivable, suspense_short
from engine.core.bank_lines import Direction
from engine.core.calendar import CycleNumber, settlement_date
from engine.core.refusals import Refusal
from engine.core.settlement import Dropped, Instruction, Outcome, SettledCycle
from engine.core.settlement_entries import DroppedMove
from engine.flows.settle_cycle import (
    NOTHING_MOVES,
    Answered,
    SettlementBooks,
    SettlementTurn,
    answer_settlement,
    instruct_cycle,
    may_drop,
    settle_due,
    take_answer,
)
from engine.store.clearing_session import ClearingSession, open_clearing
from engine.store.connection import open_pool
from engine.store.faults import StoreUnavailable
from engine.store.settlement import (
    DroppedItem,
    insert_dropped,
    load_instructions,
    load_positions,
    load_settlement_nets,
    lock_cycle,
    set_working_day,
)
from tests.builders import World, a_world
from tests.flows.business_time import a_day_ahead, at_hour, set_now
from tests.flows.busy_books import a_ledger
from tests.flows.clearing_books import close, pay_and_refund, publish
from tests.flows.settlement_books import UNPOSTED

IS_WAITING = (
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'reads' "
    "AND datname = current_database())"
)


class Posted:
    """Books that keep what they are told, and fail as often as they are meant to."""

    def __init__(self, *, failures: int = 0) -> None:
        """The first *failures* times nothing is posted."""
        self.failures = failures
        self.settled: list[SettledCycle] = []

    async def post(self, settled: SettledCycle) -> None:
        """Keep it, or fail."""
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("not now")
        self.settled.append(settled)


async def published(dsn: str, sql: asyncpg.Connection, *, day: date | None = None) -> tuple[World, CycleNumber, date]:
    """A published cycle with payments and a refund, and its business date: by default a few days ahead."""
    business_date = day or a_day_ahead()
    world = await a_world(sql, bank_count=4)
    await set_now(sql, at_hour(business_date, 12))
    await close(dsn)  # today's, which is empty
    async with a_ledger(dsn) as ledger:
        await pay_and_refund(ledger, world)
    cycle = await close(dsn)
    await publish(dsn, cycle)
    assert len((await turn(dsn)).settled) == 1  # today's
    return world, cycle, business_date


async def turn(dsn: str, books: SettlementBooks = UNPOSTED) -> SettlementTurn:
    """What is due is done."""
    async with open_clearing(dsn) as session:
        return await settle_due(session, books=books, lock_wait_s=0.0)


async def instructed(dsn: str, cycle: CycleNumber) -> Instruction | None:
    """By hand, whatever the timetable says."""
    async with locked(dsn) as session:
        return await instruct_cycle(session, cycle)


@asynccontextmanager
async def locked(dsn: str) -> AsyncIterator[ClearingSession]:
    """The only closer."""
    async with open_clearing(dsn) as session:
        await session.lock(wait_s=0.0)
        yield session


async def answer(
    dsn: str,
    cycle: CycleNumber,
    outcome: Outcome = Outcome.CONFIRMED,
    reference: str = "R-1",
    books: SettlementBooks = UNPOSTED,
) -> Answered | Refusal:
    """What the settlement bank's answer gives."""
    pool = await open_pool(dsn, size_max=2)
    try:
        return await answer_settlement(pool, cycle=cycle, outcome=outcome, reference=reference, books=books)
    finally:
        await pool.close()


async def settled_cycle(sql: asyncpg.Connection) -> int:
    """Up to where control says that all is settled."""
    found: int = await sql.fetchval("SELECT settled_cycle FROM control")
    return found


async def is_settled(sql: asyncpg.Connection, cycle: CycleNumber) -> bool:
    """Whether a cycle is."""
    found: bool = await sql.fetchval("SELECT settled_at IS NOT NULL FROM clearing_run WHERE cycle = $1", cycle)
    return found


async def drop(dsn: str, cycle: CycleNumber, item: str, dropped: Dropped) -> bool:
    """Let an item drop out if it may, in a transaction of its own."""
    async with locked(dsn) as session, session.transaction() as connection:
        if not await may_drop(connection, cycle):
            return False
        accounts = bank_receivable(dropped.bank), suspense_short(dropped.bank)
        kept = DroppedItem(
            cycle=cycle,
            item=item,
            bank=dropped.bank,
            stand_in=dropped.stand_in,
            move=DroppedMove(dropped.direction, *accounts, dropped.amount),
            reason="AC04",
        )
        await insert_dropped(connection, [kept], at=(await session.load_state()).now)
    return True


async def test_an_empty_cycle_settles_by_itself(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    cycle = await close(dsn)
    assert await turn(dsn) == SettlementTurn()  # not before it is published
    await publish(dsn, cycle)
    assert await turn(dsn) == SettlementTurn(settled=(cycle,))
    assert await settled_cycle(sql) == cycle
    assert await turn(dsn) == SettlementTurn()
    assert await sql.fetchval("SELECT count(*) FROM settlement") == 0


async def test_a_cycle_is_instructed_on_the_next_working_day_once(dsn: str, sql: asyncpg.Connection) -> None:
    _, cycle, business_date = await published(dsn, sql)
    due_on = settlement_date(business_date)
    assert await sql.fetchval("SELECT settlement_date FROM clearing_run WHERE cycle = $1", cycle) == due_on
    await set_now(sql, at_hour(due_on, 8, 59))
    assert await turn(dsn) == SettlementTurn()
    await set_now(sql, at_hour(due_on, 9))
    (instruction,) = (await turn(dsn)).instructed
    assert (instruction.cycle, instruction.attempt, instruction.settlement_date) == (cycle, 1, due_on)
    assert instruction.outcome is None
    assert await turn(dsn) == SettlementTurn()
    assert not await is_settled(sql, cycle)


async def test_a_holiday_that_was_decided_later_holds_back_what_comes(dsn: str, sql: asyncpg.Connection) -> None:
    business_date = a_day_ahead()
    holiday = settlement_date(business_date)
    await set_working_day(sql, holiday, is_working=False, reason="notice")
    _, cycle, _ = await published(dsn, sql, day=business_date)
    due_on = settlement_date(holiday)
    assert await sql.fetchval("SELECT settlement_date FROM clearing_run WHERE cycle = $1", cycle) == due_on
    await set_now(sql, at_hour(holiday, 12))
    assert await turn(dsn) == SettlementTurn()
    await set_now(sql, at_hour(due_on, 12))
    assert [one.cycle for one in (await turn(dsn)).instructed] == [cycle]


async def test_the_settlement_date_stays_what_the_files_say(dsn: str, sql: asyncpg.Connection) -> None:
    _, cycle, business_date = await published(dsn, sql)
    due_on = settlement_date(business_date)
    await set_working_day(sql, due_on, is_working=False, reason="too late")
    async with open_clearing(dsn) as session:
        run = await session.load_run(cycle)
    assert run is not None
    assert run.settlement_date == due_on


async def test_an_instruction_moves_what_the_published_positions_say(dsn: str, sql: asyncpg.Connection) -> None:
    _, cycle, _ = await published(dsn, sql)
    await instructed(dsn, cycle)
    nets = await load_settlement_nets(sql, cycle, 1)
    assert nets == await load_positions(sql, cycle)
    assert any(position.net for position in nets)


async def test_a_confirmation_is_final(dsn: str, sql: asyncpg.Connection) -> None:
    _, cycle, _ = await published(dsn, sql)
    assert await answer(dsn, cycle) is Refusal.SETTLEMENT_NOT_INSTRUCTED
    await instructed(dsn, cycle)
    first = await answer(dsn, cycle)
    assert isinstance(first, Answered)
    assert (first.is_replay, first.instruction.reference) == (False, "R-1")
    assert await is_settled(sql, cycle)
    assert await settled_cycle(sql) == cycle
    assert await answer(dsn, cycle) == Answered(instruction=first.instruction, is_replay=True)
    assert await answer(dsn, cycle, reference="R-2") is Refusal.SETTLEMENT_FINAL
    assert await answer(dsn, cycle, Outcome.FAILED, "R-3") is Refusal.SETTLEMENT_FINAL
    assert await instructed(dsn, cycle) is None


async def test_a_cycle_that_does_not_exist_or_is_open_has_no_answer(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    open_cycle = CycleNumber(await sql.fetchval("SELECT cycle FROM control"))
    assert await answer(dsn, open_cycle) is Refusal.NOT_FOUND
    await close(dsn)
    assert await answer(dsn, open_cycle) is Refusal.SETTLEMENT_NOT_INSTRUCTED
    assert await instructed(dsn, open_cycle) is None


async def test_what_failed_is_instructed_again_the_next_working_day(dsn: str, sql: asyncpg.Connection) -> None:
    _, cycle, business_date = await published(dsn, sql)
    due_on = settlement_date(business_date)
    await set_now(sql, at_hour(due_on, 9))
    await turn(dsn)
    await answer(dsn, cycle, Outcome.FAILED, "F-1")
    assert await turn(dsn) == SettlementTurn()
    assert not await is_settled(sql, cycle)
    again_on = settlement_date(due_on)
    await set_now(sql, at_hour(again_on, 8, 59))
    assert await turn(dsn) == SettlementTurn()
    await set_now(sql, at_hour(again_on, 9))
    (instruction,) = (await turn(dsn)).instructed
    assert (instruction.attempt, instruction.settlement_date) == (2, again_on)
    late = await answer(dsn, cycle, Outcome.FAILED, "F-1")
    assert isinstance(late, Answered)
    assert (late.is_replay, late.instruction.attempt) == (True, 1)
    await answer(dsn, cycle, Outcome.CONFIRMED, "C-1")
    assert await is_settled(sql, cycle)


async def test_many_answers_at_once_are_one(dsn: str, sql: asyncpg.Connection) -> None:
    _, cycle, _ = await published(dsn, sql)
    await instructed(dsn, cycle)
    answers = await asyncio.gather(*(answer(dsn, cycle, reference=f"R-{n % 4}") for n in range(12)))
    taken = [one for one in answers if isinstance(one, Answered)]
    assert len({one.instruction.reference for one in taken}) == 1
    assert len(taken) == 3
    assert [one.is_replay for one in taken].count(False) == 1
    assert {one for one in answers if isinstance(one, Refusal)} == {Refusal.SETTLEMENT_FINAL}


async def test_control_says_how_far_all_is_settled(dsn: str, sql: asyncpg.Connection) -> None:
    """A later cycle that is settled first does not hide the one before it."""
    world, first, _ = await published(dsn, sql)
    before = await settled_cycle(sql)
    async with a_ledger(dsn) as ledger:
        await ledger.submit(world.authorize(card=1))
    second = await close(dsn)
    third = await close(dsn)  # empty
    await publish(dsn, third)
    await turn(dsn)
    assert [await is_settled(sql, cycle) for cycle in (first, second, third)] == [False, False, True]
    await instructed(dsn, first)
    await instructed(dsn, second)
    await answer(dsn, second)
    assert await settled_cycle(sql) == before
    await answer(dsn, first)
    assert await settled_cycle(sql) == third


async def test_cycles_that_are_settled_at_once_are_all_counted(dsn: str, sql: asyncpg.Connection) -> None:
    world, first, _ = await published(dsn, sql)
    cycles = [first]
    async with a_ledger(dsn) as ledger:
        for _ in range(5):
            await ledger.submit(world.authorize(card=1))
            cycles.append(await close(dsn))
    await publish(dsn, cycles[-1])
    for cycle in cycles:
        await instructed(dsn, cycle)
    await asyncio.gather(*(answer(dsn, cycle) for cycle in cycles))
    assert await settled_cycle(sql) == cycles[-1]


async def test_what_is_posted_is_what_was_instructed(dsn: str, sql: asyncpg.Connection) -> None:
    world, cycle, _ = await published(dsn, sql)
    await instructed(dsn, cycle)
    books = Posted()
    await answer(dsn, cycle, books=books)
    (settled,) = books.settled
    assert settled.settlement_bank == world.banks[-1]
    assert settled.nets == await load_positions(sql, cycle)
    left = {position.bank: position.net for position in settled.nets}
    for transfer in settled.transfers:
        left[transfer.debtor] += transfer.amount
        left[transfer.creditor] -= transfer.amount
    assert set(left.values()) == {0}


async def test_a_cycle_is_not_settled_before_it_is_posted(dsn: str, sql: asyncpg.Connection) -> None:
    """The bank's answer is kept, and whoever comes next finishes it: the timetable, or the bank's repetition."""
    _, cycle, _ = await published(dsn, sql)
    await instructed(dsn, cycle)
    books = Posted(failures=2)
    with pytest.raises(StoreUnavailable):
        await answer(dsn, cycle, books=books)
    (instruction,) = await load_instructions(sql, cycle)
    assert instruction.outcome is Outcome.CONFIRMED
    assert not await is_settled(sql, cycle)
    with pytest.raises(StoreUnavailable):
        await turn(dsn, books)
    assert await turn(dsn, books) == SettlementTurn(settled=(cycle,))
    assert len(books.settled) == 1
    assert await is_settled(sql, cycle)
    assert await turn(dsn, books) == SettlementTurn()


async def test_what_drops_out_before_the_instruction_is_settled_by_another_bank(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world, cycle, _ = await published(dsn, sql)
    before = {position.bank: position for position in await load_positions(sql, cycle)}
    debtor, stand_in = world.banks[1], world.banks[-1]
    moved = Dropped(Direction.DEBIT, debtor, stand_in, 1, 7)
    assert before[debtor].debits >= 21
    assert await drop(dsn, cycle, "1.2.3", moved)
    assert await drop(dsn, cycle, "1.2.3", moved)  # the same item, told twice
    await instructed(dsn, cycle)
    assert not await drop(dsn, cycle, "1.2.4", moved)
    after = {position.bank: position for position in await load_settlement_nets(sql, cycle, 1)}
    assert before[debtor].debits - after[debtor].debits == 7
    assert after[stand_in].debits - before[stand_in].debits == 7
    assert sum(position.net for position in after.values()) == 0

    await answer(dsn, cycle, Outcome.FAILED, "F-1")
    assert await drop(dsn, cycle, "1.2.4", moved)  # between two attempts it is not too late
    await instructed(dsn, cycle)
    again = {position.bank: position for position in await load_settlement_nets(sql, cycle, 2)}
    assert before[debtor].debits - again[debtor].debits == 14
    await answer(dsn, cycle)
    assert not await drop(dsn, cycle, "1.2.5", moved)


async def test_a_cycle_of_which_nothing_is_left_is_settled_on_its_day(dsn: str, sql: asyncpg.Connection) -> None:
    world, cycle, business_date = await published(dsn, sql)
    stand_in = world.banks[-1]
    await sql.execute("UPDATE net_position SET debit_count = 99, credit_count = 99 WHERE cycle = $1", cycle)
    for position in await load_positions(sql, cycle):  # one bank is left on both sides of everything
        for direction, amount in ((Direction.DEBIT, position.debits), (Direction.CREDIT, position.credits)):
            if amount and position.bank != stand_in:
                dropped = Dropped(direction, position.bank, stand_in, 1, amount)
                await drop(dsn, cycle, f"{position.bank.hex()}{direction}", dropped)
    assert await turn(dsn) == SettlementTurn()
    await set_now(sql, at_hour(settlement_date(business_date), 9))
    books = Posted()
    done = await turn(dsn, books)
    assert done.settled == (cycle,)
    assert [(one.outcome, one.reference) for one in done.instructed] == [(Outcome.CONFIRMED, NOTHING_MOVES)]
    assert [one.transfers for one in books.settled] == [()]


async def test_an_answer_waits_for_whoever_drops_an_item(dsn: str, sql: asyncpg.Connection) -> None:
    """The cycle's row is held: nothing drops out while an instruction is made or answered."""
    _, cycle, _ = await published(dsn, sql)
    await instructed(dsn, cycle)
    async with locked(dsn) as session, session.transaction() as connection:
        await lock_cycle(connection, cycle)
        answering = asyncio.create_task(answer(dsn, cycle))
        while not answering.done() and not await sql.fetchval(IS_WAITING):
            pass
        assert not answering.done(), "the answer did not wait"
    assert isinstance(await answering, Answered)


async def test_an_answer_that_is_rolled_back_was_never_given(dsn: str, sql: asyncpg.Connection) -> None:
    _, cycle, _ = await published(dsn, sql)
    await instructed(dsn, cycle)
    with pytest.raises(ZeroDivisionError):
        await _answer_and_fail(dsn, cycle)
    assert isinstance(await answer(dsn, cycle, reference="R-2"), Answered)


async def _answer_and_fail(dsn: str, cycle: CycleNumber) -> None:
    async with locked(dsn) as session, session.transaction() as connection:
        await take_answer(connection, cycle=cycle, outcome=Outcome.CONFIRMED, reference="R-1")
        raise ZeroDivisionError


async def test_years_jump_and_every_cycle_is_settled_in_turn(dsn: str, sql: asyncpg.Connection) -> None:
    """A sandbox that skips a holiday, with a cycle from before it and one from after."""
    world, first, business_date = await published(dsn, sql)
    later = settlement_date(business_date + timedelta(days=400))
    await set_now(sql, at_hour(later, 12))
    await close(dsn)
    async with a_ledger(dsn) as ledger:
        await ledger.submit(world.authorize(card=1))
    second = await close(dsn)
    await publish(dsn, second)
    done = await turn(dsn)
    assert [one.cycle for one in done.instructed] == [first]
    await set_now(sql, at_hour(settlement_date(later), 9))
    assert [one.cycle for one in (await turn(dsn)).instructed] == [second]
