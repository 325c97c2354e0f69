"""Measuring sides in turns, with the same memory discipline for all of them."""

import gc
from collections.abc import Awaitable, Callable, Mapping

Side = Callable[[], Awaitable[float]]

YOUNG_OBJECTS_MAX = 50_000


async def in_turns(sides: Mapping[str, Side], *, turns: int, say: Callable[[str], None]) -> dict[str, list[float]]:
    """Run every side once, then every side again, and so on: what disturbs the machine disturbs all of them."""
    measured: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(1, turns + 1):
        for name, side in sides.items():
            value = await side()
            measured[name].append(value)
            say(f"turn {turn} of {turns}: {name} {value:,.0f}/s")
    return measured


def settle_memory() -> None:
    """Everything that is there now is out of the collector's sight, so that it does not walk it again and again.

    It is what a serving node does for itself. The yardsticks and the process that asks are given the same.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, 20, 100)
