"""What the loops share: a pause that a stop ends, and whom to tell of a turn that failed."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

OnFault = Callable[[], None]
"""Called for each turn that failed, to be counted; the loop goes on."""


def uncounted() -> None:
    """Nobody counts."""


async def pause(stopping: asyncio.Event, pause_s: float) -> None:
    """Wait for *pause_s*, or until *stopping*."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), pause_s)
