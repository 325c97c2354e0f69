"""What banks read: their own files, newest first, any range of bytes, and only what is published."""

import os
from collections.abc import AsyncIterator

import asyncpg
import pytest

from engine.core.calendar import CycleNumber
from engine.core.clearing_lines import ClearingFile, FileKind
from engine.core.ids import BankId
from engine.store.clearing_reads import CHUNK_BYTES, CHUNKS_AT_ONCE, ClearingReads, FilesWanted
from engine.store.connection import open_pool
from tests.builders import World, a_world
from tests.flows.clearing_books import close, publish

FIRST, LAST = CycleNumber(0), CycleNumber(9_999_999_999)


@pytest.fixture
async def reads(dsn: str) -> AsyncIterator[ClearingReads]:
    """Reads through one connection: whoever holds it while a file is streamed would wait for ever."""
    pool = await open_pool(dsn, size_max=1)
    yield ClearingReads(pool)
    await pool.close()


async def _published(dsn: str, sql: asyncpg.Connection, *, cycle_count: int = 2) -> tuple[World, list[CycleNumber]]:
    world = await a_world(sql)
    cycles = [await close(dsn) for _ in range(cycle_count)]
    await publish(dsn, cycles[-1])
    return world, cycles


def _wanted(
    *,
    cycle_from: CycleNumber = FIRST,
    cycle_to: CycleNumber = LAST,
    kind: FileKind | None = None,
    form: str | None = None,
    before: tuple[CycleNumber, str] = (LAST, ""),
    count: int = 100,
) -> FilesWanted:
    return FilesWanted(cycle_from=cycle_from, cycle_to=cycle_to, kind=kind, form=form, before=before, count=count)


async def test_a_bank_sees_its_own_files_newest_first(dsn: str, sql: asyncpg.Connection, reads: ClearingReads) -> None:
    world, cycles = await _published(dsn, sql)
    files = await reads.files(world.banks[0], _wanted())
    assert {file.bank for file in files} == {world.banks[0]}
    assert [(file.cycle, file.kind) for file in files] == [
        (cycle, kind)
        for cycle in reversed(cycles)
        for kind in (FileKind.NET, FileKind.CREDIT, FileKind.COLLECT, FileKind.ADVICE)
    ]


async def test_pages_follow_each_other_without_gap_or_repeat(
    dsn: str, sql: asyncpg.Connection, reads: ClearingReads
) -> None:
    world, _ = await _published(dsn, sql, cycle_count=3)
    whole = await reads.files(world.banks[1], _wanted())
    paged: list[ClearingFile] = []
    before = (LAST, "")
    while page := await reads.files(world.banks[1], _wanted(before=before, count=2)):
        paged += page
        before = (page[-1].cycle, page[-1].name)
    assert paged == whole
    assert len(whole) == 3 * len(FileKind)


async def test_filters_narrow_the_list(dsn: str, sql: asyncpg.Connection, reads: ClearingReads) -> None:
    world, (first, second) = await _published(dsn, sql)
    bank = world.banks[0]
    of_first = await reads.files(bank, _wanted(cycle_from=first, cycle_to=first))
    assert {file.cycle for file in of_first} == {first}
    assert {file.cycle for file in await reads.files(bank, _wanted(cycle_from=second))} == {second}
    assert {file.kind for file in await reads.files(bank, _wanted(kind=FileKind.NET))} == {FileKind.NET}
    assert [file.kind for file in await reads.files(bank, _wanted(form="xml"))] == [FileKind.ADVICE] * 2
    assert {file.form for file in await reads.files(bank, _wanted(form="flat"))} == {"flat"}
    assert await reads.files(bank, _wanted(form="none")) == []


async def test_another_banks_file_does_not_exist(dsn: str, sql: asyncpg.Connection, reads: ClearingReads) -> None:
    world, _ = await _published(dsn, sql)
    (theirs, *_) = await reads.files(world.banks[1], _wanted())
    assert await reads.file(world.banks[1], theirs.name) == theirs
    assert await reads.file(world.banks[0], theirs.name) is None
    assert await reads.file(world.banks[1], "no-such-file") is None


async def test_only_a_banks_own_number_and_an_unpublished_cycle_are_waited_for(
    dsn: str, sql: asyncpg.Connection, reads: ClearingReads
) -> None:
    world, (cycle,) = await _published(dsn, sql, cycle_count=1)
    following = CycleNumber(cycle + 1)
    own, other = "102100000000", "102100000001"
    assert await reads.expects(world.banks[0], cnaps=own, cycle=following)
    assert not await reads.expects(world.banks[0], cnaps=other, cycle=following)
    assert not await reads.expects(world.banks[0], cnaps=own, cycle=cycle)


async def test_a_correction_and_the_file_it_replaces_name_each_other(
    dsn: str, sql: asyncpg.Connection, reads: ClearingReads
) -> None:
    world, _ = await _published(dsn, sql, cycle_count=1)
    (old, *_) = await reads.files(world.banks[0], _wanted(kind=FileKind.NET))
    await sql.execute("CREATE TEMP TABLE correction AS SELECT * FROM clearing_file WHERE name = $1", old.name)
    await sql.execute("UPDATE correction SET name = 'corrected', version = 2, replaces = $1", old.name)
    await sql.execute("INSERT INTO clearing_file SELECT * FROM correction")
    new = await reads.file(world.banks[0], "corrected")
    replaced = await reads.file(world.banks[0], old.name)
    assert new is not None
    assert replaced is not None
    assert (replaced.replaced_by, new.replaces, new.replaced_by) == ("corrected", old.name, None)


SIZE = CHUNK_BYTES * (CHUNKS_AT_ONCE + 2) + 777


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, SIZE),
        (0, 1),
        (0, CHUNK_BYTES),
        (CHUNK_BYTES - 1, CHUNK_BYTES + 1),
        (CHUNK_BYTES, CHUNK_BYTES * 2),
        (CHUNK_BYTES * 2 + 5, CHUNK_BYTES * (CHUNKS_AT_ONCE + 1) + 9),
        (CHUNK_BYTES * CHUNKS_AT_ONCE - 1, CHUNK_BYTES * CHUNKS_AT_ONCE + 1),
        (SIZE - 1, SIZE),
        (SIZE - 800, SIZE),
        (5, 5),
        (SIZE, SIZE),
        (SIZE - 10, SIZE + 10),
    ],
)
async def test_any_range_is_streamed(sql: asyncpg.Connection, reads: ClearingReads, start: int, end: int) -> None:
    content = os.urandom(SIZE)
    parts = [content[at : at + CHUNK_BYTES] for at in range(0, SIZE, CHUNK_BYTES)]
    await sql.copy_records_to_table("clearing_chunk", records=[("f", n, part) for n, part in enumerate(parts)])
    pieces = [piece async for piece in reads.content("f", start=start, end=end)]
    assert b"".join(pieces) == content[start:end]
    assert all(pieces)


async def test_a_slow_reader_holds_no_connection(sql: asyncpg.Connection, reads: ClearingReads) -> None:
    await sql.copy_records_to_table("clearing_chunk", records=[("f", n, bytes(CHUNK_BYTES)) for n in range(9)])
    streams = [reads.content("f", start=0, end=9 * CHUNK_BYTES) for _ in range(3)]
    for stream in streams:
        assert await anext(stream)
    for stream in streams:
        await stream.aclose()  # type: ignore[attr-defined]  # it is an async generator


async def test_positions_are_listed_newest_first(dsn: str, sql: asyncpg.Connection, reads: ClearingReads) -> None:
    world, cycles = await _published(dsn, sql)
    await close(dsn)
    bank = world.banks[2]
    found = await reads.positions(bank, cycle_from=FIRST, cycle_to=LAST)
    assert [cycle for cycle, _ in found] == cycles[::-1]
    assert {position.bank for _, position in found} == {bank}
    assert await reads.positions(BankId(bytes(16)), cycle_from=FIRST, cycle_to=LAST) == []
