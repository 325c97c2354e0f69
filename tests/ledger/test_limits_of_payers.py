"""What one person may spend is exact, however many payments come at once, by whatever card, lane and node."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import msgspec

from engine.core.commands import AnyCommand, Authorize
from engine.core.payments import Mode, Payment, State
from engine.core.refusals import Refusal
from engine.flows.verify_books import verify_books
from engine.ledger.queue import Outcome
from engine.ledger.router import Ledger
from engine.store.plans import advance_rules, insert_plans
from tests.builders import REGION, RIGHT_PASSWORD, World, a_world
from tests.core.books_builders import NOON
from tests.flows.busy_books import PUBLIC_KEYS
from tests.insured import plan_of_area
from tests.ledger.nodes import a_node, settle, through_shard
from tests.ledger.proof import prove_books

PAYMENTS, BILLS = 1_000, 100
LIMIT_EXCEEDED, INSUFFICIENT_FUNDS = Refusal.LIMIT_EXCEEDED.value, Refusal.INSUFFICIENT_FUNDS.value


@asynccontextmanager
async def four_lanes(dsn: str) -> AsyncIterator[Sequence[Ledger]]:
    """Two nodes of two lanes."""
    async with a_node(dsn, lane_count=2) as first, a_node(dsn, lane_count=2) as second:
        yield first, second


async def all_at_once(nodes: Sequence[Ledger], commands: Sequence[AnyCommand]) -> list[Outcome]:
    """What becomes of commands that are spread over nodes and lanes, each repeated until it is decided."""
    spread = [
        through_shard(command, n // len(nodes)) if isinstance(command, Authorize) else command
        for n, command in enumerate(commands)
    ]
    return await asyncio.gather(*(settle(nodes[n % len(nodes)], command) for n, command in enumerate(spread)))


def ends(outcomes: Sequence[Outcome]) -> Counter[str]:
    """How many were refused for what, and how many came to which state."""
    return Counter(
        outcome.answer.refusal or outcome.answer.payment.state.name  # type: ignore[union-attr]  # payments all of them
        for outcome in outcomes
    )


def paid_in(outcomes: Sequence[Outcome]) -> list[Payment]:
    """The payments that came about."""
    return [
        outcome.answer.payment
        for outcome in outcomes
        if outcome.answer.refusal is None and outcome.answer.payment is not None
    ]


async def figures(sql: asyncpg.Connection, card: bytes, columns: str) -> tuple[int, ...]:
    """Some columns of a cardholder's row."""
    row = await sql.fetchrow("SELECT * FROM payer WHERE id = $1", card)
    assert row is not None
    return tuple(row[column] for column in columns.split(", "))


async def books_verify(dsn: str, sql: asyncpg.Connection) -> None:
    """The books prove themselves, from outside and from inside."""
    await prove_books(sql)
    report = await verify_books(dsn, public_keys=PUBLIC_KEYS, progress=lambda *_: None)
    assert report.violation is None, report.violation.text


async def test_limits_are_exact_under_a_thousand_payments_of_one_card(dsn: str, sql: asyncpg.Connection) -> None:
    """Seven fen each: 200 without a password, 300 more that wait for one, and not a fen more."""
    world = await a_world(sql)
    await sql.execute("UPDATE payer SET limit_unconfirmed = 7 * 200 + 6, limit_a_day = 7 * 500 + 6")
    async with four_lanes(dsn) as nodes:
        outcomes = await all_at_once(nodes, [world.authorize(amount=7) for _ in range(PAYMENTS)])
        assert ends(outcomes) == {State.CAPTURED.name: 200, State.AWAITING_USER.name: 300, LIMIT_EXCEEDED: 500}
        assert await figures(sql, world.cards[0], "spent, spent_unconfirmed") == (7 * 500, 7 * 200)
        waiting = [one.id for one in paid_in(outcomes) if one.state is State.AWAITING_USER]
        decided = await all_at_once(
            nodes, [world.confirm(one) if n % 3 else world.void(one) for n, one in enumerate(waiting)]
        )
        assert ends(decided) == {State.CAPTURED.name: 200, State.VOIDED.name: 100}
        more = await all_at_once(nodes, [world.authorize(amount=7, password=RIGHT_PASSWORD) for _ in range(150)])
        assert ends(more) == {State.CAPTURED.name: 100, LIMIT_EXCEEDED: 50}
    assert await figures(sql, world.cards[0], "spent, spent_unconfirmed") == (7 * 500, 7 * 200)
    await books_verify(dsn, sql)


async def a_plan(sql: asyncpg.Connection, **changes: object) -> None:
    """Let another plan be the one of the world's cardholders."""
    plan = msgspec.structs.replace(plan_of_area(REGION), **changes)
    async with sql.transaction():
        await insert_plans(sql, [plan], now=NOON)
        await advance_rules(sql)


async def test_a_hundred_bills_of_one_person_use_the_deductible_and_the_cap_once(
    dsn: str, sql: asyncpg.Connection
) -> None:
    """A hundred fen each, of which the fund would pay all: 950 go off first, and it stops at 5,010."""
    world = await a_world(sql)
    await a_plan(sql, deductible=950, annual_cap=5_010)
    async with four_lanes(dsn) as nodes:
        bills = [world.authorize(amount=100, insured=100, merchant=n % 2) for n in range(BILLS)]
        outcomes = await all_at_once(nodes, bills)
        assert ends(outcomes) == {State.CAPTURED.name: BILLS}
        claims = [payment.claim for payment in paid_in(outcomes)]
        assert sum(claim.deductible for claim in claims if claim is not None) == 950
        assert sum(claim.pool for claim in claims if claim is not None) == 5_010
        assert await figures(sql, world.cards[0], "deductible_used, fund_paid") == (950, 5_010)
        back = [world.cancel(bill.order_no, merchant=n % 2) for n, bill in enumerate(bills)]
        await all_at_once(nodes, back)
    assert await figures(sql, world.cards[0], "deductible_used, fund_paid") == (0, 0)
    await books_verify(dsn, sql)


def by_card(world: World, *, amount: int) -> Authorize:
    """The first card itself, read at a terminal."""
    command = world.authorize(amount=amount, merchant=1, password=RIGHT_PASSWORD)
    return msgspec.structs.replace(command, code=None, card=world.cards[0], mode=Mode.CARD_READ)


async def test_card_and_phone_in_the_same_instant_never_overspend(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql, bank_allowance=1_000)
    async with four_lanes(dsn) as nodes:
        await nodes[0].submit(world.open_account(amount=505))
        outcomes = await all_at_once(
            nodes,
            [by_card(world, amount=10) if n // 2 % 2 else world.authorize(amount=10) for n in range(300)],
        )
    assert ends(outcomes) == {State.CAPTURED.name: 150, INSUFFICIENT_FUNDS: 150}
    assert await figures(sql, world.cards[0], "debits_posted, spent") == (505, 995)
    # Which of them is quicker is nobody's promise.
    assert await sql.fetchval("SELECT count(*) FROM code_use") == sum(
        1 for payment in paid_in(outcomes) if payment.mode is Mode.SHOW_CODE
    )


async def test_account_that_two_relatives_share_with_its_owner_is_spent_once(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql, bank_allowance=0)
    await sql.execute("UPDATE payer SET family = $1 WHERE id = ANY ($2)", world.cards[2], list(world.cards[:2]))
    async with four_lanes(dsn) as nodes:
        await nodes[0].submit(world.open_account(card=2, amount=1_005))
        outcomes = await all_at_once(nodes, [world.authorize(card=n % 3, amount=30, insured=20) for n in range(240)])
        assert ends(outcomes) == {State.CAPTURED.name: 100, INSUFFICIENT_FUNDS: 140}
        assert await figures(sql, world.cards[2], "debits_posted, credits_posted") == (1_000, 1_005)
        back = await all_at_once(
            nodes, [world.refund(payment.id, amount=30) for payment in paid_in(outcomes) if payment.family is not None]
        )
        assert {outcome.answer.refusal for outcome in back} == {None}
    helped = len(back)
    assert await figures(sql, world.cards[2], "debits_posted, credits_posted") == (1_000, 1_005 + 10 * helped)
    assert await sql.fetchval("SELECT sum(fund_paid)::bigint FROM payer") == 20 * (100 - helped)
    await books_verify(dsn, sql)
