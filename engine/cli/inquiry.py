"""`engine inquiry`: what regions know of persons, from files."""

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
from engine.core.inquiry import TOPICS
from engine.core.participants import NATIONAL
from engine.embedded.services import Services
from engine.flows.clock import IdSource
from engine.flows.import_cards import Importing, digest_of
from engine.flows.inquiry.import_records import RecordsReport, import_records
from engine.formats.inquiry_csv import RecordFault
from engine.settings import Settings
from engine.store.connection import READ_SETTINGS, connect
from engine.store.reads import Reads
from engine.wiring import open_books, prepare_database

app = typer.Typer(help="Bring in what regions know of persons.", no_args_is_help=True)
_CHUNK_BYTES: Final = 1 << 16


@app.callback()
def _inquiry() -> None:
    """Keep the group a group while it has one command."""


@app.command("import")
def import_file(
    topic: Annotated[str, typer.Argument(help=f"One of {', '.join(TOPICS)}.")],
    file: Annotated[Path, typer.Argument(help="CSV: id_number and the fields of the topic, money in fen.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Bring in every record that is right; each fault of the others is told by line and field. Exit 1 if there is one.

    Whoever holds the master secret of the data folder may, as with the first operators.
    """
    known = TOPICS.get(topic)
    if known is None:
        fail(Exit.WRONG_USAGE, f"the topic is one of {', '.join(TOPICS)}.")
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def run(services: Services) -> RecordsReport:
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
                services.database_url, READ_SETTINGS | {"statement_timeout": "0"}, application_name="inquiry"
            )
            try:
                sha256 = digest_of(_chunks(file))
                return await import_records(connection, importing, known, sha256, _chunks(file), on_fault=_tell)
            finally:
                await connection.close()

    try:
        report = run_with_services(data_dir, run)
    except OSError as error:
        fail(Exit.WRONG_USAGE, f"{file} cannot be read: {error.strerror}")
    told = {name: value for name, value in msgspec.structs.asdict(report).items() if name != "faults"}
    out.print_json(json.dumps(told))
    if report.faulty:
        fail(Exit.CHECK_FAILED, f"{report.faulty} lines are wrong; everything else has come in.")


def _tell(fault: RecordFault) -> None:
    err.print(f"line {fault.line}, {fault.field}: {fault.reason}", markup=False)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            yield chunk
