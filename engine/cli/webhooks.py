"""`engine webhooks`: see what the engine tells, as it tells it."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from engine.cli.call import caller_in
from engine.cli.nodes import client_of, note, reachable_sandbox, run_with_services
from engine.cli.options import DATA_DIR, AsJson, DataDir, Exit, err, fail, out
from engine.client import EngineClient, Refused, Unreachable
from engine.client.webhook_listener import Heard, WebhookListener, listening
from engine.embedded.services import Services
from engine.settings import Settings
from engine.web.render import encode_json

app = typer.Typer(help="Notifications: see what the engine tells.", no_args_is_help=True)


@app.callback()
def webhooks() -> None:
    """Notifications: see what the engine tells."""


@app.command("listen")
def listen(
    name: Annotated[str, typer.Option("--as", help="A name from sandbox.json.")] = "hospital-01",
    port: Annotated[int, typer.Option(help="Port to receive on; 0 takes a free one.")] = 0,
    count: Annotated[int, typer.Option("--count", min=0, help="End after so many messages; 0 goes on.")] = 0,
    as_json: AsJson = False,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="A caller's key, for a node that is no sandbox; --as is not used.")
    ] = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Register an endpoint on this machine, print each message that comes and checks, and remove it at the end."""
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def in_the_sandbox(services: Services) -> None:
        async with reachable_sandbox(settings, services) as guide, client_of(guide, name) as client:
            await _listen(client, port, count, as_json=as_json)

    async def with_key(path: Path) -> None:
        file, credentials = caller_in(path)
        async with EngineClient(file.base_url, credentials) as client:
            await _listen(client, port, count, as_json=as_json)

    if key_file is not None:
        uvloop.run(with_key(key_file))
    else:
        run_with_services(data_dir, in_the_sandbox)


async def _listen(client: EngineClient, port: int, count: int, *, as_json: bool) -> None:
    """Print what comes until there were *count*, or somebody interrupts."""
    done = asyncio.Event()
    heard = 0

    def show(message: Heard) -> None:
        nonlocal heard
        heard += 1
        line = encode_json(message.event).decode() if as_json else line_of(message)
        out.print(line, markup=False)
        if heard == count:
            done.set()

    def complain(reason: str) -> None:
        err.print(f"NOT GENUINE: {reason}", markup=False)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    try:
        async with listening(client, WebhookListener(show, complain), port=port) as url:
            note(f"listening on {url}; Ctrl-C ends it")
            await done.wait()
    except Refused as refused:
        fail(Exit.CHECK_FAILED, f"REFUSED: {refused.problem.code}")
    except Unreachable as error:
        fail(Exit.CHECK_FAILED, f"No answer: {error}")
    except OSError as error:
        fail(Exit.WRONG_USAGE, f"Port {port} cannot be listened on: {error.strerror}")


def line_of(message: Heard) -> str:
    """A message as one line: when, what, which payment, and how it stands."""
    data: dict[str, Any] = message.event["data"]
    payment: dict[str, Any] = data.get("payment", {})
    facts = [payment[field] for field in ("id", "order_no", "status", "amount") if field in payment]
    place = f"#{data['sequence']}" if "sequence" in data else ""
    return "  ".join(filter(None, [f"{message.at:%Y-%m-%d %H:%M:%SZ}", message.type, place, *map(str, facts)]))
