"""How a local platform moves to the one model: what it declares, what came in, and when both are the same."""

import enum
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final, NewType

import msgspec

from engine.core.ids import CardId

LocalPlatformId = NewType("LocalPlatformId", bytes)


class PlatformState(enum.IntEnum):
    """How far it has come. Stored."""

    PREPARED = 1  # its totals are declared, and nothing is paid for in its region
    IMPORTING = 2  # its balances are here, and posted nowhere
    OPENING = 3  # two operators let them in; they are being posted
    PROVEN = 4  # the books have what was declared, card by card
    SWITCHED_ON = 5


class PlatformMove(enum.Enum):
    """What brings it further."""

    DECLARE = "declare"
    TAKE_BALANCES = "take_balances"
    LET_IN = "let_in"
    PROVE = "prove"
    SWITCH_ON = "switch_on"


PLATFORM_TRANSITIONS: Final[Mapping[tuple[PlatformState, PlatformMove], PlatformState]] = {
    (PlatformState.PREPARED, PlatformMove.DECLARE): PlatformState.PREPARED,
    (PlatformState.PREPARED, PlatformMove.TAKE_BALANCES): PlatformState.IMPORTING,
    (PlatformState.IMPORTING, PlatformMove.DECLARE): PlatformState.IMPORTING,
    (PlatformState.IMPORTING, PlatformMove.TAKE_BALANCES): PlatformState.IMPORTING,
    (PlatformState.IMPORTING, PlatformMove.LET_IN): PlatformState.OPENING,
    (PlatformState.OPENING, PlatformMove.PROVE): PlatformState.PROVEN,
    (PlatformState.PROVEN, PlatformMove.SWITCH_ON): PlatformState.SWITCHED_ON,
}
"""A pair that is not listed is not allowed: what is posted is not declared anew."""


class LocalPlatform(msgspec.Struct, frozen=True, kw_only=True):
    """A local platform and what it declares of itself. Units: fen."""

    id: LocalPlatformId
    region: int
    name: str
    state: PlatformState
    declared_cards: int
    declared_balance: int
    prepared_by: bytes
    prepared_at: datetime
    sha256: bytes | None = None
    opening_on: date | None = None
    proven_at: datetime | None = None
    switched_on_at: datetime | None = None

    def may(self, move: PlatformMove) -> bool:
        """True if it can go on so."""
        return (self.state, move) in PLATFORM_TRANSITIONS


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What of a local platform is here. Units: fen.

    `strangers` are lines whose card the register does not have in the region, `silent` its cards without a line.
    """

    cards: int
    lines: int
    balance: int
    strangers: int
    silent: int


def is_equal(platform: LocalPlatform, found: Found) -> bool:
    """True if cards and balances are those that were declared, and belong to each other one by one."""
    return (
        found.cards == found.lines == platform.declared_cards
        and found.balance == platform.declared_balance
        and not found.strangers
        and not found.silent
    )


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal has of the balances that were let in. Units: fen."""

    lines: int
    balance: int
    different: int  # cards of which the journal has another amount than the line


def is_proven(platform: LocalPlatform, opened: Opened) -> bool:
    """True if the books have what was declared, and of each card what its line says."""
    return (
        not opened.different and opened.lines == platform.declared_cards and opened.balance == platform.declared_balance
    )


class DifferenceKind(enum.IntEnum):
    """In what a local platform and the engine differ. The order is that of the list."""

    CARD_MISSING = 1  # a line whose card the register does not have in the region
    BALANCE_MISSING = 2  # a card of the register that no line names
    POSTING_DIFFERS = 3  # the journal has another amount than the line


class PlatformDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One of them. `place` is what the list is ordered by within a kind. Units: fen."""

    kind: DifferenceKind
    place: str
    line: int | None
    card: CardId | None
    amount: int | None
    posted: int | None
