"""How a card's password is kept: Argon2id over card and password, with a key that is not in the database.

Six digits are a million guesses, ten hours of one core even at this cost; so a copy of the database must not be enough
to try them. The pepper follows from the master secret. The card is part of what is hashed, so that a hash that is moved
to another card's row opens nothing.

Source: RFC 9106; the cost is the least that OWASP's Password Storage Cheat Sheet names for Argon2id.
"""

from typing import Final

import msgspec
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from engine.core.ids import CardId

SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32


class HashCost(msgspec.Struct, frozen=True):
    """What one hash takes. Units: *memory_kib* KiB."""

    memory_kib: int
    iterations: int
    lanes: int = 1


COST: Final = HashCost(memory_kib=19 * 1_024, iterations=2)
"""Measured on one core: 36 ms, against 150 ms for RFC 9106's second recommendation (64 MiB, 3 iterations, 4 lanes),
at which two cores check 13 a second and not 55. The library lets go of the interpreter meanwhile: a busy loop beside it
was never held up for more than 0.6 ms.
"""


def hash_password(password: str, *, card: CardId, pepper: bytes, salt: bytes, cost: HashCost = COST) -> str:
    """What is stored of a password: a PHC string, which names its cost. *salt* is `SALT_BYTES` fresh bytes."""
    assert len(salt) == SALT_BYTES
    function = Argon2id(
        salt=salt,
        length=_HASH_BYTES,
        iterations=cost.iterations,
        lanes=cost.lanes,
        memory_cost=cost.memory_kib,
        secret=pepper,
    )
    return function.derive_phc_encoded(card + password.encode())


def is_password(phc: str, password: str, *, card: CardId, pepper: bytes) -> bool:
    """True if *phc* was made of this password and this card. It costs what making it did."""
    try:
        Argon2id.verify_phc_encoded(card + password.encode(), phc, secret=pepper)
    except InvalidKey:
        return False
    return True
