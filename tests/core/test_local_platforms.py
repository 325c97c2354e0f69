"""When a local platform is the same here as there, and what may follow what."""

from datetime import UTC, datetime

import msgspec
import pytest

from engine.core.ids import NO_ID
from engine.core.local_platforms import (
    PLATFORM_TRANSITIONS,
    Found,
    LocalPlatform,
    LocalPlatformId,
    Opened,
    PlatformMove,
    PlatformState,
    is_equal,
    is_proven,
)

PLATFORM = LocalPlatform(
    id=LocalPlatformId(NO_ID),
    region=330100,
    name="示例",
    state=PlatformState.IMPORTING,
    declared_cards=3,
    declared_balance=700,
    prepared_by=NO_ID,
    prepared_at=datetime(2026, 11, 24, tzinfo=UTC),
)
FOUND = Found(cards=3, lines=3, balance=700, strangers=0, silent=0)
OPENED = Opened(lines=3, balance=700, different=0)


@pytest.mark.parametrize(
    "change",
    [{"cards": 4}, {"lines": 4}, {"cards": 2, "lines": 2}, {"balance": 699}, {"strangers": 1}, {"silent": 1}],
)
def test_everything_has_to_be_equal(change: dict[str, int]) -> None:
    assert is_equal(PLATFORM, FOUND)
    assert not is_equal(PLATFORM, msgspec.structs.replace(FOUND, **change))


@pytest.mark.parametrize("change", [{"lines": 2}, {"balance": 701}, {"different": 1}])
def test_everything_has_to_be_in_the_books(change: dict[str, int]) -> None:
    assert is_proven(PLATFORM, OPENED)
    assert not is_proven(PLATFORM, msgspec.structs.replace(OPENED, **change))


def test_states_only_go_forward_and_all_are_reached() -> None:
    assert all(before <= after for (before, _), after in PLATFORM_TRANSITIONS.items())
    assert {*PLATFORM_TRANSITIONS.values()} == set(PlatformState)
    assert {move for _, move in PLATFORM_TRANSITIONS} == set(PlatformMove)
    switched = msgspec.structs.replace(PLATFORM, state=PlatformState.SWITCHED_ON)
    assert not any(switched.may(move) for move in PlatformMove)
