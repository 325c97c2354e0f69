"""The quick look at many payments: which of them agree line for line, so that nothing about them has to be classified.

It finds exactly what `classify` would find for a payment in which nothing differs, from keys alone.
"""

from collections.abc import Collection, Sequence
from datetime import date

ItemKey = tuple[str, int, int, int, int]
"""An item: payment id, direction as a number, amount in fen, place of its file, place in it."""

LineKey = tuple[str, int, int, int, date, bool]
"""A line: payment id, direction as a number, amount in fen, line number, booking date, whether it is a reversal."""

MatchRow = tuple[str, int, int, int]
"""A match: payment id, place of the file, line of the file, line of the statement."""


def look(
    items: Sequence[ItemKey],
    lines: Sequence[LineKey],
    *,
    business_date: date,
    returned: Collection[tuple[int, int]] = frozenset(),
) -> tuple[list[MatchRow], list[str]]:
    """What matches, and the payments that have to be classified because anything about them differs.

    Order: both sides by payment, direction and amount; a payment's are all there. *returned* are items, by the place of
    their file and their place in it, that the bank has given back.
    """
    matches: list[MatchRow] = []
    troubled: list[str] = []
    at_item, at_line = 0, 0
    while at_item < len(items) and at_line < len(lines):
        payment, other = items[at_item][0], lines[at_line][0]
        if payment < other:
            troubled.append(payment)
            at_item = _after(items, at_item, payment)
        elif payment > other:
            troubled.append(other)
            at_line = _after(lines, at_line, other)
        else:
            item_end, line_end = _after(items, at_item, payment), _after(lines, at_line, payment)
            some = [
                (payment, file, seq, line)
                for (_, *ours, file, seq), (_, direction, amount, line, booked_on, is_reversal) in zip(
                    items[at_item:item_end], lines[at_line:line_end], strict=False
                )
                if ours == [direction, amount]
                and booked_on == business_date
                and not is_reversal
                and (not returned or (file, seq) not in returned)
            ]
            if len(some) == item_end - at_item == line_end - at_line:
                matches += some
            else:
                troubled.append(payment)
            at_item, at_line = item_end, line_end
    troubled += _payments(items[at_item:])
    troubled += _payments(lines[at_line:])
    return matches, troubled


def _after(rows: Sequence[ItemKey] | Sequence[LineKey], start: int, payment: str) -> int:
    """Where the rows of the payment that begins at *start* end."""
    end = start + 1
    while end < len(rows) and rows[end][0] == payment:
        end += 1
    return end


def _payments(rows: Sequence[ItemKey] | Sequence[LineKey]) -> list[str]:
    return list(dict.fromkeys(row[0] for row in rows))
