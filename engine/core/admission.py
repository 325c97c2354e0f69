"""Being let in by a shown code: where that is possible, and what somebody of an age and from a place pays there."""

import enum
from collections.abc import Mapping
from typing import Final

import msgspec

from engine.core.participants import covers


class Entitlement(enum.IntEnum):
    """What is to be paid at the gate. Stored; the name in lower case is the wire's."""

    FULL = 1
    HALF = 2
    FREE = 3


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """Ages from this one to the next band's. Units: full years."""

    from_age: int
    at_home: Entitlement  # for cards of the same city
    elsewhere: Entitlement


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """Where a code shows who somebody is."""

    name: str  # on the wire
    name_zh: str
    is_sold: bool  # merchants let people in, as far as they are registered for it; offices may everywhere
    bands: tuple[Band, ...]  # by rising age, from 0


SCENES: Final[Mapping[str, Scene]] = {
    scene.name: scene
    for scene in (
        Scene(
            name="government_hall",
            name_zh="政务大厅",
            is_sold=False,
            bands=(Band(from_age=0, at_home=Entitlement.FREE, elsewhere=Entitlement.FREE),),
        ),
        Scene(
            name="park",
            name_zh="公园入园",
            is_sold=True,
            bands=(
                Band(from_age=0, at_home=Entitlement.FREE, elsewhere=Entitlement.FREE),
                Band(from_age=6, at_home=Entitlement.HALF, elsewhere=Entitlement.HALF),
                Band(from_age=18, at_home=Entitlement.FULL, elsewhere=Entitlement.FULL),
                Band(from_age=60, at_home=Entitlement.FREE, elsewhere=Entitlement.HALF),
                Band(from_age=65, at_home=Entitlement.FREE, elsewhere=Entitlement.FREE),
            ),
        ),
        Scene(
            name="museum",
            name_zh="博物馆",
            is_sold=True,
            bands=(
                Band(from_age=0, at_home=Entitlement.FREE, elsewhere=Entitlement.FREE),
                Band(from_age=18, at_home=Entitlement.HALF, elsewhere=Entitlement.FULL),
                Band(from_age=60, at_home=Entitlement.FREE, elsewhere=Entitlement.FREE),
            ),
        ),
        Scene(
            name="travel",
            name_zh="旅游",
            is_sold=True,
            bands=(
                Band(from_age=0, at_home=Entitlement.FREE, elsewhere=Entitlement.FREE),
                Band(from_age=6, at_home=Entitlement.HALF, elsewhere=Entitlement.HALF),
                Band(from_age=18, at_home=Entitlement.HALF, elsewhere=Entitlement.FULL),
                Band(from_age=60, at_home=Entitlement.HALF, elsewhere=Entitlement.HALF),
                Band(from_age=65, at_home=Entitlement.FREE, elsewhere=Entitlement.FREE),
            ),
        ),
    )
}
"""A scenario that is not listed takes codes for money only: there they show nobody."""

assert all(scene.bands[0].from_age == 0 for scene in SCENES.values()), "everybody is in a band"


def entitlement_of(scene: Scene, *, age: int, card_region: int, place: int) -> Entitlement:
    """What somebody pays there. Home is the city (or what a province governs itself) that has issued the card."""
    band = next(band for band in reversed(scene.bands) if age >= band.from_age)
    return band.at_home if covers(place // 100 * 100, card_region) else band.elsewhere
