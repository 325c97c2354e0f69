"""``python -m engine.bench.node --data-dir D --batch-max N``: the engine as `engine bench http` measures it.

A complete node in a process of its own, nothing tuned and nothing left out: embedded services, HTTP, lanes, background
loops, metrics, and the sample city loaded. It writes its port when it is ready, and ends on SIGTERM or with the process
that started it.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from engine.bench.children import ended_with, tell_port
from engine.cli.nodes import run_with_services, sandbox_node, until_told_to_stop
from engine.embedded.services import Services
from engine.ledger.lane import BATCH_COMMANDS_MAX
from engine.settings import Settings


def main(
    data_dir: Annotated[Path, typer.Option("--data-dir")],
    batch_max: Annotated[int, typer.Option("--batch-max", min=1)] = BATCH_COMMANDS_MAX,
) -> None:
    """Serve until told to stop."""
    settings = Settings(data_dir=data_dir, environ=os.environ, is_sandbox=True, port=0, batch_max=batch_max)

    async def serve(services: Services) -> None:
        async with sandbox_node(settings, services) as (node, guide):
            ended_with(node.stopping)
            tell_port(int(guide.base_url.rpartition(":")[2]))
            await until_told_to_stop(node)

    run_with_services(data_dir, serve)


if __name__ == "__main__":
    typer.run(main)
