"""The event loop's clock, which every deadline of the ledger is measured by."""

import asyncio

import pytest


class LoopClock:
    """Time of the running loop, which can be moved: what falls due by it is done at once, and nobody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take over the running loop's clock."""
        loop = asyncio.get_running_loop()
        now = loop.time
        self._ahead_s = 0.0
        monkeypatch.setattr(loop, "time", lambda: now() + self._ahead_s)

    def advance(self, seconds: float) -> None:
        """Move on."""
        assert seconds > 0, "time never goes back"
        self._ahead_s += seconds


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> LoopClock:
    """The clock of this test's loop."""
    return LoopClock(monkeypatch)
