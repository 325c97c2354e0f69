"""Where a scenario may be paid for: the nearest switch counts, and without one it is on."""

from datetime import UTC, datetime

import pytest

from engine.core.participants import covers
from engine.core.rollout import Rollout, Switch, regions_above
from engine.core.scenarios import PARK, SCENARIOS, TRANSIT

DONGCHENG, CITY, PROVINCE, COUNTRY = 110101, 110100, 110000, 0


def a_switch(region: int, *, is_on: bool, scenario: int = TRANSIT.number) -> Switch:
    """A switch that somebody has set."""
    return Switch(
        region=region,
        scenario=scenario,
        is_on=is_on,
        operator=bytes(16),
        at=datetime(2026, 11, 24, tzinfo=UTC),
        reason="roll-out",
    )


@pytest.mark.parametrize(
    ("region", "above"),
    [
        (DONGCHENG, [110101, 110100, 110000, 0]),
        (CITY, [110100, 110000, 0]),
        (PROVINCE, [110000, 0]),
        (COUNTRY, [0]),
        (429004, [429004, 429000, 420000, 0]),  # governed by the province itself, under city 90
    ],
)
def test_regions_above_are_those_that_cover_it(region: int, above: list[int]) -> None:
    assert above == list(regions_above(region))
    assert all(covers(place, region) for place in above)


def test_without_a_switch_everything_is_on() -> None:
    assert all(Rollout().is_on(DONGCHENG, scenario.number) for scenario in SCENARIOS)
    assert Rollout().nearest(DONGCHENG, TRANSIT.number) is None


@pytest.mark.parametrize("place", [DONGCHENG, CITY, PROVINCE, COUNTRY])
def test_switch_counts_in_its_region_and_below_and_nowhere_else(place: int) -> None:
    rollout = Rollout([a_switch(place, is_on=False)])
    for region in (DONGCHENG, 110102, CITY, PROVINCE, 120101, COUNTRY):
        assert rollout.is_on(region, TRANSIT.number) is not covers(place, region), region
        assert rollout.is_on(region, PARK.number), "another scenario"


@pytest.mark.parametrize(
    ("switches", "is_on"),
    [
        ({COUNTRY: False, CITY: True}, True),
        ({COUNTRY: True, CITY: False}, False),
        ({COUNTRY: False, PROVINCE: True, CITY: False}, False),
        ({COUNTRY: False, PROVINCE: False, CITY: False, DONGCHENG: True}, True),
        ({COUNTRY: True, PROVINCE: True, CITY: True, DONGCHENG: False}, False),
    ],
)
def test_the_nearest_switch_counts(switches: dict[int, bool], is_on: bool) -> None:
    rollout = Rollout(a_switch(place, is_on=wanted) for place, wanted in switches.items())
    assert rollout.is_on(DONGCHENG, TRANSIT.number) is is_on
    nearest = rollout.nearest(DONGCHENG, TRANSIT.number)
    assert nearest is not None
    assert nearest.region == max(switches, key=lambda place: (place != COUNTRY, place))
