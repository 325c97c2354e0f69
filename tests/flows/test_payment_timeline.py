"""A payment's timeline tells all that happened to it, in order, and where it is in the banks' files."""

import asyncio
from itertools import pairwise

import asyncpg
import pytest

from engine.core.clearing_lines import FileKind
from engine.core.ids import BankId, PaymentId, id_text
from engine.core.payment_timeline import Step, StepKind, in_order
from engine.flows import find_lines
from engine.flows.payment_timeline import payment_timeline
from engine.flows.receive_upload import Receipt
from engine.flows.timeline_steps import Viewer
from engine.formats.file_names import parse_file_name
from engine.store import connection, timelines
from engine.store.timelines import Timelines
from tests.builders import World, a_world
from tests.flows.busy_books import a_ledger, busy_books, insured
from tests.flows.clearing_books import ReadFile, close, publish, read_all_files, stored_bytes
from tests.flows.return_books import a_day

EVERYBODY = Viewer(sees_cards=True)


async def timeline_of(dsn: str, payment: PaymentId, viewer: Viewer = EVERYBODY) -> list[Step] | None:
    """The steps of a payment, in order."""
    pool = await connection.open_pool(dsn, size_max=2)
    try:
        found = await Timelines(pool).payment(payment)
        assert found is not None
        steps = await payment_timeline(pool, found, viewer)
        assert steps is None or steps == in_order(steps)
        return steps
    finally:
        await pool.close()


async def steps_of(dsn: str, payment: PaymentId, viewer: Viewer = EVERYBODY) -> list[Step]:
    """The same, where there are any."""
    steps = await timeline_of(dsn, payment, viewer)
    assert steps is not None
    assert all(earlier.at <= later.at for earlier, later in pairwise(steps))
    return steps


def kinds(steps: list[Step]) -> list[StepKind]:
    """What happened."""
    return [step.kind for step in steps]


def of_kind(steps: list[Step], kind: StepKind) -> list[Step]:
    """The steps of one kind."""
    return [step for step in steps if step.kind is kind]


def lines_in(files: list[ReadFile], payment: PaymentId) -> set[tuple[str, str, int]]:
    """File, place and amount of a payment's lines in COLLECT and CREDIT files, as reading them finds."""
    return {
        (file.name, str(place), item.amount)
        for file in files
        if file.heading.kind in (FileKind.COLLECT, FileKind.CREDIT)
        for place, item in enumerate(file.items, 1)
        if item.payment_id == id_text(payment)
    }


def lines_told(steps: list[Step]) -> set[tuple[str, str, int]]:
    """The same, as the timeline tells it."""
    told = of_kind(steps, StepKind.FILE_LINE)
    found = {(step.ids["file"], step.ids["line"], step.amount or 0) for step in told}
    assert len(found) == len(told)
    return found


async def test_life_of_a_hold(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_ledger(dsn) as ledger:
        await ledger.submit(world.open_account(card=0, amount=300))
        held = await ledger.submit(world.authorize(card=0, amount=500, capture=False, order_no="A-1"))
        assert held.answer.payment is not None
        payment = held.answer.payment.id
        await ledger.submit(world.capture(payment, amount=400))
        await ledger.submit(world.refund(payment, amount=30, refund_no="R-1"))
    steps = await steps_of(dsn, payment)
    assert kinds(steps) == [
        StepKind.AUTHORIZED,
        *[StepKind.HELD] * 2,
        StepKind.CAPTURED,
        *[StepKind.RELEASED] * 2,
        *[StepKind.POSTED] * 2,
        StepKind.REFUNDED,
        StepKind.POSTED,
    ]
    assert [step.amount for step in steps] == [500, 300, 200, 400, 300, 200, 300, 100, 30, 30]
    assert steps[0].ids["order_no"] == "A-1"
    assert steps[8].ids["refund_no"] == "R-1"
    row = await sql.fetchrow("SELECT lane, seq, n FROM posting WHERE amount = 100")
    assert row is not None
    assert steps[7].ids["posting"] == f"{row['lane']}.{row['seq']}.{row['n']}"


async def test_declined_payment_tells_why(dsn: str, sql: asyncpg.Connection) -> None:
    books = await busy_books(dsn, sql)
    (step,) = await steps_of(dsn, books.declined)
    assert (step.kind, step.amount, step.ids["code"]) == (StepKind.DECLINED, 10_000_000, "insufficient-funds")


async def test_every_line_is_found_where_it_is(
    dsn: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In both forms, in every file, for every payment: files of many parts, several lanes, refunds beside payments."""
    monkeypatch.setattr(find_lines, "CHUNK_BYTES", 600)
    monkeypatch.setattr("engine.flows.cycle_files.CHUNK_BYTES", 600)
    whole_files = _counted(monkeypatch)
    world = await a_world(sql)
    payments = await _a_busy_cycle(dsn, world)
    cycle = await close(dsn)
    await publish(dsn, cycle)
    files = await read_all_files(sql, cycle)
    for payment in payments:
        steps = await steps_of(dsn, payment)
        assert lines_told(steps) == lines_in(files, payment) != set()
    assert whole_files == [], "found by halves, never by reading the whole file"


async def test_line_is_found_by_reading_all_if_the_search_misleads(
    dsn: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.flows.cycle_files.CHUNK_BYTES", 600)
    monkeypatch.setattr(find_lines, "CHUNK_BYTES", 600)
    monkeypatch.setattr(find_lines, "PARTS_OF_A_BATCH", 1)

    async def misled(*_: object) -> None:
        return None

    monkeypatch.setattr(Timelines, "batch_of_line", misled)
    world = await a_world(sql)
    payments = await _a_busy_cycle(dsn, world)
    cycle = await close(dsn)
    await publish(dsn, cycle)
    files = await read_all_files(sql, cycle)
    for payment in payments[::5]:
        assert lines_told(await steps_of(dsn, payment)) == lines_in(files, payment)


async def test_file_over_several_cycles_is_searched_in_their_order(dsn: str, sql: asyncpg.Connection) -> None:
    """A bank that gets its files at the day's second cycle finds the first one's items in them."""
    world = await a_world(sql)
    await sql.execute("UPDATE bank SET delivery = '{2}'")
    first = await _a_busy_cycle(dsn, world)
    await publish(dsn, await close(dsn))
    (payment, *_) = first
    assert of_kind(await steps_of(dsn, payment), StepKind.FILE_LINE) == []
    second = await _a_busy_cycle(dsn, world)
    cycle = await close(dsn)
    await publish(dsn, cycle)
    files = await read_all_files(sql, cycle)
    for payment in (*first[::3], *second[::3]):
        assert lines_told(await steps_of(dsn, payment)) == lines_in(files, payment) != set()


async def test_bank_sees_its_part_once_it_is_published(dsn: str, sql: asyncpg.Connection) -> None:
    """The card's bank, the merchant's and the funds': each its own end; the fourth nothing."""
    world = await a_world(sql, bank_count=4)
    async with a_ledger(dsn) as ledger:
        await ledger.submit(world.open_account(card=1, amount=1_000))
        paid = await ledger.submit(insured(world.authorize(card=1, merchant=0, amount=1_500)))
        assert paid.answer.payment is not None
    payment = paid.answer.payment.id
    merchants, cards, fourth, funds = world.banks
    for bank in world.banks:
        assert await timeline_of(dsn, payment, Viewer(bank=bank)) is None
    await publish(dsn, await close(dsn))
    assert await timeline_of(dsn, payment, Viewer(bank=fourth)) is None
    for bank, amounts, kind in (
        (merchants, [200, 1_000, 300], "CREDIT"),
        (cards, [300], "COLLECT"),
        (funds, [200, 1_000], "COLLECT"),
    ):
        steps = await steps_of(dsn, payment, Viewer(bank=bank))
        assert [step.amount for step in of_kind(steps, StepKind.POSTED)] == amounts
        assert {parse_file_name(step.ids["file"]).kind for step in of_kind(steps, StepKind.FILE_LINE)} == {kind}
        assert {step.ids["bank"] for step in of_kind(steps, StepKind.FILE_LINE)} == {await number_of(sql, bank)}
        assert not of_kind(steps, StepKind.CAPTURED), "what it was at the till is the merchant's business"


async def test_merchant_sees_no_cardholders_id(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_ledger(dsn) as ledger:
        await ledger.submit(world.open_account(card=0, amount=10))
        paid = await ledger.submit(world.authorize(card=0, amount=30))
        assert paid.answer.payment is not None
    card = id_text(world.cards[0])
    of_operator = await steps_of(dsn, paid.answer.payment.id)
    of_merchant = await steps_of(dsn, paid.answer.payment.id, Viewer())
    assert [step.ids.get("debit") for step in of_operator][1] == f"payer:{card}:personal_account"
    assert [step.ids.get("debit") for step in of_merchant][1] == "payer:personal_account"
    assert card not in str(of_merchant)


async def test_receipts_and_settlement_are_told(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_ledger(dsn) as ledger:
        paid = await ledger.submit(world.authorize(card=0, merchant=1, amount=30))
        assert paid.answer.payment is not None
    payment = paid.answer.payment.id
    cycle = await close(dsn)
    await publish(dsn, cycle)
    (name,) = [
        name
        for name in await stored_bytes(sql, cycle)
        if "_COLLECT_" in name and name.endswith(".txt") and f"_{await number_of(sql, world.banks[0])}_" in name
    ]
    await sql.execute(
        "INSERT INTO file_receipt VALUES ($1, clock_timestamp() + '1 min', clock_timestamp() + '2 min')", name
    )
    await sql.execute("UPDATE clearing_file SET status = 'acknowledged' WHERE name = $1", name)
    await sql.execute("UPDATE clearing_run SET settled_at = clock_timestamp() + '3 min' WHERE cycle = $1", cycle)
    steps = await steps_of(dsn, payment)
    assert kinds(steps)[-3:] == [StepKind.PULLED, StepKind.ACKNOWLEDGED, StepKind.SETTLED]
    assert steps[-2].ids["file"] == name
    assert steps[-2].ids["status"] == "acknowledged"
    assert "settlement_date" in steps[-1].ids
    assert not of_kind(await steps_of(dsn, payment, Viewer(bank=world.banks[1])), StepKind.PULLED)


async def test_item_that_drops_out_is_told_to_its_bank_and_to_the_merchant(dsn: str, sql: asyncpg.Connection) -> None:
    """It leaves its cycle and its return is posted: steps beside the line that told of it."""
    async with a_day(dsn, sql) as day:
        item = await day.card_item(await day.publish(), 0)
        receipt = await day.give_back(0, [item])
        assert isinstance(receipt, Receipt)
    payment, own = day.payments[0], Viewer(bank=day.bank(0))
    steps = await steps_of(dsn, payment)
    (returned,), (posted,) = of_kind(steps, StepKind.RETURNED), of_kind(steps, StepKind.RETURN_POSTED)
    (dropped,) = of_kind(steps, StepKind.DROPPED)
    (line,) = [
        step.ids
        for step in of_kind(await steps_of(dsn, payment, own), StepKind.FILE_LINE)
        if step.ids["form"] == "flat" and "_COLLECT_" in step.ids["file"]
    ]
    told = {"reason": "AC04", "file": line["file"], "line": line["line"], "upload": id_text(receipt.upload.id)}
    assert returned.ids.items() >= told.items()
    assert returned.ids["posting"] == dropped.ids["posting"] == line["posting"]
    assert (returned.amount, posted.amount, dropped.amount) == (item.amount,) * 3
    assert id_text(day.world.cards[0]) not in str(await steps_of(dsn, payment, Viewer()))
    assert of_kind(await steps_of(dsn, payment, own), StepKind.RETURNED)
    funds = await steps_of(dsn, payment, Viewer(bank=day.bank(3)))
    assert not of_kind(funds, StepKind.RETURNED)


async def test_item_that_is_undone_and_presented_again_is_in_the_next_files(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        cycle = await day.publish()
        item = await day.card_item(cycle, 0)
        await day.instruct(cycle)
        assert isinstance(await day.give_back(0, [item]), Receipt)
        await day.settle(cycle)
        following = await day.publish()
    payment = day.payments[0]
    steps = await steps_of(dsn, payment)
    order = [StepKind.RETURNED, StepKind.RETURN_POSTED, StepKind.SETTLED, StepKind.PRESENTED_AGAIN, StepKind.PUBLISHED]
    found = [kind for kind in kinds(steps) if kind in order]
    assert found == [StepKind.PUBLISHED, *order]
    files = [*await read_all_files(sql, cycle), *await read_all_files(sql, following)]
    assert lines_told(steps) == lines_in(files, payment)
    of_bank = of_kind(await steps_of(dsn, payment, Viewer(bank=day.bank(0))), StepKind.FILE_LINE)
    assert {parse_file_name(step.ids["file"]).cycle for step in of_bank} == {cycle, following}


async def number_of(sql: asyncpg.Connection, bank: BankId) -> str:
    """The CNAPS number of a bank."""
    number = await sql.fetchval("SELECT cnaps FROM bank WHERE id = $1", bank)
    return f"{number:012d}"


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read as a whole from now on."""
    read: list[str] = []
    search_all = find_lines._search_all

    async def counted(reads: Timelines, file: timelines.TimelineFile, *rest: object) -> object:
        read.append(file.name)
        return await search_all(reads, file, *rest)  # type: ignore[arg-type]  # passed on as they come

    monkeypatch.setattr(find_lines, "_search_all", counted)
    return read


async def _a_busy_cycle(dsn: str, world: World) -> list[PaymentId]:
    """Payments in batches of many sizes over two lanes, some given back at once."""
    async with a_ledger(dsn) as ledger:
        payments: list[PaymentId] = []
        for size in (1, 7, 1, 12, 3):
            outcomes = await asyncio.gather(
                *(
                    ledger.submit(insured(world.authorize(card=n % 4, merchant=n % 2, amount=200 + n), amount=100))
                    for n in range(size)
                )
            )
            payments += [outcome.answer.payment.id for outcome in outcomes if outcome.answer.payment is not None]
        for n, payment in enumerate(payments[::4]):
            merchant = 0 if (await ledger.submit(world.refund(payment, amount=1 + n, merchant=0))).answer.refund else 1
            await ledger.submit(world.refund(payment, amount=40 + n, merchant=merchant))
    return payments
