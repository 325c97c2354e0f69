"""Measuring sides in turns, with the same memory discipline for all of them."""

from collections.abc import Awaitable, Callable, Mapping

Side = Callable[[], Awaitable[float]]


async def in_turns(sides: Mapping[str, Side], *, turns: int, say: Callable[[str], None]) -> dict[str, list[float]]:
    """Run every side once, then every side again, and so on: what disturbs the machine disturbs all of them."""
    measured: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(1, turns + 1):
        for name, side in sides.items():
            value = await side()
            measured[name].append(value)
            say(f"turn {turn} of {turns}: {name} {value:,.0f}/s")
    return measured
