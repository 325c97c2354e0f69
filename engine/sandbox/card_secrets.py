"""What only a sample card's holder has: the number printed on the card, and the password."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Final

from engine.codes.keys import Keyring
from engine.codes.password_hash import SALT_BYTES, HashCost, hash_password
from engine.core.ids import CardId
from engine.core.passwords import weakness_of
from engine.sandbox.people import Cardholder
from engine.store.card_numbers import card_number_index
from engine.store.rows import Row

FIRST_VERSION: Final = 1
SANDBOX_COST: Final = HashCost(memory_kib=8, iterations=1)
"""The least there is. `sandbox.json` tells these passwords anyway, and ten thousand at the full cost would take six
minutes; a hash names its own cost, so that nothing else is different.
"""
_SET_AT: Final = datetime(2020, 1, 1, tzinfo=UTC)  # the city is older than any of its payments


class CardSecrets:
    """Passwords and numbers of the sample cards; both follow from the master secret and the city."""

    def __init__(self, master: bytes, keyring: Keyring) -> None:
        """Of the sandbox with this secret."""
        self._master = master
        self._keyring = keyring

    def password(self, holder: Cardholder) -> str:
        """Six digits that the cardholder might have chosen."""
        attempt = 0
        while True:
            drawn = self._drawn(f"password {holder.index} {attempt}")
            password = f"{int.from_bytes(drawn[:8]) % 10**6:06d}"
            if weakness_of(password, id_number=holder.id_number) is None:
                return password
            attempt += 1

    def password_row(self, holder: Cardholder, card: CardId) -> Row:
        """The row of `card_password`: the same however often the city is loaded."""
        phc = hash_password(
            self.password(holder),
            card=card,
            pepper=self._keyring.password_pepper,
            salt=self._drawn(f"password salt {holder.index}")[:SALT_BYTES],
            cost=SANDBOX_COST,
        )
        return (card, FIRST_VERSION, phc, _SET_AT)

    def number_row(self, holder: Cardholder, card: CardId) -> Row:
        """The row of `card_number`."""
        return (card_number_index(self._keyring, holder.card_no), card)

    def _drawn(self, name: str) -> bytes:
        return hmac.digest(self._master, f"sandbox {name}".encode(), hashlib.sha256)
