"""A bank's statement beside its files: known faults give exactly their classes, in whatever order anything comes."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Collection
from datetime import date, timedelta

import asyncpg
import msgspec
import pytest

from engine.core.bank_lines import Direction
from engine.core.calendar import cycle_date
from engine.core.clearing_lines import ClearingItem
from engine.core.differences import Cause, DifferenceClass, DifferenceState, Handling, ReconciliationState
from engine.core.ids import id_text
from engine.core.postings import Phase
from engine.flows.receive_upload import Rejected
from engine.store.connection import AnyConnection
from engine.store.reconciliation import DifferenceRecord
from tests.builders import World, a_world
from tests.flows.busy_books import a_ledger, publish
from tests.flows.statement_books import (
    OTHER,
    Desk,
    Line,
    a_payment,
    an_item,
    changed,
    days,
    give_files,
    line_of,
    open_desk,
    statement,
)

K, OPEN, RESOLVED = DifferenceClass, DifferenceState.OPEN, DifferenceState.RESOLVED
DEBIT, CREDIT = Direction.DEBIT, Direction.CREDIT
COUNT = 60
RECORD_BYTES = 36


@pytest.fixture
async def desk(dsn: str) -> AsyncIterator[Desk]:
    """A desk on this test's database."""
    async with open_desk(dsn) as opened:
        yield opened


@pytest.fixture
async def world(sql: asyncpg.Connection) -> World:
    """Some banks."""
    return await a_world(sql)


def some_items() -> list[ClearingItem]:
    """Items of both directions."""
    return [an_item(n, direction=DEBIT if n % 3 else CREDIT) for n in range(COUNT)]


def corrupted(lines: list[Line]) -> tuple[list[Line], "Counter[tuple[DifferenceClass, Cause, DifferenceState]]"]:
    """The lines with a known list of faults, and what has to be found."""
    lines = list(lines)
    lines[1] = changed(lines[1], amount=lines[1].amount + 1)  # off by one fen
    lines[2] = changed(lines[2], amount=lines[2].amount - 1)
    lines[4] = changed(lines[4], direction=CREDIT)
    lines[5] = changed(lines[5], booked_on=days(1))
    lines[7] = changed(lines[7], booked_on=days(6))
    lines.append(lines[8])  # the same line twice
    lines.append(changed(lines[10], ref="again"))
    lines.append(Line("nobody's", a_payment(9_999), DEBIT, 77, days(0)))
    lines.append(Line("no reference", "", DEBIT, 78, days(0)))
    del lines[11], lines[12]  # and the one after it
    return lines, Counter(
        {
            (K.AMOUNT_DIFF, Cause.OTHER_AMOUNT, OPEN): 2,
            (K.DIRECTION_DIFF, Cause.SIDES_SWAPPED, OPEN): 1,
            (K.DATE_DIFF, Cause.NEXT_DAY, RESOLVED): 1,
            (K.DATE_DIFF, Cause.FAR_DAY, OPEN): 1,
            (K.DUPLICATE, Cause.SENT_TWICE, OPEN): 1,
            (K.DUPLICATE, Cause.BOOKED_TWICE, OPEN): 1,
            (K.LONG, Cause.UNKNOWN_REFERENCE, OPEN): 1,
            (K.LONG, Cause.NO_REFERENCE, OPEN): 1,
            (K.SHORT, Cause.NOT_BOOKED, OPEN): 2,
        }
    )


async def test_a_true_statement_is_balanced(desk: Desk, sql: asyncpg.Connection, world: World) -> None:
    items = some_items()
    await give_files(sql, world.banks[0], items)
    found = await desk.reconcile(world.banks[0], statement(map(line_of, items)))
    loaded = await desk.load(found)
    assert await desk.found(found) == (COUNT, Counter())
    assert loaded.state is ReconciliationState.BALANCED
    assert (loaded.our_count, loaded.our_debits, loaded.our_credits) == (
        loaded.line_count,
        loaded.debit_total,
        loaded.credit_total,
    )
    assert loaded.line_count == COUNT


async def test_known_faults_give_exactly_their_classes(desk: Desk, sql: asyncpg.Connection, world: World) -> None:
    items = some_items()
    await give_files(sql, world.banks[0], items)
    lines, expected = corrupted([line_of(item) for item in items])
    found = await desk.reconcile(world.banks[0], statement(lines))
    assert await desk.found(found) == (COUNT - 7, expected)
    assert (await desk.load(found)).state is ReconciliationState.DIFFERENT


async def test_order_of_the_lines_does_not_matter(desk: Desk, sql: asyncpg.Connection, world: World) -> None:
    items = some_items()
    await give_files(sql, world.banks[0], items)
    lines, expected = corrupted([line_of(item) for item in items])
    random.Random(7).shuffle(lines)
    assert await desk.found(await desk.reconcile(world.banks[0], statement(lines))) == (COUNT - 7, expected)


async def test_equal_totals_with_other_details_do_not_pass(desk: Desk, sql: asyncpg.Connection, world: World) -> None:
    items = [an_item(n, amount=100) for n in range(4)]
    await give_files(sql, world.banks[0], items)
    lines = [line_of(item) for item in items]
    lines[0], lines[1] = changed(lines[0], amount=99), changed(lines[1], amount=101)
    found = await desk.reconcile(world.banks[0], statement(lines))
    loaded = await desk.load(found)
    assert (loaded.our_debits, loaded.our_credits) == (loaded.debit_total, loaded.credit_total)
    assert loaded.state is ReconciliationState.DIFFERENT
    assert (await desk.found(found))[1] == {(K.AMOUNT_DIFF, Cause.OTHER_AMOUNT, OPEN): 2}


async def test_another_banks_item_is_as_unknown_as_one_that_does_not_exist(
    desk: Desk, sql: asyncpg.Connection, world: World, dsn: str
) -> None:
    async with a_ledger(dsn) as ledger:
        await ledger.submit(world.open_account(card=1, amount=1_000))
        paid = await ledger.submit(world.authorize(card=1, merchant=1, amount=500))
    assert paid.answer.payment is not None
    theirs = id_text(paid.answer.payment.id)
    await give_files(sql, world.banks[0], [an_item(1)])
    lines = [line_of(an_item(1)), Line("x", theirs, DEBIT, 500, days(0)), Line("y", a_payment(77), DEBIT, 500, days(0))]
    found = await desk.reconcile(world.banks[0], statement(lines))
    assert await desk.found(found) == (1, Counter({(K.LONG, Cause.UNKNOWN_REFERENCE, OPEN): 2}))


async def test_what_was_never_captured_differs_in_status(
    desk: Desk, sql: asyncpg.Connection, world: World, dsn: str
) -> None:
    async with a_ledger(dsn) as ledger:
        held = await ledger.submit(world.authorize(card=0, merchant=0, amount=500, capture=False))
        assert held.answer.payment is not None
        await ledger.submit(world.void(held.answer.payment.id))
    await give_files(sql, world.banks[0], [])
    lines = [Line("x", id_text(held.answer.payment.id), DEBIT, 500, days(0))]
    found = await desk.reconcile(world.banks[0], statement(lines))
    assert await desk.found(found) == (0, Counter({(K.STATUS_DIFF, Cause.NOT_CAPTURED, OPEN): 1}))


async def test_an_item_of_the_open_cycle_came_too_early(
    desk: Desk, sql: asyncpg.Connection, world: World, dsn: str
) -> None:
    async with a_ledger(dsn) as ledger:
        paid = await ledger.submit(world.authorize(card=0, merchant=1, amount=500))
    assert paid.answer.payment is not None
    assert await sql.fetchval("SELECT count(*) FROM posting WHERE phase = $1", Phase.POST) == 1
    await give_files(sql, world.banks[0], [])
    lines = [Line("x", id_text(paid.answer.payment.id), DEBIT, 500, days(0))]
    found = await desk.reconcile(world.banks[0], statement(lines))
    assert await desk.found(found) == (0, Counter({(K.LONG, Cause.NOT_PUBLISHED, OPEN): 1}))


@pytest.mark.parametrize("is_late_first", [False, True])
async def test_what_one_statement_lacks_and_the_next_one_has_is_settled_in_either_order(
    desk: Desk, sql: asyncpg.Connection, world: World, is_late_first: bool
) -> None:
    bank = world.banks[0]
    today, tomorrow = [an_item(n) for n in range(3)], [an_item(n) for n in range(10, 13)]
    await give_files(sql, bank, today)
    await give_files(sql, bank, tomorrow, business_date=days(1))
    first = statement([line_of(item) for item in today[:2]], file_id="ST-1")
    late = [line_of(today[2], booked_on=days(1)), *(line_of(item, booked_on=days(1)) for item in tomorrow)]
    second = statement(late, file_id="ST-2", business_date=days(1))
    made = {}
    for content in (second, first) if is_late_first else (first, second):
        made[content] = await desk.reconcile(bank, content)
    assert await desk.found(made[first]) == (2, Counter({(K.DATE_DIFF, Cause.NEXT_DAY, RESOLVED): 1}))
    assert await desk.found(made[second]) == (3, Counter({(K.DATE_DIFF, Cause.NEXT_DAY, RESOLVED): 1}))
    (lacking,), (had,) = await desk.differences(made[first]), await desk.differences(made[second])
    assert (lacking.tied_to, had.tied_to) == (had.place, lacking.place)
    assert (lacking.our_amount, lacking.amount, lacking.booked_on) == (102, 102, days(1))
    assert {(await desk.load(found)).state for found in made.values()} == {ReconciliationState.BALANCED}


@pytest.mark.parametrize("is_late_first", [False, True])
async def test_an_item_that_is_in_both_statements_is_a_duplicate_in_either_order(
    desk: Desk, sql: asyncpg.Connection, world: World, dsn: str, is_late_first: bool
) -> None:
    bank = world.banks[0]
    item, today = await captured(dsn, sql, world)
    await give_files(sql, bank, [item], business_date=today)
    tomorrow = today + timedelta(days=1)
    await give_files(sql, bank, [], business_date=tomorrow)
    first = statement([line_of(item, booked_on=today)], file_id="ST-1", business_date=today)
    second = statement([line_of(item, booked_on=tomorrow, ref="X")], file_id="ST-2", business_date=tomorrow)
    made = {}
    for content in (second, first) if is_late_first else (first, second):
        made[content] = await desk.reconcile(bank, content)
        if len(made) == 1 and is_late_first:  # nobody knows yet that the first statement has it too
            (kind,) = (await desk.found(made[second]))[1]
            assert (kind[0], kind[2]) == (K.DATE_DIFF, RESOLVED)
    assert await desk.found(made[first]) == (1, Counter())
    assert await desk.found(made[second]) == (0, Counter({(K.DUPLICATE, Cause.BOOKED_TWICE, OPEN): 1}))


@pytest.mark.parametrize("is_late_first", [False, True])
async def test_an_item_that_only_the_next_statement_has_is_found_before_its_own_has_come(
    desk: Desk, sql: asyncpg.Connection, world: World, dsn: str, is_late_first: bool
) -> None:
    bank = world.banks[0]
    item, today = await captured(dsn, sql, world)
    tomorrow = today + timedelta(days=1)
    await give_files(sql, bank, [item], business_date=today)
    await give_files(sql, bank, [], business_date=tomorrow)
    first = statement([], file_id="ST-1", business_date=today)
    second = statement([line_of(item, booked_on=tomorrow)], file_id="ST-2", business_date=tomorrow)
    made = {
        content: await desk.reconcile(bank, content)
        for content in ((second, first) if is_late_first else (first, second))
    }
    for content in (first, second):
        matched, differences = await desk.found(made[content])
        ((kind, _, state),) = differences
        assert (matched, kind, state) == (0, K.DATE_DIFF, RESOLVED)


async def captured(dsn: str, sql: asyncpg.Connection, world: World) -> tuple[ClearingItem, date]:
    """A payment that the first bank has an item of, in a cycle that is out, and its business date."""
    async with a_ledger(dsn) as ledger:
        paid = await ledger.submit(world.authorize(card=0, merchant=1, amount=500))
    assert paid.answer.payment is not None
    await sql.execute("UPDATE control SET published_cycle = cycle")
    payment = paid.answer.payment
    return an_item(1, payment_id=id_text(payment.id), amount=500), payment.business_date


async def test_a_later_statement_of_the_same_files_replaces_the_earlier_one(
    desk: Desk, sql: asyncpg.Connection, world: World
) -> None:
    bank, items = world.banks[0], [an_item(n) for n in range(4)]
    await give_files(sql, bank, items)
    lines = [line_of(item) for item in items]
    wrong = [changed(lines[0], amount=1), changed(lines[1], amount=2), *lines[2:]]
    old = await desk.reconcile(bank, statement(wrong, file_id="ST-1"))
    handled = (await desk.differences(old))[0]
    assert await desk.reads.assign(handled.place, owner="opr-1")
    assert await desk.reads.settle(
        handled.place,
        from_states=[OPEN],
        state=DifferenceState.SUSPENDED,
        handling=Handling.SUSPEND_REST,
        resolution="apr-1",
        at=handled.first_seen_at,
    )
    new = await desk.reconcile(bank, statement([wrong[0], *lines[1:]], file_id="ST-2"))
    superseded = await desk.load(old)
    assert (superseded.state, superseded.superseded_by) == (ReconciliationState.SUPERSEDED, new)
    (carried,) = await desk.differences(new)
    assert (carried.state, carried.owner, carried.resolution) == (DifferenceState.SUSPENDED, "opr-1", "apr-1")
    assert carried.first_seen_at == handled.first_seen_at


async def test_the_same_statement_under_another_id_finds_the_same(
    desk: Desk, sql: asyncpg.Connection, world: World
) -> None:
    items = some_items()
    await give_files(sql, world.banks[0], items)
    lines, expected = corrupted([line_of(item) for item in items])
    first = await desk.reconcile(world.banks[0], statement(lines, file_id="ST-1"))
    before = await desk.differences(first)
    second = await desk.reconcile(world.banks[0], statement(lines, file_id="ST-2"))
    assert await desk.found(second) == (COUNT - 7, expected)
    again = await desk.differences(second)
    assert [shown(difference) for difference in again] == [shown(difference) for difference in before]


def shown(difference: DifferenceRecord) -> DifferenceRecord:
    """A difference but for whose it is, whether its statement stands, and when it was settled."""
    return msgspec.structs.replace(difference, reconciliation=b"", is_loose=False, settled_at=None)


async def test_a_comparison_that_was_cut_short_is_done_from_the_stored_bytes(
    desk: Desk, sql: asyncpg.Connection, world: World
) -> None:
    items = some_items()
    await give_files(sql, world.banks[0], items)
    lines, expected = corrupted([line_of(item) for item in items])
    found = await desk.reconcile(world.banks[0], statement(lines))
    before = await desk.differences(found)
    await sql.execute("UPDATE reconciliation SET state = 1")
    await sql.execute("DELETE FROM difference WHERE n > 3")
    (again,) = await desk.statements.reconcile_pending()
    assert (again.id, again.matched_count) == (found, COUNT - 7)
    assert await desk.found(found) == (COUNT - 7, expected)
    assert [d.n for d in await desk.differences(found)] == [d.n for d in before]
    assert await desk.statements.reconcile_pending() == []


async def test_a_reference_stands_in_for_a_payment_id_only_if_it_names_one_payment(
    desk: Desk, sql: asyncpg.Connection, world: World
) -> None:
    items = [
        an_item(1, amount=100),
        an_item(2, amount=200, order_no="same"),
        an_item(3, amount=200, order_no="same"),
        an_item(4, amount=400, order_no="order-4"),
        an_item(5, amount=500),
    ]
    await give_files(sql, world.banks[0], items)
    lines = [
        Line(a_payment(1), "", DEBIT, 100, days(0)),  # our id as the bank's own reference
        Line("same", "", DEBIT, 200, days(0)),  # two payments have this order number
        Line("order-4", "", DEBIT, 400, days(0)),  # one has
        Line("R5", a_payment(5), DEBIT, 500, days(0)),
        Line("R5", "", DEBIT, 500, days(0)),  # the reference of a line that names its payment
    ]
    found = await desk.reconcile(world.banks[0], statement(lines))
    assert await desk.found(found) == (
        3,
        Counter(
            {
                (K.DUPLICATE, Cause.SENT_TWICE, OPEN): 1,
                (K.LONG, Cause.NO_REFERENCE, OPEN): 1,
                (K.SHORT, Cause.NOT_BOOKED, OPEN): 2,
            }
        ),
    )


async def test_lines_without_a_payment_that_repeat_each_other_are_duplicates(
    desk: Desk, sql: asyncpg.Connection, world: World
) -> None:
    await give_files(sql, world.banks[0], [])
    lines = [Line("r", "", DEBIT, 5, days(0)), Line("r", "", DEBIT, 5, days(0)), Line("s", "", DEBIT, 5, days(0))]
    found = await desk.reconcile(world.banks[0], statement(lines))
    assert (await desk.found(found))[1] == {
        (K.LONG, Cause.NO_REFERENCE, OPEN): 2,
        (K.DUPLICATE, Cause.SENT_TWICE, OPEN): 1,
    }


async def test_a_statement_of_one_cycle_is_about_that_cycles_files(
    desk: Desk, sql: asyncpg.Connection, world: World
) -> None:
    bank = world.banks[0]
    early, late = an_item(1), an_item(2)
    await give_files(sql, bank, [early], sequence=2, first_sequence=1)
    await give_files(sql, bank, [late], sequence=3)
    found = await desk.reconcile(bank, statement([line_of(early)], cycle=2, file_id="ST-2"))
    assert await desk.found(found) == (1, Counter())
    loaded = await desk.load(found)
    assert (loaded.cycle_from % 100, loaded.cycle_to % 100, loaded.is_whole_day) == (1, 2, False)
    wrong = await desk.receive(bank, statement([line_of(early)], cycle=1, file_id="ST-1"))
    assert isinstance(wrong, Rejected)
    assert [fault.pointer for fault in wrong.faults] == ["/heading/cycle"]
    day = await desk.reconcile(bank, statement([line_of(early), line_of(late)], file_id="ST-D"))
    assert await desk.found(day) == (2, Counter())
    assert (await desk.load(found)).superseded_by == day


async def test_what_the_bank_has_returned_is_not_expected_of_it(
    dsn: str, sql: asyncpg.Connection, world: World
) -> None:
    items = [an_item(n) for n in range(3)]
    names = await give_files(sql, world.banks[0], items)

    async def returned(connection: AnyConnection, file: str) -> Collection[int]:
        return {1, 2} if file == names["COLLECT"] else ()

    async with open_desk(dsn, returned=returned) as desk:
        found = await desk.reconcile(world.banks[0], statement([line_of(items[1]), line_of(items[2])]))
        assert await desk.found(found) == (1, Counter({(K.STATUS_DIFF, Cause.RETURNED_YET_BOOKED, OPEN): 1}))


async def test_matches_are_found_by_their_payment(desk: Desk, sql: asyncpg.Connection, world: World) -> None:
    bank = world.banks[0]
    items = [an_item(n) for n in range(3)] + [an_item(1, leg="310100", amount=7)]
    names = await give_files(sql, bank, items)
    found = await desk.reconcile(bank, statement(map(line_of, items)))
    matches = await desk.reads.matches_of_payment(a_payment(1), dates=[days(0)])
    assert {(m.reconciliation, m.file, m.seq, m.line) for m in matches} == {
        (found, names["COLLECT"], 2, 3),
        (found, names["COLLECT"], 4, 5),
    }
    assert await desk.reads.matches_of_payment(a_payment(1), dates=[days(1)]) == []
    assert await desk.reads.matches_of_payment(a_payment(5_000), dates=[days(0)]) == []


async def test_a_difference_is_settled_once(desk: Desk, sql: asyncpg.Connection, world: World) -> None:
    await give_files(sql, world.banks[0], [an_item(1)])
    found = await desk.reconcile(world.banks[0], statement([]))
    (difference,) = await desk.differences(found)

    async def settle(resolution: str) -> bool:
        return await desk.reads.settle(
            difference.place,
            from_states=[OPEN],
            state=RESOLVED,
            handling=Handling.DECIDE,
            resolution=resolution,
            at=difference.first_seen_at,
        )

    settled = await asyncio.gather(*(settle(f"apr-{n}") for n in range(5)))
    assert sorted(settled) == [False, False, False, False, True]
    assert (await desk.load(found)).state is ReconciliationState.BALANCED


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_pages_of_any_size_give_the_same(
    desk: Desk, sql: asyncpg.Connection, world: World, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("engine.store.reconciliation_session.KEYS_AT_ONCE", size)
    monkeypatch.setattr("engine.flows.compare_statement.PAYMENTS_AT_ONCE", size)
    monkeypatch.setattr("engine.flows.compare_statement.DIFFERENCES_AT_ONCE", size)
    monkeypatch.setattr("engine.flows.compare_statement.MATCHES_A_ROW", size)
    monkeypatch.setattr("engine.flows.compare_statement.MATCH_ROWS_AT_ONCE", 1)
    monkeypatch.setattr("engine.flows.tie_loose_ends.PAYMENTS_AT_ONCE", size)
    monkeypatch.setattr("engine.flows.receive_upload.READINGS_AT_ONCE", size)
    items = [*some_items(), *(an_item(n, leg="310100", amount=50 + n) for n in range(20))]
    await give_files(sql, world.banks[0], items)
    lines, expected = corrupted([line_of(item) for item in items])
    random.Random(size).shuffle(lines)
    found = await desk.reconcile(world.banks[0], statement(lines))
    matched, differences = await desk.found(found)
    assert matched == COUNT + 20 - 7
    assert differences == expected
    rows = await sql.fetch("SELECT records FROM reconciliation_match")
    assert sum(len(row["records"]) for row in rows) == RECORD_BYTES * matched
    for n in (0, 14, 19):
        matches = await desk.reads.matches_of_payment(a_payment(n), dates=[days(0)])
        assert len(matches) == 2


async def test_statements_of_one_bank_at_once_give_what_they_give_one_by_one(
    desk: Desk, sql: asyncpg.Connection, world: World
) -> None:
    bank = world.banks[0]
    today, tomorrow = [an_item(n) for n in range(5)], [an_item(n) for n in range(10, 13)]
    await give_files(sql, bank, today)
    await give_files(sql, bank, tomorrow, business_date=days(1))
    late = [*(line_of(item, booked_on=days(1)) for item in [*today[3:], *tomorrow])]
    contents = [
        statement([line_of(item) for item in today[:3]], file_id="ST-1"),
        statement(late, file_id="ST-2", business_date=days(1)),
    ]
    first, second = await asyncio.gather(*(desk.reconcile(bank, content) for content in contents))
    settled = Counter({(K.DATE_DIFF, Cause.NEXT_DAY, RESOLVED): 2})
    assert (await desk.found(first), await desk.found(second)) == ((3, settled), (3, settled))


async def test_a_merchant_that_moves_to_a_bank_does_not_show_it_what_was_before(
    desk: Desk, sql: asyncpg.Connection, world: World, dsn: str
) -> None:
    async with a_ledger(dsn) as ledger:
        paid = await ledger.submit(world.authorize(card=1, merchant=1, amount=500))
    assert paid.answer.payment is not None
    cycle = await publish(dsn)
    await sql.execute("UPDATE merchant SET bank = $1", world.banks[0])
    day = cycle_date(cycle)
    lines = [Line("x", id_text(paid.answer.payment.id), direction, 500, day) for direction in (DEBIT, CREDIT)]
    found = await desk.reconcile(world.banks[0], statement(lines, business_date=day))
    assert await desk.found(found) == (0, Counter({(K.LONG, Cause.UNKNOWN_REFERENCE, OPEN): 2}))
    own = await desk.reconcile(world.banks[1], statement(lines, business_date=day, sender=OTHER))
    assert await desk.found(own) == (2, Counter())


async def test_what_is_in_suspense_is_found_in_a_later_statement_and_left_to_a_person(
    desk: Desk, sql: asyncpg.Connection, world: World
) -> None:
    bank, item = world.banks[0], an_item(1)
    await give_files(sql, bank, [item])
    await give_files(sql, bank, [], business_date=days(1))
    first = await desk.reconcile(bank, statement([], file_id="ST-1"))
    (lacking,) = await desk.differences(first)
    assert await desk.reads.settle(
        lacking.place,
        from_states=[OPEN],
        state=DifferenceState.SUSPENDED,
        handling=Handling.AWAIT_NEXT_STATEMENT,
        resolution="apr-1",
        at=lacking.first_seen_at,
    )
    late = statement([line_of(item, booked_on=days(1))], file_id="ST-2", business_date=days(1))
    second = await desk.reconcile(bank, late)
    (had,), (still,) = await desk.differences(second), await desk.differences(first)
    assert (had.kind, had.state, had.tied_to) == (K.DATE_DIFF, OPEN, lacking.place)
    assert (still.kind, still.state, still.resolution) == (K.SHORT, DifferenceState.SUSPENDED, "apr-1")
