"""The life of a card: the physical one and the electronic one have one status, which is the payer's row's."""

import enum
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from engine.core.payer import CardStatus, IssueLevel
from engine.core.refusals import Refusal

RELATIVES_MAX: Final = 8
"""How many relatives one cardholder helps at a time."""

DEVICES_MAX: Final = 5
"""How many phones of one cardholder show codes at a time."""

SIGN_LASTS: Final = timedelta(days=3_650)
"""How long a channel's issue of the electronic card is good, unless the card itself ends before."""


class CardMove(enum.IntEnum):
    """What happens to a card. Stored in the journal; numbers are never re-used."""

    REPORT_LOSS = 1
    REINSTATE = 2
    SUSPEND = 3
    RESUME = 4
    CANCEL = 5
    EXPIRE = 6
    REPLACE = 7  # by a new physical card; the electronic one goes on with it
    ENABLE_PAYMENT = 8  # the second issue level
    DISABLE_PAYMENT = 9


CARD_TRANSITIONS: Final[Mapping[tuple[CardStatus, CardMove], CardStatus]] = {
    (CardStatus.ACTIVE, CardMove.REPORT_LOSS): CardStatus.LOST,
    (CardStatus.LOST, CardMove.REPORT_LOSS): CardStatus.LOST,
    (CardStatus.ACTIVE, CardMove.REINSTATE): CardStatus.ACTIVE,
    (CardStatus.LOST, CardMove.REINSTATE): CardStatus.ACTIVE,
    (CardStatus.ACTIVE, CardMove.SUSPEND): CardStatus.SUSPENDED,
    (CardStatus.SUSPENDED, CardMove.SUSPEND): CardStatus.SUSPENDED,
    (CardStatus.SUSPENDED, CardMove.RESUME): CardStatus.ACTIVE,
    (CardStatus.ACTIVE, CardMove.RESUME): CardStatus.ACTIVE,
    (CardStatus.ACTIVE, CardMove.CANCEL): CardStatus.CANCELLED,
    (CardStatus.LOST, CardMove.CANCEL): CardStatus.CANCELLED,
    (CardStatus.SUSPENDED, CardMove.CANCEL): CardStatus.CANCELLED,
    (CardStatus.EXPIRED, CardMove.CANCEL): CardStatus.CANCELLED,
    (CardStatus.CANCELLED, CardMove.CANCEL): CardStatus.CANCELLED,
    (CardStatus.ACTIVE, CardMove.EXPIRE): CardStatus.EXPIRED,
    (CardStatus.EXPIRED, CardMove.EXPIRE): CardStatus.EXPIRED,
    (CardStatus.ACTIVE, CardMove.REPLACE): CardStatus.ACTIVE,
    (CardStatus.LOST, CardMove.REPLACE): CardStatus.ACTIVE,
    (CardStatus.EXPIRED, CardMove.REPLACE): CardStatus.ACTIVE,
    (CardStatus.ACTIVE, CardMove.ENABLE_PAYMENT): CardStatus.ACTIVE,
    **{(status, CardMove.DISABLE_PAYMENT): status for status in CardStatus if status is not CardStatus.CANCELLED},
}
"""A pair that is not listed is not allowed. To be asked twice is no mistake: whoever lost an answer asks again."""

LEVELS: Final[Mapping[CardMove, IssueLevel]] = {
    CardMove.ENABLE_PAYMENT: IssueLevel.PAYMENT,
    CardMove.DISABLE_PAYMENT: IssueLevel.QUERY,
}


def after_move(status: CardStatus, move: CardMove) -> CardStatus | Refusal:
    """The status after a move, or why it may not be made."""
    after = CARD_TRANSITIONS.get((status, move))
    if after is not None:
        return after
    return Refusal.CARD_REPORTED_LOST if status is CardStatus.LOST else Refusal.CARD_NOT_USABLE


def why_not_issued(status: CardStatus) -> Refusal | None:
    """Why an electronic card may not be issued on a channel now."""
    if status is CardStatus.ACTIVE:
        return None
    return Refusal.CARD_REPORTED_LOST if status is CardStatus.LOST else Refusal.CARD_NOT_USABLE


def is_card_number(text: str) -> bool:
    """True if *text* can be the number of a physical card: eight digits or capitals and their check character.

    Source: the check of GB 11714, which card numbers follow.
    """
    if not _CARD_NUMBER.fullmatch(text):
        return False
    total = sum(int(char, 36) * weight for char, weight in zip(text[:8], _CARD_WEIGHTS, strict=True))
    return _CARD_CHECKS[total % 11] == text[8]


_CARD_NUMBER: Final = re.compile(r"[0-9A-Z]{8}[0-9X]", re.ASCII)
_CARD_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
_CARD_CHECKS: Final = "0X987654321"  # eleven minus the remainder, where ten is X and eleven is 0
