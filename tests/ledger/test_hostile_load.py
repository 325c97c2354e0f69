"""Four lanes on two nodes, and callers who send everything twice, to the wrong lane, about the same few cards."""

import asyncio
import random
from collections.abc import Sequence

import asyncpg
import pytest

from engine.core.commands import AnyCommand
from engine.core.ids import PaymentId
from engine.core.refusals import Refusal
from engine.ledger.queue import Outcome
from engine.ledger.router import Ledger
from engine.store.connection import LANE_SETTINGS
from tests.builders import World, a_world
from tests.ledger.nodes import a_node, a_step, refusals, through_shard
from tests.ledger.proof import prove_books
from tests.ledger.wire import Wire

SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'lane %'"
ROUNDS = 6
COMMANDS_A_ROUND = 120


class Mob:
    """Makes commands that collide. The same seed makes the same ones."""

    def __init__(self, world: World, seed: int) -> None:
        """A mob in *world*."""
        self._world = world
        self._random = random.Random(seed)
        self._payments: list[PaymentId] = []
        self._step = a_step()

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        """Remember payments, to fight over them later."""
        self._payments += [
            outcome.answer.payment.id
            for outcome in outcomes
            if outcome.answer.refusal is None and outcome.answer.payment is not None
        ]

    def commands(self, count: int) -> list[AnyCommand]:
        """Some commands, each of them to be sent twice."""
        return [self._command() for _ in range(count)]

    def _command(self) -> AnyCommand:
        world, draw = self._world, self._random
        merchant = draw.randrange(2)
        order_no = f"A{draw.randrange(200)}"
        kind = draw.random() if self._payments else 0.0
        if kind < 0.6:
            command = world.authorize(
                card=draw.randrange(6),
                merchant=merchant,
                amount=draw.randrange(1, 50),
                order_no=order_no,
                key=f"K{draw.randrange(400)}" if draw.random() < 0.3 else None,
                step=self._step - draw.randrange(400),
                capture=draw.random() < 0.6,
            )
            return through_shard(command, draw.randrange(4))
        if kind < 0.7:
            return world.cancel(order_no, merchant=merchant)
        payment = draw.choice(self._payments)
        if kind < 0.85:
            return world.refund(payment, amount=draw.randrange(1, 30), merchant=merchant)
        return world.capture(payment, merchant=merchant) if kind < 0.95 else world.void(payment, merchant=merchant)


async def test_books_agree_and_nothing_deadlocks_under_hostile_load(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql, card_count=6)
    mob = Mob(world, seed=20_260_101)
    async with (
        Wire(dsn).opened() as wire,
        a_node(wire.dsn, lane_count=2, batch_max=32) as first,
        a_node(wire.dsn, lane_count=2, batch_max=32) as second,
    ):
        for _ in range(ROUNDS):
            commands = mob.commands(COMMANDS_A_ROUND)
            pairs = await asyncio.gather(*(_send_twice(command, first, second) for command in commands))
            for once, again in pairs:
                assert once.answer == again.answer or again.answer.refusal == once.answer.refusal
            mob.learn([once for once, _ in pairs])
        lost_races = wire.delivered["write_books"] - wire.delivered["commit"]
        assert lost_races < wire.delivered["commit"] / 4, "no storm of rollbacks"
    assert await _deadlocks(sql) == 0
    await prove_books(sql)


async def test_batches_that_want_the_same_orders_in_opposite_order_wait_for_each_other_once(
    dsn: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are stopped at the order in the middle; each would then want what the other one has taken before."""
    monkeypatch.setitem(LANE_SETTINGS, "deadlock_timeout", "10ms")
    world = await a_world(sql, card_count=6)
    async with a_node(dsn) as first, a_node(dsn) as second:
        async with sql.transaction():
            await sql.execute("INSERT INTO order_ref VALUES ($1, 'M')", world.merchants[0])
            forth = [first.submit(world.authorize(card=card, order_no=order)) for card, order in enumerate("ZMA")]
            back = [second.submit(world.authorize(card=card, order_no=order)) for card, order in enumerate("AMZ", 3)]
            asked = [asyncio.gather(*forth), asyncio.gather(*back)]
            while await sql.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") < len(asked):
                continue
            await sql.execute("DELETE FROM order_ref")
        outcomes = [outcome for batch in asked for outcome in await batch]
    assert refusals(outcomes) == [None] * 3 + [Refusal.ORDER_ALREADY_PAID.value] * 3
    assert await _deadlocks(sql) == 0
    await prove_books(sql)


async def _send_twice(command: AnyCommand, first: Ledger, second: Ledger) -> tuple[Outcome, Outcome]:
    once, again = await asyncio.gather(first.submit(command), second.submit(command))
    return once, again


async def _deadlocks(sql: asyncpg.Connection) -> int:
    """Deadlocks of this database. A session adds what it has counted when it ends, if not before."""
    while await sql.fetchval(SESSIONS):
        continue
    count: int = await sql.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return count
