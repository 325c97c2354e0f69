"""What somebody pays at a gate, by age and home."""

import pytest

from engine.core.admission import SCENES, Entitlement, entitlement_of
from engine.core.scenarios import BY_NAME

HERE, SAME_CITY, OTHER_CITY = 110101, 110105, 310101


@pytest.mark.parametrize(
    ("scene", "age", "card_region", "entitlement"),
    [
        ("park", 0, OTHER_CITY, Entitlement.FREE),
        ("park", 5, OTHER_CITY, Entitlement.FREE),
        ("park", 6, HERE, Entitlement.HALF),
        ("park", 17, HERE, Entitlement.HALF),
        ("park", 18, HERE, Entitlement.FULL),
        ("park", 59, HERE, Entitlement.FULL),
        ("park", 60, SAME_CITY, Entitlement.FREE),
        ("park", 60, OTHER_CITY, Entitlement.HALF),
        ("park", 64, OTHER_CITY, Entitlement.HALF),
        ("park", 65, OTHER_CITY, Entitlement.FREE),
        ("museum", 30, SAME_CITY, Entitlement.HALF),
        ("museum", 30, OTHER_CITY, Entitlement.FULL),
        ("travel", 120, OTHER_CITY, Entitlement.FREE),
        ("government_hall", 30, OTHER_CITY, Entitlement.FREE),
    ],
)
def test_entitlement_is_that_of_age_and_home(scene: str, age: int, card_region: int, entitlement: Entitlement) -> None:
    assert entitlement_of(SCENES[scene], age=age, card_region=card_region, place=HERE) is entitlement


def test_what_merchants_let_people_into_is_a_scenario_of_theirs() -> None:
    for scene in SCENES.values():
        assert scene.is_sold == (scene.name in BY_NAME)
        ages = [band.from_age for band in scene.bands]
        assert ages == sorted(set(ages)), "bands rise"
