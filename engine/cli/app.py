"""The command line: argv to a call, nothing else."""

import typer

from engine import __version__
from engine.cli import (
    bank,
    bench,
    call,
    cards,
    channels,
    clearing,
    demo,
    inquiry,
    operate,
    participants,
    personal_data,
    plans,
    serve,
    webhooks,
)

app = typer.Typer(
    name="engine",
    help="Payment settlement engine of the electronic social security card.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("work")(serve.work)
app.command("migrate")(operate.migrate)
app.command("doctor")(operate.doctor)
app.command("verify")(operate.verify)
app.command("call")(call.call)
app.add_typer(clearing.app, name="clearing")
app.add_typer(bank.app, name="bank")
app.add_typer(bench.app, name="bench")
app.add_typer(participants.operators, name="operator")
app.add_typer(participants.participants, name="participants")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(plans.app, name="plans")
app.add_typer(cards.app, name="cards")
app.add_typer(channels.app, name="channels")
app.add_typer(inquiry.app, name="inquiry")
app.add_typer(personal_data.app, name="personal-data")


@app.command("version")
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def run() -> None:
    """Run the command that argv names."""
    app()
