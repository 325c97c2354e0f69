"""`engine call`: a signed request as any caller of the sandbox, or as whoever has a key."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
import uvloop

from engine.cli.nodes import client_of, reachable_sandbox, run_with_services
from engine.cli.options import DATA_DIR, DataDir, Exit, fail
from engine.client import Credentials, EngineClient, PasswordSealer, Refused, Unreachable
from engine.client.credentials import CallerFile, read_caller_file
from engine.client.personal_acts import bound_to, sealed
from engine.embedded.services import Services
from engine.sandbox.guide import keep_channel
from engine.settings import Settings
from engine.web.channels.wire import ChannelView
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
    password: Annotated[
        str | None,
        typer.Option(
            "--password", help="What the cardholder types to agree: it is sealed into the body, for this request alone."
        ),
    ] = None,
    keep_as: Annotated[
        str | None,
        typer.Option("--keep-as", help="List the channel that has just applied in sandbox.json, under this name."),
    ] = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Send a signed request, like curl; the answer goes to stdout, and a refusal's code is exit code 1."""
    given = _json_object(body) if body is not None or password is not None else None
    settings = Settings(data_dir=data_dir, environ=os.environ)
    if keep_as is not None and key_file is not None:
        fail(Exit.WRONG_USAGE, "--keep-as is for callers of a sandbox.")

    async def send(client: EngineClient, caller: str) -> bytes | None:
        content = (body or "").encode()
        try:
            if password is not None and given is not None:
                content = await _agreed(client, path, given, password, caller=caller)
            answer = await client.request(method.upper(), path, body=content, key=key)
        except Refused as refused:
            _write(encode_json(refused.problem))
            return None
        except Unreachable as error:
            fail(Exit.CHECK_FAILED, f"No answer: {error}")
        _write(answer)
        return answer

    async def as_sandbox_caller(services: Services) -> bytes | None:
        async with reachable_sandbox(settings, services) as guide, client_of(guide, name) as client:
            if keep_as in {caller.name for caller in guide.callers}:
                fail(Exit.WRONG_USAGE, f"Somebody is called {keep_as} in sandbox.json already.")
            answer = await send(client, guide.caller(name).id)
            if answer is not None and keep_as is not None:
                _keep(data_dir, keep_as, answer)
            return answer

    async def with_key(file: CallerFile, credentials: Credentials) -> bytes | None:
        async with EngineClient(url or file.base_url, credentials) as client:
            return await send(client, file.id)

    if key_file is not None:
        answer = uvloop.run(with_key(*caller_in(key_file)))
    else:
        answer = run_with_services(data_dir, as_sandbox_caller)
    if answer is None:
        raise typer.Exit(Exit.CHECK_FAILED)


def _json_object(body: str | None) -> dict[str, Any]:
    try:
        read = json.loads(body or "{}")
    except ValueError as error:
        fail(Exit.WRONG_USAGE, f"The body is not JSON: {error}")
    return read if isinstance(read, dict) else {}


async def _agreed(client: EngineClient, path: str, given: dict[str, Any], password: str, *, caller: str) -> bytes:
    """The body with the password in it, sealed for what this request asks for."""
    try:
        named = bound_to(path, given, channel=caller or None)
        if named is None:
            raise ValueError(f"nobody has to agree to {path}")
        sealer = PasswordSealer(await client.request("GET", "/v1/keys"))
        return encode_json(given | {"password_block": sealed(sealer, password, path, named)})
    except ValueError as error:
        fail(Exit.WRONG_USAGE, f"The password cannot be sealed: {error}.")


def _keep(data_dir: Path, name: str, answer: bytes) -> None:
    """List who has just applied. What the answer shows only once is not lost: it was written before."""
    try:
        keep_channel(data_dir, name, msgspec.json.decode(answer, type=ChannelView))
    except (msgspec.MsgspecError, ValueError):
        fail(Exit.WRONG_USAGE, "The answer is not about a channel that has just applied: nothing was kept.")


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
