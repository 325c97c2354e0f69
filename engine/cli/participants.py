"""`engine operator`, `engine participants`: the first operators of a node, and participants from a file."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from engine.cli.call import caller_in
from engine.cli.nodes import addresses_of, note, run_with_services
from engine.cli.options import DATA_DIR, DataDir, Exit, err, fail, out
from engine.client.credentials import BASE_URL_DEFAULT, CallerFile, write_caller_file
from engine.codes.http_signature import Algorithm
from engine.core.ids import id_text
from engine.core.participants import ROLES
from engine.embedded.services import Services
from engine.flows.add_operator import AddedOperator, add_operator, operator_of_key
from engine.flows.answer_once import NotDone
from engine.flows.clock import IdSource
from engine.flows.import_participants import Imported, ask_import
from engine.settings import Settings
from engine.wiring import open_books, prepare_database

operators = typer.Typer(help="Add the operators that a node begins with.", no_args_is_help=True)


participants = typer.Typer(help="Bring participants in from a file.", no_args_is_help=True)
CHUNK_BYTES: Final = 1 << 16


@participants.callback()
def _participants() -> None:
    """Keep the group a group while it has one command."""


@operators.callback()
def _operator() -> None:
    """Keep the group a group while it has one command."""


@operators.command("add")
def add(
    name: Annotated[str, typer.Argument(help="1 to 32 of a-z, 0-9 and the hyphen.")],
    region: Annotated[str, typer.Option("--region", help="The region it answers for, six digits; 000000 is all.")],
    role: Annotated[str, typer.Option("--role", help=f"One of {', '.join(ROLES)}.")] = "operations",
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="New file for its key; else it goes to stdout, this once.")
    ] = None,
    url: Annotated[str, typer.Option("--url", help="Where the node is called.")] = BASE_URL_DEFAULT,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Add an operator and give out its key, once. Two are needed before anything can be approved."""
    if not (len(region) == 6 and region.isascii() and region.isdigit()):
        fail(Exit.WRONG_USAGE, "A region has six digits.")
    if key_file is not None and key_file.exists():
        fail(Exit.WRONG_USAGE, f"{key_file} is there already, and may hold somebody's key.")
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def run(services: Services) -> AddedOperator | NotDone:
        await prepare_database(services.database_url)
        async with open_books(settings, addresses_of(services)) as books:
            return await add_operator(books.pool, books.keyring, IdSource(), name=name, role=role, region=int(region))

    added = run_with_services(data_dir, run)
    if isinstance(added, NotDone):
        fail(Exit.CHECK_FAILED, "; ".join(f"{wrong.field}: {wrong.reason}" for wrong in added.fields))
    file = CallerFile(
        name=name, id=added.id, keyid=added.keyid, alg=Algorithm.ED25519.value, key=added.private_key, base_url=url
    )
    if key_file is None:
        sys.stdout.buffer.write(file.content)
        sys.stdout.flush()
    else:
        write_caller_file(key_file, file)
        note(f"operator {added.id}, its key is in {key_file}")
    if added.deciding_count < 2:
        note("One operator can approve nothing alone: add a second one.")


@participants.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV; schemas/participants.csv shows the columns.")],
    key_file: Annotated[Path, typer.Option("--key-file", help="The key of the operator who asks for it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for the operator who approves it.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Check a file whole, and ask for its participants to be brought in: another operator has to approve it."""
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def run(services: Services) -> Imported | NotDone:
        await prepare_database(services.database_url)
        async with open_books(settings, addresses_of(services)) as books:
            caller, credentials = caller_in(key_file)
            operator = await operator_of_key(books.pool, books.keyring, caller.keyid, credentials.key)
            if isinstance(operator, NotDone):
                return operator
            return await ask_import(books.pool, books.keyring, IdSource(), operator, _chunks(file), reason=reason)

    try:
        imported = run_with_services(data_dir, run)
    except OSError as error:
        fail(Exit.WRONG_USAGE, f"{file} cannot be read: {error.strerror}")
    if isinstance(imported, NotDone):
        fail(Exit.CHECK_FAILED, f"{imported.refusal.slug}: the operator may not ask for this")
    for fault in imported.faults:
        err.print(f"line {fault.line}, {fault.field}: {fault.reason}", markup=False)
    if imported.faults:
        fail(Exit.CHECK_FAILED, "Nothing was brought in, and nothing was asked for.")
    assert imported.counts is not None, "a file without faults is counted"
    out.print_json(
        json.dumps(
            {
                "approval": id_text(imported.approval.id) if imported.approval is not None else None,
                "sha256": imported.sha256,
                "lines": imported.counts.fresh,
                "unchanged": imported.counts.unchanged,
            }
        )
    )


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            yield chunk
