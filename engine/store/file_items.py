"""The items of a clearing file, one by one in its order: read from the postings that it was made of."""

from collections.abc import AsyncIterator
from typing import Final

import asyncpg

from engine.core.accounts import AccountId
from engine.core.bank_lines import Direction
from engine.core.calendar import CycleNumber, cycle_date
from engine.core.clearing import CLEARED_KINDS, CLEARED_PHASE, bank_of
from engine.core.ids import BankId
from engine.core.returns import CoveredCycles, Item
from engine.store.clearing_session import ClearingSession
from engine.store.clearing_store import LaneRange, load_lane_ranges
from engine.store.faults import translated
from engine.store.file_store import load_routes
from engine.store.returns import item_of
from engine.store.sql import load_queries

PAGE_ITEMS: Final = 5_000

_QUERIES: Final = load_queries("returns")


async def load_file_items(
    session: ClearingSession, bank: BankId, covered: CoveredCycles
) -> AsyncIterator[list[tuple[int, Item]]]:
    """The items of a bank's file, page by page, each with its place from one. Whether they were given back is not told.

    Raises:
        Fault: the database cannot answer.
    """
    assert covered.direction is not None, "only files of one direction have items to give back"
    place = 0
    with translated():
        rows = await session.reader.fetch(_QUERIES["closed_cycles"], covered.first_cycle, covered.cycle)
    for row in rows:
        cycle = CycleNumber(row["cycle"])
        routes = await load_routes(session, cycle)
        for lane in await load_lane_ranges(session, cycle):
            async for page in _pages(session, cycle, lane):
                found = []
                for posting in page:
                    own = posting["debit"] if covered.direction is Direction.DEBIT else posting["credit"]
                    if bank_of(AccountId(own), routes) == bank:
                        place += 1
                        item = item_of(posting, covered.direction, is_published=True, is_returned=False)
                        found.append((place, item))
                yield found


async def _pages(session: ClearingSession, cycle: CycleNumber, lane: LaneRange) -> AsyncIterator[list[asyncpg.Record]]:
    after = (lane.first_seq, -1)
    while True:
        with translated():
            rows = await session.reader.fetch(
                _QUERIES["ends_of_lane"],
                cycle_date(cycle),
                lane.lane,
                *after,
                lane.last_seq,
                CLEARED_PHASE,
                CLEARED_KINDS,
                PAGE_ITEMS,
            )
        yield rows
        if len(rows) < PAGE_ITEMS:
            return
        after = (rows[-1]["seq"], rows[-1]["n"])
