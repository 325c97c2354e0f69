"""`engine call`: a signed request as any caller of the sandbox."""

import json
import os
import sys
from typing import Annotated

import typer

from engine.cli.nodes import client_of, reachable_sandbox, run_with_services
from engine.cli.options import DATA_DIR, DataDir, Exit, fail
from engine.client import Refused, Unreachable
from engine.embedded.services import Services
from engine.settings import Settings
from engine.web.render import encode_json


def call(
    method: Annotated[str, typer.Argument(help="GET or POST.")],
    path: Annotated[str, typer.Argument(help="Path and query, such as /v1/payments.")],
    body: Annotated[str | None, typer.Argument(metavar="JSON", help="The body of a POST.")] = None,
    name: Annotated[str, typer.Option("--as", help="A name from sandbox.json.")] = "hospital-01",
    key: Annotated[str | None, typer.Option("--key", help="Idempotency key; a new one if not given.")] = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Send a signed request, like curl; the answer goes to stdout, and a refusal's code is exit code 1."""
    if body is not None:
        try:
            json.loads(body)
        except ValueError as error:
            fail(Exit.WRONG_USAGE, f"The body is not JSON: {error}")
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def run(services: Services) -> int:
        async with (
            reachable_sandbox(settings, services) as guide,
            client_of(guide, name) as client,
        ):
            try:
                answer = await client.request(method.upper(), path, body=(body or "").encode(), key=key)
            except Refused as refused:
                _write(encode_json(refused.problem))
                return Exit.CHECK_FAILED
            except Unreachable as error:
                fail(Exit.CHECK_FAILED, f"No answer: {error}")
            _write(answer)
        return Exit.DONE

    code = run_with_services(data_dir, run)
    if code:
        raise typer.Exit(code)


def _write(content: bytes) -> None:
    sys.stdout.buffer.write(content if content.endswith(b"\n") or not content.startswith(b"{") else content + b"\n")
    sys.stdout.buffer.flush()
