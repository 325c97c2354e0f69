"""Ways to damage books, each with what the books check has to say about it."""

from collections.abc import Awaitable, Callable, Mapping
from types import ModuleType
from typing import Final, NamedTuple

import asyncpg

from engine.core.calendar import CycleNumber
from engine.core.ids import id_text
from engine.core.journal import GENESIS, BatchHeader, EventRow, PostingRow, batch_hash
from engine.core.violations import ViolationKind
from tests.flows.busy_books import BusyBooks

Place = Mapping[str, object]
"""What the violation's `where` must say."""

DamageBooks = Callable[[asyncpg.Connection, BusyBooks], Awaitable[Place]]


class Damage(NamedTuple):
    """One way, with what is to be found."""

    kind: ViolationKind
    do: DamageBooks


FIRST_BATCH: Final = """
    SELECT p.lane, p.seq, min(p.n) AS first, max(p.n) AS last, count(*) AS count
      FROM posting p WHERE p.payment = $1 GROUP BY p.lane, p.seq ORDER BY p.seq LIMIT 1
"""
POSTINGS: Final = "SELECT * FROM posting WHERE business_date = $1 AND lane = $2 AND seq = $3 ORDER BY n"
EVENTS: Final = "SELECT * FROM event WHERE business_date = $1 AND lane = $2 AND seq = $3 ORDER BY n"


def found_as(kind: ViolationKind) -> Callable[[DamageBooks], Damage]:
    """Say what the damage that a function does is found as."""
    return lambda do: Damage(kind, do)


def damages_in(*modules: ModuleType) -> list[Damage]:
    """Every damage that the modules know."""
    return [value for module in modules for value in vars(module).values() if isinstance(value, Damage)]


class PostingKey(NamedTuple):
    """Where a posting is, and how many its batch has."""

    lane: int
    seq: int
    n: int
    posting_count: int

    @property
    def batch(self) -> Place:
        """Its batch's place."""
        return {"lane": self.lane, "seq": self.seq}


async def first_posting(sql: asyncpg.Connection, payment: bytes) -> PostingKey:
    """The first posting of a payment's first batch."""
    row = await sql.fetchrow(FIRST_BATCH, payment)
    assert row is not None
    return PostingKey(row["lane"], row["seq"], row["first"], row["count"])


async def last_posting(sql: asyncpg.Connection, payment: bytes) -> PostingKey:
    """The last posting of a payment's first batch."""
    row = await sql.fetchrow(FIRST_BATCH, payment)
    assert row is not None
    return PostingKey(row["lane"], row["seq"], row["last"], row["count"])


async def rehash(sql: asyncpg.Connection) -> None:
    """Make the chains right again after an edit, as somebody could who can write every table but has not the key."""
    await sql.execute("DELETE FROM seal")
    await sql.execute("UPDATE clearing_run SET sealed_at = NULL")
    for lane in await sql.fetch("SELECT id FROM lane"):
        head = GENESIS
        for batch in await sql.fetch("SELECT * FROM batch WHERE lane = $1 ORDER BY seq", lane["id"]):
            key = (batch["business_date"], batch["lane"], batch["seq"])
            postings = [PostingRow._make(row) for row in await sql.fetch(POSTINGS, *key)]
            events = [EventRow._make(row) for row in await sql.fetch(EVENTS, *key)]
            header = BatchHeader(
                batch["lane"], batch["seq"], batch["at"], batch["business_date"], CycleNumber(batch["cycle"])
            )
            link = batch_hash(head, header, postings, events)
            await sql.execute(
                "UPDATE batch SET prev = $3, hash = $4, n = $5 WHERE lane = $1 AND seq = $2",
                batch["lane"],
                batch["seq"],
                head,
                link,
                len(events),
            )
            head = link
        await sql.execute("UPDATE lane SET head = $2 WHERE id = $1", lane["id"], head)


def of_payment(payment: bytes) -> Place:
    """The place of a payment."""
    return {"payment": id_text(payment)}
