"""Nodes to test with: a ledger that runs, and what it needs to be stopped."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg
import msgspec

from engine.core.commands import AnyCommand, Authorize
from engine.core.ids import IdKind, PaymentId
from engine.ledger.lane import BATCH_COMMANDS_MAX, BatchDone
from engine.ledger.queue import Outcome, Overloaded
from engine.ledger.router import QUEUE_MAX, WAIT_S, Ledger
from engine.store.faults import Fault
from engine.store.lane_session import LaneSessions
from tests.builders import World, an_id

_numbers = itertools.count(1)


async def a_ledger(
    dsn: str,
    *,
    lane_count: int = 1,
    queue_max: int = QUEUE_MAX,
    batch_max: int = BATCH_COMMANDS_MAX,
    wait_s: float = WAIT_S,
    on_batch: Callable[[BatchDone], None] = lambda _: None,
) -> tuple[Ledger, "asyncio.Task[None]"]:
    """A ledger of a node of its own, and the task that runs it: whoever asks for it also ends it."""
    sessions = LaneSessions(dsn, node=f"node-{next(_numbers)}")
    ledger = Ledger(
        sessions, lane_count=lane_count, queue_max=queue_max, batch_max=batch_max, wait_s=wait_s, on_batch=on_batch
    )
    await ledger.open()
    return ledger, asyncio.create_task(ledger.run())


@asynccontextmanager
async def a_node(
    dsn: str,
    *,
    lane_count: int = 1,
    queue_max: int = QUEUE_MAX,
    batch_max: int = BATCH_COMMANDS_MAX,
    wait_s: float = WAIT_S,
    on_batch: Callable[[BatchDone], None] = lambda _: None,
) -> AsyncIterator[Ledger]:
    """A ledger that runs until the block ends, and then finishes what it has."""
    ledger, running = await a_ledger(
        dsn, lane_count=lane_count, queue_max=queue_max, batch_max=batch_max, wait_s=wait_s, on_batch=on_batch
    )
    try:
        yield ledger
    except BaseException:
        running.cancel()
        await asyncio.wait((running,))
        raise
    ledger.close()
    await running


async def submit_all(ledger: Ledger, commands: Sequence[AnyCommand]) -> list[Outcome]:
    """Submit commands in one instant: an idle lane takes them as one batch."""
    return await asyncio.gather(*(ledger.submit(command) for command in commands))


async def settle(ledger: Ledger, command: AnyCommand) -> Outcome:
    """Repeat a command with its key until it is answered: what a careful caller does."""
    while True:
        try:
            return await ledger.submit(command)
        except (Fault, Overloaded):
            continue


async def paid(ledger: Ledger, world: World, *, amount: int) -> PaymentId:
    """The id of a payment of the first card that is captured."""
    outcome = await ledger.submit(world.authorize(amount=amount))
    assert outcome.answer.payment is not None
    return outcome.answer.payment.id


def a_step() -> int:
    """The step of a code that is shown now."""
    return int(time.time()) // 30


def through_shard(command: Authorize, shard: int) -> Authorize:
    """The same payment through another lane: routing is a matter of speed, never of what is right."""
    return msgspec.structs.replace(command, payment=PaymentId(an_id(IdKind.PAYMENT, shard=shard)))


def refusals(outcomes: Sequence[Outcome]) -> list[str | None]:
    """What each was refused for, sorted, None first."""
    return sorted((outcome.answer.refusal for outcome in outcomes), key=lambda refusal: refusal or "")


async def end_backends(sql: asyncpg.Connection, name: str) -> None:
    """Terminate the sessions of that application name in this database, and return when they are gone."""
    gone = False
    while not gone:
        found = await sql.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = $1 AND datname = current_database()",
            name,
        )
        gone = not found
