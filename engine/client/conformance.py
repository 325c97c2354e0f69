"""A channel's conformance run, played as it ought to be: for who writes a channel, to read and to run.

It shows that key and address work and what each case is about. A channel's own code has to pass the same cases.
"""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from engine.client.channel import ChannelClient
from engine.client.signed_connection import Refused
from engine.client.webhooks import WebhookRejected, verify_webhook
from engine.core.refusals import Refusal
from engine.flows.clock import Clock
from engine.web.channels.wire_conformance import ConformanceRunView

AMOUNT: Final = 500  # fen, of which none is paid
TAKEN: Final = 204
REFUSED: Final = 400
_DOWN_S_MAX: Final = 2.0


class NotOurAddress(ValueError):
    """The channel's callback address is not one of this machine: nobody would hear what is sent there."""


async def play_run(client: ChannelClient) -> ConformanceRunView:
    """Open a run, play every case of it, and return what it has shown. It listens at the channel's callback address.

    Raises:
        NotOurAddress: that is not of this machine.
        OSError: somebody listens there already.
        Refused: the engine said no: this is no sandbox, or the channel is live.
        Unreachable: the engine does not answer.
    """
    run = await client.open_conformance_run()
    assert isinstance(run.webhook_secret, str), "shown when it is opened"
    async with _listening(run.callback_url, run.webhook_secret):
        await play_function(client, run.id)
        return await client.have_notified(run.id)


async def play_function(client: ChannelClient, run: str) -> None:
    """Every case that practice orders are sent for. What is lost, and what is busy, the connection repeats itself:
    under the same key, as `SignedConnection.request` does with everything.

    Raises:
        Refused: the engine said no to more than it has to.
        Unreachable: the engine does not answer.
    """
    await client.practise(run, "signed_request", "A-1", amount=AMOUNT)
    key = secrets.token_urlsafe(16)
    for _ in range(2):
        await client.practise(run, "same_key", "A-2", amount=AMOUNT, key=key)
    for order_no in ("A-3", "A-4"):
        await client.practise(run, "new_key", order_no, amount=AMOUNT)
    try:
        await client.practise(run, "decline", "A-5", amount=AMOUNT)
    except Refused as refused:
        if refused.problem.code != Refusal.INSUFFICIENT_FUNDS.slug:
            raise
        await client.conclude(run, "decline", "A-5", "declined")
    found = await client.practise(run, "lost_answer", "A-6", amount=AMOUNT)
    await client.conclude(run, "lost_answer", "A-6", found.outcome)
    await client.practise(run, "busy", "A-7", amount=AMOUNT)


def has_passed(run: ConformanceRunView) -> bool:
    """True if every case of a run is passed."""
    return all(case.status == "passed" for case in run.cases)


def answer_notification(headers: Mapping[str, str], body: bytes, secret: str, *, now_s: float) -> int:
    """The status to answer with: 204 to what is genuine, however often it comes; 400 to everything else."""
    try:
        verify_webhook(headers, body, [secret], now_s)
    except WebhookRejected:
        return REFUSED
    return TAKEN


@asynccontextmanager
async def _listening(url: str, secret: str) -> AsyncIterator[None]:
    host, port = _own_address(url)
    clock = Clock()

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        return web.Response(status=answer_notification(request.headers, body, secret, now_s=clock.wall_s()))

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_DOWN_S_MAX)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()


def _own_address(url: str) -> tuple[str, int]:
    split = urlsplit(url)
    host, port = split.hostname or "", split.port or 80
    if split.scheme == "http":
        if host == "localhost":
            return host, port
        try:
            if ip_address(host).is_loopback:
                return host, port
        except ValueError:
            pass
    raise NotOurAddress(f"{split.scheme}://{split.netloc} is not an address of this machine")
