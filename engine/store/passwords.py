"""Hashes of card passwords, and the keys that passwords are sealed for on their way here."""

from datetime import datetime

import asyncpg
import msgspec

from engine.core.ids import CardId
from engine.store.faults import translated
from engine.store.sql import load_queries


class StoredPassword(msgspec.Struct, frozen=True):
    """A card's password as kept. Its repr does not show the hash."""

    version: int
    phc: str

    def __repr__(self) -> str:
        return f"StoredPassword(version={self.version}, phc=<masked>)"


class SealedKey(msgspec.Struct, frozen=True):
    """One of the keys that passwords are sealed for, as stored: the secret is sealed itself."""

    key_id: str
    sealed: bytes
    created_at: datetime


class Passwords:
    """Reading and writing passwords. Every method raises `Fault` when the database cannot answer."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """Work through *pool*."""
        self._pool = pool
        self._queries = load_queries("passwords")

    async def password_of(self, card: CardId) -> StoredPassword | None:
        """The card's password; None if it has none, or there is no such card."""
        with translated():
            row = await self._pool.fetchrow(self._queries["password_of_card"], card)
        return StoredPassword(row["version"], row["hash"]) if row is not None else None

    async def insert(self, card: CardId, phc: str) -> int | None:
        """Write down a card's next password. Returns its version, which is good once the payer's row names it; None if
        another one was written at the same time.
        """
        with translated():
            version: int | None = await self._pool.fetchval(self._queries["insert_password"], card, phc)
        return version

    async def keys(self) -> list[SealedKey]:
        """The keys that passwords are sealed for, newest first."""
        with translated():
            rows = await self._pool.fetch(self._queries["password_keys"])
        return [SealedKey(row["key_id"], row["secret"], row["created_at"]) for row in rows]

    async def insert_key(self, key: SealedKey, *, field_key_id: int) -> None:
        """Keep a key, unless there is one of that name."""
        with translated():
            await self._pool.execute(
                self._queries["insert_password_key"], key.key_id, key.sealed, field_key_id, key.created_at
            )
