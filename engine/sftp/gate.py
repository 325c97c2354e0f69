"""Who may try to come in: a hint against guessing and flooding, kept by this process alone."""

from collections import Counter, deque
from typing import Final

FAILED_MAX: Final = 10
WINDOW_S: Final = 60.0
CONNECTIONS_MAX: Final = 200
UNPROVEN_MAX: Final = 30
OF_BANK_MAX: Final = 8
ADDRESSES_MAX: Final = 10_000


class Gate:
    """Counts connections, and by address those that ended without a login."""

    def __init__(self) -> None:
        """Nobody has come."""
        self._failed: dict[str, deque[float]] = {}
        self._unproven = 0
        self._banks: Counter[bytes] = Counter()

    def enter(self, address: str, *, now_s: float) -> bool:
        """Count one more connection that has still to log in. False, and it is not counted, if it is one too many."""
        failed = self._failed.get(address)
        if failed is not None and len(failed) == FAILED_MAX and now_s - failed[0] < WINDOW_S:
            return False
        if self._unproven >= UNPROVEN_MAX or self._unproven + self._banks.total() >= CONNECTIONS_MAX:
            return False
        self._unproven += 1
        return True

    def log_in(self, bank: bytes) -> bool:
        """A connection has proven whose it is. False if its bank has too many already; it counts as logged in still."""
        self._unproven -= 1
        self._banks[bank] += 1
        return self._banks[bank] <= OF_BANK_MAX

    def fail(self, address: str, *, now_s: float) -> None:
        """A connection has ended that had not logged in."""
        self._unproven -= 1
        if len(self._failed) >= ADDRESSES_MAX:
            self._failed.clear()  # forgetting is safe: this is a hint
        self._failed.setdefault(address, deque(maxlen=FAILED_MAX)).append(now_s)

    def leave(self, bank: bytes) -> None:
        """A connection has ended that had logged in."""
        self._banks[bank] -= 1
        if not self._banks[bank]:
            del self._banks[bank]
