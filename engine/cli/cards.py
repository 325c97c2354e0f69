"""`engine cards`: the register of cards from a file."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from engine.cli.nodes import addresses_of, run_with_services
from engine.cli.options import DATA_DIR, DataDir, Exit, err, fail, out
from engine.codes.keys import Keyring
from engine.core.ids import NO_ID
from engine.core.participants import NATIONAL
from engine.embedded.services import Services
from engine.flows.clock import IdSource
from engine.flows.import_cards import Importing, ImportReport, digest_of, import_cards
from engine.formats.cards_csv import CardFault
from engine.settings import Settings, master_secret
from engine.store.connection import READ_SETTINGS, connect
from engine.store.reads import Reads
from engine.wiring import open_books, prepare_database

app = typer.Typer(help="Bring cards into the register.", no_args_is_help=True)
CHUNK_BYTES: Final = 1 << 16


@app.callback()
def _cards() -> None:
    """Keep the group a group while it has one command."""


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV; schemas/cards.csv shows the columns.")],
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come of it; change nothing.")] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Bring in every card that is right; each fault of the others is told by line and field. Exit 1 if there is one.

    Whoever holds the master secret of the data folder may, as with the first operators.
    """
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def run(services: Services) -> ImportReport:
        await prepare_database(services.database_url)
        keyring = Keyring(master_secret(settings.data_dir, settings.environ))
        async with open_books(settings, addresses_of(services)) as books:
            business = await Reads(books.pool).business_now()
            importing = Importing(
                keyring=keyring,
                ids=IdSource(),
                operator=NO_ID,
                region=NATIONAL,
                today=business.control.business_date,
                now=business.now,
            )
            connection = await connect(
                services.database_url, READ_SETTINGS | {"statement_timeout": "0"}, application_name="cards"
            )
            try:
                return await import_cards(
                    connection,
                    importing,
                    digest_of(_chunks(file)),
                    _chunks(file),
                    is_dry_run=is_dry_run,
                    on_fault=_tell,
                )
            finally:
                await connection.close()

    try:
        report = run_with_services(data_dir, run)
    except OSError as error:
        fail(Exit.WRONG_USAGE, f"{file} cannot be read: {error.strerror}")
    told = {name: value for name, value in msgspec.structs.asdict(report).items() if name != "faults"}
    out.print_json(json.dumps(told | {"dry_run": is_dry_run}))
    if report.faulty:
        fail(
            Exit.CHECK_FAILED,
            f"{report.faulty} lines are wrong; {'nothing' if is_dry_run else 'everything else'} has come in.",
        )


def _tell(fault: CardFault) -> None:
    err.print(f"line {fault.line}, {fault.field}: {fault.reason}", markup=False)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            yield chunk
