"""The life of a cycle: a total table of moves, what its settlement moves, and what is an alarm."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.bank_lines import Direction
from engine.core.calendar import SHANGHAI, CycleNumber
from engine.core.clearing import Movement, NetPosition, net_positions
from engine.core.ids import BankId, IdKind, make_id
from engine.core.refusals import Refusal
from engine.core.settlement import (
    CYCLE_TRANSITIONS,
    MOVE_OF,
    Alarm,
    AlarmKind,
    CycleMove,
    CycleState,
    CycleTimes,
    Dropped,
    Exposure,
    Instruction,
    Outcome,
    Receipts,
    SettlementStep,
    Unsettled,
    exposures,
    judge_answer,
    overdue_receipts,
    settlement_alarms,
    settlement_step,
    transfers,
    without_dropped,
)
from engine.core.timetable import Timetable

BANKS = tuple(
    BankId(make_id(IdKind.BANK, at_ms=1_700_000_000_000, shard=7, region=110101, entropy=n)) for n in range(4)
)
A, B, C, S = BANKS
CYCLE = CycleNumber(2026112701)  # a Friday's
MONDAY = datetime(2026, 11, 30, 9, 0, tzinfo=SHANGHAI)
TIMETABLE = Timetable()

# Every state beside every move; what is not listed is refused.
ALLOWED = {
    CycleState.OPEN: {CycleMove.CLOSE: CycleState.CLOSED},
    CycleState.CLOSED: {CycleMove.NET: CycleState.NETTED},
    CycleState.NETTED: {CycleMove.PUBLISH: CycleState.PUBLISHED},
    CycleState.PUBLISHED: {
        CycleMove.FAIL: CycleState.PUBLISHED,
        CycleMove.CONFIRM: CycleState.SETTLED,
        CycleMove.SETTLE_EMPTY: CycleState.SETTLED,
    },
    CycleState.SETTLED: {},
}

banks = st.sampled_from(BANKS)
movements = st.lists(st.builds(Movement, banks, banks, st.integers(1, 5), st.integers(1, 10**12)), max_size=20)


def an_instruction(**changes: object) -> Instruction:
    """One that was given on the Monday, with *changes*."""
    given = Instruction(cycle=CYCLE, attempt=1, settlement_date=date(2026, 11, 30), instructed_at=MONDAY)
    return msgspec.structs.replace(given, **changes)


def answered(outcome: Outcome, reference: str = "R-1", **changes: object) -> Instruction:
    """An instruction with its answer, given an hour later."""
    at = MONDAY + timedelta(hours=1)
    return an_instruction(outcome=outcome, reference=reference, **{"answered_at": at, **changes})


def unsettled(latest: Instruction | None = None, *, item_count: int = 5) -> Unsettled:
    """Friday's cycle."""
    return Unsettled(cycle=CYCLE, due_on=date(2026, 11, 30), item_count=item_count, latest=latest)


def nets(moved: Sequence[Movement]) -> tuple[NetPosition, ...]:
    """Every bank's position."""
    return net_positions(moved, BANKS)


@pytest.mark.parametrize("move", CycleMove)
@pytest.mark.parametrize("state", CycleState)
def test_move_leads_where_the_table_says_or_is_refused(state: CycleState, move: CycleMove) -> None:
    assert CYCLE_TRANSITIONS.get((state, move)) is ALLOWED[state].get(move)


def test_every_answer_is_a_move() -> None:
    assert {(CycleState.PUBLISHED, MOVE_OF[outcome]) for outcome in Outcome} <= CYCLE_TRANSITIONS.keys()


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        (0, CycleState.CLOSED),
        (1, CycleState.NETTED),
        (2, CycleState.PUBLISHED),
        (3, CycleState.SETTLED),
    ],
)
def test_the_state_is_the_last_step_that_was_taken(steps: int, state: CycleState) -> None:
    names = ("netted_at", "published_at", "settled_at")
    times = {name: MONDAY if n < steps else None for n, name in enumerate(names)}
    assert CycleTimes(closed_at=MONDAY, **times).state is state


@given(moved=movements)
def test_after_the_transfers_every_bank_is_even(moved: list[Movement]) -> None:
    left = {position.bank: position.net for position in nets(moved)}
    for transfer in transfers(nets(moved), S):
        assert S in (transfer.debtor, transfer.creditor)
        assert transfer.amount > 0
        left[transfer.debtor] += transfer.amount
        left[transfer.creditor] -= transfer.amount
    assert set(left.values()) == {0}


@given(moved=movements, data=st.data())
def test_what_drops_out_is_settled_by_the_bank_that_stands_in(moved: list[Movement], data: st.DataObject) -> None:
    dropped, kept = [], []
    for item in moved:
        direction = data.draw(st.sampled_from([None, *Direction]))
        if direction is Direction.DEBIT:
            dropped.append(Dropped(direction, item.debtor, C, item.count, item.amount))
            item = msgspec.structs.replace(item, debtor=C)
        elif direction is Direction.CREDIT:
            dropped.append(Dropped(direction, item.creditor, C, item.count, item.amount))
            item = msgspec.structs.replace(item, creditor=C)
        kept.append(item)
    assert without_dropped(nets(moved), dropped) == nets(kept)
    assert sum(position.net for position in without_dropped(nets(moved), dropped)) == 0


def test_no_more_drops_out_than_is_in_it() -> None:
    with pytest.raises(AssertionError, match="no more drops out"):
        without_dropped(nets([Movement(A, B, 1, 10)]), [Dropped(Direction.DEBIT, A, C, 1, 11)])


@pytest.mark.parametrize(
    ("now", "step"),
    [
        (datetime(2026, 11, 27, 23, 0, tzinfo=SHANGHAI), None),
        (datetime(2026, 11, 28, 9, 0, tzinfo=SHANGHAI), None),
        (datetime(2026, 11, 30, 8, 59, tzinfo=SHANGHAI), None),
        (MONDAY, SettlementStep.INSTRUCT),
    ],
)
def test_a_cycle_is_instructed_on_its_day(now: datetime, step: SettlementStep | None) -> None:
    assert settlement_step(unsettled(), now=now, timetable=TIMETABLE) is step


def test_an_empty_cycle_is_settled_at_once() -> None:
    published = datetime(2026, 11, 27, 23, 0, tzinfo=SHANGHAI)
    empty = unsettled(item_count=0)
    assert settlement_step(empty, now=published, timetable=TIMETABLE) is SettlementStep.SETTLE_EMPTY


def test_nothing_is_instructed_while_an_instruction_is_open() -> None:
    waiting = unsettled(an_instruction())
    assert settlement_step(waiting, now=MONDAY + timedelta(days=3), timetable=TIMETABLE) is None


def test_what_was_confirmed_and_not_settled_is_finished_at_any_hour() -> None:
    night = datetime(2026, 12, 5, 3, 0, tzinfo=SHANGHAI)
    confirmed = unsettled(answered(Outcome.CONFIRMED))
    assert settlement_step(confirmed, now=night, timetable=TIMETABLE) is SettlementStep.FINISH


@pytest.mark.parametrize(
    ("failed_at", "now", "step"),
    [
        (MONDAY, MONDAY + timedelta(hours=8), None),  # not the same day again
        (MONDAY, MONDAY + timedelta(days=1), SettlementStep.INSTRUCT),
        (MONDAY + timedelta(days=4), MONDAY + timedelta(days=5), None),  # failed on a Friday: on Monday
        (MONDAY + timedelta(days=4), MONDAY + timedelta(days=7), SettlementStep.INSTRUCT),
    ],
)
def test_what_failed_joins_the_next_working_days_instruction(
    failed_at: datetime, now: datetime, step: SettlementStep | None
) -> None:
    failed = unsettled(answered(Outcome.FAILED, answered_at=failed_at))
    assert settlement_step(failed, now=now, timetable=TIMETABLE) is step


FAILED = answered(Outcome.FAILED, "F-1")
CONFIRMED = answered(Outcome.CONFIRMED, "C-1")
SECOND = an_instruction(attempt=2)
CONFIRMED_SECOND = answered(Outcome.CONFIRMED, "C-2", attempt=2)


@pytest.mark.parametrize(
    ("instructions", "outcome", "reference", "judged"),
    [
        ([], Outcome.CONFIRMED, "R", Refusal.SETTLEMENT_NOT_INSTRUCTED),
        ([an_instruction()], Outcome.CONFIRMED, "R", an_instruction()),
        ([an_instruction()], Outcome.FAILED, "R", an_instruction()),
        ([CONFIRMED], Outcome.CONFIRMED, "C-1", CONFIRMED),  # told twice
        ([CONFIRMED], Outcome.CONFIRMED, "C-9", Refusal.SETTLEMENT_FINAL),
        ([CONFIRMED], Outcome.FAILED, "F-9", Refusal.SETTLEMENT_FINAL),
        ([CONFIRMED], Outcome.FAILED, "C-1", Refusal.SETTLEMENT_FINAL),
        ([FAILED], Outcome.FAILED, "F-1", FAILED),
        ([FAILED], Outcome.FAILED, "F-2", Refusal.SETTLEMENT_NOT_INSTRUCTED),
        ([FAILED], Outcome.CONFIRMED, "C-1", Refusal.SETTLEMENT_NOT_INSTRUCTED),
        ([FAILED], Outcome.CONFIRMED, "F-1", Refusal.SETTLEMENT_REFERENCE_USED),
        ([FAILED, SECOND], Outcome.FAILED, "F-1", FAILED),  # a late repetition does not fail the second attempt
        ([FAILED, SECOND], Outcome.CONFIRMED, "F-1", Refusal.SETTLEMENT_REFERENCE_USED),
        ([FAILED, SECOND], Outcome.CONFIRMED, "C-2", SECOND),
        ([FAILED, CONFIRMED_SECOND], Outcome.FAILED, "F-1", FAILED),
        ([FAILED, CONFIRMED_SECOND], Outcome.CONFIRMED, "F-1", Refusal.SETTLEMENT_FINAL),
    ],
)
def test_an_answer_is_about_one_instruction_or_none(
    instructions: list[Instruction], outcome: Outcome, reference: str, judged: Instruction | Refusal
) -> None:
    assert judge_answer(instructions, outcome=outcome, reference=reference) == judged


@pytest.mark.parametrize(
    ("has_pulled", "has_acknowledged", "hour", "kinds"),
    [
        (False, False, 5, set()),
        (False, False, 6, {AlarmKind.NOT_PULLED}),
        (True, False, 6, set()),
        (True, False, 8, {AlarmKind.NOT_ACKNOWLEDGED}),
        (False, False, 8, {AlarmKind.NOT_PULLED, AlarmKind.NOT_ACKNOWLEDGED}),
        (True, True, 23, set()),
    ],
)
def test_who_is_late_raises_an_alarm(
    has_pulled: bool, has_acknowledged: bool, hour: int, kinds: set[AlarmKind]
) -> None:
    receipts = Receipts(
        cycle=CYCLE,
        bank=A,
        published_at=datetime(2026, 11, 28, 0, 30, tzinfo=SHANGHAI),
        has_pulled=has_pulled,
        has_acknowledged=has_acknowledged,
    )
    now = datetime(2026, 11, 28, hour, 0, tzinfo=SHANGHAI)
    assert overdue_receipts([receipts], now=now, timetable=TIMETABLE) == {Alarm(CYCLE, A, kind) for kind in kinds}


@pytest.mark.parametrize(
    ("latest", "now", "kinds"),
    [
        (None, MONDAY, set()),
        (an_instruction(), MONDAY + timedelta(hours=14), set()),
        (an_instruction(), MONDAY + timedelta(hours=15), {AlarmKind.SETTLEMENT_LATE}),
        (answered(Outcome.FAILED), MONDAY + timedelta(hours=15), {AlarmKind.SETTLEMENT_FAILED}),
        (answered(Outcome.CONFIRMED), MONDAY + timedelta(hours=15), set()),
    ],
)
def test_a_settlement_that_failed_or_is_late_raises_an_alarm(
    latest: Instruction | None, now: datetime, kinds: set[AlarmKind]
) -> None:
    expected = {Alarm(CYCLE, S, kind) for kind in kinds}
    assert settlement_alarms([unsettled(latest)], settlement_bank=S, now=now) == expected


def test_what_a_bank_gets_in_one_cycle_counts_for_what_it_owes_in_another() -> None:
    cycles = [nets([Movement(A, B, 1, 100)]), nets([Movement(B, A, 1, 30)]), nets([Movement(A, C, 1, 5)])]
    assert exposures(cycles, {A: 75, B: 10}) == (
        Exposure(bank=A, cap=75, used=75),
        Exposure(bank=B, cap=10, used=0),
    )


@pytest.mark.parametrize(
    ("used", "is_high", "is_exceeded"),
    [(0, False, False), (799, False, False), (800, True, False), (1_000, True, False), (1_001, True, True)],
)
def test_a_person_looks_before_a_cap_is_reached(used: int, is_high: bool, is_exceeded: bool) -> None:
    look = Exposure(bank=A, cap=1_000, used=used)
    assert (look.is_high, look.is_exceeded) == (is_high, is_exceeded)


@pytest.mark.parametrize(("used", "is_high", "is_exceeded"), [(0, False, False), (1, True, True)])
def test_a_bank_that_may_owe_nothing_alarms_only_when_it_does(used: int, is_high: bool, is_exceeded: bool) -> None:
    look = Exposure(bank=A, cap=0, used=used)
    assert (look.is_high, look.is_exceeded) == (is_high, is_exceeded)
