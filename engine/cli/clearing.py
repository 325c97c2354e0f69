"""`engine clearing`: cycles by hand."""

import json
import os

import typer

from engine.cli.nodes import addresses_of, run_with_services
from engine.cli.options import DATA_DIR, AsJson, DataDir, out
from engine.core.calendar import CycleNumber, cycle_text
from engine.embedded.services import Services
from engine.settings import Settings
from engine.store.clearing_reads import ClearingReads
from engine.store.clearing_session import load_clearing_state
from engine.wiring import open_books, prepare_database
from engine.workers.timetable import close_and_publish

FILES_SHOWN_MAX = 1_000

app = typer.Typer(help="Close cycles, see how far they are, list their files.", no_args_is_help=True)


@app.command("close")
def close(data_dir: DataDir = DATA_DIR) -> None:
    """Close the open cycle now, and publish its files."""
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def run(services: Services) -> CycleNumber:
        await prepare_database(services.database_url)
        async with open_books(settings, addresses_of(services)) as books:
            return await close_and_publish(books.database_url, books.signing_keys[0])

    cycle = run_with_services(data_dir, run)
    out.print(f"closed and published {cycle_text(cycle)}")


@app.command("status")
def status(data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Show the open cycle, when it is due, and what is closed but not published."""
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def run(services: Services) -> dict[str, object]:
        await prepare_database(services.database_url)
        async with open_books(settings, addresses_of(services)) as books:
            state = await load_clearing_state(books.pool)
        return {
            "now": state.now.isoformat(),
            "business_date": state.control.business_date.isoformat(),
            "open_cycle": cycle_text(state.control.cycle),
            "cutoff_at": state.control.cutoff_at.isoformat(),
            "unpublished": [cycle_text(cycle) for cycle in state.unpublished],
        }

    shown = run_with_services(data_dir, run)
    if as_json:
        out.print_json(json.dumps(shown))
        return
    for name, value in shown.items():
        out.print(f"{name:14} {value if not isinstance(value, list) else ', '.join(value) or '-'}", markup=False)


@app.command("files")
def files(data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """List the published files of all banks, newest cycle first (the last thousand)."""
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def run(services: Services) -> list[dict[str, object]]:
        await prepare_database(services.database_url)
        async with open_books(settings, addresses_of(services)) as books:
            found = await ClearingReads(books.pool).all_files(count=FILES_SHOWN_MAX)
        return [
            {
                "name": file.name,
                "count": file.item_count,
                "debit": file.debit_total,
                "credit": file.credit_total,
                "size": file.size,
                "sha256": file.sha256.hex(),
            }
            for file in found
        ]

    shown = run_with_services(data_dir, run)
    if as_json:
        out.print_json(json.dumps(shown))
        return
    for file in shown:
        out.print(f"{file['name']}  {file['count']} items, {file['size']} bytes", markup=False)
