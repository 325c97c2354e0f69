"""Rules that operators change hold from the next batch on, in every lane; what is decided already stays."""

import asyncpg
import msgspec

from engine.core.refusals import Refusal
from engine.core.scenarios import PHARMACY
from engine.ledger.router import Ledger
from engine.store.plans import advance_rules, insert_plans
from tests.builders import REGION, World, a_world
from tests.core.books_builders import NOON
from tests.insured import plan_of_area
from tests.ledger.nodes import a_node, submit_all
from tests.ledger.proof import prove_books

SWITCH = """
    INSERT INTO scenario_switch VALUES ($1, $2, $3, $4, now(), 'a test')
    ON CONFLICT (region, scenario) DO UPDATE SET is_on = excluded.is_on
"""


async def plan_that_pays(ledger: Ledger, world: World, *, card: int = 0) -> tuple[str, int]:
    """Which plan a bill is split by now, and what its fund pays of 200 fen."""
    answer = (await ledger.submit(world.authorize(card=card, amount=200, insured=200))).answer
    assert answer.payment is not None
    assert answer.payment.claim is not None
    return answer.payment.claim.plan, answer.payment.claim.pool


async def test_plan_that_is_loaded_splits_the_next_batch_in_every_lane(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_node(dsn, lane_count=2) as first, a_node(dsn, lane_count=2) as second:
        before = [await plan_that_pays(node, world, card=card) for node in (first, second) for card in range(4)]
        assert set(before) == {(f"plan-{REGION // 100 * 100}", 200)}
        async with sql.transaction():
            await insert_plans(sql, [msgspec.structs.replace(plan_of_area(REGION), deductible=50)], now=NOON)
            assert await plan_that_pays(first, world) == before[0], "it is not loaded before it is committed"
            await advance_rules(sql)
        after = [await plan_that_pays(node, world, card=card) for node in (first, second) for card in range(4)]
    assert after == [(f"plan-{REGION}", 150)] * 4 + [(f"plan-{REGION}", 200)] * 4
    await prove_books(sql)


async def test_rules_are_read_when_their_version_has_moved_and_not_before(dsn: str, sql: asyncpg.Connection) -> None:
    """Whoever changes them counts the version up: a lane looks at nothing else."""
    world = await a_world(sql)
    async with a_node(dsn) as ledger:
        await plan_that_pays(ledger, world)
        await insert_plans(sql, [plan_of_area(REGION)], now=NOON)
        assert (await plan_that_pays(ledger, world))[0] != f"plan-{REGION}"
        await advance_rules(sql)
        assert (await plan_that_pays(ledger, world))[0] == f"plan-{REGION}"


async def test_scenario_that_is_switched_off_is_refused_from_then_on_and_what_was_held_goes_on(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world = await a_world(sql)
    async with a_node(dsn, lane_count=2) as ledger:
        held = (await ledger.submit(world.authorize(capture=False))).answer.payment
        assert held is not None
        for is_on in (False, True):
            async with sql.transaction():
                await sql.execute(SWITCH, REGION // 100 * 100, PHARMACY.number, is_on, bytes(16))
                await advance_rules(sql)
            outcomes = await submit_all(ledger, [world.authorize(card=card) for card in range(4)])
            expected = None if is_on else Refusal.SCENARIO_NOT_ENABLED.value
            assert {outcome.answer.refusal for outcome in outcomes} == {expected}
            if not is_on:
                assert (await ledger.submit(world.capture(held.id))).answer.refusal is None
    await prove_books(sql)
