"""A benchmark as people read it."""

import os
from collections.abc import Mapping, Sequence

from rich.table import Table

from engine.bench.figures import GOALS, Figure


def figures_table(figures: Sequence[Figure]) -> Table:
    """The figures with what they have to reach, and whether they do."""
    table = Table(title="medians; the lowest and the highest run in brackets")
    for heading in ("", "what", "value", "yardstick", "ratio", "to reach", ""):
        table.add_column(heading, justify="right" if heading in ("value", "ratio", "to reach") else "left")
    for line in figures:
        goal = GOALS[line.id]
        low, high = line.spread
        table.add_row(
            line.id,
            line.what,
            f"{_number(line.value)} {line.unit} ({_number(low)}..{_number(high)})",
            f"{line.yardstick}: {_number(line.yardstick_value)}",
            f"{line.ratio:.2f}",
            goal.text,
            "reached" if goal.is_reached_by(line.ratio) else "not reached",
        )
    return table


def machine_text(load_before: float) -> str:
    """What a figure is worth depends on: how many cores, and what else ran on them before the benchmark did."""
    return f"{os.cpu_count()} cores, load average {load_before:.1f} before"


def failures_text(failures: Mapping[str, int]) -> str:
    """What was refused or lost, most frequent first."""
    ordered = sorted(failures.items(), key=lambda item: -item[1])
    return ", ".join(f"{count:,} x {what}" for what, count in ordered)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
