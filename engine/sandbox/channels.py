"""The sample city's channels as the books have them: live, for everything, each under its own number."""

from datetime import datetime

from engine.codes.keys import FIELD_KEY_ID
from engine.core.channels import ChannelState, OwnerClass, Product
from engine.core.participants import NATIONAL
from engine.sandbox.city import SampleCity
from engine.store.rows import Row


def channel_rows(city: SampleCity, ids: list[bytes], *, founded_at: datetime) -> list[Row]:
    """Rows of `channel`. Shape: *ids* in the order of the city's channels."""
    by_number = {channel.channel_no: identifier for channel, identifier in zip(city.channels, ids, strict=True)}
    return [
        (
            by_number[channel.channel_no],
            channel.channel_no,
            OwnerClass[channel.owner_class.upper()],
            by_number[channel.parent] if channel.parent is not None else None,
            channel.name,
            channel.name_en,
            None,  # nobody has to be reached
            FIELD_KEY_ID,
            city.pooling_area,
            list(Product),
            [NATIONAL],
            [],
            [],
            ChannelState.LIVE,
            1,
            None,
            founded_at,
            founded_at,
        )
        for channel in city.channels
    ]
