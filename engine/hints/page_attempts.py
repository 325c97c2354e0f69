"""How often somebody has tried to pay on a page: a hint against guessing codes, kept by this process alone."""

from collections import deque
from typing import Final

WINDOW_S: Final = 60.0
ORDER_MAX: Final = 10
ADDRESS_MAX: Final = 120
"""Many people may come through one address; an order has one payer."""

KEPT_MAX: Final = 100_000


class PageAttempts:
    """The attempts of the last minute, by order and by address."""

    def __init__(self) -> None:
        """Nobody has tried yet."""
        self._times: dict[bytes | str, deque[float]] = {}

    def may_try(self, token: bytes, address: str, *, now_s: float) -> bool:
        """True, and counted, unless there were too many for this order or from this address."""
        if len(self._times) >= KEPT_MAX:
            self._times.clear()  # forgetting is safe: this is a hint
        limits: tuple[tuple[bytes | str, int], ...] = ((token, ORDER_MAX), (address, ADDRESS_MAX))
        times = [self._times.setdefault(key, deque(maxlen=count_max)) for key, count_max in limits]
        if any(len(tried) == tried.maxlen and now_s - tried[0] < WINDOW_S for tried in times):
            return False
        for tried in times:
            tried.append(now_s)
        return True
