"""Who may come in over SFTP, and what the server proves itself with."""

import asyncpg
import msgspec

from engine.core.ids import BankId
from engine.store.faults import translated
from engine.store.sql import load_queries


class BankKey(msgspec.Struct, frozen=True):
    """A key of a bank, as stored: what it verifies with is sealed."""

    bank: BankId
    keyid: str
    alg: str
    sealed: bytes


class SftpAccess:
    """The keys of banks and of the server. Every method raises `Fault` when the database cannot answer."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """Read through *pool*."""
        self._pool = pool
        self._queries = load_queries("sftp")

    async def keys_of(self, cnaps: int) -> list[BankKey]:
        """The keys of the bank that has this number; none of a bank that is suspended, or does not exist."""
        with translated():
            rows = await self._pool.fetch(self._queries["keys_of_bank"], cnaps)
        return [BankKey(BankId(row["id"]), row["keyid"], row["alg"], row["secret"]) for row in rows]

    async def has_key(self, bank: BankId, keyid: str) -> bool:
        """True while the key is the bank's own and not suspended."""
        with translated():
            found: bool = await self._pool.fetchval(self._queries["bank_has_key"], keyid, bank)
        return found

    async def host_key(self) -> bytes | None:
        """The server's own key, sealed; None before there is one."""
        with translated():
            found: bytes | None = await self._pool.fetchval(self._queries["host_key"])
        return found

    async def insert_host_key(self, sealed: bytes, *, field_key_id: int) -> None:
        """Keep the server's own key, unless there is one."""
        with translated():
            await self._pool.execute(self._queries["insert_host_key"], sealed, field_key_id)
