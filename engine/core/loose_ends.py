"""Loose ends: what one statement lacks and another one has, tied to each other across dates and cycles.

A payment's loose ends are tied anew whenever a statement has more of them, so it does not matter which one came first.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec

from engine.core.bank_lines import Direction
from engine.core.differences import Cause, DifferenceClass, Effect
from engine.core.reconciliation import judge_dates

Place = tuple[bytes, int]
"""A difference: its reconciliation's id and its number there."""


class LooseItem(msgspec.Struct, frozen=True, gc=False):
    """An item that the statement about it lacks; without a place, one that no statement has been about yet."""

    place: Place | None
    business_date: date
    direction: Direction
    amount: int
    is_suspended: bool = False  # a person has put it aside, and only a person takes it up again


class LooseLine(msgspec.Struct, frozen=True, gc=False):
    """A line that has no item where its statement is about."""

    place: Place
    booked_on: date
    direction: Direction
    amount: int
    found: "Finding"  # what it is if it stays loose
    is_suspended: bool = False


class Finding(msgspec.Struct, frozen=True, gc=False):
    """What a difference is called."""

    kind: DifferenceClass
    effect: Effect
    cause: Cause
    is_settled: bool = False


class Tie(msgspec.Struct, frozen=True, gc=False):
    """What became of one loose end, and what it is tied to."""

    finding: Finding
    item: LooseItem | None = None
    line: LooseLine | None = None


LACKING = Finding(DifferenceClass.SHORT, Effect.SHORT, Cause.NOT_BOOKED)
_TWICE = Finding(DifferenceClass.DUPLICATE, Effect.LONG, Cause.BOOKED_TWICE)
_EARLY = Finding(DifferenceClass.LONG, Effect.LONG, Cause.NOT_PUBLISHED)


def tie(
    items: Iterable[LooseItem],
    lines: Iterable[LooseLine],
    *,
    published: frozenset[tuple[Direction, int]],
    unpublished: frozenset[tuple[Direction, int]] = frozenset(),
) -> Mapping[Place, Tie]:
    """What becomes of every loose end of ONE payment at one bank, by its place.

    An item and a line are tied if direction and amount are equal, the closest dates first. They settle each other if
    the dates are at most one business day apart and neither is suspended. A line that is left repeats an item if it
    says the same as one of *published*; these are all items of the payment that the bank was told of, *unpublished*
    those it will be told of.
    """
    items, lines = sorted(items, key=_item_key), sorted(lines, key=_line_key)
    ties: dict[Place, Tie] = {}
    for item, line in _closest(items, lines):
        finding = _finding_of(item, line)
        ties[line.place] = Tie(finding, item=item)
        if item.place is not None:
            ties[item.place] = Tie(finding, line=line)
    for line in lines:
        if line.place not in ties:
            says = line.direction, line.amount
            finding = _TWICE if says in published else _EARLY if says in unpublished else line.found
            ties[line.place] = Tie(finding)
    for item in items:
        if item.place is not None:
            ties.setdefault(item.place, Tie(LACKING))
    return ties


def may_be_one(item: LooseItem, line: LooseLine, *, accounts: tuple[str, str]) -> bool:
    """True if a person should look whether an item and a line without a reference are one: same account at the bank,
    same direction and amount, dates at most one business day apart. Never a match by itself.
    """
    (ours, theirs) = accounts
    return (
        ours == theirs != ""
        and (item.direction, item.amount) == (line.direction, line.amount)
        and _finding_of(item, line).is_settled
    )


def _closest(items: Sequence[LooseItem], lines: Sequence[LooseLine]) -> list[tuple[LooseItem, LooseLine]]:
    pairs = sorted(
        (abs((item.business_date - line.booked_on).days), n, m)
        for n, item in enumerate(items)
        for m, line in enumerate(lines)
        if (item.direction, item.amount) == (line.direction, line.amount)
    )
    taken_items, taken_lines, closest = set(), set(), []
    for _, n, m in pairs:
        if n not in taken_items and m not in taken_lines:
            taken_items.add(n)
            taken_lines.add(m)
            closest.append((items[n], lines[m]))
    return closest


def _finding_of(item: LooseItem, line: LooseLine) -> Finding:
    judged = judge_dates(item.business_date, line.booked_on)
    cause, is_near = judged if judged is not None else (Cause.OTHER_STATEMENT, True)
    is_settled = is_near and not item.is_suspended and not line.is_suspended
    return Finding(DifferenceClass.DATE_DIFF, Effect.NONE, cause, is_settled)


def _item_key(item: LooseItem) -> tuple[object, ...]:
    return (item.business_date, item.direction, item.amount, item.place is None, item.place or ())


def _line_key(line: LooseLine) -> tuple[object, ...]:
    return (line.booked_on, line.direction, line.amount, line.place)
