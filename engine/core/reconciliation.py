"""Reconciliation: what a bank says it has booked of one payment, beside what its clearing files told it to book.

Everything here is a function of what is on the two sides, never of its order: lines are taken by what they say, and
their places only tell equal ones apart.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from typing import Final

import msgspec

from engine.core.bank_lines import Direction, StatementLine
from engine.core.calendar import business_days_between
from engine.core.differences import Cause, DifferenceClass, Effect, effect_of_amounts

DATE_DIFFERENCE_DAYS_MAX: Final = 1
LINES_PER_PAYMENT_MAX: Final = 1_000
"""More lines than this of one payment are no statement: a payment has a line for each tender and part."""

_HOLIDAYS_DAYS_MAX: Final = 31  # no holidays are as long, so dates farther apart have several business days between
_OPPOSITE: Final = {Direction.DEBIT: Direction.CREDIT, Direction.CREDIT: Direction.DEBIT}


class Item(msgspec.Struct, frozen=True, gc=False):
    """One line of a clearing file, as the bank that it was published to should book it. Units: fen."""

    payment_id: str
    leg: str
    direction: Direction
    amount: int
    business_date: date
    file: int  # the place of its file among those that are compared
    seq: int  # its place in that file
    order_no: str = ""
    account: str = ""  # token of the account at this bank
    is_returned: bool = False  # the bank has given it back


class Match(msgspec.Struct, frozen=True, gc=False):
    """An item and the line that says the same."""

    item: Item
    line: StatementLine


class Difference(msgspec.Struct, frozen=True, gc=False):
    """What does not agree. One side may be missing."""

    kind: DifferenceClass
    effect: Effect
    cause: Cause
    item: Item | None
    line: StatementLine | None
    is_settled: bool = False  # it is explained, and nobody has to look at it

    @property
    def is_loose(self) -> bool:
        """True if the other side may still be found in another statement."""
        return self.is_open_item or (
            self.item is None and self.cause is not Cause.REVERSED_AT_BANK and not self.is_settled
        )

    @property
    def is_open_item(self) -> bool:
        """True if the bank lacks it."""
        return self.kind is DifferenceClass.SHORT


class Classified(msgspec.Struct, frozen=True):
    """What became of every item and line of one payment; an item that was returned and not booked is in neither."""

    matches: tuple[Match, ...]
    differences: tuple[Difference, ...]


class PaymentFacts(msgspec.Struct, frozen=True):
    """What is known here of a payment that a bank speaks of."""

    is_own: bool  # it concerns this bank: everything else is as unknown as what does not exist
    is_captured: bool


UNKNOWN_PAYMENT: Final = PaymentFacts(is_own=False, is_captured=False)


def classify(
    ours: Sequence[Item],
    theirs: Sequence[StatementLine],
    *,
    business_date: date,
    facts: PaymentFacts = UNKNOWN_PAYMENT,
) -> Classified:
    """What became of every item and line of ONE payment, compared within one statement.

    Items and lines that say the same are matched first, a line that names the payment itself before one (without a
    payment id) that was attached to it by the bank's reference. Of what is left, in this order: bookings that the bank
    has undone itself, repeated lines, swapped directions, other amounts (the closest first), and what has nothing on
    the other side. *facts* are asked for lines of a payment that has no item here.
    """
    return _Comparison(ours, theirs, business_date, facts).run()


def judge_dates(business_date: date, booked_on: date) -> tuple[Cause, bool] | None:
    """None for equal dates; else the cause, and whether the dates are near enough to match by themselves."""
    if business_date == booked_on:
        return None
    is_within_reach = abs((booked_on - business_date).days) <= _HOLIDAYS_DAYS_MAX  # or counting would take long
    is_near = is_within_reach and abs(business_days_between(business_date, booked_on)) <= DATE_DIFFERENCE_DAYS_MAX
    return (Cause.NEXT_DAY if is_near else Cause.FAR_DAY), is_near


class _Comparison:
    """One payment while it is compared: what is left on either side grows less with each step."""

    def __init__(
        self,
        ours: Sequence[Item],
        theirs: Sequence[StatementLine],
        business_date: date,
        facts: PaymentFacts,
    ) -> None:
        self._date = business_date
        self._facts = PaymentFacts(is_own=True, is_captured=True) if ours else facts
        self._items = sorted(ours, key=_item_key)
        self._lines = sorted(theirs, key=self._line_key)
        self._matches: list[Match] = []
        self._differences: list[Difference] = []
        self._seen: set[tuple[Direction, int]] = set()  # what lines that have their item say
        self._seen_refs: set[tuple[Direction, str]] = set()
        self._merged: set[Direction] = set()

    def run(self) -> Classified:
        self._match_equal()
        self._items = [item for item in self._items if not item.is_returned]
        self._take_reversals()
        self._take_lines(self._is_sent_twice, self._duplicate)
        self._pair(_is_swapped, self._swapped)
        self._pair_amounts()
        self._take_lines(lambda _: True, self._lone_line)
        for item in self._items:
            self._found(DifferenceClass.SHORT, Effect.SHORT, self._cause_of(item.direction, Cause.NOT_BOOKED), item)
        return Classified(tuple(self._matches), tuple(self._differences))

    def _line_key(self, line: StatementLine) -> tuple[object, ...]:
        return (
            not line.payment_id,
            line.is_reversal,
            abs((line.booked_on - self._date).days),
            line.booked_on,
            line.direction,
            line.amount,
            line.bank_ref,
            line.account,
            line.line_number,
        )

    def _match_equal(self) -> None:
        """Items and lines of one direction and amount, one by one."""
        waiting: dict[tuple[Direction, int], list[Item]] = defaultdict(list)
        for item in reversed(self._items):
            waiting[item.direction, item.amount].append(item)
        left = []
        for line in self._lines:
            same = waiting.get((line.direction, line.amount))
            if same:
                self._match(same.pop(), line)
            else:
                left.append(line)
        self._lines = left
        self._items = sorted((item for items in waiting.values() for item in items), key=_item_key)

    def _match(self, item: Item, line: StatementLine) -> None:
        self._see(line)
        if item.is_returned:
            self._found(DifferenceClass.STATUS_DIFF, Effect.LONG, Cause.RETURNED_YET_BOOKED, item, line)
            return
        judged = judge_dates(item.business_date, line.booked_on)
        if judged is None:
            self._matches.append(Match(item, line))
        else:
            cause, is_near = judged
            self._found(DifferenceClass.DATE_DIFF, Effect.NONE, cause, item, line, is_settled=is_near)

    def _take_reversals(self) -> None:
        """A reversal undoes a booking of ours, or one that should not have been there at all."""
        for reversal in [line for line in self._lines if line.is_reversal]:
            undone = _OPPOSITE[reversal.direction], reversal.amount
            error = next((line for line in self._lines if not line.is_reversal and _says(line) == undone), None)
            item = next((item for item in self._items if (item.direction, item.amount) == undone), None)
            if error is not None:
                self._lines.remove(error)
                kind = DifferenceClass.DUPLICATE if undone in self._seen else DifferenceClass.LONG
                self._found(kind, Effect.NONE, Cause.CORRECTED_AT_BANK, line=error, is_settled=True)
                self._found(
                    DifferenceClass.STATUS_DIFF, Effect.NONE, Cause.CORRECTED_AT_BANK, line=reversal, is_settled=True
                )
            elif item is not None:
                self._items.remove(item)
                self._found(DifferenceClass.STATUS_DIFF, Effect.SHORT, Cause.REVERSED_AT_BANK, item, reversal)
            elif undone in self._seen:
                self._found(DifferenceClass.STATUS_DIFF, Effect.SHORT, Cause.REVERSED_AT_BANK, line=reversal)
            else:
                continue
            self._lines.remove(reversal)

    def _is_sent_twice(self, line: StatementLine) -> bool:
        return _refers(line) in self._seen_refs and _says(line) in self._seen

    def _duplicate(self, line: StatementLine) -> None:
        cause = Cause.SENT_TWICE if _refers(line) in self._seen_refs else Cause.BOOKED_TWICE
        self._found(DifferenceClass.DUPLICATE, Effect.LONG, cause, line=line)

    def _swapped(self, item: Item, line: StatementLine) -> None:
        self._found(DifferenceClass.DIRECTION_DIFF, Effect.BOTH, Cause.SIDES_SWAPPED, item, line)

    def _pair_amounts(self) -> None:
        self._merged = {direction for direction in Direction if self._is_merged(direction)}
        self._pair(lambda item, line: item.direction is line.direction, self._other_amount)

    def _other_amount(self, item: Item, line: StatementLine) -> None:
        ours, theirs = item.amount, line.amount
        is_unit = ours == theirs * 100 or theirs == ours * 100
        cause = self._cause_of(item.direction, Cause.UNIT_MISTAKEN if is_unit else Cause.OTHER_AMOUNT)
        self._found(DifferenceClass.AMOUNT_DIFF, effect_of_amounts(ours, theirs), cause, item, line)

    def _lone_line(self, line: StatementLine) -> None:
        if _says(line) in self._seen or _refers(line) in self._seen_refs:
            self._duplicate(line)
            return
        self._see(line)
        if self._facts.is_own and not self._facts.is_captured:
            self._found(DifferenceClass.STATUS_DIFF, Effect.LONG, Cause.NOT_CAPTURED, line=line)
            return
        cause = Cause.EXTRA_BOOKING if self._facts.is_own else Cause.UNKNOWN_REFERENCE
        if not line.payment_id:
            cause = Cause.NO_REFERENCE
        self._found(DifferenceClass.LONG, Effect.LONG, self._cause_of(line.direction, cause), line=line)

    def _pair(self, fits: Callable[[Item, StatementLine], bool], found: Callable[[Item, StatementLine], None]) -> None:
        """Pair what fits, the closest amounts first."""
        pairs = [
            (abs(item.amount - line.amount), item.amount, line.amount, n, m)
            for n, item in enumerate(self._items)
            for m, line in enumerate(self._lines)
            if fits(item, line)
        ]
        items, lines = set(), set()
        for *_, n, m in sorted(pairs):
            if n not in items and m not in lines:
                items.add(n)
                lines.add(m)
                self._see(self._lines[m])
                found(self._items[n], self._lines[m])
        self._items = [item for n, item in enumerate(self._items) if n not in items]
        self._lines = [line for m, line in enumerate(self._lines) if m not in lines]

    def _take_lines(self, fits: Callable[[StatementLine], bool], found: Callable[[StatementLine], None]) -> None:
        taken = [line for line in self._lines if fits(line)]
        self._lines = [line for line in self._lines if not fits(line)]
        for line in taken:
            found(line)

    def _is_merged(self, direction: Direction) -> bool:
        """True if what is left of a direction adds up on both sides, though no two amounts agree."""
        items = [item.amount for item in self._items if item.direction is direction]
        lines = [line.amount for line in self._lines if line.direction is direction]
        return len(items) != len(lines) and bool(items) and sum(items) == sum(lines)

    def _cause_of(self, direction: Direction, otherwise: Cause) -> Cause:
        return Cause.LINES_MERGED if direction in self._merged else otherwise

    def _see(self, line: StatementLine) -> None:
        self._seen.add(_says(line))
        if line.bank_ref:
            self._seen_refs.add(_refers(line))

    def _found(
        self,
        kind: DifferenceClass,
        effect: Effect,
        cause: Cause,
        item: Item | None = None,
        line: StatementLine | None = None,
        *,
        is_settled: bool = False,
    ) -> None:
        self._differences.append(Difference(kind, effect, cause, item, line, is_settled))


def _item_key(item: Item) -> tuple[object, ...]:
    return (item.is_returned, item.direction, item.amount, item.business_date, item.file, item.seq)


def _says(line: StatementLine) -> tuple[Direction, int]:
    return line.direction, line.amount


def _refers(line: StatementLine) -> tuple[Direction, str]:
    return line.direction, line.bank_ref  # a transaction of the bank's may have a line on each side


def _is_swapped(item: Item, line: StatementLine) -> bool:
    return item.amount == line.amount and item.direction is not line.direction
