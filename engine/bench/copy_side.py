"""The yardstick of `engine bench ledger`: plain COPY of the very rows that a lane would write.

Fairness, point by point:

* The rows are those of `answer`, `order_ref`, `code_use`, `payment`, `posting`, `event` and `batch`, made by the same
  pure `decide` and `write_of` that a lane uses, from commands of the same maker: same widths, same order, same keys.
  What a lane also does and COPY cannot (lock and update payers, upsert balances, move its own row) COPY is spared.
* They go into the same schema, indexes, checks and partitions included, in a database of the same cluster. It is a
  database of its own because rows without totals would break the measured books. Both sides add the same number of
  payments in each turn, so that their tables and indexes grow alike.
* A transaction holds as many payments as the lanes' median batch did in the turn before it, and there are as many
  connections as lanes, each with its own lane number and chain, hence its own stretch of every key that begins with it.
* Rows are Python tuples before the clock starts. Encoding them is on the clock on both sides.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg

from engine.bench.world import PLAN, TERMINAL, Customers, World
from engine.core.books import Books, Control, Device, Merchant, Seen
from engine.core.calendar import business_date_at, cut_over_of, cycle_number
from engine.core.commands import Authorize
from engine.core.decide import decide
from engine.core.ids import region_of
from engine.core.journal import GENESIS
from engine.core.payer import Payer
from engine.core.plan_book import PlanBook
from engine.core.rules import Rules
from engine.core.scenarios import SCENARIOS
from engine.flows.clock import Clock
from engine.heap import settle_heap
from engine.ledger.batch import write_of
from engine.settings import LANE_COUNT
from engine.store.connection import LANE_SETTINGS, connect
from engine.store.lane_session import LaneWrite
from engine.store.rows import Row, payment_row

TableRows = tuple[tuple[str, Sequence[Row]], ...]


class CopySide:
    """Connections to the yardstick's database, and the chains that its lanes would have."""

    def __init__(self, dsn: str, world: World, customers: Customers, clock: Clock) -> None:
        """A side that is not open yet."""
        self._dsn = dsn
        self._world = world
        self._customers = customers
        self._clock = clock
        self._connections: list[asyncpg.Connection] = []
        self._seqs = [0] * LANE_COUNT
        self._heads = [GENESIS] * LANE_COUNT

    async def open(self) -> None:
        """Connect, as often as there are lanes."""
        for n in range(LANE_COUNT):
            self._connections.append(await connect(self._dsn, LANE_SETTINGS, application_name=f"copy {n}"))

    async def close(self) -> None:
        """Disconnect."""
        for connection in self._connections:
            await connection.close()

    async def run(self, count: int, *, batch_size: int) -> float:
        """Copy the rows of *count* payments. Returns payments a second."""
        by_lane = self.prepare(count, batch_size=batch_size)
        settle_heap()
        started = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for connection, batches in zip(self._connections, by_lane, strict=True):
                tasks.create_task(_copy(connection, batches))
        return count / (time.perf_counter() - started)

    def prepare(self, count: int, *, batch_size: int) -> list[list[TableRows]]:
        """The rows of the next *count* payments: by lane, by transaction, by table."""
        payers = self._customers.payers(count)
        payments = self._customers.payments(count)
        queues: list[list[tuple[Authorize, Payer]]] = [[] for _ in range(LANE_COUNT)]
        for command, payer in zip(payments, payers, strict=True):
            queues[command.shard % LANE_COUNT].append((command, payer))
        now = datetime.fromtimestamp(self._clock.wall_s(), UTC)
        return [
            [
                self._decided(lane, queue[start : start + batch_size], now=now)
                for start in range(0, len(queue), batch_size)
            ]
            for lane, queue in enumerate(queues)
        ]

    def _decided(self, lane: int, batch: list[tuple[Authorize, Payer]], *, now: datetime) -> TableRows:
        """One batch's rows, decided as a lane would."""
        books = Books(self._seen(batch, now))
        for n, (command, _) in enumerate(batch):
            decision = decide(books, command)
            assert decision.answer.refusal is None, "the yardstick writes what a lane writes: payments"
            books.apply(n, command, decision)
        self._seqs[lane] += 1
        seq, prev = self._seqs[lane], self._heads[lane]
        write = write_of(books, lane=lane + 1, seq=seq, prev=prev)
        self._heads[lane] = write.hash
        answers = [
            (command.caller, command.operation, command.key, write.business_date, lane + 1, seq, n)
            for n, (command, _) in enumerate(batch)
        ]
        payments = [payment_row(payment) for payment in books.payments_new.values()]
        return _tables(write, answers, payments, lane=lane + 1, seq=seq, prev=prev)

    def _seen(self, batch: list[tuple[Authorize, Payer]], now: datetime) -> Seen:
        today = business_date_at(now)
        control = Control(
            business_date=today,
            cycle=cycle_number(today, 1),
            cutoff_at=cut_over_of(today),
            published_cycle=cycle_number(today, 1),
        )
        return Seen(
            control=control,
            now=now,
            payers={payer.id: payer for _, payer in batch},
            devices={
                command.code.device_no: Device(payer.id, False)
                for command, payer in batch
                if command.code is not None and command.code.device_no is not None
            },
            merchants={
                merchant: Merchant(
                    id=merchant,
                    region=region_of(merchant),
                    is_suspended=False,
                    scenarios=tuple(scenario.number for scenario in SCENARIOS),
                    level=3,
                )
                for merchant in self._world.merchants
            },
            terminals={(merchant, TERMINAL) for merchant in self._world.merchants},
            rules=Rules(plans=PlanBook([PLAN])),
        )


def _tables(
    write: LaneWrite, answers: Sequence[Row], payments: Sequence[Row], *, lane: int, seq: int, prev: bytes
) -> TableRows:
    """In the order in which a lane writes them."""
    day, at, cycle = write.business_date, write.at, write.cycle
    batch = (lane, seq, at, day, cycle, len(write.events), prev, write.hash)
    postings = [(day, lane, seq, n, event, cycle, *row) for n, (event, *row) in enumerate(write.postings)]
    events = [(day, lane, seq, *row[:4], at, row[4]) for row in write.events]
    return (
        ("answer", answers),
        ("order_ref", write.orders),
        ("code_use", write.codes),
        ("payment", payments),
        ("posting", postings),
        ("event", events),
        ("batch", (batch,)),
    )


async def _copy(connection: asyncpg.Connection, batches: Sequence[TableRows]) -> None:
    for tables in batches:
        async with connection.transaction():
            for table, rows in tables:
                await connection.copy_records_to_table(table, records=rows)
