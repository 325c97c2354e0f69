"""The books of one city in PostgreSQL, behind a real ledger whose event loop runs while somebody asks."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Final

import asyncpg

from engine.core.accounts import (
    AccountId,
    bank_payable,
    bank_receivable,
    merchant_payable,
    opening,
    pooling_area,
)
from engine.core.books import Order
from engine.core.calendar import CycleNumber, cycle_number
from engine.core.commands import AnyCommand
from engine.core.ids import MerchantId, PaymentId
from engine.core.postings import Totals
from engine.core.refusals import Refusal
from engine.ledger.lane import BATCH_COMMANDS_MAX
from engine.ledger.queue import Outcome
from engine.ledger.router import Ledger
from engine.store.connection import READ_SETTINGS, connect
from engine.store.lane_session import LaneSessions
from engine.store.plans import advance_rules, insert_plans
from engine.store.rows import payer_of, payer_row, payment_of
from tests.core.books_builders import NOON
from tests.core.city import City
from tests.core.steps import CloseCycle, Wait
from tests.invariants.pictures import Tables

DECIDED_AT: Final = """
    SELECT a.caller, a.operation, a.key, e.at, e.lane, e.seq, e.n
      FROM answer a JOIN event e USING (business_date, lane, seq, n)
     WHERE a.key = ANY ($1::text[])
"""
BALANCES: Final = """
    SELECT account, sum(debits_pending)::bigint, sum(debits_posted)::bigint,
           sum(credits_pending)::bigint, sum(credits_posted)::bigint
      FROM balance
     WHERE account = ANY ($1::uuid[])
     GROUP BY account
"""

Decided = tuple[AnyCommand, Outcome]
RunningLedger = tuple[asyncio.Runner, Ledger, asyncpg.Connection]


class DatabaseBooks:
    """One city's rows, asked through a ledger that other cities use too."""

    def __init__(self, running: RunningLedger, city: City, *, first_day: date, lane_count: int) -> None:
        """Settle the city on *first_day*; time goes on from where it was."""
        self.lane_count = lane_count
        self._runner, self._ledger, self._sql = running
        self._city = city
        self._runner.run(settle(self._sql, city))
        self._runner.run(open_day(self._sql, first_day))

    def submit(self, commands: Sequence[AnyCommand]) -> list[Decided]:
        """Decide commands that come at once. Returns them in the order in which they were decided."""
        if not commands:
            return []
        return self._runner.run(in_order(self._sql, self._runner.run(submitted(self._ledger, commands))))

    def wait(self, wait: Wait) -> None:
        """Let time pass."""
        change = "UPDATE control SET sandbox_offset_us = sandbox_offset_us + $1"
        self._runner.run(self._sql.execute(change, wait.seconds * 1_000_000))

    def close_cycle(self, closing: CloseCycle) -> None:
        """Go on to the next cycle."""
        self._runner.run(self._close_cycle(closing))

    def tables(self) -> Tables:
        """What the books hold now."""
        return self._runner.run(self._tables())

    async def _close_cycle(self, closing: CloseCycle) -> None:
        day = await self._sql.fetchval("SELECT business_date FROM control") + timedelta(days=closing.is_next_day)
        cycle = await self._sql.fetchval("SELECT cycle FROM control")
        cycle = cycle_number(day, 1) if closing.is_next_day else CycleNumber(cycle + 1)
        await self._sql.execute("UPDATE control SET business_date = $1, cycle = $2", day, cycle)

    async def _tables(self) -> Tables:
        city = self._city
        cards = list(city.world.cards)
        rows = await self._sql.fetch("SELECT * FROM payment WHERE payer = ANY ($1)", cards)
        payments = [payment_of(row) for row in rows]
        ids = [payment.id for payment in payments]
        orders = await self._sql.fetch("SELECT * FROM order_ref WHERE merchant = ANY ($1)", list(city.world.merchants))
        holds = await self._sql.fetch("SELECT payment FROM hold WHERE payment = ANY ($1)", ids)
        refunds = await self._sql.fetch("SELECT payment, refund_no FROM refund WHERE payment = ANY ($1)", ids)
        return Tables(
            day=await self._sql.fetchval("SELECT business_date FROM control"),
            payers=[payer_of(row) for row in await self._sql.fetch("SELECT * FROM payer WHERE id = ANY ($1)", cards)],
            payments=payments,
            orders={(MerchantId(merchant), order_no): Order(payment) for merchant, order_no, payment in orders},
            holds=[PaymentId(row[0]) for row in holds],
            balances={row[0]: Totals(*row[1:]) for row in await self._sql.fetch(BALANCES, accounts_of(city))},
            refunds=[(PaymentId(payment), number) for payment, number in refunds],
        )


@contextmanager
def running_ledger(dsn: str, *, lane_count: int, batch_max: int = BATCH_COMMANDS_MAX) -> Iterator[RunningLedger]:
    """A ledger, a connection to look at its books, and the event loop of both, which runs only while it is asked to."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        sql = runner.run(connect(dsn, READ_SETTINGS, application_name="test"))
        ledger = Ledger(LaneSessions(dsn, node="test"), lane_count=lane_count, batch_max=batch_max)
        runner.run(ledger.open())
        running = runner.run(_started(ledger))
        try:
            yield runner, ledger, sql
        finally:
            ledger.close()
            runner.run(_finished(running))
            runner.run(sql.close())


async def submitted(ledger: Ledger, commands: Sequence[AnyCommand]) -> list[Decided]:
    """Every command with its outcome; all of them are asked at once."""
    outcomes = await asyncio.gather(*(ledger.submit(command) for command in commands))
    return list(zip(commands, outcomes, strict=True))


async def in_order(sql: asyncpg.Connection, decided: Sequence[Decided]) -> list[Decided]:
    """The commands in the order in which they were decided, and then the repeats, which changed nothing."""
    rows = await sql.fetch(DECIDED_AT, [command.key for command, _ in decided])
    places = {tuple(row[:3]): tuple(row[3:]) for row in rows}

    def place(pair: Decided) -> tuple[object, ...]:
        command, outcome = pair
        return is_repeat(outcome), places.get((command.caller, command.operation, command.key), ())

    return sorted(decided, key=place)


async def settle(sql: asyncpg.Connection, city: City) -> None:
    """Put a city into the database: who takes part, and payers without money."""
    world = city.world
    await sql.copy_records_to_table(
        "merchant",
        records=[
            (
                one.id,
                f"P{city.region}{n:05d}",
                one.region,
                world.banks[0],
                False,
                list(one.scenarios),
                "药店",
                "Pharmacy",
                one.level,
            )
            for n, one in enumerate(city.merchants.values())
        ],
    )
    await sql.copy_records_to_table("terminal", records=list(city.terminals))
    await sql.copy_records_to_table("payer", records=[payer_row(payer) for payer in city.payers])
    await sql.copy_records_to_table(
        "device", records=[(number, device.payer, 1, device.is_revoked) for number, device in city.devices.items()]
    )
    if not await sql.fetchval("SELECT count(*) FROM benefit_plan WHERE id = $1", city.plan.id):
        await insert_plans(sql, [city.plan], now=NOON)
        await advance_rules(sql)


async def open_day(sql: asyncpg.Connection, day: date) -> None:
    """Make *day* the business date, in its first cycle, though a later one was open before."""
    await sql.execute("UPDATE control SET business_date = $1, cycle = $2", day, cycle_number(day, 1))


def accounts_of(city: City) -> list[AccountId]:
    """The accounts of a city whose totals are not kept on a payer."""
    return [
        city.fund,
        opening(pooling_area(city.region)),
        *map(merchant_payable, city.world.merchants),
        *map(bank_receivable, city.world.banks),
        *map(bank_payable, city.world.banks),
    ]


def is_repeat(outcome: Outcome) -> bool:
    """True for the answer to a key that was used before."""
    return outcome.is_replay or outcome.answer.refusal == Refusal.IDEMPOTENCY_KEY_REUSED.value


async def _started(ledger: Ledger) -> asyncio.Task[None]:
    return asyncio.create_task(ledger.run())


async def _finished(running: asyncio.Task[None]) -> None:
    await running
