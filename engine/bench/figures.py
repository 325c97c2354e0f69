"""What a benchmark reports: figures, their yardsticks, what is to be reached, and the statistics behind them."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a benchmark, as `--json` writes it.

    Shape: *value* and *yardstick_value* are medians of *runs* runs, *spread* is the lowest and the highest value.
    *ratio* is what is to be reached: see `GOALS` for which way it is taken.
    """

    id: str
    what: str
    unit: str
    value: float
    yardstick: str
    yardstick_value: float
    ratio: float
    runs: int
    spread: tuple[float, float]


class Goal(msgspec.Struct, frozen=True):
    """The bound that a ratio has to keep."""

    bound: float
    is_upper: bool = False

    def is_reached_by(self, ratio: float) -> bool:
        """True if the ratio keeps the bound; half-open on neither side."""
        return ratio <= self.bound if self.is_upper else ratio >= self.bound

    @property
    def text(self) -> str:
        """As a person writes it."""
        return f"{'≤' if self.is_upper else '≥'} {self.bound:g}"


_LIMIT: Final = Goal(1.0, is_upper=True)
GOALS: Final = {
    "P1": Goal(0.6),  # lanes / COPY
    "P1b": Goal(3.0),  # lanes / pgbench
    "P2": Goal(0.25),  # engine / echo
    "P2m": Goal(0.8),  # with the medical split / without
    "P3": Goal(6.0),  # engine / engine with batches of one
    "P4.p50": _LIMIT,  # latency / its limit
    "P4.p99": _LIMIT,
    "P4.p99.9": _LIMIT,
    "P5": Goal(4.0, is_upper=True),  # seconds / COPY's seconds
    "P5.both": _LIMIT,  # seconds / their limit
    "P5.memory": _LIMIT,
    "P6": _LIMIT,  # seconds / their limit
    "P6.memory": _LIMIT,
    "P7": Goal(0.85),  # lanes on full tables / lanes on empty ones
    "P8": Goal(0.9),  # half of all to one merchant / evenly spread
    "P9": _LIMIT,  # seconds / their limit
    "P11": _LIMIT,  # seconds / their limit
    "P11.long": _LIMIT,
    "P13": _LIMIT,  # seconds / their limit
    "P13.memory": _LIMIT,
    "P13.flat": Goal(1.25, is_upper=True),  # all lines / a tenth of them
    "P12": Goal(2.0, is_upper=True),  # latency beside a storm of reads / without one
    "P10": Goal(50.0, is_upper=True),  # milliseconds more than without a close
}
"""What each ratio has to reach. Where a limit is the yardstick, the ratio is the measured over the limit."""


def figure(
    name: str,
    what: str,
    unit: str,
    values: Sequence[float],
    *,
    yardstick: str,
    yardstick_values: Sequence[float],
    is_inverted: bool = False,
) -> Figure:
    """The figure of two sides that were measured in turns. Inverted, the ratio is the yardstick's over the value's."""
    value, other = statistics.median(values), statistics.median(yardstick_values)
    return Figure(
        id=name,
        what=what,
        unit=unit,
        value=value,
        yardstick=yardstick,
        yardstick_value=other,
        ratio=other / value if is_inverted else value / other,
        runs=len(values),
        spread=(min(values), max(values)),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of *values* that at least *percent* of them do not exceed (nearest rank, no interpolation)."""
    assert values, "there is no percentile of nothing"
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def write_figures(path: Path, figures: Sequence[Figure]) -> None:
    """Write the figures as a JSON list."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n")
