"""Sharing an amount: nothing is lost and nothing is made."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.money import AMOUNT_FEN_MAX, fill

CAPACITIES = st.lists(st.integers(0, AMOUNT_FEN_MAX), max_size=6)


@st.composite
def fillings(draw: st.DrawFn) -> tuple[int, list[int]]:
    """An amount, and capacities that hold it."""
    capacities = draw(CAPACITIES)
    return draw(st.integers(0, sum(capacities))), capacities


@given(filling=fillings())
def test_fill_neither_loses_nor_makes_money(filling: tuple[int, list[int]]) -> None:
    amount, capacities = filling
    assert sum(fill(amount, capacities)) == amount


@given(filling=fillings())
def test_fill_takes_no_more_than_there_is(filling: tuple[int, list[int]]) -> None:
    amount, capacities = filling
    assert all(0 <= share <= room for share, room in zip(fill(amount, capacities), capacities, strict=True))


@given(filling=fillings())
def test_fill_starts_the_next_only_when_one_is_full(filling: tuple[int, list[int]]) -> None:
    amount, capacities = filling
    shares = fill(amount, capacities)
    for place, share in enumerate(shares):
        if share < capacities[place]:
            assert not any(shares[place + 1 :])


@pytest.mark.parametrize(
    ("amount", "capacities", "shares"),
    [
        (0, [], ()),
        (0, [5, 5], (0, 0)),
        (3, [5, 5], (3, 0)),
        (5, [5, 5], (5, 0)),
        (6, [5, 5], (5, 1)),
        (6, [0, 5, 0, 5], (0, 5, 0, 1)),
        (10, [5, 5], (5, 5)),
    ],
)
def test_fill_pours_in_order(amount: int, capacities: Sequence[int], shares: tuple[int, ...]) -> None:
    assert fill(amount, capacities) == shares


@pytest.mark.parametrize(("amount", "capacities"), [(1, []), (11, [5, 5]), (-1, [5, 5])])
def test_more_than_there_is_room_for_is_a_bug(amount: int, capacities: Sequence[int]) -> None:
    with pytest.raises(AssertionError, match="room"):
        fill(amount, capacities)
