from collections import Counter

import pytest

from engine.sandbox.draws import CURVE_SCALE, Draws, scattered

DRAWS = 20_000


def test_numbers_are_the_published_ones_of_splitmix64() -> None:
    draws = Draws()
    # Below the largest bound a draw is one less than the word behind it.
    assert [draws.below((1 << 64) - 1) + 1 for _ in range(3)] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]


def test_same_key_gives_same_numbers_and_another_key_others() -> None:
    def some(*key: int) -> list[int]:
        draws = Draws(*key)
        return [draws.below(1_000_000) for _ in range(5)]

    assert some(1, 2, 3) == some(1, 2, 3)
    assert len({tuple(some(*key)) for key in ((1, 2, 3), (1, 3, 2), (1, 2, 4), (2, 2, 3))}) == 4


def test_neighbouring_keys_are_not_related() -> None:
    pairs = Counter((Draws(7, 1, at).below(2), Draws(7, 1, at + 1).below(2)) for at in range(DRAWS))
    assert [pytest.approx(DRAWS / 4, rel=0.05)] * 4 == [pairs[a, b] for a in (0, 1) for b in (0, 1)]


def test_values_come_as_often_as_their_share_says() -> None:
    draws = Draws(1)
    counts = Counter(draws.by_share((("a", 70), ("b", 29), ("c", 1))) for _ in range(DRAWS))
    assert {
        "a": pytest.approx(DRAWS * 0.70, rel=0.03),
        "b": pytest.approx(DRAWS * 0.29, rel=0.03),
        "c": pytest.approx(DRAWS * 0.01, rel=0.2),
    } == counts


def test_a_value_without_share_never_comes() -> None:
    draws = Draws(1)
    assert {"b"} == {draws.by_share((("a", 0), ("b", 1), ("c", 0))) for _ in range(100)}


def test_values_lie_along_the_curve() -> None:
    draws = Draws(1)
    values = [draws.along(((0, 0), (1_000, 0), (6_000, 100), (CURVE_SCALE, 900))) for _ in range(DRAWS)]
    assert min(values) == 0
    assert 900 > max(values) > 890
    assert pytest.approx(DRAWS * 0.105, rel=0.1) == sum(value == 0 for value in values)
    assert pytest.approx(DRAWS * 0.60, rel=0.03) == sum(value < 100 for value in values)
    assert pytest.approx(DRAWS * 0.80, rel=0.03) == sum(value < 500 for value in values)


@pytest.mark.parametrize("size", [2, 26, 10_000])
def test_scattered_numbers_are_all_different(size: int) -> None:
    assert set(range(size)) == {scattered(index, size=size, offset=5) for index in range(size)}


def test_no_more_numbers_are_scattered_than_there_are() -> None:
    with pytest.raises(AssertionError, match="more numbers than there are"):
        scattered(10, size=10, offset=0)
