"""A bank's day in one call: pull the files, check each against its manifest and its own trailer, keep them."""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from engine.client.client import Download, EngineClient
from engine.core.bank_lines import WHOLE_FILE, AckStatus
from engine.core.calendar import cycle_date, cycle_text
from engine.core.deliveries import LineTotals
from engine.formats import bank_file_formats
from engine.formats.bank_file import FileHeading, MalformedRecord
from engine.formats.file_names import FileName, MalformedFileName, parse_file_name
from engine.web.wire import ManifestView
from engine.web.wire_reconciliation import StatementReceiptView
from engine.web.wire_returns import AcknowledgementView, ReturnReceiptView

_CHUNK_BYTES: Final = 1 << 16
_UPLOAD_NAME: Final = re.compile(r"[0-9A-Za-z._-]{1,35}", re.ASCII)


class FileRejected(Exception):
    """A file is not what its manifest, its signature or its own trailer says."""


async def pull_files(client: EngineClient, folder: Path | None, **filters: str) -> list[ManifestView]:
    """Every file of this bank that fits the filters, checked; kept in *folder* with its manifest beside it.

    Raises:
        FileRejected: one does not check; nothing of it is kept.
        Refused: the engine said no.
        Unreachable: the engine does not answer.
    """
    keys = await client.engine_keys()
    pulled = []
    async for manifest in client.clearing_files(**filters):
        try:
            download = await client.download(manifest)
        except ValueError as error:
            raise FileRejected(str(error)) from error
        check_file(download, keys)
        if folder is not None:
            keep_file(download, folder)
        pulled.append(manifest)
    return pulled


async def acknowledge(
    client: EngineClient,
    manifest: ManifestView,
    *,
    rejected: Mapping[int, str] | None = None,
    reason: str | None = None,
) -> AcknowledgementView:
    """Say of a file that it is taken; but for the lines that are *rejected*, by place and code, or for a *reason* not.

    The same words again change nothing; other words are refused.

    Raises:
        Refused: the engine said no.
        Unreachable: the engine does not answer.
    """
    reasons = {WHOLE_FILE: reason} if reason is not None else dict(rejected or {})
    status = AckStatus.RJCT if reason is not None else AckStatus.PART if reasons else AckStatus.ACTC
    said = {
        "status": status.value,
        "count": manifest.count,
        "total": manifest.totals.debit + manifest.totals.credit,
        "reasons": [{"line": line, "code": code} for line, code in sorted(reasons.items())],
    }
    target = f"/v1/clearing/files/{quote(manifest.name)}/acknowledgement"
    answer = await client.request("POST", target, body=msgspec.json.encode(said))
    return msgspec.json.decode(answer, type=AcknowledgementView)


async def send_returns(client: EngineClient, path: Path) -> ReturnReceiptView:
    """Give back the items that a file names. The same file again is answered as the first time.

    Raises:
        OSError: the file cannot be read.
        Refused: the engine said no; its errors name lines and fields.
        Unreachable: the engine does not answer.
    """
    answer = await client.upload(_named("/v1/clearing/returns", path), path)
    return msgspec.json.decode(answer, type=ReturnReceiptView)


async def send_statement(
    client: EngineClient, path: Path, *, business_date: date | None = None
) -> StatementReceiptView:
    """Have a statement compared; *business_date* is for forms that do not tell it. The same file again is answered
    as the first time.

    Raises:
        OSError: the file cannot be read.
        Refused: the engine said no; its errors name lines and fields.
        Unreachable: the engine does not answer.
    """
    answer = await client.upload(_named("/v1/clearing/statements", path, business_date=business_date), path)
    return msgspec.json.decode(answer, type=StatementReceiptView)


def _named(target: str, path: Path, *, business_date: date | None = None) -> str:
    """The target of an upload; a name that is none of the engine's is nobody's business."""
    query = {"file_name": path.name} if _UPLOAD_NAME.fullmatch(path.name) else {}
    if business_date is not None:
        query["business_date"] = business_date.isoformat()
    return f"{target}?{urlencode(query)}" if query else target


def check_file(download: Download, keys: Mapping[str, bytes]) -> None:
    """Check name, signature, heading, lines, counts and totals; size and digest were checked when the file came.

    Raises:
        FileRejected: the first of these that is wrong.
    """
    manifest = download.manifest
    name = _name_of(manifest)
    public = keys.get(manifest.key_id)
    if public is None:
        raise FileRejected(f"{manifest.name} is signed with an unknown key")
    try:
        signature = base64.b64decode(manifest.signature, validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(signature, bytes.fromhex(manifest.sha256))
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise FileRejected(f"{manifest.name} has a signature that does not hold") from error
    heading, totals = None, None
    content = download.content
    chunks = (content[start : start + _CHUNK_BYTES] for start in range(0, len(content), _CHUNK_BYTES))
    for record in bank_file_formats()[manifest.form].decode(chunks):
        if isinstance(record, MalformedRecord):
            raise FileRejected(f"{manifest.name} line {record.line_number}, {record.field}: {record.reason}")
        if isinstance(record, FileHeading):
            heading = record
        if isinstance(record, LineTotals):
            totals = record
    # The signature is over the file alone, so what the manifest says of it must be said by the file as well.
    if heading is None or (heading.file_id, heading.receiver_bank) != (name.file_id, name.cnaps):
        raise FileRejected(f"{manifest.name} holds another file")
    said = (manifest.count, manifest.totals.debit, manifest.totals.credit)
    if totals is None or (totals.count, totals.debit_total, totals.credit_total) != said:
        raise FileRejected(f"{manifest.name} does not add up to its manifest")


def _name_of(manifest: ManifestView) -> FileName:
    """What the name says, which is also where the file is kept.

    Raises:
        FileRejected: it is no file's name, or says something else than the manifest.
    """
    try:
        name = parse_file_name(manifest.name)
    except MalformedFileName as error:
        raise FileRejected("a manifest does not name a clearing file") from error
    said = (cycle_text(name.cycle), cycle_date(name.cycle), name.kind, name.version, name.form)
    if said != (manifest.cycle, manifest.business_date, manifest.kind, manifest.version, manifest.form):
        raise FileRejected(f"{manifest.name} has the manifest of another file")
    return name


def keep_file(download: Download, folder: Path) -> Path:
    """Write a file and its manifest, each under its final name only when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    name = download.manifest.name
    for path, content in (
        (folder / name, download.content),
        (folder / f"{name}.json", msgspec.json.format(msgspec.json.encode(download.manifest))),
    ):
        fresh = path.with_name(path.name + ".part")
        fresh.write_bytes(content)
        fresh.replace(path)
    return folder / name
