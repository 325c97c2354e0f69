"""Loose ends find each other across statements, and it never matters which of them was there first."""

import random
from collections import Counter
from datetime import date, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.core.bank_lines import Direction
from engine.core.differences import Cause, DifferenceClass, Effect
from engine.core.loose_ends import LACKING, Finding, LooseItem, LooseLine, Place, may_be_one, tie
from tests.core.statements import CREDIT, DAY, DEBIT

NEXT, PREVIOUS, FAR = DAY + timedelta(days=1), DAY - timedelta(days=1), DAY + timedelta(days=9)
LONE = Finding(DifferenceClass.LONG, Effect.LONG, Cause.EXTRA_BOOKING)
NEAR = Finding(DifferenceClass.DATE_DIFF, Effect.NONE, Cause.NEXT_DAY, is_settled=True)
TWICE = Finding(DifferenceClass.DUPLICATE, Effect.LONG, Cause.BOOKED_TWICE)
ITEM, LINE = (b"d", 1), (b"e", 2)
SAYS = frozenset({(DEBIT, 500)})


def an_item(
    place: Place | None = ITEM, *, on: date = DAY, amount: int = 500, direction: Direction = DEBIT
) -> LooseItem:
    """An item that its statement lacks."""
    return LooseItem(place, on, direction, amount)


def a_line(place: Place = LINE, *, on: date = NEXT, amount: int = 500, direction: Direction = DEBIT) -> LooseLine:
    """A line without an item in its statement."""
    return LooseLine(place, on, direction, amount, LONE)


def test_an_item_that_the_next_statement_has_is_found() -> None:
    ties = tie([an_item()], [a_line()], published=SAYS)
    assert (ties[ITEM].finding, ties[LINE].finding) == (NEAR, NEAR)
    assert (ties[ITEM].line, ties[LINE].item) == (a_line(), an_item())


def test_the_same_date_in_another_statement_is_the_same_item() -> None:
    (found,) = {t.finding for t in tie([an_item()], [a_line(on=DAY)], published=SAYS).values()}
    assert found == Finding(DifferenceClass.DATE_DIFF, Effect.NONE, Cause.OTHER_STATEMENT, is_settled=True)


def test_dates_far_apart_are_for_a_person() -> None:
    (found,) = {t.finding for t in tie([an_item()], [a_line(on=FAR)], published=SAYS).values()}
    assert found == Finding(DifferenceClass.DATE_DIFF, Effect.NONE, Cause.FAR_DAY, is_settled=False)


def test_what_is_suspended_is_found_and_left_to_a_person() -> None:
    (found,) = {
        t.finding
        for t in tie([msgspec.structs.replace(an_item(), is_suspended=True)], [a_line()], published=SAYS).values()
    }
    assert found == msgspec.structs.replace(NEAR, is_settled=False)


def test_amount_and_direction_must_agree() -> None:
    for line in (a_line(amount=501), a_line(direction=CREDIT)):
        ties = tie([an_item()], [line], published=SAYS)
        assert (ties[ITEM].finding, ties[LINE].finding) == (LACKING, LONE)


def test_a_line_of_what_another_statement_has_already_repeats_it() -> None:
    assert tie([], [a_line()], published=SAYS)[LINE].finding == TWICE


def test_a_line_of_what_is_not_published_yet_came_too_early() -> None:
    (found,) = tie([], [a_line()], published=frozenset(), unpublished=SAYS).values()
    assert (found.finding.kind, found.finding.cause) == (DifferenceClass.LONG, Cause.NOT_PUBLISHED)


def test_a_line_can_be_tied_to_an_item_whose_statement_has_still_to_come() -> None:
    ties = tie([an_item(None)], [a_line()], published=SAYS)
    assert ties.keys() == {LINE}
    assert ties[LINE].finding == NEAR


def test_the_nearest_dates_are_tied() -> None:
    early, late = (b"e", 1), (b"f", 1)
    ties = tie([an_item()], [a_line(late, on=FAR), a_line(early)], published=SAYS)
    assert (ties[early].finding, ties[late].finding) == (NEAR, TWICE)


DATES = st.sampled_from((PREVIOUS, DAY, NEXT, FAR))
AMOUNTS = st.sampled_from((1, 2))
SIDES = st.lists(st.tuples(DATES, AMOUNTS, st.sampled_from(Direction)), max_size=5)


@given(ours=SIDES, theirs=SIDES, order=st.randoms())
def test_order_does_not_matter_and_nothing_is_tied_twice(
    ours: list[tuple[date, int, Direction]], theirs: list[tuple[date, int, Direction]], order: random.Random
) -> None:
    items = [an_item((b"i", n), on=on, amount=amount, direction=d) for n, (on, amount, d) in enumerate(ours)]
    lines = [a_line((b"l", n), on=on, amount=amount, direction=d) for n, (on, amount, d) in enumerate(theirs)]
    published = frozenset((item.direction, item.amount) for item in items)
    ties = tie(items, lines, published=published)
    order.shuffle(items)
    order.shuffle(lines)
    assert tie(items, lines, published=published) == ties
    assert ties.keys() == {*(i.place for i in items), *(line.place for line in lines)}
    tied = Counter(t.item.place for t in ties.values() if t.item is not None)
    assert max(tied.values(), default=1) == 1
    same = Counter((i.direction, i.amount) for i in items) & Counter((x.direction, x.amount) for x in lines)
    assert tied.total() == same.total()


def test_what_may_be_one_is_only_suggested_for_the_same_account_amount_direction_and_time() -> None:
    assert may_be_one(an_item(), a_line(), accounts=("a", "a"))
    assert not may_be_one(an_item(), a_line(), accounts=("a", "b"))
    assert not may_be_one(an_item(), a_line(), accounts=("", ""))
    assert not may_be_one(an_item(), a_line(amount=501), accounts=("a", "a"))
    assert not may_be_one(an_item(), a_line(direction=CREDIT), accounts=("a", "a"))
    assert not may_be_one(an_item(), a_line(on=FAR), accounts=("a", "a"))
