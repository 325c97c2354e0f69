"""Wrong codes by terminal: a hint against guessing, kept by this process alone."""

from collections import deque
from typing import Final

WRONG_MAX: Final = 20
WINDOW_S: Final = 60.0
TERMINALS_MAX: Final = 100_000


class WrongCodes:
    """How many wrong codes each terminal has shown within a minute.

    A guess is right once in a thousand million; twenty a minute leave a guesser about a century a terminal.
    """

    def __init__(self) -> None:
        """Nothing counted yet."""
        self._by_terminal: dict[tuple[bytes, str], deque[float]] = {}

    def count(self, merchant: bytes, terminal_id: str, *, now_s: float) -> None:
        """Count one wrong code."""
        if len(self._by_terminal) >= TERMINALS_MAX:
            self._by_terminal.clear()  # forgetting is safe: this is a hint
        self._by_terminal.setdefault((merchant, terminal_id), deque(maxlen=WRONG_MAX)).append(now_s)

    def are_too_many(self, merchant: bytes, terminal_id: str, *, now_s: float) -> bool:
        """True while a terminal has shown too many."""
        times = self._by_terminal.get((merchant, terminal_id))
        return times is not None and len(times) == WRONG_MAX and now_s - times[0] < WINDOW_S
