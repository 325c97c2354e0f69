"""Building the files of a netted cycle: its postings are read once, and every line goes to the files that it is in."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Final

from engine.codes.keys import SigningKey
from engine.core.calendar import CycleNumber
from engine.core.line_columns import ClearedPostings
from engine.flows.cycle_files import CycleFiles, manifest_of
from engine.flows.file_plans import FilePlan, plans_of
from engine.formats import bank_file_formats
from engine.store.clearing_session import ClearingSession
from engine.store.file_store import (
    Chunk,
    Delivery,
    drop_chunks,
    insert_chunks,
    insert_files,
    load_cleared_postings,
    load_delivery,
    load_routes,
)

PAGES_AHEAD: Final = 2
CHUNKS_AT_ONCE: Final = 64  # four megabytes a commit
GROUPS_BEHIND: Final = 2


async def build_files(
    session: ClearingSession, *, cycle: CycleNumber, signing_key: SigningKey, forms: Collection[str] | None = None
) -> None:
    """Make and keep the files that are delivered at the end of a netted cycle, in all *forms* there are if none are
    given; nobody sees them yet.

    Reading ahead, writing lines and storing chunks go on at once; queues between them keep the memory flat. What an
    attempt that was cut short has left is taken away first, and this one makes the same bytes again.

    Raises:
        TotalsDiffer: a file does not add up to its bank's position.
        Fault: the database cannot do it.
    """
    run = await session.load_run(cycle)
    assert run is not None, "only a closed cycle has files"
    assert run.netted_at is not None, "only a netted cycle has files"
    if run.built_at is not None:
        return
    delivery = await load_delivery(session, cycle)
    forms = forms or tuple(bank_file_formats())
    files = await store_files(session, delivery, tuple(plans_of(delivery, run, forms)))
    manifests = [manifest_of(builder, delivery, signing_key) for builder in files.builders]
    now = (await session.load_state()).now
    await insert_files(session, cycle=cycle, built_at=now, files=manifests, forms=forms)


async def store_files(session: ClearingSession, delivery: Delivery, plans: Iterable[FilePlan]) -> CycleFiles:
    """Write files, and store their bytes. Returns them finished.

    Raises:
        TotalsDiffer: a file does not add up to its bank's position.
        Fault: the database cannot do it.
    """
    chunks: list[Chunk] = []
    files = CycleFiles(delivery, plans, chunks.append)
    for builder in files.builders:
        await drop_chunks(session, builder.name)
    groups: asyncio.Queue[list[Chunk] | None] = asyncio.Queue(GROUPS_BEHIND)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_store_chunks(session, groups))
            await write_files(session, delivery, files, on_page=lambda: _hand_over(chunks, groups, CHUNKS_AT_ONCE))
            await _hand_over(chunks, groups, 1)
            await groups.put(None)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures  # the others were only cancelled
    return files


async def write_files(
    session: ClearingSession, delivery: Delivery, files: CycleFiles, *, on_page: Callable[[], Awaitable[None]]
) -> None:
    """Write every line of *files* and finish them. *on_page* is awaited after each page of postings.

    Raises:
        TotalsDiffer: a file does not add up to its bank's position.
        Fault: the database cannot do it.
    """
    try:
        for cycle in files.cycles:
            files.begin_cycle(cycle, await load_routes(session, cycle))
            pages: asyncio.Queue[ClearedPostings | None] = asyncio.Queue(PAGES_AHEAD)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_read_pages(session, delivery, cycle, pages))
                while (page := await pages.get()) is not None:
                    # Beside the loop: meanwhile pages come in, chunks go out, and others in this process go on.
                    await asyncio.to_thread(files.add, page)
                    await on_page()
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    files.finish()


async def _read_pages(
    session: ClearingSession, delivery: Delivery, cycle: CycleNumber, pages: "asyncio.Queue[ClearedPostings | None]"
) -> None:
    async for page in load_cleared_postings(session, cycle, delivery.lanes[cycle]):
        await pages.put(page)
    await pages.put(None)


async def _store_chunks(session: ClearingSession, groups: "asyncio.Queue[list[Chunk] | None]") -> None:
    while (group := await groups.get()) is not None:
        await insert_chunks(session, group)


async def _hand_over(chunks: list[Chunk], groups: "asyncio.Queue[list[Chunk] | None]", at_least: int) -> None:
    """Pass chunks on in groups, and wait while too many are on their way."""
    while len(chunks) >= at_least:
        await groups.put(chunks[:CHUNKS_AT_ONCE])
        del chunks[:CHUNKS_AT_ONCE]
