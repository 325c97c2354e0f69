"""Bills as the hospitals and pharmacies of the sample city write them."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from engine.core.benefits import BillLine, ItemClass, MedicalBill, line_amount
from engine.sandbox.catalogue import CATALOGUE, Kind, SampleItem
from engine.sandbox.draws import Draws

Venue = Literal["hospital", "pharmacy"]

# How many lines a bill has: half of a hospital's have five or fewer, one in a hundred twenty and more.
LINE_CURVES: Final[Mapping[Venue, Sequence[tuple[int, int]]]] = {
    "hospital": ((0, 1), (2_000, 2), (5_000, 5), (8_000, 9), (9_500, 15), (9_900, 20), (10_000, 40)),
    "pharmacy": ((0, 1), (5_000, 2), (9_000, 4), (10_000, 8)),
}
KIND_SHARES: Final[Mapping[Venue, tuple[tuple[Kind, int], ...]]] = {
    "hospital": (("drug", 50), ("test", 24), ("service", 16), ("material", 8), ("other", 2)),
    "pharmacy": (("drug", 90), ("other", 10)),
}
_PRICE_SPREAD: Final = 20  # per cent: dearest less cheapest institution
_OF_KIND: Final[Mapping[Kind, tuple[SampleItem, ...]]] = {
    kind: tuple(item for item in CATALOGUE if item.kind == kind)
    for kind in ("drug", "service", "test", "material", "other")
}
_BY_CODE: Final = {item.code: item.coverage for item in CATALOGUE}


def sample_bill(
    draws: Draws, venue: Venue, *, line_count: int | None = None, visit_no: str | None = None
) -> MedicalBill:
    """A bill that adds up, with items of the city's catalogue; of *line_count* lines, or of as many as are usual there.

    Prices are up to a tenth above or below the catalogue's, to the hundredth of a fen: some lines are over their limit,
    and some are rounded.
    """
    count = line_count if line_count is not None else draws.along(LINE_CURVES[venue])
    lines = (_line(draws, draws.one_of(_OF_KIND[draws.by_share(KIND_SHARES[venue])])) for _ in range(count))
    return MedicalBill(tuple(lines), visit_no)


def cut_to(bill: MedicalBill, amount_max: int) -> MedicalBill:
    """The bill without the lines that would take it above *amount_max* fen."""
    lines = []
    left = amount_max
    for line in bill.lines:
        if line.amount <= left:
            left -= line.amount
            lines.append(line)
    return MedicalBill(tuple(lines), bill.visit_no)


def covered(bill: MedicalBill) -> MedicalBill:
    """The bill without what only a bank card may pay: items out of scope, and prices that may be above a limit."""
    items = (_BY_CODE[line.item] for line in bill.lines)
    lines = [
        line
        for line, item in zip(bill.lines, items, strict=True)
        if item.item_class is not ItemClass.C and item.price_limit_e6 is None
    ]
    return MedicalBill(tuple(lines), bill.visit_no)


def _line(draws: Draws, item: SampleItem) -> BillLine:
    quantity_e4 = 10_000 * (1 + draws.below(item.quantity_max))
    price_e6 = item.price_fen * (10_000 - _PRICE_SPREAD * 50 + draws.below(_PRICE_SPREAD * 100 + 1)) // 100 * 100
    return BillLine(item.code, quantity_e4, price_e6, line_amount(quantity_e4, price_e6))
