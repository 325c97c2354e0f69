"""`engine clearing reconcile`: a bank's statement that came another way, or what was cut short."""

import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from engine.cli.nodes import addresses_of, run_with_services
from engine.cli.options import DATA_DIR, AsJson, DataDir, Exit, err, fail, out
from engine.core.bank_lines import UploadKind
from engine.embedded.services import Services
from engine.flows.clock import IdSource
from engine.flows.receive_upload import Rejected, UploadSource, UploadTooLarge, receive_upload
from engine.flows.reconcile_statement import Statements
from engine.flows.returned_lines import LinesGivenBack
from engine.settings import Settings
from engine.store.reconciliation import ClassCount, Reconciliation, Reconciliations
from engine.store.uploads import Uploads
from engine.web.wire_reconciliation import reconciliation_view
from engine.wiring import Books, open_books, prepare_database

SHOWN_MAX: Final = 100
FILE_NAME_CHARS_MAX: Final = 35
_PIECE_BYTES: Final = 1 << 16


def reconcile(
    file: Annotated[
        Path | None, typer.Argument(help="A statement, in any form that banks send.", exists=True, dir_okay=False)
    ] = None,
    bank: Annotated[str | None, typer.Option("--bank", help="CNAPS number of the bank whose statement it is.")] = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Compare a statement with the bank's clearing files; without one, finish what was cut short and list what stands.

    Exit code 1 if the statement is refused, or differs.
    """
    if (file is None) != (bank is None):
        fail(Exit.WRONG_USAGE, "A statement is some bank's: give FILE and --bank, or neither.")
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def run(services: Services) -> list[tuple[Reconciliation, Sequence[ClassCount]]]:
        await prepare_database(services.database_url)
        async with open_books(settings, addresses_of(services)) as books:
            statements = Statements(
                books.pool, books.database_url, IdSource(), returned=LinesGivenBack(books.database_url)
            )
            reads = Reconciliations(books.pool)
            if file is not None and bank is not None:
                found = [await _received(books, statements, file, bank)]
            else:
                await statements.reconcile_pending()
                found = await reads.page(bank=None, business_date=None, state=None, before=None, count=SHOWN_MAX)
            counts = await reads.counts([one.id for one in found])
            return [(one, counts[one.id]) for one in found]

    shown = [reconciliation_view(*one) for one in run_with_services(data_dir, run)]
    if as_json:
        out.print_json(json.dumps(msgspec.to_builtins(shown)))
    for view in [] if as_json else shown:
        counts = ", ".join(f"{name} {count}" for name, count in _counts(view.counts).items() if count)
        out.print(
            f"{view.business_date} {view.bank} {view.file_id}: {view.state}; {counts or 'no lines'}", markup=False
        )
    if file is not None and any(view.unsettled for view in shown):
        raise typer.Exit(Exit.CHECK_FAILED)


async def _received(books: Books, statements: Statements, file: Path, cnaps: str) -> Reconciliation:
    """The reconciliation of a statement; the command ends if there can be none."""
    uploads = Uploads(books.pool)
    bank = await uploads.bank_of(cnaps) if cnaps.isascii() and cnaps.isdigit() and len(cnaps) == 12 else None
    if bank is None:
        fail(Exit.WRONG_USAGE, f"No bank has the number {cnaps}.")
    source = UploadSource(bank=bank, kind=UploadKind.STATEMENT, name=file.name[:FILE_NAME_CHARS_MAX])
    try:
        outcome = await receive_upload(
            books.pool, _pieces(file), source, handlers={UploadKind.STATEMENT: statements}, ids=IdSource()
        )
    except UploadTooLarge:
        fail(Exit.CHECK_FAILED, "The file is too large.")
    if isinstance(outcome, Rejected):
        for fault in outcome.faults:
            err.print(f"{fault.pointer}: {fault.reason}", markup=False)
        fail(Exit.CHECK_FAILED, f"REFUSED: {outcome.refusal.slug}")
    reads = Reconciliations(books.pool)
    found = await reads.of_upload(outcome.upload.id)
    reconciliation = await reads.load(found) if found is not None else None
    assert reconciliation is not None, "a statement is accepted together with its reconciliation"
    return reconciliation


async def _pieces(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE_BYTES):
            yield piece


def _counts(counts: msgspec.Struct) -> Mapping[str, int]:
    return msgspec.structs.asdict(counts)
