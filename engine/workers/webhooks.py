"""Tells owners what happens: events become messages, and messages are sent, endpoint by endpoint."""

import asyncio
from datetime import UTC, datetime
from typing import Final

import structlog

from engine.flows.deliver_webhooks import ENDPOINTS_AT_ONCE_MAX, WebhookParts, WebhookSender
from engine.flows.spool_webhooks import spool_webhooks
from engine.store.faults import Fault
from engine.workers.pauses import OnFault, pause, uncounted

PAUSE_S: Final = 0.25
DROP_S: Final = 60.0  # between two looks at what was kept for long enough

log = structlog.get_logger("engine.workers")


async def run_webhooks(parts: WebhookParts, stopping: asyncio.Event, *, on_fault: OnFault = uncounted) -> None:
    """Tell until *stopping*; then what is on its way is waited for, some seconds. What fails is tried again.

    Each endpoint has a task of its own while something is due for it, so that one that hangs delays nobody else.
    """
    busy: set[bytes] = set()

    async def serve(sender: WebhookSender, endpoint: bytes) -> None:
        try:
            while not stopping.is_set() and await sender.send_next(endpoint):
                pass
        except Fault as fault:
            _tell(fault, on_fault)
        finally:
            busy.discard(endpoint)

    drop_at = 0.0
    async with WebhookSender(parts) as sender, asyncio.TaskGroup() as group:
        while not stopping.is_set():
            try:
                await spool_webhooks(parts.pool, now=datetime.fromtimestamp(parts.clock.wall_s(), UTC))
                for endpoint in await sender.due_endpoints():
                    if endpoint not in busy and len(busy) < ENDPOINTS_AT_ONCE_MAX:
                        busy.add(endpoint)
                        group.create_task(serve(sender, endpoint))
                if parts.clock.steady_s() >= drop_at:
                    await sender.drop_old()
                    drop_at = parts.clock.steady_s() + DROP_S
            except Fault as fault:
                _tell(fault, on_fault)
            await pause(stopping, PAUSE_S)


def _tell(fault: Fault, on_fault: OnFault) -> None:
    log.warning("webhooks.failed", fault=str(fault) or type(fault).__name__)
    on_fault()
