"""A receiver of notifications that does as it is told, and what drives the engine's side of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from engine.background import webhook_parts
from engine.flows.deliver_webhooks import WebhookSender
from engine.flows.spool_webhooks import spool_webhooks
from tests.web.api import Api, Json, Reply

ENDPOINTS = "/v1/webhook-endpoints"
URL = "http://127.0.0.1:9/hook"
NOT_FOUND = (404, "not-found")


class Notified(msgspec.Struct, frozen=True):
    """A notification as it came."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def id(self) -> str:
        """What names the message, however often it comes."""
        return self.headers["webhook-id"]

    @property
    def json(self) -> Json:
        """The body."""
        read: Json = msgspec.json.decode(self.body)
        return read

    @property
    def sequence(self) -> object:
        """The place of the event in the payment's life."""
        return msgspec.convert(self.json["data"], Json)["sequence"]

    @property
    def payment(self) -> Json:
        """The payment that it tells of."""
        return msgspec.convert(msgspec.convert(self.json["data"], Json)["payment"], Json)


class Receiver:
    """Answers 204, or what it is told to answer; hangs until it is let go, if it is told to."""

    def __init__(self) -> None:
        self.base_url = ""
        self.received: list[Notified] = []
        self.answer: Callable[[Notified], web.Response] = lambda _: web.Response(status=204)
        self.hanging: set[str] = set()  # paths
        self.let_go = asyncio.Event()
        self.has_come = asyncio.Event()

    def url(self, path: str = "/hook") -> str:
        """An address of it."""
        return self.base_url + path

    def status(self, status: int) -> None:
        """Answer everything with *status* from now on."""
        self.answer = lambda _: web.Response(status=status)

    async def take(self, request: web.Request) -> web.Response:
        """Note what comes, and answer it."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        notified = Notified(request.path, headers, await request.read())
        self.received.append(notified)
        self.has_come.set()
        if request.path in self.hanging:
            await self.let_go.wait()
        return self.answer(notified)


@asynccontextmanager
async def a_receiver() -> AsyncIterator[Receiver]:
    """A receiver on this machine."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        receiver.let_go.set()
        await runner.cleanup()


async def registered(api: Api, url: str, *, caller: str = "merchant-0", **fields: object) -> Reply:
    """An endpoint that was just registered."""
    made = await api.post(ENDPOINTS, {"url": url, **fields}, caller=caller)
    assert made.status == 201, made.body
    return made


async def delete(api: Api, endpoint: object, *, caller: str = "merchant-0") -> Reply:
    """Remove an endpoint."""
    target = f"{ENDPOINTS}/{endpoint}"
    return await api.send("DELETE", target, headers=api.signed("DELETE", target, caller=caller))


def wall(api: Api) -> datetime:
    """Wall time, as the node has it."""
    return datetime.fromtimestamp(api.clock.wall_s(), UTC)


async def spool(api: Api) -> int:
    """Make messages of what has happened."""
    return await spool_webhooks(api.node.pool, now=wall(api))


async def tell(api: Api) -> int:
    """Spool, and send all that is due now. Returns the number of attempts."""
    await spool(api)
    async with WebhookSender(webhook_parts(api.node)) as sender:
        return await sender.send_all()


async def messages(api: Api, endpoint: Reply, *, state: str | None = None, caller: str = "merchant-0") -> list[Json]:
    """The messages of an endpoint, newest first."""
    query = f"?state={state}" if state is not None else ""
    listed = await api.get(f"{ENDPOINTS}/{endpoint['id']}/messages{query}", caller=caller)
    assert listed.status == 200, listed.body
    return listed.items
