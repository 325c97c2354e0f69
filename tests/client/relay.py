"""A relay between a client and the engine, which loses answers and changes them as a test wants."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import msgspec
from aiohttp import web
from yarl import URL


class Answer(msgspec.Struct, frozen=True):
    """What a client is given."""

    status: int = 200
    body: bytes = b"{}"
    content_type: str = "application/json"
    headers: dict[str, str] = {}


class Lost(Exception):
    """The connection ends instead of an answer."""


class Relay:
    """Every request that came by, and what was done with its answer.

    `change` gets the request's path and the engine's answer, and returns what the client is given; it may raise `Lost`.
    Without an engine behind it, it gets an empty answer.
    """

    def __init__(self, engine: URL | None) -> None:
        """Use `open_relay`."""
        self._engine = engine
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.change: Callable[[str, Answer], Answer] = lambda _, answer: answer
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, byte for byte, and its answer back."""
        body = await request.read()
        self.requests.append((request.method, request.raw_path, dict(request.headers), body))
        answer = Answer() if self._engine is None else await self._ask(self._engine, request, body)
        try:
            given = self.change(request.raw_path, answer)
        except Lost:
            assert request.transport is not None
            request.transport.abort()
            raise ConnectionResetError from None
        return web.Response(
            status=given.status, body=given.body, content_type=given.content_type, headers=given.headers
        )

    async def _ask(self, engine: URL, request: web.Request, body: bytes) -> Answer:
        url = URL(str(engine).rstrip("/") + request.raw_path, encoded=True)
        headers = {name: value for name, value in request.headers.items() if name not in ("Host", "Content-Length")}
        async with (
            aiohttp.ClientSession() as session,
            session.request(request.method, url, data=body or None, headers=headers) as response,
        ):
            return Answer(response.status, await response.read(), response.content_type)


@asynccontextmanager
async def open_relay(engine: URL | None) -> AsyncIterator[Relay]:
    """A relay that listens until the block ends."""
    relay = Relay(engine)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", relay.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        relay.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield relay
    finally:
        await runner.cleanup()
