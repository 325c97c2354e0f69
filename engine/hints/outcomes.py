"""Word that something has an outcome, from the process that has it to those in which somebody waits: a hint.

Who hears nothing looks for himself, a little later (`engine.flows.await_payment`).
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from redis import asyncio as aioredis
from redis.exceptions import RedisError

CHANNEL: Final = "outcomes"
AGAIN_S: Final = 1.0  # until Valkey is tried again after it was gone
TOLD_MAX: Final = 10_000  # that wait to be told; what is more is not told at all
_ID_BYTES: Final = 16

log = structlog.get_logger("engine.hints")


class Outcomes:
    """Ids of what has an outcome, told to every process through one channel of Valkey."""

    def __init__(self, valkey: "aioredis.Redis | None") -> None:
        """Without *valkey* nobody else is told."""
        self._valkey = valkey
        self._waiting: list[bytes] = []
        self._flush: asyncio.Task[None] | None = None
        self.is_degraded = valkey is None

    def tell(self, identifier: bytes) -> None:
        """Let every process know, this one too, without waiting. Ids that come in one turn of the loop go together."""
        if self._valkey is None or len(self._waiting) >= TOLD_MAX:
            return
        self._waiting.append(identifier)
        if self._flush is None or self._flush.done():
            self._flush = asyncio.get_running_loop().create_task(self._flush_all(self._valkey))

    async def listen(self, hear: Callable[[bytes], None]) -> None:
        """Call *hear* with every id that any process tells, until cancelled. Valkey may come and go meanwhile."""
        if self._valkey is None:
            return
        while True:
            try:
                async with self._valkey.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    async for message in channel.listen():
                        self.is_degraded = False
                        if message["type"] == "message":
                            for identifier in _ids_in(message["data"]):
                                hear(identifier)
            except (RedisError, OSError) as error:
                self._degrade(error)
            await asyncio.sleep(AGAIN_S)

    async def close(self) -> None:
        """Tell what is left to tell."""
        if self._flush is not None:
            await self._flush

    async def _flush_all(self, valkey: "aioredis.Redis") -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await valkey.publish(CHANNEL, b"".join(batch))
            except (RedisError, OSError) as error:
                self._degrade(error)

    def _degrade(self, error: Exception) -> None:
        if not self.is_degraded:
            log.warning("outcomes.degraded", fault=type(error).__name__)
        self.is_degraded = True


def _ids_in(data: bytes) -> list[bytes]:
    """The ids of one message; what is cut short is left out."""
    return [data[at : at + _ID_BYTES] for at in range(0, len(data) - _ID_BYTES + 1, _ID_BYTES)]
