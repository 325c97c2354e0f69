"""The statistics behind the figures, and what is to be reached."""

from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from engine.bench.figures import GOALS, Figure, Goal, figure, percentile, write_figures
from engine.bench.report import failures_text, figures_report


def a_figure(name: str = "P1", *, is_inverted: bool = False) -> Figure:
    return figure(
        name,
        "what",
        "payments/s",
        [120.0, 90.0, 100.0],
        yardstick="other",
        yardstick_values=[50.0, 10.0, 400.0],
        is_inverted=is_inverted,
    )


def test_a_figure_is_made_of_medians() -> None:
    made = a_figure()
    assert (made.value, made.yardstick_value, made.ratio) == (100.0, 50.0, 2.0)
    assert (made.runs, made.spread) == (3, (90.0, 120.0))


def test_an_inverted_ratio_is_the_yardsticks_over_the_values() -> None:
    assert a_figure(is_inverted=True).ratio == 0.5


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (50, 5), (90, 9), (91, 10), (99.9, 10), (100, 10)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, expected: float) -> None:
    assert percentile([10, 1, 9, 2, 8, 3, 7, 4, 6, 5], percent) == expected


def test_one_value_is_every_percentile() -> None:
    assert percentile([7.0], 50) == percentile([7.0], 99.9) == 7.0


def test_a_goal_keeps_its_bound() -> None:
    assert Goal(0.6).is_reached_by(0.6)
    assert not Goal(0.6).is_reached_by(0.59)
    assert Goal(1.0, is_upper=True).is_reached_by(1.0)
    assert not Goal(1.0, is_upper=True).is_reached_by(1.01)


def test_the_file_is_a_list_with_the_promised_fields(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    write_figures(path, [a_figure(), a_figure("P8")])
    lines = msgspec.json.decode(path.read_bytes())
    names = {"id", "what", "unit", "value", "yardstick", "yardstick_value", "ratio", "runs", "spread"}
    assert [line["id"] for line in lines] == ["P1", "P8"]
    assert all(set(line) == names for line in lines)


def test_the_report_says_of_every_goal_whether_it_is_reached() -> None:
    console = Console(width=80, file=StringIO())
    console.print(figures_report([a_figure(name) for name in GOALS]))
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    for name, goal in GOALS.items():
        (line,) = (line for line in lines if line.startswith(f"│ {name} "))
        assert goal.text in line
        assert ("not reached" in line) is not goal.is_reached_by(2.0)
        assert any(line.startswith(f"{name}: what, payments/s; yardstick: other") for line in lines)


def test_failures_are_told_most_frequent_first() -> None:
    assert failures_text({"status 402": 2, "no answer": 30}) == "30 x no answer, 2 x status 402"
