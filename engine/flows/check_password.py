"""Checking a card's password: the sealed block is opened, and what is in it compared with the hash, beside the loop."""

from collections import Counter
from functools import partial
from typing import Final

from engine.codes.keys import Keyring
from engine.codes.password_block import BoundTo, PasswordBlock, judge_block, open_block, parse_block
from engine.codes.password_hash import SALT_BYTES, hash_password, is_password
from engine.core.commands import PasswordProof
from engine.core.ids import NO_ID, CardId
from engine.core.passwords import Weakness, weakness_of
from engine.core.payer import PASSWORD_TRIES_MAX
from engine.core.refusals import Refusal
from engine.flows.hashing_pool import HashingPool
from engine.flows.password_keys import BlockKeys
from engine.store.passwords import Passwords

_NO_SALT: Final = bytes(SALT_BYTES)


class PasswordDesk:
    """Where passwords are checked. What a check means is judged later, under the payer's lock: `core.authorization`."""

    def __init__(self, store: Passwords, keys: BlockKeys, pool: HashingPool, *, keyring: Keyring) -> None:
        """Check with these; *pool* is closed by whoever opened it."""
        self._store = store
        self.keys = keys
        self._pool = pool
        self._pepper = keyring.password_pepper
        self._under_way: Counter[CardId] = Counter()

    async def check_password(
        self, card: CardId | None, block: str, bound_to: BoundTo, *, now_s: float
    ) -> PasswordProof | Refusal:
        """Whether the password in *block* is the card's, and of which version.

        A card that does not exist (None, NO_ID), or has no password, takes as long as any other, and its password is
        wrong: of version 0. Units: *now_s* in unix seconds of wall time: a block's age is judged as a signature's is.

        Raises:
            Fault: the database cannot answer.
        """
        opened = await self._open(block)
        if isinstance(opened, Refusal):
            return opened
        refusal = judge_block(opened, bound_to, now_s=now_s)
        if refusal is not None:
            return refusal
        of_card = card if card is not None else CardId(NO_ID)
        if of_card != NO_ID and self._under_way[of_card] >= PASSWORD_TRIES_MAX:
            # The tries of one card are counted after this, so one card's guesses must not fill the queue before.
            return Refusal.TOO_MANY_ATTEMPTS
        self._under_way[of_card] += 1
        try:
            return await self._compare(of_card, opened.password)
        finally:
            self._under_way[of_card] -= 1
            if not self._under_way[of_card]:
                del self._under_way[of_card]

    async def write_sealed(
        self, card: CardId, block: str, bound_to: BoundTo, *, salt: bytes, now_s: float
    ) -> int | Weakness | Refusal:
        """Write down the password in *block* as the card's next one; otherwise like `write_password`.

        Raises:
            Fault: the database cannot answer.
        """
        opened = await self._open(block)
        if isinstance(opened, Refusal):
            return opened
        refusal = judge_block(opened, bound_to, now_s=now_s)
        if refusal is not None:
            return refusal
        return await self.write_password(card, opened.password, salt=salt)

    async def write_password(
        self, card: CardId, password: str, *, salt: bytes, id_number: str | None = None
    ) -> int | Weakness | Refusal:
        """Write down a card's next password. Returns its version: the payer's row has to be told, which also starts the
        tries anew; until then the old one is good. *salt* is 16 fresh bytes; *id_number* is the cardholder's, if known.

        Raises:
            Fault: the database cannot answer.
        """
        weakness = weakness_of(password, id_number=id_number)
        if weakness is not None:
            return weakness
        phc = await self._pool.run(partial(hash_password, password, card=card, pepper=self._pepper, salt=salt))
        if isinstance(phc, Refusal):
            return phc
        version = await self._store.insert(card, phc)
        return version if version is not None else Refusal.OVERLOADED

    async def _open(self, block: str) -> PasswordBlock | Refusal:
        sealed = parse_block(block)
        if isinstance(sealed, Refusal):
            return sealed
        key = await self.keys.key(sealed.kid)
        return open_block(sealed, key) if key is not None else Refusal.PASSWORD_BLOCK_INVALID

    async def _compare(self, card: CardId, password: str) -> PasswordProof | Refusal:
        stored = await self._store.password_of(card)
        if stored is None:
            # The same work for nothing, so that the time tells nobody which cards there are.
            made = await self._pool.run(partial(hash_password, password, card=card, pepper=self._pepper, salt=_NO_SALT))
            return made if isinstance(made, Refusal) else PasswordProof(is_right=False, version=0)
        is_right = await self._pool.run(partial(is_password, stored.phc, password, card=card, pepper=self._pepper))
        return is_right if isinstance(is_right, Refusal) else PasswordProof(is_right=is_right, version=stored.version)
