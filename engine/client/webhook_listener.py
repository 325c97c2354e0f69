"""A receiver of notifications for trying things out: an endpoint of its own for as long as it listens."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Final

import msgspec
from aiohttp import web

from engine.client.client import EngineClient, Refused, Unreachable
from engine.client.webhooks import WebhookRejected, verify_webhook
from engine.flows.clock import Clock
from engine.web.wire_webhooks import WebhookEndpointView

SEEN_MAX: Final = 10_000
_DOWN_S_MAX: Final = 2.0


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that has come, once for each id: `event` is its body."""

    id: str
    type: str
    at: datetime
    event: Any


class _Envelope(msgspec.Struct, frozen=True):
    type: str
    timestamp: datetime
    data: msgspec.Raw


class WebhookListener:
    """Checks what comes, and passes on what is genuine and new."""

    def __init__(self, on_message: Callable[[Heard], None], on_reject: Callable[[str], None]) -> None:
        """*on_message* is called for each message once, *on_reject* with the reason for each that is not genuine."""
        self.secrets: list[str] = []
        self._clock = Clock()
        self._on_message = on_message
        self._on_reject = on_reject
        self._seen: dict[str, None] = {}

    async def receive(self, request: web.Request) -> web.Response:
        """Answer a notification: 204 to what is genuine, however often it comes; 400 to everything else."""
        body = await request.read()
        try:
            message_id = verify_webhook(request.headers, body, self.secrets, now_s=self._clock.wall_s())
            envelope = msgspec.json.decode(body, type=_Envelope)
        except (WebhookRejected, msgspec.MsgspecError) as error:
            self._on_reject(str(error))
            return web.Response(status=400)
        if message_id not in self._seen:
            self._remember(message_id)
            event = msgspec.json.decode(body)
            self._on_message(Heard(id=message_id, type=envelope.type, at=envelope.timestamp, event=event))
        return web.Response(status=204)

    def _remember(self, message_id: str) -> None:
        if len(self._seen) >= SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        self._seen[message_id] = None


@asynccontextmanager
async def listening(client: EngineClient, listener: WebhookListener, *, port: int = 0) -> AsyncIterator[str]:
    """Register a receiver on this machine; yields its address. On the way out the endpoint is removed.

    Raises:
        OSError: the port is taken.
        Refused: the engine said no: only a sandbox calls this machine.
        Unreachable: the engine does not answer.
    """
    app = web.Application()
    app.router.add_post("/webhooks", listener.receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_DOWN_S_MAX)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks"
        body = msgspec.json.encode({"url": url, "description": "engine webhooks listen"})
        made = msgspec.json.decode(
            await client.request("POST", "/v1/webhook-endpoints", body=body), type=WebhookEndpointView
        )
        assert isinstance(made.secret, str), "shown when it is made"
        listener.secrets.append(made.secret)
        try:
            yield url
        finally:
            with suppress(
                Refused, Unreachable, asyncio.TimeoutError
            ):  # it may have been removed, or the engine stopped
                async with asyncio.timeout(_DOWN_S_MAX):
                    await client.request("DELETE", f"/v1/webhook-endpoints/{made.id}")
    finally:
        await runner.cleanup()
