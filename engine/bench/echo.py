"""``python -m engine.bench.echo --answer-bytes N``: the yardstick of `engine bench http`.

What aiohttp alone costs in the same process shape: one process, uvloop, no access log; it reads the same request bodies
and answers bodies of the same size under the same status, and does nothing in between.
"""

import asyncio
import signal
from typing import Annotated

import typer
import uvloop
from aiohttp import web

from engine.bench.children import ended_with, tell_port
from engine.heap import settle_heap

PATH = "/v1/payments"


def build_echo(answer: bytes) -> web.Application:
    """An application that answers *answer* to every payment."""

    async def post_payment(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=201, body=answer, content_type="application/json")

    app = web.Application()
    app.router.add_post(PATH, post_payment)
    return app


async def serve(answer: bytes) -> None:
    """Serve until told to stop."""
    runner = web.AppRunner(build_echo(answer), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    ended_with(stopping)
    settle_heap()
    tell_port(runner.addresses[0][1])
    await stopping.wait()
    await runner.cleanup()


def main(answer_bytes: Annotated[int, typer.Option("--answer-bytes", min=0)]) -> None:
    """Serve until told to stop."""
    uvloop.run(serve(b"x" * answer_bytes))


if __name__ == "__main__":
    typer.run(main)
