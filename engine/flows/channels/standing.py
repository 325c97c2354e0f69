"""Whether a channel may do something now."""

from engine.core.channels import Product
from engine.core.refusals import Refusal
from engine.store.channels import load_standing
from engine.store.participants import Source


async def why_channel_may_not(source: Source, channel: bytes, product: Product, region: int | None) -> Refusal | None:
    """The first reason for which *product* is not to be had through *channel* in *region*; None: there is none.

    CHANNEL_SUSPENDED: the channel, or the one that it takes part through, is stopped for that. CHANNEL_NOT_AUTHORIZED:
    it is not granted that, or not live yet. Without a region only what holds for the whole country counts.

    Raises:
        Fault: the database cannot answer.
    """
    standing = await load_standing(source, channel)
    return standing.why_not(product, region) if standing is not None else Refusal.CHANNEL_NOT_AUTHORIZED
