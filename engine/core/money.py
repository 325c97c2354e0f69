"""Money is a whole number of fen; this module holds its bounds and the ways to share it."""

from collections.abc import Sequence
from typing import Final, NewType

Fen = NewType("Fen", int)

AMOUNT_FEN_MIN: Final = 1
AMOUNT_FEN_MAX: Final = 10_000_000_000
CURRENCY: Final = "CNY"
CURRENCY_NUMBER: Final = "156"  # ISO 4217, as written in clearing files


def fill(amount: int, capacities: Sequence[int]) -> tuple[int, ...]:
    """Pour *amount* into the capacities in order, each to its brim before the next.

    Shape: one share per capacity; the shares sum to *amount*.
    Units: fen.
    """
    assert 0 <= amount <= sum(capacities), "more than there is room for"
    shares = []
    for capacity in capacities:
        share = min(amount, capacity)
        shares.append(share)
        amount -= share
    return tuple(shares)
