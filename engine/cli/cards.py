"""`engine cards`: the register of cards from a file, and the balances of a local platform."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from engine.cli.nodes import addresses_of, run_with_services
from engine.cli.options import DATA_DIR, DataDir, Exit, err, fail, out
from engine.core.ids import NO_ID
from engine.core.local_platforms import LocalPlatform
from engine.core.participants import NATIONAL
from engine.embedded.services import Services
from engine.flows.clock import IdSource
from engine.flows.import_cards import Importing, ImportReport, digest_of, import_cards
from engine.flows.territory.take_balances import BalancesTaken, take_balances
from engine.formats.bank_file import MalformedRecord
from engine.formats.cards_csv import CardFault
from engine.settings import Settings
from engine.store.connection import READ_SETTINGS, connect
from engine.store.reads import Reads
from engine.wiring import open_books, prepare_database

app = typer.Typer(help="Bring cards into the register, and balances of a local platform.", no_args_is_help=True)
CHUNK_BYTES: Final = 1 << 16


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
        async with open_books(settings, addresses_of(services)) as books:
            business = await Reads(books.pool).business_now()
            importing = Importing(
                keyring=books.keyring,
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


@app.command("balances")
def take_file(
    file: Annotated[Path, typer.Argument(help="CSV; schemas/balances.csv shows the columns.")],
    region: Annotated[str, typer.Option(help="The city whose local platform it is, six digits.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Take the balances of a local platform that has been declared, all of them or none. Exit 1 if a line is wrong.

    Nothing is posted by it: two operators let the balances in.
    """
    settings = Settings(data_dir=data_dir, environ=os.environ)
    if not (len(region) == len("110100") and region.isascii() and region.isdigit()):
        fail(Exit.WRONG_USAGE, "A region has six digits.")

    async def run(services: Services) -> BalancesTaken | LocalPlatform | None:
        await prepare_database(services.database_url)
        async with open_books(settings, addresses_of(services)) as books:
            connection = await connect(
                services.database_url, READ_SETTINGS | {"statement_timeout": "0"}, application_name="balances"
            )
            try:
                sha256 = digest_of(_chunks(file))
                return await take_balances(
                    connection, books.keyring, int(region), sha256, _chunks(file), on_fault=_tell_record
                )
            finally:
                await connection.close()

    try:
        taken = run_with_services(data_dir, run)
    except OSError as error:
        fail(Exit.WRONG_USAGE, f"{file} cannot be read: {error.strerror}")
    if taken is None:
        fail(Exit.CHECK_FAILED, "No local platform has been declared for this region.")
    if isinstance(taken, LocalPlatform):
        fail(Exit.CHECK_FAILED, f"Its local platform is {taken.state.name.lower()}: no balances are taken any more.")
    told = {name: value for name, value in msgspec.structs.asdict(taken).items() if name != "faults"}
    out.print_json(json.dumps(told))
    if not taken.is_taken:
        fail(Exit.CHECK_FAILED, f"{taken.faulty} faults; nothing was taken.")


def _tell(fault: CardFault) -> None:
    err.print(f"line {fault.line}, {fault.field}: {fault.reason}", markup=False)


def _tell_record(fault: MalformedRecord) -> None:
    err.print(f"line {fault.line_number}, {fault.field}: {fault.reason}", markup=False)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            yield chunk
