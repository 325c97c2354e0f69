"""A bank's day in one call: pull the files, check each against its manifest and its own trailer, keep them."""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from engine.client.client import Download, EngineClient
from engine.core.calendar import cycle_date, cycle_text
from engine.formats import bank_file_formats
from engine.formats.bank_file import FileHeading, FileTrailer, MalformedRecord
from engine.formats.file_names import FileName, MalformedFileName, parse_file_name
from engine.web.wire import ManifestView

_CHUNK_BYTES: Final = 1 << 16


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
    heading, trailer = None, None
    content = download.content
    chunks = (content[start : start + _CHUNK_BYTES] for start in range(0, len(content), _CHUNK_BYTES))
    for record in bank_file_formats()[manifest.form].decode(chunks):
        if isinstance(record, MalformedRecord):
            raise FileRejected(f"{manifest.name} line {record.line_number}, {record.field}: {record.reason}")
        if isinstance(record, FileHeading):
            heading = record
        if isinstance(record, FileTrailer):
            trailer = record
    # The signature is over the file alone, so what the manifest says of it must be said by the file as well.
    if heading is None or (heading.file_id, heading.receiver_bank) != (name.file_id, name.cnaps):
        raise FileRejected(f"{manifest.name} holds another file")
    totals = (manifest.count, manifest.totals.debit, manifest.totals.credit)
    if trailer is None or (trailer.count, trailer.debit_total, trailer.credit_total) != totals:
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
