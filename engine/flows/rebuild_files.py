"""Making published files again, byte by byte, from the postings of their range and the routes that were kept."""

from collections.abc import AsyncIterator, Sequence

from engine.core.calendar import CycleNumber
from engine.core.clearing_lines import ClearingFile
from engine.flows.cycle_files import CycleFiles
from engine.flows.file_plans import FilePlan, plan_again
from engine.store.clearing_session import ClearingSession
from engine.store.file_store import (
    Chunk,
    Delivery,
    load_cleared_postings,
    load_delivery,
    load_file,
    load_files_of_cycle,
    load_routes,
)


async def rebuild_file(session: ClearingSession, name: str) -> AsyncIterator[bytes]:
    """The bytes of a published file, made again in parts. Nothing that is stored of them is read. Of a file that is not
    there, there are none.

    Raises:
        TotalsDiffer: the postings do not add up to the bank's position.
        Fault: the database cannot do it.
    """
    file = await load_file(session, name)
    if file is None:
        return
    chunks: list[Chunk] = []
    delivery = await load_delivery(session, file.cycle)
    files = CycleFiles(delivery, await _plans(session, delivery, [file]), chunks.append)
    async for _ in _written(session, delivery, files):
        for _, _, content in chunks:
            yield content
        chunks.clear()


async def rebuilt_digests(session: ClearingSession, cycle: CycleNumber) -> dict[str, bytes]:
    """The SHA-256 of every published file, of all versions, that was delivered at the end of *cycle*, made again at
    once: its postings are read one time.

    Raises:
        TotalsDiffer: the postings do not add up to a bank's position.
        Fault: the database cannot do it.
    """
    delivery = await load_delivery(session, cycle)
    plans = await _plans(session, delivery, await load_files_of_cycle(session, cycle))
    files = CycleFiles(delivery, plans, _forget)
    async for _ in _written(session, delivery, files):
        pass
    return {builder.name: builder.writer.digest() for builder in files.builders}


async def _written(session: ClearingSession, delivery: Delivery, files: CycleFiles) -> AsyncIterator[None]:
    """Write every line of *files*, with a pause after each page of postings and at the end."""
    for cycle in files.cycles:
        files.begin_cycle(cycle, await load_routes(session, cycle))
        async for page in load_cleared_postings(session, cycle, delivery.lanes[cycle]):
            files.add(page)
            yield
    files.finish()
    yield


async def _plans(session: ClearingSession, delivery: Delivery, files: Sequence[ClearingFile]) -> list[FilePlan]:
    run = await session.load_run(delivery.cycle)
    assert run is not None, "a published file is of a closed cycle"
    plans = []
    for file in files:
        replaced = await load_file(session, file.replaces) if file.replaces is not None else None
        plans.append(plan_again(file, replaced, delivery, run))
    return plans


def _forget(_chunk: Chunk) -> None:
    """Only the digest is wanted."""
