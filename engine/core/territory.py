"""Regions as a tree, and how far each has come with the electronic card."""

import enum
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

import msgspec

from engine.core.participants import NATIONAL
from engine.core.territory_names import CITIES

TARGET_PERCENTS: Final = (10, 25)
"""What share of the holders is to have an electronic card, one goal after the other."""

BASIS_POINTS: Final = 10_000


class Level(enum.Enum):
    """How large a region is."""

    COUNTRY = "country"
    PROVINCE = "province"
    CITY = "city"


class Region(msgspec.Struct, frozen=True):
    """A region with its parent; the country is its own."""

    code: int
    parent: int
    level: Level
    name_zh: str


def _regions() -> Iterator[Region]:
    yield Region(NATIONAL, NATIONAL, Level.COUNTRY, "全国")
    for province, cities in CITIES.items():
        digits, name = province.split(" ")
        code = int(digits) * 10_000
        yield Region(code, NATIONAL, Level.PROVINCE, name)
        for city in filter(None, cities.split(", ")):
            place, city_name = city.split(" ")
            yield Region(code + int(place) * 100, code, Level.CITY, city_name)


REGIONS: Final[Mapping[int, Region]] = {region.code: region for region in _regions()}
"""The country, its provinces, each followed by its cities. Source: GB/T 2260."""


def children_of(code: int) -> tuple[Region, ...]:
    """The regions right below one, in order of their codes."""
    return tuple(region for region in REGIONS.values() if region.parent == code and region.code != code)


class Activation(msgspec.Struct, frozen=True, kw_only=True):
    """How many hold a card in a region, how many of them have an electronic one, and with how many one can pay."""

    business_date: date
    region: int
    holders: int
    activated: int
    level_2: int

    @property
    def share(self) -> int:
        """The part of the holders that has an electronic card, in basis points, rounded down."""
        return self.activated * BASIS_POINTS // self.holders if self.holders else 0

    @property
    def reached_percent(self) -> int:
        """The highest goal that is reached; 0 if none is."""
        return max((goal for goal in TARGET_PERCENTS if self._has_reached(goal)), default=0)

    def missing_to(self, percent: int) -> int:
        """How many more holders need an electronic card until a goal is reached."""
        return max(0, -(-self.holders * percent // 100) - self.activated)

    def _has_reached(self, percent: int) -> bool:
        return self.holders > 0 and self.activated * 100 >= self.holders * percent
