"""How much each caller reads: kept by this process alone, so that who polls in a circle leaves room for payments."""

import asyncio
from typing import Final

READS_A_SECOND: Final = 200
BURST_S: Final = 0.5
"""Who has not read for so long may read at once what that time would have let through."""

WAIT_S_MAX: Final = 0.25
"""Whoever is over the limit waits for so long at most: who reads one after the other is slowed down and never refused,
and who is refused is told so only then, lest the next read follow at once.
"""

CALLERS_MAX: Final = 100_000
REFUSED_WAITING_MAX: Final = 1_000


class ReadLimits:
    """A line for each caller, in which each read takes its share of a second."""

    def __init__(self, reads_a_second: float = READS_A_SECOND) -> None:
        """Nobody has read yet."""
        self._share_s = 1 / reads_a_second
        self._busy_until_s: dict[bytes, float] = {}
        self._refused_waiting = 0

    def wait_s(self, caller: bytes, *, now_s: float) -> float | None:
        """For how long the caller's read has to wait, and counted; None if there are too many before it.

        Units: seconds of a clock that never goes back.
        """
        if len(self._busy_until_s) >= CALLERS_MAX:
            self._busy_until_s.clear()  # forgetting is safe: this is a hint
        busy_until_s = max(self._busy_until_s.get(caller, now_s), now_s) + self._share_s
        wait_s = max(0.0, busy_until_s - now_s - max(BURST_S, self._share_s))
        if wait_s > WAIT_S_MAX:
            return None
        self._busy_until_s[caller] = busy_until_s
        return wait_s

    async def admit(self, caller: bytes, *, now_s: float) -> bool:
        """True once the caller may read; False, after a while, if it reads too much."""
        wait_s = self.wait_s(caller, now_s=now_s)
        if wait_s is not None:
            if wait_s:
                await asyncio.sleep(wait_s)
            return True
        if self._refused_waiting < REFUSED_WAITING_MAX:
            self._refused_waiting += 1
            try:
                await asyncio.sleep(WAIT_S_MAX)
            finally:
                self._refused_waiting -= 1
        return False
