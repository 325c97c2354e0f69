"""What one process knows of channels: what each may do, as of a moment ago, and what each does wrong."""

from collections.abc import Iterator
from typing import Final

from engine.core.channel_risk import CHANNEL_RULES, ChannelFigures
from engine.core.channels import Standing
from engine.store.channels import load_standing
from engine.store.faults import Fault
from engine.store.participants import Source

FRESH_S: Final = 5.0
CHANNELS_MAX: Final = 10_000
MINUTE_S: Final = 60

Counted = tuple[bytes, int]  # channel, the minute's first second since 1970


class ChannelDesk:
    """Standings that were read a moment ago, and figures that are not written down yet."""

    def __init__(self) -> None:
        """Nothing is known, nothing counted."""
        self.rules = CHANNEL_RULES
        self._known: dict[bytes, tuple[float, Standing | None]] = {}
        self._counted: dict[Counted, ChannelFigures] = {}

    async def standing(
        self, source: Source, channel: bytes, *, now_s: float, is_fresh: bool = False
    ) -> Standing | None:
        """What a channel may do: as of now with *is_fresh*, else as of a few seconds ago. None: there is none.

        Raises:
            Fault: the database cannot answer, and nothing is known from before, or that will not do.
        """
        entry = self._known.get(channel)
        if entry is not None and not is_fresh and now_s < entry[0]:
            return entry[1]
        try:
            standing = await load_standing(source, channel)
        except Fault:
            if entry is None or is_fresh:
                raise
            return entry[1]
        if len(self._known) >= CHANNELS_MAX:
            self._known.clear()
        self._known[channel] = (now_s + FRESH_S, standing)
        return standing

    def forget(self) -> None:
        """Something was changed: read everything anew."""
        self._known.clear()

    def count(self, channel: bytes, *, now_s: float, is_signed: bool, is_error: bool) -> None:
        """Count one request. Units: *now_s* in wall seconds since 1970."""
        one = ChannelFigures(
            requests=int(is_signed), errors=int(is_signed and is_error), signature_failures=int(not is_signed)
        )
        key = (channel, int(now_s) // MINUTE_S * MINUTE_S)
        found = self._counted.get(key)
        self._counted[key] = one if found is None else found + one

    def take_counted(self) -> Iterator[tuple[Counted, ChannelFigures]]:
        """What is not written down yet, one after the other; each counts as written from then on."""
        while self._counted:
            key = next(iter(self._counted))
            yield key, self._counted.pop(key)

    def give_back(self, key: Counted, figures: ChannelFigures) -> None:
        """It could not be written down: it is still to be."""
        found = self._counted.get(key)
        self._counted[key] = figures if found is None else found + figures
