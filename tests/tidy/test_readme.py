"""What the documentation shows is what the code does."""

import re
from pathlib import Path

from engine.core.applications import APPLICATION_TRANSITIONS
from engine.core.channels import CHANNEL_TRANSITIONS
from engine.core.payments import TRANSITIONS
from engine.core.settlement import CYCLE_TRANSITIONS

ROOT = Path(__file__).parents[2]
CYCLE_ARROW = re.compile(r"^([a-z]+)\s+--([a-z_]+)-->\s+([a-z]+)$", re.MULTILINE)
ARROW = re.compile(r"^([A-Z_]+)\s+--([a-z_]+)-->\s+([A-Z_]+)$", re.MULTILINE)


def _drawn(after: str) -> list[tuple[str, str, str]]:
    """The arrows of the first diagram after these words."""
    text = (ROOT / "engine" / "README.md").read_text().partition(after)[2]
    diagram = re.search(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert diagram is not None, after
    return ARROW.findall(diagram[1])


def test_the_diagram_shows_every_transition() -> None:
    drawn = set(_drawn("## The life of a payment"))
    assert drawn == {(before.name, move.value, after.name) for (before, move), after in TRANSITIONS.items()}


def test_the_diagrams_show_the_lives_of_channels_and_applications() -> None:
    for after, table in (
        ("**A channel's life**", CHANNEL_TRANSITIONS),
        ("**An application's course**", APPLICATION_TRANSITIONS),
    ):
        drawn = _drawn(after)
        assert len(drawn) == len(set(drawn))
        assert set(drawn) == {(old.name, move.name.lower(), new.name) for (old, move), new in table.items()}


def test_the_diagram_shows_every_step_of_a_cycle() -> None:
    drawn = CYCLE_ARROW.findall((ROOT / "engine" / "README.md").read_text())
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == {
        (before.value, move.value, after.value) for (before, move), after in CYCLE_TRANSITIONS.items()
    }


def test_the_commands_are_single_lines_of_the_promised_shape() -> None:
    text = (ROOT / "README.md").read_text()
    run, test = (
        re.search(rf"^## {title}$.*?^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for title in ("Run it", "Test it")
    )
    assert run is not None
    assert test is not None
    assert re.fullmatch(r"[^\n]+engine demo\n", run[1])
    assert re.fullmatch(r"[^\n]+&& \.venv/bin/pytest\n", test[1])
