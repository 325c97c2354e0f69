"""What the commands share: their options, their exit codes, and how they speak."""

import enum
import sys
from pathlib import Path
from typing import Annotated, NoReturn, TypeAlias

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from engine.settings import DATA_DIR_DEFAULT


class Exit(enum.IntEnum):
    """How a command ends."""

    DONE = 0
    CHECK_FAILED = 1
    WRONG_USAGE = 2
    SERVICE_MISSING = 3


DataDir: TypeAlias = Annotated[
    Path, typer.Option("--data-dir", help="Folder of the database, the keys and sandbox.json.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
DATA_DIR = DATA_DIR_DEFAULT

out = Console(highlight=False, soft_wrap=True)
"""Results."""

err = Console(stderr=True, highlight=False, soft_wrap=True)
"""Everything else: progress, notes, complaints."""


def fail(exit_code: Exit, message: str) -> NoReturn:
    """End the command, saying why."""
    err.print(message, markup=False)
    raise typer.Exit(exit_code)


def progress_bar() -> Progress:
    """A bar for whatever takes longer than two seconds; on a terminal it moves, in a log it is silent."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=False,
        disable=not sys.stderr.isatty(),
    )
