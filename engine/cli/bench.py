"""`engine bench`: how fast, and how we know."""

import typer

app = typer.Typer(help="Benchmarks.", no_args_is_help=True)


@app.callback()
def _bench() -> None:
    """Keep the group."""
