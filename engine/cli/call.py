"""`engine call`: a signed request as any caller of the sandbox, or as whoever has a key."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from engine.cli.nodes import client_of, reachable_sandbox, run_with_services
from engine.cli.options import DATA_DIR, DataDir, Exit, fail
from engine.client import Credentials, EngineClient, Refused, Unreachable
from engine.client.credentials import CallerFile, read_caller_file
from engine.embedded.services import Services
from engine.settings import Settings
from engine.web.render import encode_json


def call(
    method: Annotated[str, typer.Argument(help="GET or POST.")],
    path: Annotated[str, typer.Argument(help="Path and query, such as /v1/payments.")],
    body: Annotated[str | None, typer.Argument(metavar="JSON", help="The body of a POST.")] = None,
    name: Annotated[str, typer.Option("--as", help="A name from sandbox.json.")] = "hospital-01",
    key: Annotated[str | None, typer.Option("--key", help="Idempotency key; a new one if not given.")] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="A caller's key, for a node that is no sandbox; --as is not used.")
    ] = None,
    url: Annotated[str | None, typer.Option("--url", help="Where to call, instead of what the key file says.")] = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Send a signed request, like curl; the answer goes to stdout, and a refusal's code is exit code 1."""
    if body is not None:
        try:
            json.loads(body)
        except ValueError as error:
            fail(Exit.WRONG_USAGE, f"The body is not JSON: {error}")
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def send(client: EngineClient) -> int:
        try:
            answer = await client.request(method.upper(), path, body=(body or "").encode(), key=key)
        except Refused as refused:
            _write(encode_json(refused.problem))
            return Exit.CHECK_FAILED
        except Unreachable as error:
            fail(Exit.CHECK_FAILED, f"No answer: {error}")
        _write(answer)
        return Exit.DONE

    async def as_sandbox_caller(services: Services) -> int:
        async with reachable_sandbox(settings, services) as guide, client_of(guide, name) as client:
            return await send(client)

    async def with_key(file: CallerFile, credentials: Credentials) -> int:
        async with EngineClient(url or file.base_url, credentials) as client:
            return await send(client)

    if key_file is not None:
        code = uvloop.run(with_key(*caller_in(key_file)))
    else:
        code = run_with_services(data_dir, as_sandbox_caller)
    if code:
        raise typer.Exit(code)


def caller_in(path: Path) -> tuple[CallerFile, Credentials]:
    """Who a key file is for, and what it signs with. Ends the command if the file cannot be used."""
    try:
        file = read_caller_file(path)
        return file, file.credentials
    except (OSError, ValueError) as error:
        fail(Exit.WRONG_USAGE, f"{path} cannot be used: {error}")


def _write(content: bytes) -> None:
    sys.stdout.buffer.write(content if content.endswith(b"\n") or not content.startswith(b"{") else content + b"\n")
    sys.stdout.buffer.flush()
