"""Time, ids and chance: the only place where they come from."""

import os
import time

from engine.core.ids import IdKind, make_id


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


class IdSource:
    """New ids, made of wall time and the system's randomness."""

    def new(self, kind: IdKind, *, shard: int, region: int) -> bytes:
        """A new id of *kind*."""
        entropy = int.from_bytes(os.urandom(6)) >> 4
        return make_id(kind, at_ms=time.time_ns() // 1_000_000, shard=shard, region=region, entropy=entropy)

    def trace_id(self) -> str:
        """A new trace id: 32 hex digits (W3C Trace Context, section 3.2.2.3)."""
        return os.urandom(16).hex()

    def span_id(self) -> str:
        """A new span id: 16 hex digits (W3C Trace Context, section 3.2.2.4)."""
        return os.urandom(8).hex()

    def nonce(self) -> bytes:
        """Twelve fresh bytes for sealing a field."""
        return os.urandom(12)
