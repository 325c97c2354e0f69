"""`engine channels`: what a channel has to show before it may go live."""

import os
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.table import Table
from stamina.instrumentation import set_on_retry_hooks

from engine.cli.call import caller_in
from engine.cli.nodes import caller_of, reachable_sandbox, run_with_services
from engine.cli.options import DATA_DIR, DataDir, Exit, fail, out
from engine.client import Refused, Unreachable
from engine.client.channel import ChannelClient
from engine.client.conformance import NotOurAddress, has_passed, play_run
from engine.client.credentials import Credentials
from engine.embedded.services import Services
from engine.settings import Settings
from engine.web.channels.wire_conformance import ConformanceRunView

app = typer.Typer(help="Channels: show that one works.", no_args_is_help=True)


@app.callback()
def channels() -> None:
    """Channels: show that one works."""


@app.command("conformance")
def conformance(
    name: Annotated[str, typer.Option("--as", help="A channel from sandbox.json.")] = "",
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="A channel's key, with its id, instead of --as.")
    ] = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Open a run for a channel that has applied, play every case, and print what it has shown. Exit 0: all passed.

    Notifications come to the channel's first callback address, which has to be free and of this machine.
    """
    if (key_file is None) is not bool(name):
        fail(Exit.WRONG_USAGE, "Say which channel: --as NAME, or --key-file FILE.")
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def in_the_sandbox(services: Services) -> ConformanceRunView:
        async with reachable_sandbox(settings, services) as guide:
            caller = caller_of(guide, name)
            credentials = Credentials.load(keyid=caller.keyid, alg=caller.alg, key=caller.key)
            return await _play(guide.base_url, credentials, caller.id)

    async def with_key(path: Path) -> ConformanceRunView:
        file, credentials = caller_in(path)
        if not file.id:
            fail(Exit.WRONG_USAGE, f'{path} does not say which channel it is: "id" is missing.')
        return await _play(file.base_url, credentials, file.id)

    run = uvloop.run(with_key(key_file)) if key_file is not None else run_with_services(data_dir, in_the_sandbox)
    if not _show(run):
        raise typer.Exit(Exit.CHECK_FAILED)


async def _play(base_url: str, credentials: Credentials, channel_id: str) -> ConformanceRunView:
    async with ChannelClient(base_url, credentials, channel_id=channel_id) as client:
        set_on_retry_hooks(())  # an answer that is lost, and one that is put off, are what two cases are about
        try:
            return await play_run(client)
        except Refused as refused:
            problem = refused.problem
            wrong = "".join(f"; {error.pointer} {error.reason}" for error in problem.errors)
            fail(Exit.CHECK_FAILED, f"REFUSED: {problem.code}{wrong}")
        except Unreachable as error:
            fail(Exit.CHECK_FAILED, f"No answer: {error}")
        except NotOurAddress as error:
            fail(Exit.WRONG_USAGE, f"{error}: notifications would not come here.")
        except OSError as error:
            fail(Exit.WRONG_USAGE, f"The channel's callback address cannot be listened on: {error.strerror}")


def _show(run: ConformanceRunView) -> bool:
    table = Table(title=f"Run {run.id}")
    for heading in ("case", "part", "status", "finding"):
        table.add_column(heading, no_wrap=heading == "case")
    for case in run.cases:
        table.add_row(case.case, case.part, case.status, case.finding)
    out.print(table)
    return has_passed(run)
