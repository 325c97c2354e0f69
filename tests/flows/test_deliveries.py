"""Banks that get files at the end of some cycles only, files that are corrected, and files that are made again."""

import hashlib

import asyncpg
import pytest

from engine.core.calendar import CycleNumber, cycle_text
from engine.core.clearing_lines import ClearingFile, FileKind
from engine.flows.rebuild_files import rebuild_file
from engine.flows.reissue_file import NoVersionLeft, reissue_file
from engine.flows.verify_books import BooksReport, verify_books
from engine.ledger.router import Ledger
from engine.store.clearing_session import ClearingBusy, open_clearing
from engine.store.file_store import load_file, load_files_of_cycle
from tests.builders import World, a_world
from tests.flows.busy_books import KEY, PUBLIC_KEYS, a_ledger
from tests.flows.clearing_books import ReadFile, close, of_kind, publish, read_all_files, read_file, stored_bytes

A_DAY_US = 86_400_000_000


async def _pay(ledger: Ledger, world: World, *amounts: int) -> None:
    """Payments by cards of the first bank at the merchant of the second."""
    for amount in amounts:
        outcome = await ledger.submit(world.authorize(card=0, merchant=1, amount=amount))
        assert outcome.answer.refusal is None


async def _verified(dsn: str) -> BooksReport:
    return await verify_books(dsn, public_keys=PUBLIC_KEYS, progress=lambda *_: None)


async def _three_cycles(
    dsn: str, sql: asyncpg.Connection, delivery: list[int] | None
) -> tuple[World, list[CycleNumber]]:
    """A day of three cycles, the last of which ends it. The first bank gets files as *delivery* says."""
    world = await a_world(sql)
    await sql.execute("UPDATE bank SET delivery = $2 WHERE id = $1", world.banks[0], delivery)
    cycles: list[CycleNumber] = []
    async with a_ledger(dsn, lane_count=1) as ledger:
        for amounts in ((100, 20), (3,), (500,)):
            await _pay(ledger, world, *amounts)
            if len(cycles) == 2:
                await sql.execute("UPDATE control SET sandbox_offset_us = $1", A_DAY_US)
            cycles.append(await close(dsn))
            await publish(dsn, cycles[-1])
    return world, cycles


async def _files(sql: asyncpg.Connection, cycle: CycleNumber, bank: str = "102100000000") -> list[ReadFile]:
    return [file for file in await read_all_files(sql, cycle) if file.heading.receiver_bank == bank]


def _amounts(files: list[ReadFile], kind: FileKind) -> set[tuple[int, ...]]:
    return {tuple(item.amount for item in file.items) for file in of_kind(files, kind)}


async def test_items_wait_for_the_cycle_at_whose_end_their_bank_gets_files(dsn: str, sql: asyncpg.Connection) -> None:
    _, (first, second, third) = await _three_cycles(dsn, sql, [2])
    assert await _files(sql, first) == []
    files = await _files(sql, second)
    assert _amounts(files, FileKind.COLLECT) == _amounts(files, FileKind.ADVICE) == {(100, 20, 3)}
    assert _amounts(await _files(sql, third), FileKind.COLLECT) == {(500,)}  # the day's last cycle always delivers
    (credited,) = {
        tuple(item.amount for item in file.items)
        for file in await _files(sql, first, "102100000001")
        if file.heading.kind is FileKind.CREDIT
    }
    assert credited == (100, 20)  # another bank waits for nobody


async def test_what_waits_to_the_days_end_is_in_the_last_cycles_files(dsn: str, sql: asyncpg.Connection) -> None:
    _, (first, second, third) = await _three_cycles(dsn, sql, [9])
    assert await _files(sql, first) == await _files(sql, second) == []
    assert _amounts(await _files(sql, third), FileKind.COLLECT) == {(100, 20, 3, 500)}


async def test_a_net_file_has_a_line_for_each_cycle(dsn: str, sql: asyncpg.Connection) -> None:
    _, (first, second, third) = await _three_cycles(dsn, sql, [9])
    for file in of_kind(await _files(sql, third), FileKind.NET):
        moved = [(item.remark, item.amount) for item in file.items]
        assert moved == [(cycle_text(first), 120), (cycle_text(second), 3), (cycle_text(third), 500)]
    positions = await sql.fetch("SELECT cycle, debits FROM net_position WHERE debits > 0 ORDER BY cycle")
    assert [tuple(row) for row in positions] == [(first, 120), (second, 3), (third, 500)]


async def test_manifests_name_the_batches_of_all_cycles_that_are_covered(dsn: str, sql: asyncpg.Connection) -> None:
    _, (first, second, third) = await _three_cycles(dsn, sql, [2])
    rows = await sql.fetch(
        "SELECT DISTINCT f.cycle, f.first_cycle, f.range_from, f.range_to "
        "FROM clearing_file f JOIN bank b ON b.id = f.bank WHERE b.cnaps = 102100000000 ORDER BY f.cycle"
    )
    assert [tuple(row) for row in rows] == [(second, first, "1.1", "1.3"), (third, third, "1.4", "1.4")]


@pytest.mark.parametrize("delivery", [None, [], [1, 2, 3]])
async def test_a_bank_that_has_chosen_nothing_gets_files_at_every_cycle(
    dsn: str, sql: asyncpg.Connection, delivery: list[int] | None
) -> None:
    _, cycles = await _three_cycles(dsn, sql, delivery)
    found = [_amounts(await _files(sql, cycle), FileKind.COLLECT) for cycle in cycles]
    assert found == [{(100, 20)}, {(3,)}, {(500,)}]


async def test_a_bank_that_chooses_anew_loses_nothing(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    await sql.execute("UPDATE bank SET delivery = '{9}' WHERE id = $1", world.banks[0])
    async with a_ledger(dsn) as ledger:
        await _pay(ledger, world, 100)
        first = await close(dsn)
        await publish(dsn, first)
        await sql.execute("UPDATE bank SET delivery = NULL")
        await _pay(ledger, world, 20)
        second = await close(dsn)
        await publish(dsn, second)
    assert await _files(sql, first) == []
    assert _amounts(await _files(sql, second), FileKind.COLLECT) == {(100, 20)}


async def test_a_bank_that_joins_gets_files_from_then_on(dsn: str, sql: asyncpg.Connection) -> None:
    await a_world(sql)
    first = await close(dsn)
    await publish(dsn, first)
    await sql.execute(
        "INSERT INTO bank (id, cnaps, name_zh, name_en, is_settlement_bank, delivery) "
        "VALUES ('00000000-0000-0005-0000-000000000000', 102100000009, '新', 'New', false, '{2}')"
    )
    second = await close(dsn)
    await publish(dsn, second)
    assert await _files(sql, first, "102100000009") == []
    assert {file.heading.cycle for file in await _files(sql, second, "102100000009")} == {2}


async def test_books_with_files_of_several_cycles_balance(dsn: str, sql: asyncpg.Connection) -> None:
    await _three_cycles(dsn, sql, [2])
    report = await _verified(dsn)
    assert report.violation is None, report.violation.text


async def _published(dsn: str, sql: asyncpg.Connection) -> tuple[World, CycleNumber, dict[str, bytes]]:
    world = await a_world(sql)
    async with a_ledger(dsn) as ledger:
        await _pay(ledger, world, 100, 20)
        cycle = await close(dsn)
    await publish(dsn, cycle)
    return world, cycle, await stored_bytes(sql, cycle)


async def _reissued(dsn: str, name: str) -> ClearingFile | None:
    async with open_clearing(dsn) as session:
        return await reissue_file(session, name, signing_key=KEY)


@pytest.mark.parametrize("suffix", ["txt", "xml"])
async def test_a_correction_is_a_new_version_that_names_the_old(dsn: str, sql: asyncpg.Connection, suffix: str) -> None:
    _, cycle, before = await _published(dsn, sql)
    name = next(name for name in before if f"COLLECT_v1.{suffix}" in name and "000000_" in name)
    corrected = await _reissued(dsn, name)
    assert corrected is not None
    assert (corrected.name, corrected.version, corrected.replaces) == (name.replace("_v1", "_v2"), 2, name)
    after = await stored_bytes(sql, cycle)
    assert after.keys() - before.keys() == {corrected.name}
    assert {key: after[key] for key in before} == before  # the old one stays as it was
    assert hashlib.sha256(after[corrected.name]).digest() == corrected.sha256
    old, new = read_file(name, before[name]), read_file(corrected.name, after[corrected.name])
    assert (new.items, new.totals.count) == (old.items, old.totals.count)
    assert new.heading.file_id == old.heading.file_id[:-2] + "02"
    if suffix == "txt":
        assert new.heading.previous_sha256 == hashlib.sha256(before[name]).hexdigest()
    else:
        assert "<Rltd>" in after[corrected.name].decode()
        assert after[corrected.name].decode().count(old.heading.file_id) == 1
    async with open_clearing(dsn) as session:
        replaced = await load_file(session, name)
    assert replaced is not None
    assert replaced.replaced_by == corrected.name
    assert (await _verified(dsn)).violation is None


async def test_asking_for_a_correction_twice_gives_one(dsn: str, sql: asyncpg.Connection) -> None:
    _, cycle, before = await _published(dsn, sql)
    name = min(before)
    first, second = await _reissued(dsn, name), await _reissued(dsn, name)
    assert first is not None
    assert second is not None
    assert (second.name, second.sha256) == (first.name, first.sha256)
    third = await _reissued(dsn, first.name)
    assert third is not None
    assert (third.version, third.replaces) == (3, first.name)
    assert len(await stored_bytes(sql, cycle)) == len(before) + 2
    assert (await _verified(dsn)).violation is None


async def test_a_correction_that_was_cut_short_comes_out_whole(dsn: str, sql: asyncpg.Connection) -> None:
    _, _, before = await _published(dsn, sql)
    name = min(before)
    later = name.replace("_v1", "_v2")
    await sql.execute("INSERT INTO clearing_chunk (name, part, bytes) VALUES ($1, 0, 'x'), ($1, 1, 'y')", later)
    corrected = await _reissued(dsn, name)
    assert corrected is not None
    stored = await sql.fetchval(
        "SELECT string_agg(bytes, ''::bytea ORDER BY part) FROM clearing_chunk WHERE name = $1", later
    )
    assert hashlib.sha256(stored).digest() == corrected.sha256


async def test_only_a_published_file_is_corrected(dsn: str, sql: asyncpg.Connection) -> None:
    _, _, before = await _published(dsn, sql)
    assert await _reissued(dsn, min(before).replace("_01_", "_02_")) is None
    assert await _reissued(dsn, "nothing") is None


async def test_a_name_has_room_for_so_many_versions(dsn: str, sql: asyncpg.Connection) -> None:
    _, _, before = await _published(dsn, sql)
    name = min(before)
    last = name.replace("_v1", "_v99")
    await sql.execute("UPDATE clearing_file SET name = $1, version = 99 WHERE name = $2", last, name)
    with pytest.raises(NoVersionLeft):
        await _reissued(dsn, last)


async def test_one_closer_corrects_at_a_time(dsn: str, sql: asyncpg.Connection) -> None:
    _, _, before = await _published(dsn, sql)
    async with open_clearing(dsn) as busy, open_clearing(dsn) as session:
        await busy.lock(wait_s=0.0)
        with pytest.raises(ClearingBusy):
            await reissue_file(session, min(before), signing_key=KEY, lock_wait_s=0.0)


async def test_every_file_is_made_again_byte_by_byte(dsn: str, sql: asyncpg.Connection) -> None:
    world, cycles = await _three_cycles(dsn, sql, [2])
    name = min(await stored_bytes(sql, cycles[1]))
    assert await _reissued(dsn, name) is not None
    # What a file depends on is kept: nothing of this shows.
    await sql.execute("UPDATE merchant SET bank = $1", world.banks[2])
    await sql.execute("UPDATE bank SET is_settlement_bank = false, delivery = NULL")
    await sql.execute("DELETE FROM fund")
    stored = {name: content for cycle in cycles for name, content in (await stored_bytes(sql, cycle)).items()}
    await sql.execute("TRUNCATE clearing_chunk")
    async with open_clearing(dsn) as session:
        for name, content in stored.items():
            assert b"".join([part async for part in rebuild_file(session, name)]) == content, name
        assert [part async for part in rebuild_file(session, "nothing")] == []


async def test_rebuilding_can_be_given_up(dsn: str, sql: asyncpg.Connection) -> None:
    _, _, before = await _published(dsn, sql)
    async with open_clearing(dsn) as session:
        async for part in rebuild_file(session, min(before)):
            assert part
            break
        assert (await session.load_state()).unpublished == ()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE clearing_file SET created_at = created_at + interval '1 s' WHERE name = $1",
        "UPDATE clearing_file SET previous_sha256 = sha256 WHERE name = $1 AND form = 'flat'",
        "DELETE FROM clearing_file WHERE name = $1",
    ],
)
@pytest.mark.parametrize("file", ["COLLECT_v1.txt", "COLLECT_v1.xml", "NET_v1.txt", "NET_v1.xml", "ADVICE_v1.xml"])
async def test_a_file_that_cannot_be_made_again_is_found(
    dsn: str, sql: asyncpg.Connection, damage: str, file: str
) -> None:
    _, _, before = await _published(dsn, sql)
    name = next(name for name in sorted(before) if file in name)
    if await sql.execute(damage, name) in ("UPDATE 0", "DELETE 0"):
        return
    violation = (await _verified(dsn)).violation
    assert violation is not None
    assert violation.where.table == "clearing_file"
    assert violation.kind.value == "file_wrong"


async def test_no_version_of_a_file_is_left_out_of_the_check(dsn: str, sql: asyncpg.Connection) -> None:
    _, cycle, before = await _published(dsn, sql)
    name = min(before)
    corrected = await _reissued(dsn, name)
    assert corrected is not None
    async with open_clearing(dsn) as session:
        assert {file.name for file in await load_files_of_cycle(session, cycle)} == before.keys() | {corrected.name}
    await sql.execute("UPDATE clearing_file SET created_at = now() WHERE name = $1", corrected.name)
    violation = (await _verified(dsn)).violation
    assert violation is not None
    assert violation.where.name == corrected.name
