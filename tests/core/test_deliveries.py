"""At which cycles a bank gets files, what they cover, and what they must add up to."""

from datetime import UTC, datetime

import pytest

from engine.core.calendar import CycleNumber
from engine.core.clearing import Movement, net_positions
from engine.core.clearing_lines import FileKind
from engine.core.deliveries import ClearedCycle, LineTotals, covered, delivered_from, expected_totals, is_delivered
from engine.core.ids import BankId

FIRST, SECOND, THIRD = (CycleNumber(2026112400 + n) for n in (1, 2, 3))
NEXT_DAY = CycleNumber(2026112501)
A, B, SETTLING = (BankId(bytes([n]) * 16) for n in (1, 2, 3))


def _cleared(cycle: CycleNumber, *movements: Movement) -> ClearedCycle:
    return ClearedCycle(
        cycle=cycle,
        closed_at=datetime(2026, 11, 24, tzinfo=UTC),
        settlement_bank=SETTLING,
        positions=net_positions(movements, (A, B, SETTLING)),
    )


CYCLES = (_cleared(FIRST, Movement(A, B, 2, 100), Movement(B, A, 1, 30)), _cleared(SECOND, Movement(B, A, 1, 7)))


def _totals(count: int, debit_total: int, credit_total: int) -> LineTotals:
    return LineTotals(count=count, debit_total=debit_total, credit_total=credit_total)


@pytest.mark.parametrize(
    ("places", "cycle", "following", "expected"),
    [
        ((), FIRST, SECOND, True),
        ((2,), FIRST, SECOND, False),
        ((2,), SECOND, THIRD, True),
        ((1, 3), SECOND, THIRD, False),
        ((2,), THIRD, NEXT_DAY, True),  # the day's last
        ((9,), FIRST, NEXT_DAY, True),
    ],
)
def test_a_bank_gets_files_at_the_cycles_that_it_chose_and_at_the_days_end(
    places: tuple[int, ...], cycle: CycleNumber, following: CycleNumber, expected: bool
) -> None:
    assert is_delivered(places, cycle=cycle, following=following) is expected


@pytest.mark.parametrize(
    ("places", "waiting_since", "expected"),
    [((), None, SECOND), ((2,), None, SECOND), ((2,), FIRST, FIRST), ((3,), FIRST, None), ((3,), None, None)],
)
def test_what_has_waited_is_delivered_with_the_cycle(
    places: tuple[int, ...], waiting_since: CycleNumber | None, expected: CycleNumber | None
) -> None:
    assert delivered_from(places, cycle=SECOND, following=THIRD, waiting_since=waiting_since) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FileKind.COLLECT, _totals(2, 100, 0)),
        (FileKind.CREDIT, _totals(2, 0, 37)),
        (FileKind.ADVICE, _totals(4, 100, 37)),
        (FileKind.NET, _totals(2, 70, 7)),  # a line a cycle, not their sum
    ],
)
def test_totals_are_those_of_all_cycles_that_are_covered(kind: FileKind, expected: LineTotals) -> None:
    assert expected_totals(kind, A, CYCLES) == expected


def test_the_settlement_bank_has_a_line_for_every_bank_that_moves() -> None:
    # In the first cycle A pays 70 and B gets 70, in the second A gets 7 and B pays 7.
    assert expected_totals(FileKind.NET, SETTLING, CYCLES) == _totals(4, 77, 77)
    assert expected_totals(FileKind.COLLECT, SETTLING, CYCLES) == _totals(0, 0, 0)


def test_cycles_are_covered_from_the_first_to_the_last_in_order() -> None:
    cycles = {cleared.cycle: cleared for cleared in reversed(CYCLES)}
    assert covered(cycles, first=FIRST, last=SECOND) == list(CYCLES)
    assert covered(cycles, first=SECOND, last=SECOND) == [CYCLES[1]]
