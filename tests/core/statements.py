"""Items and lines to compare: one call makes each, and a test says only what matters to it."""

from collections import Counter
from collections.abc import Iterable
from datetime import date

from engine.core.bank_lines import Direction, StatementLine
from engine.core.differences import Cause, DifferenceClass, Effect
from engine.core.ids import IdKind, id_text, make_id
from engine.core.reconciliation import Classified, Difference, Item

DAY = date(2026, 11, 24)  # a Tuesday, and so are its neighbours working days
DEBIT, CREDIT = Direction.DEBIT, Direction.CREDIT
PAYMENT = id_text(make_id(IdKind.PAYMENT, at_ms=1_795_000_000_000, shard=7, region=110101, entropy=1))

Summary = tuple[DifferenceClass, Effect, Cause, int | None, int | None, bool]


def an_item(
    amount: int = 500,
    direction: Direction = DEBIT,
    *,
    payment_id: str = PAYMENT,
    business_date: date = DAY,
    seq: int = 1,
    is_returned: bool = False,
) -> Item:
    """One line of a clearing file."""
    return Item(payment_id, "BANK", direction, amount, business_date, 0, seq, "A-1", "card-1", is_returned)


def a_line(
    amount: int = 500,
    direction: Direction = DEBIT,
    *,
    payment_id: str = PAYMENT,
    booked_on: date = DAY,
    number: int = 2,
    ref: str | None = None,
    is_reversal: bool = False,
    account: str = "",
) -> StatementLine:
    """One booking at the bank; each has a reference of its own unless it is given."""
    bank_ref = f"R-{number}" if ref is None else ref
    return StatementLine(number, bank_ref, payment_id, direction, amount, booked_on, account, is_reversal)


def summary(difference: Difference) -> Summary:
    """What a difference says, without the places of its sides."""
    return (
        difference.kind,
        difference.effect,
        difference.cause,
        difference.item.amount if difference.item is not None else None,
        difference.line.amount if difference.line is not None else None,
        difference.is_settled,
    )


def summaries(classified: Classified) -> "Counter[Summary]":
    """All differences, in no order."""
    return Counter(map(summary, classified.differences))


def kinds(differences: Iterable[Difference]) -> list[DifferenceClass]:
    """The classes of some differences, in order of their numbers."""
    return sorted(difference.kind for difference in differences)
