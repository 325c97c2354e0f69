"""The roll-out of scenarios: where each may be paid for. It is on wherever nobody has switched it off."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from engine.core.participants import NATIONAL


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided about a scenario in a region and everything below it."""

    region: int
    scenario: int
    is_on: bool
    operator: bytes  # that switched it, or asked for it
    at: datetime
    reason: str


class Rollout:
    """All switches as they stand. Of those above a region the nearest one counts."""

    __slots__ = ("_switches",)

    def __init__(self, switches: Iterable[Switch] = ()) -> None:
        """At most one switch for each region and scenario."""
        self._switches: Mapping[tuple[int, int], Switch] = {(one.region, one.scenario): one for one in switches}

    def is_on(self, region: int, scenario: int) -> bool:
        """True if *scenario* may be paid for in *region*."""
        if not self._switches:
            return True
        nearest = self.nearest(region, scenario)
        return nearest is None or nearest.is_on

    def nearest(self, region: int, scenario: int) -> Switch | None:
        """The switch that counts in *region*; None if nobody has decided anything."""
        for place in regions_above(region):
            switch = self._switches.get((place, scenario))
            if switch is not None:
                return switch
        return None


def regions_above(region: int) -> Iterator[int]:
    """The region, its city, its province, the country; each once, nearest first.

    Source: GB/T 2260, two digits each of province, city and district.
    """
    yield region
    for size in (100, 10_000):
        place = region // size * size
        if place != region:
            yield place
        region = place
    if region != NATIONAL:
        yield NATIONAL
