"""`engine bench benefits`, small: as many bills as were asked for are split, and a refused one is told."""

import pytest

from engine.bench import measure_benefits
from engine.bench.measure_benefits import LIMIT_S, LONG_LINES
from engine.core.benefits import MedicalBill, split
from engine.sandbox.draws import Draws
from engine.sandbox.medical_bills import Venue


def test_both_kinds_of_bills_are_split_in_every_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = []

    def counted(plan: object, bill: MedicalBill, **person: int) -> object:
        lines.append(len(bill.lines))
        return split(plan, bill, **person)  # type: ignore[arg-type]  # as it is called with

    monkeypatch.setattr(measure_benefits, "split", counted)
    monkeypatch.setattr(measure_benefits, "DISTINCT_MAX", 20)
    said: list[str] = []
    result = measure_benefits.measure_benefits(bills=50, turns=2, say=said.append)
    assert result.refusals == {}
    assert [(figure.id, figure.runs) for figure in result.figures] == [("P11", 2), ("P11.long", 2)]
    assert all(figure.yardstick_value == pytest.approx(LIMIT_S * 50 / 100_000) for figure in result.figures)
    assert len(lines) == 2 * (20 + 2 * 50)  # warming up, and two turns
    assert lines[20:40] == [LONG_LINES] * 20
    assert len(said) == 4


def test_refused_bill_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiled(draws: Draws, venue: Venue, *, line_count: int | None) -> MedicalBill:
        return MedicalBill(())

    monkeypatch.setattr(measure_benefits, "sample_bill", spoiled)
    result = measure_benefits.measure_benefits(bills=3, turns=1, say=lambda _: None)
    assert list(result.refusals.values()) == [12]
