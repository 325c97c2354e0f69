"""Who calls: the keys of merchants, banks, channels, agencies and operators, read when first seen and kept a moment."""

import asyncio
from typing import Final

import msgspec

from engine.codes.http_signature import Algorithm, VerificationKey, load_verification_key
from engine.codes.keys import CALLER_KEY_PLACE, Keyring
from engine.core.ids import CallerId, IdKind, kind_number
from engine.store.faults import Fault
from engine.store.reads import Reads

FRESH_S: Final = 5.0  # a suspended key is refused after twice this at the latest
KEYS_MAX: Final = 100_000


class Caller(msgspec.Struct, frozen=True):
    """One caller, by one of its keys."""

    id: CallerId
    kind: IdKind
    key: VerificationKey
    is_suspended: bool


class CallerDirectory:
    """Callers by key id. An unknown key id is remembered for as long as a known one, so that it costs little."""

    def __init__(self, reads: Reads, keyring: Keyring) -> None:
        """Read keys through *reads*; they are sealed with *keyring*."""
        self._reads = reads
        self._keyring = keyring
        self._known: dict[str, tuple[float, Caller | None]] = {}

    def at_hand(self, keyid: str) -> Caller | None:
        """The caller whose key this is, if it was read a moment ago; None if `find` has to be asked."""
        entry = self._known.get(keyid)
        return entry[1] if entry is not None and asyncio.get_running_loop().time() < entry[0] else None

    async def find(self, keyid: str) -> Caller | None:
        """The caller whose key this is. Whoever finds a key too old reads it again; the others do not wait for that,
        unless it is so old that it may have been suspended long ago.

        Raises:
            Fault: the key is not known here, and the database cannot be asked.
        """
        now = asyncio.get_running_loop().time()
        entry = self._known.get(keyid)
        if entry is not None:
            if now < entry[0]:
                return entry[1]
            if now < entry[0] + FRESH_S:
                self._known[keyid] = (entry[0] + FRESH_S, entry[1])
        try:
            caller = await self._read(keyid)
        except Fault:
            if entry is None:
                raise
            # Who it was a moment ago: without a database nothing can be paid anyway, and the answer should say so.
            return entry[1]
        if len(self._known) >= KEYS_MAX:
            self._known.clear()
        self._known[keyid] = (now + FRESH_S, caller)
        return caller

    def forget(self) -> None:
        """Participants have changed: read everybody again. Other processes notice by themselves, later."""
        self._known.clear()

    async def _read(self, keyid: str) -> Caller | None:
        row = await self._reads.caller_key(keyid)
        if row is None:
            return None
        text = self._keyring.unseal(row.sealed, place=CALLER_KEY_PLACE).decode()
        return Caller(
            id=CallerId(row.caller),
            kind=IdKind(kind_number(row.caller)),
            key=load_verification_key(Algorithm(row.alg), text),
            is_suspended=row.is_suspended,
        )
