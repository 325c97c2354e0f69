"""Publishing: what the files say, that they add up, and that they come out the same whatever happens meanwhile."""

import hashlib
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from engine.core.calendar import CycleNumber, cycle_date, cycle_text, settlement_date
from engine.core.clearing_lines import FileKind, ItemType
from engine.core.ids import BankId, id_text
from engine.flows.build_files import build_files
from engine.flows.close_cycle import close_cycle, seal_cycle
from engine.flows.cycle_files import NoSettlementBank, TotalsDiffer
from engine.flows.publish_cycle import BankMissing, net_cycle, publish_cycle
from engine.formats import bank_file_formats
from engine.store.clearing_reads import ClearingReads
from engine.store.clearing_session import ClearingSession, load_clearing_state, open_clearing
from engine.store.clearing_store import open_next_cycle, publish_files
from engine.store.connection import open_pool
from engine.store.faults import ConnectionLost, Fault, StoreUnavailable
from tests.builders import World, a_world
from tests.flows.busy_books import KEY, a_ledger
from tests.flows.clearing_books import (
    all_items,
    close,
    of_kind,
    pay_and_refund,
    publish,
    read_all_files,
    read_files,
    stored_bytes,
)

FLAT = bank_file_formats()["flat"]

REWIND = """
UPDATE control SET published_cycle = published_cycle - 1;
DELETE FROM clearing_chunk;
DELETE FROM clearing_file;
DELETE FROM net_position;
DELETE FROM clearing_route;
UPDATE clearing_run SET netted_at = NULL, built_at = NULL, published_at = NULL
"""


async def _closed_books(dsn: str, sql: asyncpg.Connection, *, bank_count: int = 4) -> tuple[World, CycleNumber]:
    """A closed cycle with payments from all sources and a refund."""
    world = await a_world(sql, bank_count=bank_count)
    async with a_ledger(dsn) as ledger:
        await pay_and_refund(ledger, world)
    return world, await close(dsn)


async def test_each_item_is_in_its_debtors_and_its_creditors_file(dsn: str, sql: asyncpg.Connection) -> None:
    world, cycle = await _closed_books(dsn, sql)
    await publish(dsn, cycle)
    files = await read_files(sql, cycle)
    for file in files:
        bank = file.heading.receiver_bank
        if file.heading.kind is FileKind.COLLECT:
            assert all(item.debit_bank == bank for item in file.items)
        if file.heading.kind is FileKind.CREDIT:
            assert all(item.credit_bank == bank for item in file.items)
    collected = all_items(files, FileKind.COLLECT)
    assert collected == all_items(files, FileKind.CREDIT)
    # Two payments of three tenders each; of the second 300 come back to the bank card, and 50 to the personal account.
    assert sorted((item.type, item.leg, item.amount) for item in collected) == [
        *[(ItemType.PAY, "310100", 200)] * 2,
        *[(ItemType.PAY, "310200", 1_000)] * 2,
        *[(ItemType.PAY, "BANK", 300)] * 2,
        (ItemType.REFUND, "310200", 50),
        (ItemType.REFUND, "BANK", 300),
    ]
    merchants = {id_text(merchant) for merchant in world.merchants}
    assert {item.merchant_id for item in collected} == merchants


async def test_a_line_has_the_payments_order_instant_and_card(dsn: str, sql: asyncpg.Connection) -> None:
    world, cycle = await _closed_books(dsn, sql)
    await publish(dsn, cycle)
    items = all_items(await read_files(sql, cycle), FileKind.COLLECT)
    stored = {id_text(row["id"]): row for row in await sql.fetch("SELECT * FROM payment")}
    refund = await sql.fetchrow("SELECT * FROM refund")
    assert refund is not None
    for item in items:
        payment = stored[item.payment_id]
        assert item.order_no == payment["order_no"]
        if item.type is ItemType.PAY:
            assert item.occurred_at == payment["captured_at"]
            assert (item.original_payment_id, item.remark) == ("", "")
        else:
            assert item.occurred_at == refund["created_at"]
            assert (item.original_payment_id, item.remark) == (item.payment_id, id_text(refund["id"]))
        if item.leg != "310100":
            token = item.debit_account if item.type is ItemType.PAY else item.credit_account
            assert token == id_text(payment["payer"])
    assert {id_text(card) for card in world.cards[:2]} == {
        item.debit_account for item in items if item.leg == "BANK" and item.type is ItemType.PAY
    }


async def test_files_positions_and_postings_have_the_same_totals(dsn: str, sql: asyncpg.Connection) -> None:
    _, cycle = await _closed_books(dsn, sql)
    await publish(dsn, cycle)
    files = await read_files(sql, cycle)
    posted = await sql.fetchval(
        "SELECT sum(amount) FROM posting WHERE cycle = $1 AND phase = 3 AND kind IN (1, 2)", cycle
    )
    positions = await sql.fetchrow(
        "SELECT sum(debits) AS debits, sum(credits) AS credits FROM net_position WHERE cycle = $1", cycle
    )
    assert positions is not None
    assert (positions["debits"], positions["credits"]) == (posted, posted)
    assert sum(file.totals.debit_total for file in of_kind(files, FileKind.COLLECT)) == posted
    assert sum(file.totals.credit_total for file in of_kind(files, FileKind.CREDIT)) == posted
    manifests = await sql.fetch("SELECT * FROM clearing_file WHERE cycle = $1", cycle)
    totals = {file.name: file.totals for file in await read_all_files(sql, cycle)}
    assert len(totals) == len(manifests)
    for row in manifests:
        said = totals[row["name"]]
        assert (row["item_count"], row["debit_total"], row["credit_total"]) == (
            said.count,
            said.debit_total,
            said.credit_total,
        )


async def test_net_files_move_each_net_position_through_the_settlement_bank(dsn: str, sql: asyncpg.Connection) -> None:
    world, cycle = await _closed_books(dsn, sql)
    await publish(dsn, cycle)
    nets = of_kind(await read_files(sql, cycle), FileKind.NET)
    rows = await sql.fetch(
        "SELECT b.id, b.cnaps, p.credits - p.debits AS net FROM net_position p JOIN bank b ON b.id = p.bank"
    )
    by_bank = {f"{row['cnaps']:012d}": row["net"] for row in rows}
    settlement_bank = next(f"{row['cnaps']:012d}" for row in rows if row["id"] == world.banks[-1])
    assert {file.heading.receiver_bank: file.totals.credit_total - file.totals.debit_total for file in nets} == by_bank
    assert sum(by_bank.values()) == 0
    for file in nets:
        is_settlement_bank = file.heading.receiver_bank == settlement_bank
        moving = [bank for bank, net in by_bank.items() if net and bank != settlement_bank]
        assert len(file.items) == (len(moving) if is_settlement_bank else file.heading.receiver_bank in moving)


async def test_every_bank_gets_every_kind_of_file_even_without_items(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql, bank_count=3)
    cycle = await close(dsn)
    await publish(dsn, cycle)
    files = await read_files(sql, cycle)
    assert len(files) == len(world.banks) * len(FLAT.kinds)
    assert [file.totals.count for file in files] == [0] * len(files)
    day, sequence = cycle_text(cycle).split("-")
    assert [file.name for file in files] == [
        f"SSC_10210000000{bank}_{day}_{sequence}_{kind}_v1.txt" for bank in range(3) for kind in sorted(FLAT.kinds)
    ]
    contents = await stored_bytes(sql, cycle)
    assert sorted(name for name in contents if name.endswith(".xml")) == [
        f"SSC_10210000000{bank}_{day}_{sequence}_ADVICE_v1.xml" for bank in range(3)
    ]
    assert (await load_clearing_state(sql)).control.published_cycle == cycle


async def test_balances_that_are_brought_in_are_not_cleared(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_ledger(dsn) as ledger:
        await ledger.submit(world.open_account(amount=5_000))
        await ledger.submit(world.authorize(card=1, capture=False))
    cycle = await close(dsn)
    await publish(dsn, cycle)
    assert all_items(await read_files(sql, cycle), FileKind.COLLECT) == []


async def test_manifests_are_signed_and_hold_for_the_bytes(dsn: str, sql: asyncpg.Connection) -> None:
    _, cycle = await _closed_books(dsn, sql)
    await publish(dsn, cycle)
    contents = await stored_bytes(sql, cycle)
    rows = await sql.fetch("SELECT * FROM clearing_file")
    assert {row["name"] for row in rows} == set(contents)
    for row in rows:
        content = contents[row["name"]]
        assert (row["size"], row["sha256"]) == (len(content), hashlib.sha256(content).digest())
        assert row["key_id"] == KEY.key_id
        Ed25519PublicKey.from_public_bytes(KEY.public_bytes).verify(row["signature"], row["sha256"])


async def test_a_manifest_names_the_batches_of_its_cycle(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    async with a_ledger(dsn, lane_count=1) as ledger:
        cycles = []
        for _ in range(2):
            await ledger.submit(world.authorize())
            await ledger.submit(world.authorize())
            cycles.append(await close(dsn))
    await publish(dsn, cycles[-1])
    ranges = await sql.fetch("SELECT DISTINCT cycle, range_from, range_to FROM clearing_file ORDER BY cycle")
    assert [tuple(row) for row in ranges] == [(cycles[0], "1.1", "1.2"), (cycles[1], "1.3", "1.4")]


async def test_a_file_names_the_digest_of_the_one_before_it(dsn: str, sql: asyncpg.Connection) -> None:
    world, first = await _closed_books(dsn, sql)
    async with a_ledger(dsn) as ledger:
        await ledger.submit(world.authorize())
        second = await close(dsn)
        await ledger.submit(world.authorize(amount=7))
    third = await close(dsn)
    await publish(dsn, third)
    banks = {f"{row['cnaps']:012d}": row["id"] for row in await sql.fetch("SELECT id, cnaps FROM bank")}
    assert {file.heading.previous_sha256 for file in await read_files(sql, first)} == {""}
    for cycle, previous in ((second, first), (third, second)):
        digests = {
            (row["bank"], row["kind"]): row["sha256"].hex()
            for row in await sql.fetch("SELECT * FROM clearing_file WHERE cycle = $1 AND form = 'flat'", previous)
        }
        for file in await read_files(sql, cycle):
            assert file.heading.previous_sha256 == digests[banks[file.heading.receiver_bank], file.heading.kind]


async def test_closed_cycles_are_published_oldest_first(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    cycles = tuple([await close(dsn) for _ in range(3)])
    assert await publish(dsn, cycles[1]) == cycles[:2]
    state = await load_clearing_state(sql)
    assert (state.control.published_cycle, state.unpublished) == (cycles[1], cycles[2:])


async def test_publishing_again_changes_nothing(dsn: str, sql: asyncpg.Connection) -> None:
    _, cycle = await _closed_books(dsn, sql)
    assert await publish(dsn, cycle) == (cycle,)
    rows = await sql.fetch("SELECT * FROM clearing_file ORDER BY name")
    contents = await stored_bytes(sql, cycle)
    assert await publish(dsn, cycle) == ()
    assert await sql.fetch("SELECT * FROM clearing_file ORDER BY name") == rows
    assert await stored_bytes(sql, cycle) == contents


async def test_files_are_invisible_until_all_of_them_are_there(dsn: str, sql: asyncpg.Connection) -> None:
    world, cycle = await _closed_books(dsn, sql)
    pool = await open_pool(dsn, size_max=1)
    reads = ClearingReads(pool)
    async with open_clearing(dsn) as session:
        await session.lock(wait_s=0.0)
        await net_cycle(session, cycle=cycle)
        await build_files(session, cycle=cycle, signing_key=KEY)
        name = next(iter(await stored_bytes(sql, cycle)))
        bank = BankId(await sql.fetchval("SELECT bank FROM clearing_file WHERE name = $1", name))
        assert await reads.file(bank, name) is None
        assert await reads.expects(bank, cnaps=name[4:16], cycle=cycle)
        assert [await reads.positions(bank, cycle_from=cycle, cycle_to=cycle) for bank in world.banks] == [[]] * 4
        await publish_cycle(session, cycle=cycle, signing_key=KEY)
    assert await reads.file(bank, name) is not None
    assert not await reads.expects(bank, cnaps=name[4:16], cycle=cycle)
    await pool.close()


Step = Callable[[ClearingSession, CycleNumber], Awaitable[object]]


async def _close_only(session: ClearingSession, cycle: CycleNumber) -> None:
    state = await session.load_state()
    await open_next_cycle(
        session,
        cycle=cycle,
        following=CycleNumber(cycle + 1),
        cutoff_at=state.control.cutoff_at,
        closed_at=state.now,
        settlement_date=settlement_date(cycle_date(cycle)),
    )


async def _publish_only(session: ClearingSession, cycle: CycleNumber) -> None:
    await publish_files(session, cycle=cycle, published_at=(await session.load_state()).now)


STEPS: tuple[Step, ...] = (
    _close_only,
    lambda session, cycle: seal_cycle(session, cycle=cycle, signing_key=KEY),
    lambda session, cycle: net_cycle(session, cycle=cycle),
    lambda session, cycle: build_files(session, cycle=cycle, signing_key=KEY),
    _publish_only,
)


@pytest.mark.parametrize("steps_done", range(len(STEPS) + 1))
async def test_a_crash_after_any_step_leaves_the_same_bytes(dsn: str, sql: asyncpg.Connection, steps_done: int) -> None:
    world = await a_world(sql, bank_count=4)
    async with a_ledger(dsn) as ledger:
        await pay_and_refund(ledger, world)
        cycle = (await load_clearing_state(sql)).control.cycle
        async with open_clearing(dsn) as session:
            await session.lock(wait_s=0.0)
            for step in STEPS[:steps_done]:
                await step(session, cycle)
        async with open_clearing(dsn) as session:
            assert await close_cycle(session, signing_key=KEY, cycle=cycle) == cycle
            await publish_cycle(session, cycle=cycle, signing_key=KEY)
        await ledger.submit(world.authorize())  # time goes on, and must not show
    contents = await stored_bytes(sql, cycle)
    assert len([name for name in contents if name.endswith(".txt")]) == 4 * len(FLAT.kinds)
    assert (await load_clearing_state(sql)).control.published_cycle == cycle
    await sql.execute(REWIND)
    await publish(dsn, cycle)
    assert await stored_bytes(sql, cycle) == contents


FAIL_AT = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM clearing_chunk) >= 64 THEN {how}; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fail BEFORE INSERT ON clearing_chunk FOR EACH ROW EXECUTE FUNCTION fail()
"""


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ("RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'", StoreUnavailable),
        ("PERFORM pg_terminate_backend(pg_backend_pid())", ConnectionLost),
    ],
)
async def test_a_crash_in_the_middle_of_building_leaves_the_same_bytes(
    dsn: str, sql: asyncpg.Connection, how: str, fault: type[Fault]
) -> None:
    _, cycle = await _closed_books(dsn, sql, bank_count=24)
    await sql.execute(FAIL_AT.format(how=how))
    with pytest.raises(fault):
        await publish(dsn, cycle)
    assert await sql.fetchval("SELECT count(*) FROM clearing_chunk") > 0
    assert await sql.fetchval("SELECT count(*) FROM clearing_file") == 0
    await sql.execute("DROP TRIGGER fail ON clearing_chunk")
    await publish(dsn, cycle)
    contents = await stored_bytes(sql, cycle)
    assert len([name for name in contents if name.endswith(".txt")]) == 24 * len(FLAT.kinds)
    await sql.execute(REWIND)
    await publish(dsn, cycle)
    assert await stored_bytes(sql, cycle) == contents


async def test_a_merchant_that_changes_its_bank_stays_in_the_netted_cycle(dsn: str, sql: asyncpg.Connection) -> None:
    world, cycle = await _closed_books(dsn, sql)
    async with open_clearing(dsn) as session:
        await session.lock(wait_s=0.0)
        await net_cycle(session, cycle=cycle)
    await sql.execute("UPDATE merchant SET bank = $1", world.banks[2])
    await publish(dsn, cycle)
    credited = of_kind(await read_files(sql, cycle), FileKind.CREDIT)
    paid_to = {item.credit_bank for file in credited for item in file.items if item.type is ItemType.PAY}
    assert paid_to == {"102100000000", "102100000001"}


async def test_a_merchant_without_a_bank_keeps_its_cycle_back(dsn: str, sql: asyncpg.Connection) -> None:
    _, cycle = await _closed_books(dsn, sql)
    await sql.execute("CREATE TABLE kept AS SELECT * FROM merchant; DELETE FROM merchant")
    with pytest.raises(BankMissing, match="merchant:mer_"):
        await publish(dsn, cycle)
    assert await sql.fetchval("SELECT count(*) FROM net_position") == 0
    await sql.execute("INSERT INTO merchant SELECT * FROM kept")
    assert await publish(dsn, cycle) == (cycle,)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE net_position SET debits = debits + 1",
        "UPDATE net_position SET credits = credits + 1",
        "UPDATE net_position SET debit_count = debit_count + 1",
        "UPDATE net_position SET credit_count = credit_count + 1",
    ],
)
async def test_a_file_that_does_not_add_up_is_not_published(dsn: str, sql: asyncpg.Connection, damage: str) -> None:
    _, cycle = await _closed_books(dsn, sql)
    async with open_clearing(dsn) as session:
        await session.lock(wait_s=0.0)
        await net_cycle(session, cycle=cycle)
    await sql.execute(damage)
    with pytest.raises(TotalsDiffer):
        await publish(dsn, cycle)
    assert await sql.fetchval("SELECT count(*) FROM clearing_file") == 0


async def test_net_positions_need_a_settlement_bank(dsn: str, sql: asyncpg.Connection) -> None:
    world, cycle = await _closed_books(dsn, sql)
    await sql.execute("UPDATE bank SET is_settlement_bank = false")
    with pytest.raises(NoSettlementBank):
        await publish(dsn, cycle)
    assert await sql.fetchval("SELECT count(*) FROM net_position") == 0
    await sql.execute("UPDATE bank SET is_settlement_bank = true WHERE id = $1", world.banks[0])
    assert await publish(dsn, cycle) == (cycle,)


async def test_a_settlement_bank_that_changes_changes_nothing_of_netted_cycles(
    dsn: str, sql: asyncpg.Connection
) -> None:
    world, cycle = await _closed_books(dsn, sql)
    async with open_clearing(dsn) as session:
        await session.lock(wait_s=0.0)
        await net_cycle(session, cycle=cycle)
    await sql.execute("UPDATE bank SET is_settlement_bank = false")
    await sql.execute("UPDATE bank SET is_settlement_bank = true WHERE id = $1", world.banks[0])
    await publish(dsn, cycle)
    nets = of_kind(await read_files(sql, cycle), FileKind.NET)
    through = [{item.debit_bank, item.credit_bank} for file in nets for item in file.items]
    assert through
    assert all("102100000003" in banks for banks in through)
