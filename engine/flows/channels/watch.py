"""Figures of channels are written down, and whoever does too much wrong is stopped by a rule, with its evidence."""

from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import structlog

from engine.core.channel_risk import ChannelFigures, ChannelRule, evidence_of, worst_hit
from engine.core.channels import SERVING, ChannelState, StopKind, StopOrder
from engine.core.ids import IdKind
from engine.core.participants import NATIONAL
from engine.flows.answer_once import NotDone
from engine.flows.channels.desk import ChannelDesk
from engine.flows.channels.stops import put_in_force
from engine.flows.clock import IdSource
from engine.store.channels import add_figures, drop_figures, load_last_let_on, lock_channel
from engine.store.faults import Fault, translated
from engine.store.participants import load_clocks

KEEP: Final = timedelta(days=8)
RESTORE_CONDITION: Final = "an operator has seen the cause and two let it go on"

log = structlog.get_logger("engine.channels")


async def watch_channels(pool: asyncpg.Pool, desk: ChannelDesk, ids: IdSource) -> list[StopOrder]:
    """Write down what this process has counted, and stop whom the rules stop by what all have. Returns the orders.

    Raises:
        Fault: the database cannot do it; what is not written down stays counted.
    """
    orders = []
    for key, figures in desk.take_counted():
        channel, minute_s = key
        minute = datetime.fromtimestamp(minute_s, UTC)
        try:
            total = await add_figures(pool, channel, minute, figures)
        except Fault:
            desk.give_back(key, figures)
            raise
        rule = worst_hit(total, desk.rules)
        order = await _stop(pool, ids, channel, rule, total, minute) if rule is not None else None
        if order is not None:
            orders.append(order)
            desk.forget()
    return orders


async def drop_old_figures(pool: asyncpg.Pool) -> None:
    """Figures of more than eight days ago are gone.

    Raises:
        Fault: the database cannot do it now.
    """
    await drop_figures(pool, before=(await load_clocks(pool)).wall - KEEP)


async def _stop(
    pool: asyncpg.Pool, ids: IdSource, channel: bytes, rule: ChannelRule, total: ChannelFigures, minute: datetime
) -> StopOrder | None:
    """Stop a channel unless it is stopped as much already, or was let go on in that minute or later: what was looked
    at is not held against it again.
    """
    with translated():
        async with pool.acquire() as connection, connection.transaction():
            found = await lock_channel(connection, channel)
            if found is None or found.state not in SERVING:
                return None
            if rule.kind is StopKind.RECTIFY and found.state is ChannelState.RECTIFYING:
                return None
            clocks = await load_clocks(connection)
            let_on_at = await load_last_let_on(connection, channel)
            ahead = clocks.business - clocks.wall
            if let_on_at is not None and let_on_at - ahead >= minute:
                return None
            order = StopOrder(
                id=ids.new(IdKind.STOP_ORDER, shard=0, region=found.region),
                channel=channel,
                kind=rule.kind,
                product=None,
                region=NATIONAL,
                reason=f"rule {rule.name}",
                evidence=evidence_of(rule, total, minute=f"{minute:%Y-%m-%dT%H:%MZ}"),
                restore_condition=RESTORE_CONDITION,
                operator=None,
                effective_at=clocks.business,
            )
            stopped = await put_in_force(connection, found, order)
            assert not isinstance(stopped, NotDone), "its state was looked at under its lock"
    log.warning("channel.stopped", rule=rule.name, kind=rule.kind.name, channel=channel.hex())
    return order
