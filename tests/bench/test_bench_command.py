"""How `engine bench` ends: a missed target is a figure, a failed payment or a violation is an error."""

from pathlib import Path

import msgspec
import pytest
import typer

from engine.bench.figures import Figure, figure
from engine.cli.bench import Measured, conclude
from engine.cli.options import Exit
from engine.core.violations import Violation, ViolationKind, Where
from engine.flows.verify_books import BooksReport
from engine.flows.verify_journal import Counts

RIGHT = BooksReport(Counts(), None)


def a_missed_target() -> Figure:
    return figure("P1", "what", "payments/s", [1.0], yardstick="other", yardstick_values=[100.0])


def test_a_missed_target_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "figures.json"
    conclude(Measured(figures=(a_missed_target(),), reports=(RIGHT,)), path, 0.0)
    said = capsys.readouterr().out
    assert "not reached" in said
    assert said.endswith("books balance\n")
    assert msgspec.json.decode(path.read_bytes())[0]["ratio"] == 0.01


def test_a_payment_that_failed_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        conclude(
            Measured(figures=(a_missed_target(),), failures={"status 402": 3}, reports=(RIGHT,)),
            None,
            0.0,
        )
    assert ended.value.exit_code == Exit.CHECK_FAILED
    assert "3 x status 402" in capsys.readouterr().err


def test_books_that_are_off_are_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    violation = Violation(ViolationKind.BALANCE_WRONG, Where(), "1", "2")
    with pytest.raises(typer.Exit) as ended:
        conclude(Measured(figures=(a_missed_target(),), reports=(RIGHT, BooksReport(Counts(), violation))), None, 0.0)
    assert ended.value.exit_code == Exit.CHECK_FAILED
    said = capsys.readouterr()
    assert violation.text in said.err
    assert said.out.endswith("books DO NOT balance\n")
