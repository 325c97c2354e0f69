"""Repeatable draws: the same key always gives the same numbers, on every platform and Python version."""

import enum
from collections.abc import Sequence
from itertools import pairwise
from math import gcd
from typing import Final, TypeVar

T = TypeVar("T")

CURVE_SCALE: Final = 10_000
"""Curves and shares are written in parts of ten thousand."""

_WORD: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: the increment of SplitMix64
_STEP: Final = 2_654_435_761  # a prime near 2^32 / golden ratio, so neighbours land far apart
_CURVE_STEPS: Final = 1_000  # points between two neighbours of CURVE_SCALE


class Series(enum.IntEnum):
    """The second part of every key, so that no two series share their numbers."""

    OFFSETS = 0
    CARDHOLDERS = 1
    PURCHASES = 2
    INSURED = 3
    BILLS = 4


def _mixed(word: int) -> int:
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _WORD
    return word ^ (word >> 31)


class Draws:
    """Numbers that depend on their key alone, so any element of a series is made without the others.

    Source: SplitMix64 (Steele, Lea and Flood, 2014). Not for secrets.
    """

    __slots__ = ("_state",)

    def __init__(self, *key: int) -> None:
        state = 0
        for part in key:
            state = _mixed((state + _GOLDEN + part) & _WORD)
        self._state = state

    def below(self, bound: int) -> int:
        """One whole number of ``range(bound)``, each as likely as the others."""
        assert 0 < bound <= _WORD, bound
        self._state = (self._state + _GOLDEN) & _WORD
        return (_mixed(self._state) * bound) >> 64

    def one_of(self, values: Sequence[T]) -> T:
        """One of the values, each as likely as the others."""
        return values[self.below(len(values))]

    def by_share(self, shares: Sequence[tuple[T, int]]) -> T:
        """One of the values, as often as its share says."""
        point = self.below(sum(share for _, share in shares))
        for value, share in shares:
            if point < share:
                return value
            point -= share
        raise AssertionError("the point lies within the sum of the shares")

    def along(self, curve: Sequence[tuple[int, int]]) -> int:
        """One whole number distributed as the curve says.

        Shape: rows of (how many of `CURVE_SCALE` draws stay below the value, the value), both growing, from
        0 to `CURVE_SCALE`; straight lines between the rows.
        """
        point = self.below(CURVE_SCALE * _CURVE_STEPS)
        for (low, low_value), (high, high_value) in pairwise(curve):
            if point < high * _CURVE_STEPS:
                along = point - low * _CURVE_STEPS
                return low_value + (high_value - low_value) * along // ((high - low) * _CURVE_STEPS)
        raise AssertionError("a curve ends at CURVE_SCALE")


def scattered(index: int, *, size: int, offset: int) -> int:
    """A number below *size* that no other index below *size* gets: unique numbers without remembering any."""
    assert 0 <= index < size, "more numbers than there are"
    assert gcd(_STEP, size) == 1, "the step must reach every number"
    return (index * _STEP + offset) % size
