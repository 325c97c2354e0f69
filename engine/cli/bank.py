"""`engine bank`: what a bank does with its files."""

import os
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.nodes import client_of, reachable_sandbox, run_with_services
from engine.cli.options import DATA_DIR, DataDir, Exit, fail, out
from engine.client import Refused, Unreachable
from engine.client.bank import FileRejected, pull_files
from engine.embedded.services import Services
from engine.settings import Settings

app = typer.Typer(help="Pull clearing files as a bank.", no_args_is_help=True)


@app.callback()
def _bank() -> None:
    """Keep the group a group while it has one command."""


@app.command("pull")
def pull(
    name: Annotated[str, typer.Option("--as", help="A bank's name from sandbox.json.")],
    to: Annotated[Path, typer.Option("--to", help="Folder for the files and their manifests.")],
    business_date: Annotated[str | None, typer.Option("--business-date", help="YYYY-MM-DD.")] = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Pull the published files, and check each one's digest, totals and signature."""
    settings = Settings(data_dir=data_dir, environ=os.environ)
    filters = {"business_date": business_date} if business_date is not None else {}

    async def run(services: Services) -> None:
        async with reachable_sandbox(settings, services) as guide, client_of(guide, name) as client:
            try:
                pulled = await pull_files(client, to, **filters)
            except (FileRejected, Refused, Unreachable) as error:
                fail(Exit.CHECK_FAILED, str(error))
        for manifest in pulled:
            out.print(f"{to / manifest.name}  {manifest.count} items, checked", markup=False)
        out.print(f"{len(pulled)} files")

    run_with_services(data_dir, run)
