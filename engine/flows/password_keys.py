"""The keys that passwords are sealed for: made when there is none or the newest is old, read again when one is new."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from engine.codes.keys import FIELD_KEY_ID, Keyring
from engine.codes.password_block import BlockKey, EncryptionJwk, block_key_of
from engine.flows.clock import IdSource
from engine.store.passwords import Passwords, SealedKey

BLOCK_KEY_PLACE: Final = "password_key.secret"
ROTATE_AFTER: Final = timedelta(days=90)
READ_AGAIN_S: Final = 10.0
"""A key that another node has just made is known here after this time; nobody can ask the database more often."""


class BlockKeys:
    """The keys of one node. `published` is the newest; every other one that ever was is still good for opening."""

    def __init__(self, store: Passwords, keyring: Keyring) -> None:
        """Nothing is read yet: `open` does."""
        self._store = store
        self._keyring = keyring
        self._keys: dict[str, BlockKey] = {}  # newest first
        self._read_at_s = float("-inf")

    async def open(self, ids: IdSource, *, now: datetime) -> None:
        """Read the keys. A database without one, or whose newest is 90 days old, gets one more, whatever the number of
        nodes that start at once.

        Raises:
            Fault: the database cannot answer.
            SealBroken: they were sealed with another master secret.
        """
        known = await self._store.keys()
        if not known or now - known[0].created_at >= ROTATE_AFTER:
            fresh = BlockKey(f"password-{len(known) + 1}", ec.generate_private_key(ec.SECP256R1()))
            sealed = self._keyring.seal(fresh.to_der(), place=BLOCK_KEY_PLACE, nonce=ids.nonce())
            await self._store.insert_key(SealedKey(fresh.key_id, sealed, now), field_key_id=FIELD_KEY_ID)
        await self._read()

    @property
    def published(self) -> EncryptionJwk:
        """What a new password is to be sealed for."""
        return next(iter(self._keys.values())).jwk

    async def key(self, key_id: str) -> BlockKey | None:
        """The key of that name; None if there is none.

        Raises:
            Fault: the database cannot answer.
        """
        now_s = asyncio.get_running_loop().time()
        if key_id not in self._keys and now_s - self._read_at_s >= READ_AGAIN_S:
            self._read_at_s = now_s
            await self._read()
        return self._keys.get(key_id)

    async def _read(self) -> None:
        self._keys = {
            key.key_id: block_key_of(key.key_id, self._keyring.unseal(key.sealed, place=BLOCK_KEY_PLACE))
            for key in await self._store.keys()
        }
