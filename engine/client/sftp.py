"""A bank's files over SFTP, checked as those over HTTP are."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Final

import asyncssh
import msgspec

from engine.client.bank import FileRejected, check_file, keep_file
from engine.client.client import Download, Unreachable
from engine.web.wire import ManifestView

MANIFEST_BYTES_MAX: Final = 65_536
_SUFFIX: Final = ".json"


class SftpPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where to, as whom: `username` is the bank's CNAPS number, `host_key` the server's public key in one line."""

    host: str
    port: int
    host_key: str
    username: str


@asynccontextmanager
async def open_bank_sftp(place: SftpPlace, key: str) -> AsyncIterator[asyncssh.SFTPClient]:
    """A bank's session. *key* is its private key as PEM: the one that it signs requests with.

    Raises:
        Unreachable: there is no server, or not the one that is meant, or it does not know the key.
    """
    try:
        async with (
            asyncssh.connect(
                place.host,
                place.port,
                username=place.username,
                client_keys=[asyncssh.import_private_key(key)],
                known_hosts=([asyncssh.import_public_key(place.host_key)], [], []),
                agent_path=None,
                config=None,
            ) as connection,
            connection.start_sftp_client() as client,
        ):
            yield client
    except (OSError, asyncssh.Error) as error:
        raise Unreachable(f"sftp: {type(error).__name__}") from error


async def pull_over_sftp(
    client: asyncssh.SFTPClient, keys: Mapping[str, bytes], folder: Path | None, *, business_date: date | None = None
) -> list[ManifestView]:
    """Every file of this bank, or those of one business date, checked; kept in *folder* with its manifest beside it.

    *keys* are the engine's public keys by key id.

    Raises:
        FileRejected: one does not check; nothing of it is kept.
        Unreachable: the connection was lost.
    """
    pulled = []
    days = [f"{business_date:%Y%m%d}"] if business_date is not None else await _names(client, "/outbox")
    for day in days:
        for name in await _names(client, f"/outbox/{day}"):
            if name.endswith(_SUFFIX):
                manifest = await _manifest(client, f"/outbox/{day}/{name}")
                download = Download(manifest, await _content(client, f"/outbox/{day}/{name.removesuffix(_SUFFIX)}"))
                if len(download.content) != manifest.size or _digest(download) != manifest.sha256:
                    raise FileRejected(f"{manifest.name} is not what its manifest promises")
                check_file(download, keys)
                if folder is not None:
                    keep_file(download, folder)
                pulled.append(manifest)
    return pulled


async def _manifest(client: asyncssh.SFTPClient, path: str) -> ManifestView:
    content = await _content(client, path, longest=MANIFEST_BYTES_MAX)
    try:
        return msgspec.json.decode(content, type=ManifestView)
    except msgspec.MsgspecError as error:
        raise FileRejected("a manifest cannot be read") from error


async def _content(client: asyncssh.SFTPClient, path: str, *, longest: int = -1) -> bytes:
    async with client.open(path, "rb", encoding=None) as opened:
        content: bytes | str = await opened.read(longest)
    assert isinstance(content, bytes), "without an encoding there are bytes"
    return content


async def _names(client: asyncssh.SFTPClient, path: str) -> list[str]:
    try:
        return sorted(str(name) for name in await client.listdir(path))
    except asyncssh.SFTPNoSuchFile:
        return []  # a day without files has no folder


def _digest(download: Download) -> str:
    return hashlib.sha256(download.content).hexdigest()
