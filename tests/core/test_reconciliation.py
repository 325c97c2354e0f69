"""Every class that a comparison can find, and that nothing but what is on the two sides decides which."""

import random
from collections import Counter
from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.bank_lines import Direction, StatementLine
from engine.core.differences import (
    CAUSE_TEXTS,
    HANDLED_STATES,
    HANDLING_TEXTS,
    HANDLINGS,
    TRANSITIONS,
    Cause,
    DifferenceClass,
    DifferenceState,
    Effect,
    Handling,
    Resolution,
    resolution_of,
)
from engine.core.reconciliation import Item, PaymentFacts, classify, judge_dates
from engine.core.side_by_side import look
from tests.core.statements import CREDIT, DAY, DEBIT, PAYMENT, Summary, a_line, an_item, summaries

K = DifferenceClass
NEXT, PREVIOUS = DAY + timedelta(days=1), DAY - timedelta(days=1)
FRIDAY, SUNDAY, MONDAY = date(2026, 11, 20), date(2026, 11, 22), date(2026, 11, 23)


def found(
    ours: list[Item], theirs: list[StatementLine], *, facts: PaymentFacts | None = None
) -> tuple[int, "Counter[Summary]"]:
    """How many matched, and what differs."""
    classified = (
        classify(ours, theirs, business_date=DAY)
        if facts is None
        else classify(ours, theirs, business_date=DAY, facts=facts)
    )
    return len(classified.matches), summaries(classified)


CASES: dict[str, tuple[list[Item], list[StatementLine], int, list[Summary]]] = {
    "equal": ([an_item()], [a_line()], 1, []),
    "two tenders": ([an_item(1), an_item(2, seq=2)], [a_line(2), a_line(1, number=3)], 2, []),
    "both sides of one bank": ([an_item(), an_item(direction=CREDIT)], [a_line(direction=CREDIT), a_line()], 2, []),
    "a refund": ([an_item(), an_item(40, CREDIT)], [a_line(), a_line(40, CREDIT, is_reversal=True)], 2, []),
    "nothing at the bank": ([an_item()], [], 0, [(K.SHORT, Effect.SHORT, Cause.NOT_BOOKED, 500, None, False)]),
    "nothing here": ([], [a_line()], 0, [(K.LONG, Effect.LONG, Cause.UNKNOWN_REFERENCE, None, 500, False)]),
    "no reference": ([], [a_line(payment_id="")], 0, [(K.LONG, Effect.LONG, Cause.NO_REFERENCE, None, 500, False)]),
    "one fen more": (
        [an_item()],
        [a_line(501)],
        0,
        [(K.AMOUNT_DIFF, Effect.LONG, Cause.OTHER_AMOUNT, 500, 501, False)],
    ),
    "one fen less": (
        [an_item()],
        [a_line(499)],
        0,
        [(K.AMOUNT_DIFF, Effect.SHORT, Cause.OTHER_AMOUNT, 500, 499, False)],
    ),
    "yuan for fen": ([an_item()], [a_line(5)], 0, [(K.AMOUNT_DIFF, Effect.SHORT, Cause.UNIT_MISTAKEN, 500, 5, False)]),
    "same total, other amounts": (
        [an_item(100), an_item(300, seq=2)],
        [a_line(150), a_line(250, number=3)],
        0,
        [
            (K.AMOUNT_DIFF, Effect.LONG, Cause.OTHER_AMOUNT, 100, 150, False),
            (K.AMOUNT_DIFF, Effect.SHORT, Cause.OTHER_AMOUNT, 300, 250, False),
        ],
    ),
    "booked as one": (
        [an_item(100), an_item(40, seq=2)],
        [a_line(140)],
        0,
        [
            (K.AMOUNT_DIFF, Effect.LONG, Cause.LINES_MERGED, 100, 140, False),
            (K.SHORT, Effect.SHORT, Cause.LINES_MERGED, 40, None, False),
        ],
    ),
    "next day": (
        [an_item()],
        [a_line(booked_on=NEXT)],
        0,
        [(K.DATE_DIFF, Effect.NONE, Cause.NEXT_DAY, 500, 500, True)],
    ),
    "day before": (
        [an_item()],
        [a_line(booked_on=PREVIOUS)],
        0,
        [(K.DATE_DIFF, Effect.NONE, Cause.NEXT_DAY, 500, 500, True)],
    ),
    "two days later": (
        [an_item()],
        [a_line(booked_on=DAY + timedelta(days=2))],
        0,
        [(K.DATE_DIFF, Effect.NONE, Cause.FAR_DAY, 500, 500, False)],
    ),
    "sent twice": (
        [an_item()],
        [a_line(ref="R"), a_line(ref="R", number=3)],
        1,
        [(K.DUPLICATE, Effect.LONG, Cause.SENT_TWICE, None, 500, False)],
    ),
    "booked twice": (
        [an_item()],
        [a_line(), a_line(number=3)],
        1,
        [(K.DUPLICATE, Effect.LONG, Cause.BOOKED_TWICE, None, 500, False)],
    ),
    "a duplicate is not another item": (
        [an_item(100), an_item(40, seq=2)],
        [a_line(100, ref="R"), a_line(100, ref="R", number=3)],
        1,
        [
            (K.DUPLICATE, Effect.LONG, Cause.SENT_TWICE, None, 100, False),
            (K.SHORT, Effect.SHORT, Cause.NOT_BOOKED, 40, None, False),
        ],
    ),
    "unknown, twice": (
        [],
        [a_line(), a_line(number=3)],
        0,
        [
            (K.LONG, Effect.LONG, Cause.UNKNOWN_REFERENCE, None, 500, False),
            (K.DUPLICATE, Effect.LONG, Cause.BOOKED_TWICE, None, 500, False),
        ],
    ),
    "one reference on both sides": (
        [],
        [a_line(ref="R"), a_line(direction=CREDIT, ref="R", number=3)],
        0,
        [(K.LONG, Effect.LONG, Cause.UNKNOWN_REFERENCE, None, 500, False)] * 2,
    ),
    "one reference, two amounts": (
        [an_item()],
        [a_line(ref="R"), a_line(77, ref="R", number=3)],
        1,
        [(K.DUPLICATE, Effect.LONG, Cause.SENT_TWICE, None, 77, False)],
    ),
    "swapped": (
        [an_item()],
        [a_line(direction=CREDIT)],
        0,
        [(K.DIRECTION_DIFF, Effect.BOTH, Cause.SIDES_SWAPPED, 500, 500, False)],
    ),
    "swapped is closer than another amount": (
        [an_item(100), an_item(40, CREDIT, seq=2)],
        [a_line(100), a_line(40, DEBIT, number=3)],
        1,
        [(K.DIRECTION_DIFF, Effect.BOTH, Cause.SIDES_SWAPPED, 40, 40, False)],
    ),
    "one booking more": (
        [an_item()],
        [a_line(), a_line(77, number=3)],
        1,
        [(K.LONG, Effect.LONG, Cause.EXTRA_BOOKING, None, 77, False)],
    ),
    "reversed at the bank": (
        [an_item()],
        [a_line(), a_line(direction=CREDIT, number=3, is_reversal=True)],
        1,
        [(K.STATUS_DIFF, Effect.SHORT, Cause.REVERSED_AT_BANK, None, 500, False)],
    ),
    "only the reversal": (
        [an_item()],
        [a_line(direction=CREDIT, is_reversal=True)],
        0,
        [(K.STATUS_DIFF, Effect.SHORT, Cause.REVERSED_AT_BANK, 500, 500, False)],
    ),
    "the bank has corrected itself": (
        [an_item()],
        [a_line(), a_line(number=3), a_line(direction=CREDIT, number=4, is_reversal=True)],
        1,
        [
            (K.DUPLICATE, Effect.NONE, Cause.CORRECTED_AT_BANK, None, 500, True),
            (K.STATUS_DIFF, Effect.NONE, Cause.CORRECTED_AT_BANK, None, 500, True),
        ],
    ),
    "returned and not booked": ([an_item(is_returned=True)], [], 0, []),
    "returned and yet booked": (
        [an_item(is_returned=True)],
        [a_line()],
        0,
        [(K.STATUS_DIFF, Effect.LONG, Cause.RETURNED_YET_BOOKED, 500, 500, False)],
    ),
    "one of two is returned": ([an_item(is_returned=True), an_item(seq=2)], [a_line()], 1, []),
    "what names the payment comes before what is attached to it": (
        [an_item()],
        [a_line(payment_id="", number=2, ref="X"), a_line(number=3, booked_on=NEXT)],
        0,
        [
            (K.DATE_DIFF, Effect.NONE, Cause.NEXT_DAY, 500, 500, True),
            (K.DUPLICATE, Effect.LONG, Cause.BOOKED_TWICE, None, 500, False),
        ],
    ),
    "the nearest date is taken": (
        [an_item()],
        [a_line(booked_on=NEXT), a_line(number=3)],
        1,
        [(K.DUPLICATE, Effect.LONG, Cause.BOOKED_TWICE, None, 500, False)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_case_has_its_class(name: str) -> None:
    ours, theirs, matched, differences = CASES[name]
    assert found(ours, theirs) == (matched, Counter(differences))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (PaymentFacts(is_own=True, is_captured=False), (K.STATUS_DIFF, Cause.NOT_CAPTURED)),
        (PaymentFacts(is_own=True, is_captured=True), (K.LONG, Cause.EXTRA_BOOKING)),
        (PaymentFacts(is_own=False, is_captured=True), (K.LONG, Cause.UNKNOWN_REFERENCE)),
        (PaymentFacts(is_own=False, is_captured=False), (K.LONG, Cause.UNKNOWN_REFERENCE)),
    ],
)
def test_what_is_known_of_a_payment_counts_only_if_it_is_the_banks_own(
    facts: PaymentFacts, expected: tuple[DifferenceClass, Cause]
) -> None:
    (difference,) = classify([], [a_line()], business_date=DAY, facts=facts).differences
    assert (difference.kind, difference.cause) == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (DAY, DAY, None),
        (FRIDAY, SUNDAY, (Cause.NEXT_DAY, True)),
        (FRIDAY, MONDAY, (Cause.NEXT_DAY, True)),
        (SUNDAY, MONDAY, (Cause.NEXT_DAY, True)),
        (MONDAY, FRIDAY, (Cause.NEXT_DAY, True)),
        (FRIDAY, DAY, (Cause.FAR_DAY, False)),
        (date(2026, 2, 13), date(2026, 2, 14), (Cause.NEXT_DAY, True)),  # a Saturday that is worked
        (date(2026, 2, 14), date(2026, 2, 24), (Cause.NEXT_DAY, True)),  # over the Spring Festival
        (date(2024, 2, 28), date(2024, 2, 29), (Cause.NEXT_DAY, True)),
        (DAY, date(1, 1, 1), (Cause.FAR_DAY, False)),
        (DAY, date(9999, 12, 31), (Cause.FAR_DAY, False)),
    ],
)
def test_dates_are_near_within_one_business_day(ours: date, theirs: date, expected: tuple[Cause, bool] | None) -> None:
    assert judge_dates(ours, theirs) == expected


AMOUNTS = st.sampled_from((1, 2, 100, 101, 10_000))
DIRECTIONS = st.sampled_from(Direction)


@st.composite
def items(draw: st.DrawFn) -> list[Item]:
    """Some items of one payment."""
    sides = draw(st.lists(st.tuples(AMOUNTS, DIRECTIONS, st.booleans()), max_size=4))
    return [an_item(a, d, seq=n, is_returned=r and n == 1) for n, (a, d, r) in enumerate(sides, 1)]


@st.composite
def lines(draw: st.DrawFn) -> list[StatementLine]:
    """Some lines of one payment."""
    sides = draw(
        st.lists(
            st.tuples(
                AMOUNTS,
                DIRECTIONS,
                st.sampled_from((DAY, DAY, NEXT, DAY + timedelta(days=9))),
                st.sampled_from("ABC"),
                st.booleans(),
                st.sampled_from((PAYMENT, PAYMENT, "")),
            ),
            max_size=5,
        )
    )
    return [
        a_line(a, d, booked_on=on, ref=ref, is_reversal=r and n == 2, payment_id=p, number=n)
        for n, (a, d, on, ref, r, p) in enumerate(sides, 1)
    ]


@given(ours=items(), theirs=lines())
def test_every_item_and_every_line_is_somewhere_once(ours: list[Item], theirs: list[StatementLine]) -> None:
    classified = classify(ours, theirs, business_date=DAY)
    shown_items = [match.item for match in classified.matches]
    shown_lines = [match.line for match in classified.matches]
    for difference in classified.differences:
        shown_items += [difference.item] if difference.item is not None else []
        shown_lines += [difference.line] if difference.line is not None else []
    missing = Counter(item.seq for item in ours) - Counter(item.seq for item in shown_items)
    assert Counter(line.line_number for line in shown_lines) == Counter(line.line_number for line in theirs)
    assert max(Counter(item.seq for item in shown_items).values(), default=1) == 1
    assert all(item.is_returned for item in ours if item.seq in missing)


@given(ours=items(), theirs=lines(), seed=st.integers(0, 2**16))
def test_order_does_not_matter(ours: list[Item], theirs: list[StatementLine], seed: int) -> None:
    shuffled = random.Random(seed)
    other_ours, other_theirs = list(ours), list(theirs)
    shuffled.shuffle(other_ours)
    shuffled.shuffle(other_theirs)
    renumbered = [msgspec.structs.replace(line, line_number=n) for n, line in enumerate(other_theirs, 1)]
    assert found(ours, theirs) == found(other_ours, renumbered)


def equal_count(ours: list[Item], theirs: list[StatementLine]) -> int:
    """A reference: how many say the same on both sides, whatever the dates."""
    items = Counter((item.direction, item.amount) for item in ours)
    lines = Counter((line.direction, line.amount) for line in theirs)
    return (items & lines).total()


@given(ours=items(), theirs=lines())
def test_as_many_agree_as_can(ours: list[Item], theirs: list[StatementLine]) -> None:
    classified = classify(ours, theirs, business_date=DAY)
    tied = [d for d in classified.differences if d.cause in (Cause.NEXT_DAY, Cause.FAR_DAY, Cause.RETURNED_YET_BOOKED)]
    assert len(classified.matches) + len(tied) == equal_count(ours, theirs)


@given(ours=items(), theirs=lines())
def test_nothing_differs_only_if_both_sides_say_the_same(ours: list[Item], theirs: list[StatementLine]) -> None:
    standing = [item for item in ours if not item.is_returned]
    is_same = Counter((i.direction, i.amount, i.business_date) for i in standing) == Counter(
        (line.direction, line.amount, line.booked_on) for line in theirs
    )
    differences = classify(ours, theirs, business_date=DAY).differences
    if not differences:
        assert is_same
    elif is_same and not any(item.is_returned for item in ours):
        pytest.fail("both sides say the same")


@given(ours=items(), theirs=lines())
def test_the_quick_look_finds_what_classifying_finds(ours: list[Item], theirs: list[StatementLine]) -> None:
    keys = sorted((i.payment_id, list(Direction).index(i.direction), i.amount, i.file, i.seq) for i in ours)
    line_keys = sorted(
        (PAYMENT, list(Direction).index(x.direction), x.amount, x.line_number, x.booked_on, x.is_reversal)
        for x in theirs
    )
    returned = {(item.file, item.seq) for item in ours if item.is_returned}
    matches, troubled = look(keys, line_keys, business_date=DAY, returned=returned)
    classified = classify(ours, theirs, business_date=DAY)
    if troubled:
        assert (matches, troubled) == ([], [PAYMENT])
    else:
        assert classified.differences == ()
        assert len(matches) == len(classified.matches) == len(ours) == len(theirs)


def test_the_quick_look_keeps_payments_apart() -> None:
    items = [(p, 1, 5, 0, n) for n, p in enumerate("abdf", 1)]
    lines = [(p, 1, 5, n, DAY, False) for n, p in enumerate("acdg", 11)]
    matches, troubled = look(items, lines, business_date=DAY)
    assert matches == [("a", 0, 1, 11), ("d", 0, 3, 13)]
    assert troubled == ["b", "c", "f", "g"]


def test_every_class_cause_and_handling_has_its_words() -> None:
    assert set(HANDLINGS) == set(DifferenceClass)
    assert set(HANDLING_TEXTS) == set(HANDLED_STATES) == set(Handling)
    assert set(CAUSE_TEXTS) == set(Cause)


def test_what_is_settled_stays_settled() -> None:
    assert {before for before, _ in TRANSITIONS} == {DifferenceState.OPEN, DifferenceState.SUSPENDED}
    assert all(after is not DifferenceState.OPEN for _, after in TRANSITIONS)


S = DifferenceState


@pytest.mark.parametrize(
    ("handling", "state", "effect", "ours", "theirs", "resolution"),
    [
        (Handling.SUSPEND_LONG, S.OPEN, Effect.LONG, None, 500, Resolution(S.SUSPENDED, Effect.LONG, 500)),
        (Handling.SUSPEND_REST, S.OPEN, Effect.LONG, 500, 501, Resolution(S.SUSPENDED, Effect.LONG, 1)),
        (Handling.SUSPEND_REST, S.OPEN, Effect.SHORT, 500, 499, Resolution(S.SUSPENDED, Effect.SHORT, 1)),
        (Handling.AWAIT_NEXT_STATEMENT, S.OPEN, Effect.SHORT, 500, None, Resolution(S.SUSPENDED, Effect.SHORT, 500)),
        (Handling.CLOSE, S.SUSPENDED, Effect.LONG, 500, 501, Resolution(S.RESOLVED, Effect.LONG, -1)),
        (Handling.WRITE_OFF, S.SUSPENDED, Effect.SHORT, 500, None, Resolution(S.WRITTEN_OFF, Effect.SHORT, -500)),
        (Handling.CORRECT_AT_BANK, S.OPEN, Effect.LONG, None, 500, Resolution(S.RESOLVED, Effect.NONE, 0)),
        (Handling.DECIDE, S.OPEN, Effect.BOTH, 500, 500, Resolution(S.RESOLVED, Effect.NONE, 0)),
        (Handling.SUSPEND_LONG, S.OPEN, Effect.BOTH, 500, 500, None),
        (Handling.SUSPEND_LONG, S.SUSPENDED, Effect.LONG, None, 500, None),
        (Handling.CLOSE, S.RESOLVED, Effect.LONG, None, 500, None),
        (Handling.WRITE_OFF, S.WRITTEN_OFF, Effect.LONG, None, 500, None),
    ],
)
def test_what_is_done_moves_what_differs_and_back(
    handling: Handling,
    state: DifferenceState,
    effect: Effect,
    ours: int | None,
    theirs: int | None,
    resolution: Resolution | None,
) -> None:
    assert resolution_of(handling, state=state, effect=effect, ours=ours, theirs=theirs) == resolution
