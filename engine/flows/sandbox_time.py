"""The sandbox's hand on the clock: business time moves forward, and what falls due by it is done at once."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import msgspec

from engine.flows.clock import Clock
from engine.store.reads import BusinessNow, Reads, advance_sandbox_clock


class Advance(msgspec.Struct, kw_only=True):
    """What one idempotency key has moved. Units: seconds."""

    advance_s: int
    reached: BusinessNow | None = None  # None until what fell due has been done


class SandboxTime:
    """Moves business time, never that of signatures, nonces or TLS; exists in the sandbox only."""

    def __init__(
        self, pool: asyncpg.Pool, reads: Reads, clock: Clock, *, catch_up: Callable[[], Awaitable[None]]
    ) -> None:
        """*catch_up* does what has fallen due: holds that lapse, cycles that close."""
        self._pool = pool
        self._reads = reads
        self._clock = clock
        self._catch_up = catch_up
        self._moving = asyncio.Lock()
        self._advances: dict[tuple[bytes, str], Advance] = {}
        self._refreshes: dict[int, int] = {}

    async def now(self) -> BusinessNow:
        """Business time and the open cycle."""
        return await self._reads.business_now()

    async def advance(self, caller: bytes, key: str, *, advance_s: int) -> tuple[BusinessNow, bool] | None:
        """Move business time, once a key, and do what falls due by it, whatever went wrong with that before.

        Returns where it was then, and whether that was answered before; None if the key has moved it by another step.
        Units: seconds.

        Raises:
            Fault: the database cannot do it; the same key goes on where it stopped.
            Overloaded: the ledger has no room for the holds that lapse; the same.
        """
        async with self._moving:
            made = self._advances.get((caller, key))
            if made is not None and made.advance_s != advance_s:
                return None
            if made is not None and made.reached is not None:
                return made.reached, True
            if made is None:
                offset_us = await advance_sandbox_clock(self._pool, advance_s=advance_s)
                self._clock.offset_s = offset_us / 1e6
                made = self._advances[caller, key] = Advance(advance_s=advance_s)
            await self._catch_up()
            made.reached = await self._reads.business_now()
            return made.reached, False

    async def next_refresh(self, device_no: int, *, step: int, count: int) -> int:
        """The refresh digit that a phone would show next: one whose code of *step* has not paid, if there is one."""
        used = await self._reads.refreshes_used(device_no, step=step)
        refresh = self._refreshes.get(device_no, -1)
        for _ in range(count):
            refresh = (refresh + 1) % count
            if refresh not in used:
                break
        self._refreshes[device_no] = refresh
        return refresh
