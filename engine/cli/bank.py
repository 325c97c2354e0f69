"""`engine bank`: a bank's day: pull the files, acknowledge them, give back items, send a statement."""

import enum
import os
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec
import typer
import uvloop

from engine.cli.call import caller_in
from engine.cli.nodes import client_of, reachable_sandbox, run_with_services
from engine.cli.options import DATA_DIR, DataDir, Exit, err, fail, out
from engine.client import EngineClient, Refused, Unreachable
from engine.client.bank import FileRejected, acknowledge, pull_files, send_returns, send_statement
from engine.client.made_uploads import NothingPulled, keep_returns, make_returns, make_statement, pulled_day
from engine.embedded.services import Services
from engine.flows.clock import Clock
from engine.sandbox.guide import SandboxGuide
from engine.settings import Settings
from engine.web.wire import ManifestView
from engine.web.wire_reconciliation import ReconciliationView, StatementReceiptView

app = typer.Typer(
    help="A bank's day: pull files, acknowledge them, return items, send a statement.", no_args_is_help=True
)

T = TypeVar("T")

Bank = Annotated[str, typer.Option("--as", help="A bank's name from sandbox.json.")]
KeyFile = Annotated[
    Path | None, typer.Option("--key-file", help="A bank's key, for a node that is no sandbox; --as is not used.")
]
Day = Annotated[datetime | None, typer.Option("--business-date", formats=["%Y-%m-%d"], help="Only this business date.")]
Upload = Annotated[Path | None, typer.Argument(help="The file to send.", exists=True, dir_okay=False)]
Make = Annotated[
    Path | None, typer.Option("--make", help="Make the file first, from the files that were pulled into this folder.")
]
_CODE_PATTERN: Final = "LINE:CODE"


class Via(enum.StrEnum):
    """Ways to a bank's files."""

    HTTP = "http"
    SFTP = "sftp"


@app.command("pull")
def pull(
    to: Annotated[Path, typer.Option("--to", help="Folder for the files and their manifests.")],
    name: Bank = "",
    business_date: Day = None,
    via: Annotated[Via, typer.Option("--via", help="How to get them.")] = Via.HTTP,
    key_file: KeyFile = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Pull the published files in all their forms, and check each one's digest, totals and signature."""
    day = business_date.date() if business_date is not None else None
    if via is Via.SFTP and key_file is not None:
        fail(Exit.WRONG_USAGE, "With --key-file there is no telling where SFTP is: use sftp itself, or --via http.")

    async def run(client: EngineClient, guide: SandboxGuide | None) -> list[ManifestView]:
        if via is Via.SFTP and guide is not None:
            return await _pull_over_sftp(client, guide, name, to, day)
        filters = {"business_date": day.isoformat()} if day is not None else {}
        return await pull_files(client, to, **filters)

    pulled = _as_bank(run, name, key_file, data_dir)
    for manifest in pulled:
        out.print(f"{to / manifest.name}  {manifest.count} items, checked", markup=False)
    out.print(f"{len(pulled)} files")


@app.command("ack")
def ack(
    files: Annotated[list[str] | None, typer.Argument(help="Names of files; all that were not yet, if none.")] = None,
    name: Bank = "",
    business_date: Day = None,
    rejected: Annotated[
        list[str] | None, typer.Option("--reject", metavar=_CODE_PATTERN, help="A line that is not taken, and why.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reject-file", metavar="CODE", help="Take nothing of it.")] = None,
    key_file: KeyFile = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Acknowledge files: taken, taken but for some lines (--reject), or not taken (--reject-file)."""
    lines = dict(_rejected_line(text) for text in rejected or ())
    if (lines or reason is not None) and (len(files or ()) != 1 or (lines and reason is not None)):
        fail(Exit.WRONG_USAGE, "Reject lines of one file, or one file, at a time.")

    async def run(client: EngineClient, _guide: SandboxGuide | None) -> list[str]:
        filters = {"business_date": f"{business_date:%Y-%m-%d}"} if business_date is not None else {}
        listed = [manifest async for manifest in client.clearing_files(**filters)]
        known = {manifest.name: manifest for manifest in listed}
        missing = [file for file in files or () if file not in known]
        if missing:
            fail(Exit.CHECK_FAILED, f"There is no file {missing[0]}.")
        due = [
            manifest
            for manifest in listed
            if (manifest.name in files if files else manifest.status == "published" and manifest.replaced_by is None)
        ]
        return [
            f"{manifest.name}  {(await acknowledge(client, manifest, rejected=lines, reason=reason)).status}"
            for manifest in due
        ]

    said = _as_bank(run, name, key_file, data_dir)
    for line in said:
        out.print(line, markup=False)
    out.print(f"{len(said)} files")


@app.command("return")
def give_back(
    file: Upload = None,
    name: Bank = "",
    make: Make = None,
    business_date: Day = None,
    count: Annotated[int, typer.Option("--count", min=1, help="With --make: how many items.")] = 1,
    reason: Annotated[str, typer.Option("--reason", help="With --make: why, such as AC04.")] = "AC04",
    key_file: KeyFile = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Give back items that could not be booked: a pacs.004, or a file of returns in the flat form."""
    at = datetime.fromtimestamp(Clock().wall_s(), UTC)

    def made(folder: Path, day: date | None) -> Path:
        return make_returns(pulled_day(folder, day), file_id=_file_id("RT"), at=at, count=count, reason=reason)

    path = _file_to_send(file, make, business_date, made)
    receipt = _as_bank(lambda client, _guide: send_returns(client, path), name, key_file, data_dir)
    if make is not None:
        path = keep_returns(path)
    out.print(f"{receipt.file_id}: {receipt.count} items given back, {path}", markup=False)


@app.command("statement")
def statement(
    file: Upload = None,
    name: Bank = "",
    make: Make = None,
    business_date: Day = None,
    off_by: Annotated[int, typer.Option("--off-by", help="With --make: fen by which the first amount is wrong.")] = 0,
    key_file: KeyFile = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Send a statement and have it compared: camt.053, the flat form, or UnionPay's settlement detail."""
    at = datetime.fromtimestamp(Clock().wall_s(), UTC)

    def made(folder: Path, day: date | None) -> Path:
        return make_statement(pulled_day(folder, day), file_id=_file_id("ST"), at=at, off_by=off_by)

    path = _file_to_send(file, make, business_date, made)
    day = business_date.date() if business_date is not None else None

    async def run(client: EngineClient, _guide: SandboxGuide | None) -> tuple[StatementReceiptView, ReconciliationView]:
        receipt = await send_statement(client, path, business_date=day)
        shown = await client.request("GET", f"/v1/reconciliations/{receipt.reconciliation_id}")
        return receipt, msgspec.json.decode(shown, type=ReconciliationView)

    receipt, found = _as_bank(run, name, key_file, data_dir)
    out.print(f"{receipt.file_id}: {receipt.count} lines, {found.state}, {receipt.reconciliation_id}", markup=False)


def _as_bank(
    work: Callable[[EngineClient, SandboxGuide | None], Awaitable[T]], name: str, key_file: Path | None, data_dir: Path
) -> T:
    """What *work* gives, done as the bank; ends the command if it cannot be done."""
    if (name == "") is (key_file is None):
        fail(Exit.WRONG_USAGE, "Say which bank: --as NAME, or --key-file FILE.")
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def in_the_sandbox(services: Services) -> T:
        async with reachable_sandbox(settings, services) as guide, client_of(guide, name) as client:
            return await _checked(work(client, guide))

    async def with_key(path: Path) -> T:
        file, credentials = caller_in(path)
        async with EngineClient(file.base_url, credentials) as client:
            return await _checked(work(client, None))

    if key_file is not None:
        return uvloop.run(with_key(key_file))
    return run_with_services(data_dir, in_the_sandbox)


async def _checked(work: Awaitable[T]) -> T:
    try:
        return await work
    except Refused as refused:
        for error in refused.problem.errors:
            err.print(f"{error.pointer}: {error.reason}", markup=False)
        fail(Exit.CHECK_FAILED, f"REFUSED: {refused.problem.code}")
    except (FileRejected, Unreachable) as error:
        fail(Exit.CHECK_FAILED, str(error))


async def _pull_over_sftp(
    client: EngineClient, guide: SandboxGuide, name: str, to: Path, day: date | None
) -> list[ManifestView]:
    # Its library takes a quarter of a second to load, which every other command can do without.
    from engine.client.sftp import SftpPlace, open_bank_sftp, pull_over_sftp

    caller, sftp = guide.caller(name), guide.sftp
    if sftp is None or caller.cnaps is None:
        fail(Exit.CHECK_FAILED, "The sandbox has no SFTP server, or this is no bank.")
    keys = await client.engine_keys()
    place = SftpPlace(host=sftp.host, port=sftp.port, host_key=sftp.host_key, username=caller.cnaps)
    async with open_bank_sftp(place, caller.key) as opened:
        return await pull_over_sftp(opened, keys, to, business_date=day)


def _file_to_send(
    file: Path | None, make: Path | None, business_date: datetime | None, made: Callable[[Path, date | None], Path]
) -> Path:
    if (file is None) is (make is None):
        fail(Exit.WRONG_USAGE, "Give a file to send, or a folder to --make it from.")
    if file is not None:
        return file
    assert make is not None
    try:
        return made(make, business_date.date() if business_date is not None else None)
    except NothingPulled as error:
        fail(Exit.CHECK_FAILED, str(error))


def _rejected_line(text: str) -> tuple[int, str]:
    line, colon, code = text.partition(":")
    if not (colon and line.isascii() and line.isdigit() and int(line) > 0 and code):
        fail(Exit.WRONG_USAGE, f"A rejected line is given as {_CODE_PATTERN}, such as 17:AC01.")
    return int(line), code


def _file_id(kind: str) -> str:
    """A file id that no other file has."""
    return f"{kind}-{secrets.token_hex(8).upper()}"
