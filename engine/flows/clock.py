"""Time, ids and chance: the only place where they come from."""

import os
import time
from typing import Final

from engine.core.ids import IdKind, make_id

_PAGE_BYTES: Final = 4_096


class Clock:
    """Wall time for signatures; business time, which the sandbox can move, for codes."""

    def __init__(self) -> None:
        """Business time is wall time until somebody says otherwise."""
        self.offset_s = 0.0

    def wall_s(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def business_s(self) -> float:
        """Seconds since 1970, as the sandbox has it."""
        return time.time() + self.offset_s

    def steady_s(self) -> float:
        """Seconds of a clock that nobody sets."""
        return time.monotonic()


class Randomness:
    """The system's randomness, asked for a page at a time: a request needs three small pieces, and three system calls
    cost more than all else that an id costs.
    """

    def __init__(self) -> None:
        """Nothing is drawn yet. A forked process never gives out what its parent may."""
        self._page = b""
        self._at = 0
        os.register_at_fork(after_in_child=self._forget)

    def take(self, count: int) -> bytes:
        """*count* bytes that nobody else gets."""
        at = self._at
        taken = self._page[at : at + count]
        if len(taken) < count:
            self._page = os.urandom(_PAGE_BYTES)
            at, taken = 0, self._page[:count]
        self._at = at + count
        return taken

    def _forget(self) -> None:
        self._page = b""


class IdSource:
    """New ids, made of wall time and the system's randomness."""

    def __init__(self) -> None:
        """Ids of this process."""
        self._random = Randomness()

    def new(self, kind: IdKind, *, shard: int, region: int) -> bytes:
        """A new id of *kind*."""
        entropy = int.from_bytes(self._random.take(6)) >> 4
        return make_id(kind, at_ms=time.time_ns() // 1_000_000, shard=shard, region=region, entropy=entropy)

    def trace_id(self) -> str:
        """A new trace id: 32 hex digits (W3C Trace Context, section 3.2.2.3)."""
        return self._random.take(16).hex()

    def span_id(self) -> str:
        """A new span id: 16 hex digits (W3C Trace Context, section 3.2.2.4)."""
        return self._random.take(8).hex()

    def token(self) -> bytes:
        """Sixteen bytes that nobody can guess: who has them may do what they are for."""
        return os.urandom(16)

    def nonce(self) -> bytes:
        """Twelve fresh bytes for sealing a field."""
        return os.urandom(12)
