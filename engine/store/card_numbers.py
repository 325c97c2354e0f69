"""Whose card it is that a terminal has read. Numbers are looked up by a keyed index and never kept."""

import re
from typing import Final

import asyncpg

from engine.codes.keys import Keyring
from engine.core.ids import CardId
from engine.store.faults import translated
from engine.store.sql import load_queries

_CARD_NUMBER: Final = re.compile(r"[0-9A-Z]{9}")  # eight of the body and the check character
_CARD_NUMBER_PLACE: Final = "card_number.number_index"


def card_number_index(keyring: Keyring, card_no: str) -> bytes:
    """What the number of a physical card is found by."""
    # The place goes in as well, so that the same text in another register has another index.
    return keyring.blind_index(f"{_CARD_NUMBER_PLACE} {card_no}")


class CardNumbers:
    """The register of physical cards. Every method raises `Fault` when the database cannot answer."""

    def __init__(self, pool: asyncpg.Pool, keyring: Keyring) -> None:
        """Read through *pool*."""
        self._pool = pool
        self._keyring = keyring
        self._queries = load_queries("passwords")

    async def card_of(self, card_no: str) -> CardId | None:
        """The card that has this number; None if none has, or the text is no number."""
        if _CARD_NUMBER.fullmatch(card_no) is None:
            return None
        with translated():
            card = await self._pool.fetchval(self._queries["card_of_number"], card_number_index(self._keyring, card_no))
        return CardId(card) if card is not None else None
