"""The tree of regions, and the goals of the electronic card."""

from datetime import date

import pytest
from stdnum import numdb

from engine.core.id_numbers import PROVINCES, is_card_region
from engine.core.participants import NATIONAL, covers, is_region
from engine.core.territory import REGIONS, Activation, Level, children_of

WITHOUT_A_PLACE = 83  # numbers of residents from Taiwan begin so
OTHERWISE_CALLED = {810000, 820000, 429000, 419000, 469000, 659000, 500200}  # other characters, or no city at all


def figures(holders: int, activated: int) -> Activation:
    """A city of so many."""
    return Activation(business_date=date(2026, 11, 24), region=110100, holders=holders, activated=activated, level_2=0)


def test_every_region_lies_in_its_parent() -> None:
    for region in REGIONS.values():
        assert is_region(region.code)
        assert covers(region.parent, region.code)
        assert region.code == NATIONAL or is_card_region(region.code)
    assert [len([one for one in REGIONS.values() if one.level is level]) for level in Level] == [1, 34, 342]


def test_tree_has_every_province_and_is_in_order() -> None:
    assert {region.code // 10_000 for region in children_of(NATIONAL)} == PROVINCES - {WITHOUT_A_PLACE}
    assert list(REGIONS) == sorted(REGIONS)
    assert [region.name_zh for region in children_of(460000)][:3] == ["海口市", "三亚市", "三沙市"]
    assert children_of(330100) == ()


def test_names_are_those_that_an_independent_list_has() -> None:
    known = numdb.get("cn/loc")
    for region in REGIONS.values():
        if region.level is Level.COUNTRY or region.code in OTHERWISE_CALLED:
            continue
        (_, province), *rest = known.info(f"{region.code:06d}")
        name = province["province"] if region.level is Level.PROVINCE else rest[0][1]["county"]
        assert region.name_zh in (province["province"] if name.endswith("市辖区") else name)


@pytest.mark.parametrize(
    ("holders", "activated", "share", "reached", "missing"),
    [
        (0, 0, 0, 0, (0, 0)),
        (1_000, 99, 990, 0, (1, 151)),
        (1_000, 100, 1_000, 10, (0, 150)),
        (1_001, 100, 999, 0, (1, 151)),
        (1_000, 249, 2_490, 10, (0, 1)),
        (1_000, 250, 2_500, 25, (0, 0)),
        (3, 3, 10_000, 25, (0, 0)),
    ],
)
def test_goals_are_reached_to_the_person(
    holders: int, activated: int, share: int, reached: int, missing: tuple[int, int]
) -> None:
    counted = figures(holders, activated)
    assert (counted.share, counted.reached_percent) == (share, reached)
    assert (counted.missing_to(10), counted.missing_to(25)) == missing
