"""Nonces that were used: a hint against replays. The ledger's idempotency keys are what makes them harmless.

This process knows what it has seen; Valkey knows what the others have. Money commands ask only this process, since the
signature covers their idempotency key and a replay of one can only repeat its answer. The rest ask both.
"""

import asyncio
from typing import Final

import structlog
from redis import asyncio as aioredis
from redis.exceptions import RedisError

KEEP_S: Final = 600  # a signature is good for 300 s before and after it was made
GENERATION_MAX: Final = 400_000  # about 40 MB each; when one is full the oldest is let go early
TELL_S: Final = 0.01  # what nobody waits for is told in company
TELL_COUNT: Final = 100
_CLAIM: Final = """
local fresh = {}
for key in string.gmatch(ARGV[2], '[^\\n]+') do
    fresh[#fresh + 1] = redis.call('SET', key, '', 'NX', 'EX', ARGV[1]) and '1' or '0'
end
return table.concat(fresh)
"""
"""All keys are one argument, a line each, and all answers one string: hardly any work here for each of them."""

_FRESH: Final = ord("1")

log = structlog.get_logger("engine.hints")


class NonceGuard:
    """Two generations of nonces here, and all of them in Valkey for as long as they matter."""

    def __init__(self, valkey: "aioredis.Redis | None") -> None:
        """Without *valkey* only this process's own are known."""
        self._valkey = valkey
        self._claim = valkey.register_script(_CLAIM) if valkey is not None else None
        self._young: set[int] = set()
        self._old: set[int] = set()
        self._turned_at_s = 0.0
        self._waiting: list[tuple[str, asyncio.Future[bool] | None]] = []
        self._flush: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.is_degraded = valkey is None

    def is_fresh_here(self, keyid: str, nonce: str, *, now_s: float) -> bool:
        """True the first time that this process sees the nonce. Units: *now_s* in seconds of any steady clock."""
        if now_s - self._turned_at_s >= KEEP_S or len(self._young) >= GENERATION_MAX:
            self._old, self._young = self._young, set()
            self._turned_at_s = now_s
        seen = hash((keyid, nonce))
        if seen in self._young or seen in self._old:
            return False
        self._young.add(seen)
        return True

    def tell(self, keyid: str, nonce: str) -> None:
        """Let the others know, without waiting."""
        if self._claim is None:
            return
        self._waiting.append((f"nonce:{keyid}:{nonce}", None))
        if len(self._waiting) >= TELL_COUNT:
            self._flush_now()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TELL_S, self._flush_now)

    async def is_fresh_anywhere(self, keyid: str, nonce: str) -> bool:
        """True unless another process has seen the nonce, as far as Valkey knows."""
        if self._claim is None:
            return True
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((f"nonce:{keyid}:{nonce}", answer))
        self._flush_now()
        return await answer

    async def close(self) -> None:
        """Tell what is left to tell."""
        if self._waiting:
            self._flush_now()
        if self._timer is not None:
            self._timer.cancel()
        if self._flush is not None:
            await self._flush

    def _flush_now(self) -> None:
        """Ask Valkey once for everything that waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flush is None or self._flush.done():
            self._flush = asyncio.get_running_loop().create_task(self._flush_all())

    async def _flush_all(self) -> None:
        assert self._claim is not None
        while self._waiting:
            batch, self._waiting = self._waiting, []
            fresh = b"1" * len(batch)
            try:
                fresh = await self._claim(args=[KEEP_S, "\n".join([key for key, _ in batch])])
                self.is_degraded = False
            except (RedisError, OSError) as error:
                if not self.is_degraded:
                    log.warning("nonces.degraded", fault=type(error).__name__)
                self.is_degraded = True
            finally:  # whatever happens, nobody waits for ever for a hint
                for (_, answer), is_fresh in zip(batch, fresh, strict=True):
                    if answer is not None and not answer.done():
                        answer.set_result(is_fresh == _FRESH)
