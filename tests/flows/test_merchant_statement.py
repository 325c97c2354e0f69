"""A merchant's statement is its postings, and what its bank's files say: to the fen, on every date."""

import asyncio
from collections import Counter
from datetime import date, timedelta

import asyncpg
import msgspec
import pytest

from engine.core.accounts import merchant_payable
from engine.core.calendar import CycleNumber, cycle_date
from engine.core.clearing import CLEARED_KINDS, CLEARED_PHASE
from engine.core.clearing_lines import FileKind, ItemType
from engine.core.ids import MerchantId, id_text
from engine.core.merchant_statement import LineType, Source, StatementLine, StatementTotals, Turnover
from engine.core.payments import TenderKind
from engine.flows import merchant_statement
from engine.flows.merchant_statement import add_up, all_lines, open_statement, parse_place, read_page
from engine.store.connection import open_pool
from tests.builders import a_world
from tests.flows.busy_books import a_ledger, busy_books, insured
from tests.flows.clearing_books import all_items, close, publish, read_files

Figures = tuple[int, int, int, int]  # gross, refunds, and how many of each


@pytest.fixture(autouse=True)
def pages_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pages, however few lines there are."""
    monkeypatch.setattr(merchant_statement, "MOVES_AT_ONCE", 2)


async def statement_of(
    dsn: str, merchant: MerchantId, day: date, *, count: int = 2
) -> tuple[StatementTotals, list[StatementLine], bool]:
    """Totals and lines of a date; the lines come in pages of *count*, and must be those that come at once."""
    pool = await open_pool(dsn, size_max=2)
    try:
        statement = await open_statement(pool, merchant, day)
        assert statement is not None
        totals = await add_up(statement)
        lines = [line async for some in all_lines(statement) for line in some]
        paged: list[StatementLine] = []
        place = None
        while True:
            page = await read_page(statement, place, count=count)
            assert len(page.lines) <= count
            paged += page.lines
            if page.next is None:
                break
            place = parse_place(page.next.text)
            assert place == page.next
        assert paged == lines
        return totals, lines, statement.is_final
    finally:
        await pool.close()


async def is_known(dsn: str, merchant: MerchantId, day: date) -> bool:
    """True if there is a statement of that date."""
    pool = await open_pool(dsn, size_max=1)
    try:
        return await open_statement(pool, merchant, day) is not None
    finally:
        await pool.close()


def figures(turnover: Turnover) -> Figures:
    """What has to agree."""
    return (turnover.gross, turnover.refunds, turnover.payment_count, turnover.refund_count)


def figures_of(lines: list[StatementLine]) -> Figures:
    """The same, added up from lines."""
    paid = [line.amount for line in lines if line.type is LineType.PAYMENT]
    back = [line.amount for line in lines if line.type is LineType.REFUND]
    return (sum(paid), sum(back), len(paid), len(back))


async def posted(sql: asyncpg.Connection, merchant: MerchantId, day: date) -> Figures:
    """The same, from the postings themselves."""
    row = await sql.fetchrow(
        "SELECT coalesce(sum(amount) FILTER (WHERE credit = $2), 0)::bigint,"
        " coalesce(sum(amount) FILTER (WHERE debit = $2), 0)::bigint,"
        " count(DISTINCT (lane, seq, event)) FILTER (WHERE credit = $2),"
        " count(DISTINCT (lane, seq, event)) FILTER (WHERE debit = $2)"
        " FROM posting WHERE business_date = $1 AND $2 IN (debit, credit) AND phase = $3"
        " AND kind = ANY ($4::smallint[])",
        day,
        merchant_payable(merchant),
        CLEARED_PHASE,
        CLEARED_KINDS,
    )
    assert row is not None
    return (row[0], row[1], row[2], row[3])


async def told_to_banks(sql: asyncpg.Connection, merchant: MerchantId, day: date) -> tuple[int, int]:
    """What the flat files of a date credit to a merchant, and collect from it."""
    cycles = [row[0] for row in await sql.fetch("SELECT cycle FROM clearing_run ORDER BY cycle")]
    credited = collected = 0
    for cycle in cycles:
        if cycle_date(CycleNumber(cycle)) == day:
            files = await read_files(sql, cycle)
            own = id_text(merchant)
            credited += sum(
                item.amount
                for item in all_items(files, FileKind.CREDIT)
                if (item.credit_account, item.type) == (own, ItemType.PAY)
            )
            collected += sum(
                item.amount
                for item in all_items(files, FileKind.COLLECT)
                if (item.debit_account, item.type) == (own, ItemType.REFUND)
            )
    return credited, collected


async def check_day(dsn: str, sql: asyncpg.Connection, merchant: MerchantId, day: date) -> Figures:
    """Totals, lines and postings of a date agree; so do totals by source and by cycle."""
    totals, lines, _ = await statement_of(dsn, merchant, day)
    expected = await posted(sql, merchant, day)
    assert figures(totals.all) == figures_of(lines) == expected
    assert len({line.place for line in lines}) == len(lines), "each line once"
    for cycle, turnover in totals.by_cycle.items():
        assert figures(turnover) == figures_of([line for line in lines if line.cycle == cycle])
    assert {line.cycle for line in lines} == totals.by_cycle.keys()
    by_source: Counter[tuple[Source, LineType]] = Counter()
    for line in lines:
        for share in line.shares:
            by_source[share.source, line.type] += share.amount
    assert {
        (source, type_): amount
        for source, turnover in totals.by_source.items()
        for type_, amount in ((LineType.PAYMENT, turnover.gross), (LineType.REFUND, turnover.refunds))
        if amount
    } == by_source
    return expected


async def test_statement_is_the_postings_and_the_files(dsn: str, sql: asyncpg.Connection) -> None:
    """Captures at once and of holds, in parts, on later dates; refunds of other days' payments; cancelled orders."""
    books = await busy_books(dsn, sql)
    await publish(dsn, await close(dsn))
    days = [row[0] for row in await sql.fetch("SELECT DISTINCT business_date FROM posting ORDER BY 1")]
    assert len(days) >= 2
    seen: list[Figures] = []
    for day in days:
        for merchant in books.world.merchants:
            found = await check_day(dsn, sql, merchant, day)
            assert found[:2] == await told_to_banks(sql, merchant, day)
            seen.append(found)
    assert sum(paid > 0 for _, _, paid, _ in seen) >= 2
    assert sum(back > 0 for _, _, _, back in seen) >= 2


async def test_line_says_what_was_asked_and_where_it_came_from(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_ledger(dsn) as ledger:
        await ledger.submit(world.open_account(card=0, amount=1_000))
        paid = await ledger.submit(insured(world.authorize(card=0, amount=1_500, order_no="A-1")))
        assert paid.answer.payment is not None
        await ledger.submit(world.refund(paid.answer.payment.id, amount=10, refund_no="R-1"))
    totals, (payment, refund), is_final = await statement_of(dsn, world.merchants[0], await open_date(sql))
    assert not is_final
    assert (payment.type, payment.order_no, payment.refund, payment.amount) == (LineType.PAYMENT, "A-1", None, 1_500)
    assert [share.source.kind for share in payment.shares] == [
        TenderKind.POOL_FUND,
        TenderKind.PERSONAL_ACCOUNT,
        TenderKind.BANK_CARD,
    ]
    assert (refund.type, refund.order_no, refund.refund_no, refund.amount) == (LineType.REFUND, "A-1", "R-1", 10)
    assert refund.payment == payment.payment == paid.answer.payment.id
    assert payment.shares[0].source == Source(TenderKind.POOL_FUND, 310100)
    assert figures(totals.all) == (1_500, 10, 1, 1)
    assert totals.all.net == 1_490
    bank = totals.by_source[Source(TenderKind.BANK_CARD)]
    assert figures(bank) == (payment.shares[2].amount, 10, 1, 1)


async def test_refund_of_an_old_payment_is_of_the_day_on_which_it_is_given(dsn: str, sql: asyncpg.Connection) -> None:
    """The payment is neither made nor captured on that date, and other payments of that date are many."""
    world = await a_world(sql)
    async with a_ledger(dsn) as ledger:
        old = await ledger.submit(world.authorize(card=0, amount=100))
        held = await ledger.submit(world.authorize(card=1, amount=70, capture=False, hold_s=172_800))
        assert old.answer.payment is not None
        assert held.answer.payment is not None
        first = await open_date(sql)
        await sql.execute("UPDATE control SET sandbox_offset_us = 86400000000")
        await publish(dsn, await close(dsn))
        await asyncio.gather(*(ledger.submit(world.authorize(card=2, amount=1)) for _ in range(5)))
        await ledger.submit(world.refund(old.answer.payment.id, amount=30))
        await ledger.submit(world.capture(held.answer.payment.id))
    second = await open_date(sql)
    assert second > first
    assert await check_day(dsn, sql, world.merchants[0], first) == (100, 0, 1, 0)
    assert await check_day(dsn, sql, world.merchants[0], second) == (75, 30, 6, 1)


async def test_dates_are_told_apart_among_the_ids_of_a_merchant(dsn: str, sql: asyncpg.Connection) -> None:
    """The ids of many dates are minutes apart, as in a sandbox; each date finds its own."""
    world = await a_world(sql)
    days: list[date] = []
    async with a_ledger(dsn) as ledger:
        for n in range(4):
            for amount in range(1, n + 2):
                await ledger.submit(world.authorize(card=amount % 4, amount=amount))
            days.append(await open_date(sql))
            await sql.execute("UPDATE control SET sandbox_offset_us = sandbox_offset_us + 86400000000")
            await publish(dsn, await close(dsn))
    for n, day in enumerate(days):
        assert await check_day(dsn, sql, world.merchants[0], day) == (sum(range(n + 2)), 0, n + 1, 0)


async def test_date_without_payments_has_zeros_and_one_to_come_has_no_statement(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world = await a_world(sql)
    day = await open_date(sql)
    assert (await statement_of(dsn, world.merchants[0], day))[1:] == ([], False)
    totals, lines, is_final = await statement_of(dsn, world.merchants[0], day - timedelta(days=400))
    assert (figures(totals.all), lines, is_final) == ((0, 0, 0, 0), [], True)
    assert not await is_known(dsn, world.merchants[0], day + timedelta(days=1))


async def test_nothing_of_another_merchant_is_in_it(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_ledger(dsn) as ledger:
        paid = await ledger.submit(world.authorize(merchant=0, amount=5))
        assert paid.answer.payment is not None
        await ledger.submit(world.refund(paid.answer.payment.id, amount=5, merchant=0))
    totals, lines, _ = await statement_of(dsn, world.merchants[1], await open_date(sql))
    assert (figures(totals.all), lines) == ((0, 0, 0, 0), [])


async def test_date_is_final_once_every_lane_has_passed_the_barrier(dsn: str, sql: asyncpg.Connection) -> None:
    """Closed is not enough: a batch that began before may still be on its way."""
    world = await a_world(sql)
    day = await open_date(sql)
    await sql.execute("UPDATE control SET sandbox_offset_us = 86400000000")
    cycle = await close(dsn)
    assert (await statement_of(dsn, world.merchants[0], day))[2]
    await sql.execute("UPDATE clearing_run SET sealed_at = NULL WHERE cycle = $1", cycle)
    assert not (await statement_of(dsn, world.merchants[0], day))[2]


async def test_command_that_posted_nothing_has_no_line(dsn: str, sql: asyncpg.Connection) -> None:
    """Refused captures and refunds, a cancelled order that nobody has paid; and pages go on behind them."""
    world = await a_world(sql)
    async with a_ledger(dsn) as ledger:
        paid = await ledger.submit(world.authorize(amount=5))
        assert paid.answer.payment is not None
        for _ in range(3):
            await ledger.submit(world.refund(paid.answer.payment.id, amount=6))
            await ledger.submit(world.capture(paid.answer.payment.id))
            await ledger.submit(world.cancel(f"nobody-{msgspec.json.encode(paid.answer.payment.id).hex()}"[:20]))
        await ledger.submit(world.refund(paid.answer.payment.id, amount=2))
    assert await check_day(dsn, sql, world.merchants[0], await open_date(sql)) == (5, 2, 1, 1)


@pytest.mark.parametrize("text", ["", "1.2", "1.2.3.4", "1.2.-3", "1.2.x", "99999.1.1", "1.9223372036854775808.1", "²"])
def test_what_is_no_cursor_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="no place"):
        parse_place(text)


async def open_date(sql: asyncpg.Connection) -> date:
    """The business date that is open."""
    day: date = await sql.fetchval("SELECT business_date FROM control")
    return day
