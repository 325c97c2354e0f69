"""What stops a channel: at once by one operator or by a rule; it goes on by two operators."""

import msgspec

from engine.core.approvals import Approval, ApprovalKind
from engine.core.channels import SERVING, Channel, ChannelState, Product, StopKind, StopOrder, after
from engine.core.ids import IdKind, id_text, parse_id
from engine.core.participants import NATIONAL, Right, WrongField
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, ask_approval
from engine.store.channels import (
    insert_stop,
    lift_stop,
    load_channel,
    load_stop,
    lock_channel,
    move_channel,
)
from engine.store.connection import AnyConnection
from engine.store.participants import load_clocks
from engine.store.plans import advance_rules


class StopWanted(msgspec.Struct, frozen=True, kw_only=True):
    """How far a channel is to be stopped, and why. `product` None: for all of them."""

    kind: StopKind
    product: Product | None
    region: int
    reason: str
    evidence: str
    restore_condition: str


class LiftWanted(msgspec.Struct, frozen=True, kw_only=True):
    """An order that is to be in force no more."""

    id: str
    stop: str


_STOPPABLE = SERVING | {ChannelState.SUSPENDED}


async def stop_channel(asked: Asking, identifier: bytes, wanted: StopWanted) -> Channel | NotDone:
    """Stop a channel, or a product of it, or it in a region.

    It is strict once the transaction is committed and `pass_all_lanes` has returned, and must not be answered before:
    nothing is authorized through it from then on. What was paid before is captured, refunded and cleared as ever.

    Locks: the channel.
    """
    channel = await lock_channel(asked.connection, identifier)
    if channel is None:
        return NotDone(Refusal.NOT_FOUND)
    refused = asked.why_not(Right.STOP, wanted.region if wanted.region != NATIONAL else channel.region)
    if refused is not None:
        return refused
    order = StopOrder(
        id=asked.ids.new(IdKind.STOP_ORDER, shard=0, region=channel.region),
        channel=channel.id,
        kind=wanted.kind,
        product=wanted.product,
        region=wanted.region,
        reason=wanted.reason,
        evidence=wanted.evidence,
        restore_condition=wanted.restore_condition,
        operator=asked.operator.id,
        effective_at=asked.now,
    )
    return await put_in_force(asked.connection, channel, order)


async def put_in_force(connection: AnyConnection, channel: Channel, order: StopOrder) -> Channel | NotDone:
    """An order stops a locked channel; batches from now on know it."""
    if order.stop.is_whole:
        state = after(channel.state, order.kind.move)
        if isinstance(state, Refusal):
            return NotDone(state, (WrongField("state", channel.state.name.lower()),))
        await move_channel(
            connection,
            channel.id,
            order.kind.move,
            state,
            operator=order.operator,
            at=order.effective_at,
            reason=order.reason,
        )
    elif channel.state not in _STOPPABLE:
        return NotDone(Refusal.CHANNEL_STATE_CONFLICT, (WrongField("state", channel.state.name.lower()),))
    await insert_stop(connection, order)
    await advance_rules(connection)
    stopped = await load_channel(connection, channel.id)
    assert stopped is not None, "channels are never deleted"
    return stopped


async def ask_lift(asked: Asking, identifier: bytes, stop: bytes, *, reason: str) -> Approval | NotDone:
    """Ask for an order about a product or a region to be in force no more."""
    order = await load_stop(asked.connection, stop, identifier)
    if order is None:
        return NotDone(Refusal.NOT_FOUND)
    channel = await load_channel(asked.connection, identifier)
    assert channel is not None, "an order is a channel's"
    region = order.region if order.region != NATIONAL else channel.region
    if _why_it_stays(order) is not None:
        return asked.why_not(Right.REQUEST, region) or _conflict(order)
    return await ask_approval(
        asked,
        kind=ApprovalKind.LIFT_STOP,
        region=region,
        subject=id_text(identifier),
        payload=LiftWanted(id=id_text(identifier), stop=id_text(stop)),
        reason=reason,
    )


async def lift(connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
    """The effect of LIFT_STOP. Lanes see it with their next batch."""
    wanted = msgspec.json.decode(approval.payload, type=LiftWanted)
    channel = parse_id(wanted.id, IdKind.CHANNEL)
    await lock_channel(connection, channel)
    order = await load_stop(connection, parse_id(wanted.stop, IdKind.STOP_ORDER), channel)
    assert order is not None, "orders are never deleted"
    if _why_it_stays(order) is not None:
        return _conflict(order)
    now = (await load_clocks(connection)).business
    await lift_stop(connection, order.id, now=now, operator=approval.requested_by)
    await advance_rules(connection)
    return CarriedOut({"id": wanted.id, "stop_order_id": wanted.stop})


def _why_it_stays(order: StopOrder) -> str | None:
    if order.lifted_at is not None:
        return "lifted already"
    if order.kind is StopKind.TERMINATE:
        return "for good"
    return "of the whole channel: resume it" if order.stop.is_whole else None


def _conflict(order: StopOrder) -> NotDone:
    reason = _why_it_stays(order)
    assert reason is not None, "it may be lifted"
    return NotDone(Refusal.CHANNEL_STATE_CONFLICT, (WrongField("stop_order_id", reason),))
