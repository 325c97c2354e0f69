"""A benchmark as people read it."""

import os
from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine.bench.figures import GOALS, Figure


def figures_report(figures: Sequence[Figure]) -> RenderableType:
    """The figures with what they have to reach and whether they do; below, what each of them is. Fits 80 columns."""
    table = Table(title="medians (lowest..highest run)")
    for heading in ("", "value", "yardstick", "ratio", "to reach", ""):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for line in figures:
        goal = GOALS[line.id]
        low, high = line.spread
        table.add_row(
            line.id,
            f"{_number(line.value)} ({_number(low)}..{_number(high)})",
            _number(line.yardstick_value),
            f"{line.ratio:.2f}",
            goal.text,
            "reached" if goal.is_reached_by(line.ratio) else "not reached",
        )
    meanings = (Text(f"{line.id}: {line.what}, {line.unit}; yardstick: {line.yardstick}") for line in figures)
    return Group(table, *meanings)


def machine_text(load_before: float) -> str:
    """What a figure is worth depends on: how many cores, and what else ran on them before the benchmark did."""
    return f"{os.cpu_count()} cores, load average {load_before:.1f} before"


def failures_text(failures: Mapping[str, int]) -> str:
    """What was refused or lost, most frequent first."""
    ordered = sorted(failures.items(), key=lambda item: -item[1])
    return ", ".join(f"{count:,} x {what}" for what, count in ordered)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
