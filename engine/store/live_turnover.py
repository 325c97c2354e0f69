"""What the lanes have added to a cycle since somebody last looked."""

from collections.abc import AsyncIterator, Mapping

from engine.core.calendar import CycleNumber, cycle_date
from engine.core.clearing import CLEARED_KINDS, CLEARED_PHASE
from engine.store.clearing_session import ClearingSession
from engine.store.clearing_store import RANGE_BATCHES, Turnover, load_lane_ranges


async def load_turnover_since(
    session: ClearingSession, cycle: CycleNumber, read: Mapping[int, int]
) -> AsyncIterator[tuple[int, int, list[Turnover]]]:
    """What a cycle moved between accounts in batches after those that were *read*: each lane's last sequence.

    Shape: lane, last sequence that is in it, turnover; range by range, so that no statement takes long. A lane's
    batches commit in their order, so a range that was read never changes.
    """
    for lane in await load_lane_ranges(session, cycle):
        start = max(lane.first_seq, read.get(lane.lane, 0) + 1)
        for first_seq in range(start, lane.last_seq + 1, RANGE_BATCHES):
            last_seq = min(first_seq + RANGE_BATCHES - 1, lane.last_seq)
            rows = await session.fetch(
                "turnover", cycle_date(cycle), lane.lane, first_seq, last_seq, CLEARED_PHASE, CLEARED_KINDS
            )
            yield lane.lane, last_seq, [Turnover(*row) for row in rows]
