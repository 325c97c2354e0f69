"""Messages that are due are sent, signed; what their receivers answer is kept, and decides what comes next."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final, Self

import aiohttp
import asyncpg
import msgspec

from engine.codes.keys import Keyring
from engine.codes.webhook_signature import webhook_headers
from engine.core.ids import id_text
from engine.core.webhooks import KEEP_DEAD, KEEP_DELIVERED, next_attempt
from engine.flows.callbacks import ANSWER_S_MAX, Answered, Callbacks, post_once
from engine.flows.clock import Clock
from engine.store.webhook_outbox import (
    TakenMessage,
    disable_gone,
    drop_old_messages,
    load_due_endpoints,
    note_dead,
    note_delivered,
    note_failed,
    take_messages,
)
from engine.store.webhooks import SECRET_PLACE, Endpoint, load_endpoint_to_call

AT_ONCE_MAX: Final = 8
"""Messages on their way to one endpoint from one process: a receiver that hangs holds no more than these."""

ENDPOINTS_AT_ONCE_MAX: Final = 128
"""Endpoints that one process serves at a time."""

LEASE: Final = timedelta(seconds=6 * ANSWER_S_MAX)
"""After which a message that was taken is due again: its worker has died. Far more than an attempt can take."""

DROP_MAX: Final = 5_000
GONE: Final = 410

WriteBody = Callable[[TakenMessage], bytes]
"""What is told, in the form of the wire: the same bytes for the same message, however often it is asked."""


class WebhookParts(msgspec.Struct, frozen=True, kw_only=True):
    """What sending needs. `draw` gives a random number from 0 to 1, for the pauses between attempts."""

    pool: asyncpg.Pool
    keyring: Keyring
    callbacks: Callbacks
    clock: Clock
    write: WriteBody
    draw: Callable[[], float]


class WebhookSender:
    """Sends what is due. Several processes may do it at once: each message is taken by one of them."""

    def __init__(self, parts: WebhookParts) -> None:
        """Use it as a context: it holds connections."""
        self._parts = parts
        self._session: aiohttp.ClientSession
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Ready to send."""
        opened: AbstractAsyncContextManager[aiohttp.ClientSession] = self._parts.callbacks.session(
            connections_max=AT_ONCE_MAX * ENDPOINTS_AT_ONCE_MAX
        )
        self._session = await self._stack.enter_async_context(opened)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self._stack.aclose()

    async def due_endpoints(self) -> list[bytes]:
        """Endpoints for which something is due.

        Raises:
            Fault: the database cannot answer.
        """
        return await load_due_endpoints(self._parts.pool, now=self._now(), count=2 * ENDPOINTS_AT_ONCE_MAX)

    async def send_next(self, endpoint: bytes) -> int:
        """Send what is due to one endpoint, a few messages at once. Returns how many were taken.

        Raises:
            Fault: the database cannot be asked or told; what was taken is due again after its lease.
        """
        now = self._now()
        messages = await take_messages(self._parts.pool, endpoint, now=now, until=now + LEASE, count=AT_ONCE_MAX)
        if not messages:
            return 0
        called = await load_endpoint_to_call(self._parts.pool, endpoint)
        if called is None:
            return 0  # disabled in this instant
        outcomes = await asyncio.gather(
            *(self._attempt(called, message) for message in messages), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return len(messages)

    async def send_all(self) -> int:
        """Send everything that is due, endpoint by endpoint, until nothing is. Returns how many attempts were made.

        Raises:
            Fault: the database cannot be asked or told.
        """
        sent = 0
        while endpoints := await self.due_endpoints():
            counts = await asyncio.gather(*(self.send_next(endpoint) for endpoint in endpoints))
            sent += sum(counts)
            if not any(counts):
                break
        return sent

    async def drop_old(self) -> None:
        """What was kept for long enough is gone.

        Raises:
            Fault: the database cannot do it.
        """
        now = self._now()
        await drop_old_messages(
            self._parts.pool, delivered_until=now - KEEP_DELIVERED, dead_until=now - KEEP_DEAD, count=DROP_MAX
        )

    async def _attempt(self, endpoint: Endpoint, message: TakenMessage) -> None:
        if message.sequence is not None and message.remembered is None:
            await note_dead(self._parts.pool, message, now=self._now(), status=None, fault="event_archived")
            return
        body = self._parts.write(message)
        headers = webhook_headers(
            self._secrets(endpoint),
            message_id=id_text(message.id),
            timestamp_s=int(self._parts.clock.wall_s()),
            body=body,
        )
        answered = await post_once(self._session, endpoint.url, headers, body)
        await self._note(message, answered)

    async def _note(self, message: TakenMessage, answered: Answered) -> None:
        pool, now, status = self._parts.pool, self._now(), answered.status
        if status is not None and 200 <= status < 300:
            await note_delivered(pool, message, now=now, status=status)
            return
        again_at = next_attempt(message.attempt, now=now, give_up_at=message.give_up_at, draw=self._parts.draw())
        if status == GONE:
            await disable_gone(pool, message.endpoint)
        if status == GONE or again_at is None:
            await note_dead(pool, message, now=now, status=status, fault=answered.fault)
        else:
            await note_failed(pool, message, next_at=again_at, status=status, fault=answered.fault)

    def _secrets(self, endpoint: Endpoint) -> list[bytes]:
        """The secrets that sign now, newest first."""
        sealed = [endpoint.sealed]
        if endpoint.earlier_sealed is not None and endpoint.earlier_ends is not None:
            sealed += [endpoint.earlier_sealed] if self._now() < endpoint.earlier_ends else []
        return [self._parts.keyring.unseal(one, place=SECRET_PLACE) for one in sealed]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._parts.clock.wall_s(), UTC)
