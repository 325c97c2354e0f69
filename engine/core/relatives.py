"""Relatives who help each other with medical bills: how they are related, what shows it, and for how long."""

import enum
from datetime import date
from typing import Final

from engine.core.cards import RELATIVES_MAX

YEARS_MAX: Final = 10
"""A link lasts that long at most; then what shows it has to be shown again."""


class Relation(enum.IntEnum):
    """What the one who is helped is to the one who helps. Stored; the name in lower case is the wire's."""

    SPOUSE = 1
    PARENT = 2
    CHILD = 3
    SIBLING = 4
    OTHER = 5


def wrong_expiry(expires_on: date, *, today: date) -> str | None:
    """Why a link cannot last until then."""
    if expires_on <= today:
        return "not in the future"
    if expires_on.year - today.year > YEARS_MAX:
        return f"more than {YEARS_MAX} years ahead"
    return None


def has_room(linked: int) -> bool:
    """True if somebody who helps so many may help one more."""
    return linked < RELATIVES_MAX
