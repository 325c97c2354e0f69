"""Building the files of a netted cycle: its postings are read once, and every line goes to the files that it is in."""

import asyncio
from typing import Final

from engine.codes.keys import SigningKey
from engine.core.calendar import CycleNumber
from engine.core.clearing_lines import ClearedPosting, ClearingFile
from engine.flows.cycle_files import CycleFiles
from engine.store.clearing_session import ClearingSession
from engine.store.clearing_store import (
    Chunk,
    drop_chunks,
    insert_chunks,
    insert_files,
    load_cleared_postings,
    load_netted_cycle,
)

PAGES_AHEAD: Final = 2
CHUNKS_AT_ONCE: Final = 32  # two megabytes a commit
GROUPS_BEHIND: Final = 2

Page = list[ClearedPosting]


async def build_files(session: ClearingSession, *, cycle: CycleNumber, signing_key: SigningKey) -> None:
    """Make and keep the files of a netted cycle, for each bank, kind and form; nobody sees them yet.

    Reading ahead, writing lines and storing chunks go on at once; queues between them keep the memory flat. What an
    attempt that was cut short has left is taken away first, and this one makes the same bytes again.

    Raises:
        TotalsDiffer: a file does not add up to its bank's position.
        NoSettlementBank: net positions cannot be written.
        Fault: the database cannot do it.
    """
    run = await session.load_run(cycle)
    assert run is not None, "only a closed cycle has files"
    assert run.netted_at is not None, "only a netted cycle has files"
    if run.built_at is not None:
        return
    chunks: list[Chunk] = []
    files = CycleFiles(run, await load_netted_cycle(session, cycle), chunks.append)
    for name in files.names():
        await drop_chunks(session, name)
    manifests = await _write(session, cycle, files, chunks, signing_key)
    now = (await session.load_state()).now
    await insert_files(session, cycle=cycle, built_at=now, files=manifests)


async def _write(
    session: ClearingSession, cycle: CycleNumber, files: CycleFiles, chunks: list[Chunk], signing_key: SigningKey
) -> list[ClearingFile]:
    """Write every line, and store every chunk."""
    pages: asyncio.Queue[Page | None] = asyncio.Queue(PAGES_AHEAD)
    groups: asyncio.Queue[list[Chunk] | None] = asyncio.Queue(GROUPS_BEHIND)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_read_pages(session, cycle, pages))
            tasks.create_task(_store_chunks(session, groups))
            while (page := await pages.get()) is not None:
                files.add(page)
                await _hand_over(chunks, groups, at_least=CHUNKS_AT_ONCE)
            files.add_net()
            manifests = files.finish(signing_key)
            await _hand_over(chunks, groups, at_least=1)
            await groups.put(None)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures  # the others were only cancelled
    return manifests


async def _read_pages(session: ClearingSession, cycle: CycleNumber, pages: "asyncio.Queue[Page | None]") -> None:
    async for page in load_cleared_postings(session, cycle):
        await pages.put(page)
    await pages.put(None)


async def _store_chunks(session: ClearingSession, groups: "asyncio.Queue[list[Chunk] | None]") -> None:
    while (group := await groups.get()) is not None:
        await insert_chunks(session, group)


async def _hand_over(chunks: list[Chunk], groups: "asyncio.Queue[list[Chunk] | None]", *, at_least: int) -> None:
    """Pass chunks on in groups, and wait while too many are on their way."""
    while len(chunks) >= at_least:
        await groups.put(chunks[:CHUNKS_AT_ONCE])
        del chunks[:CHUNKS_AT_ONCE]
