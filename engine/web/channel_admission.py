"""Whether a channel that has signed a request is let in: from where it calls, where it stands, and for what."""

from typing import Final

from engine.core.channels import NOT_YET_LIVE, Product, Standing
from engine.core.ids import CallerId
from engine.core.refusals import Refusal
from engine.web.body import Refused
from engine.web.node import Node

_LANE_JUDGES: Final = Refusal.CHANNEL_SUSPENDED


async def admit_channel(
    node: Node,
    channel: CallerId,
    address: str | None,
    *,
    product: Product | None,
    is_money: bool,
    is_before_live: bool,
) -> None:
    """Let a channel in. *address* is the peer's: what a header says of those before it proves nothing.

    A stop of a money route is left to the lane, which judges it after the idempotency key: whoever has lost an answer
    before the stop still gets it. Everything else is judged on what the database says now.

    A channel that is terminated, or takes part through one that is, still finds such answers and what is known of
    itself; its keys open nothing else.

    Raises:
        Refused: the channel is not known, calls from elsewhere, is not live yet or for good no more, or may not have
            the product.
        Fault: the database cannot answer.
    """
    standing = await _standing(node, channel, is_fresh=product is not None and not is_money)
    if not standing.lets_in(address):
        raise Refused(Refusal.ADDRESS_NOT_ALLOWED)
    if standing.state in NOT_YET_LIVE and not is_before_live:
        raise Refused(Refusal.CHANNEL_NOT_AUTHORIZED)
    if product is not None:
        _judge(standing, product, region=None, is_money=is_money)
    elif standing.is_ended and not is_before_live:
        raise Refused(Refusal.CHANNEL_SUSPENDED)


async def judge_product(node: Node, channel: CallerId, product: Product, *, region: int, is_money: bool) -> None:
    """Let a channel that was let in have a product in a region, once the request has shown where that is.

    Raises:
        Refused: it is not granted that, or stopped for it; a stop of a money route is left to the lane.
        Fault: the database cannot answer.
    """
    standing = await _standing(node, channel, is_fresh=not is_money)
    _judge(standing, product, region=region, is_money=is_money)


async def _standing(node: Node, channel: CallerId, *, is_fresh: bool) -> Standing:
    standing = await node.channels.standing(node.pool, channel, now_s=node.clock.steady_s(), is_fresh=is_fresh)
    if standing is None:
        raise Refused(Refusal.CHANNEL_NOT_AUTHORIZED)
    return standing


def _judge(standing: Standing, product: Product, *, region: int | None, is_money: bool) -> None:
    refusal = standing.why_not(product, region)
    if refusal is not None and not (is_money and refusal is _LANE_JUDGES):
        raise Refused(refusal)
