"""A node with its SFTP server, and banks that come to it with their own keys."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from engine.codes.keys import CALLER_KEY_PLACE, FIELD_KEY_ID
from engine.core.calendar import CycleNumber, cycle_date, cycle_text
from engine.core.ids import BankId
from engine.sftp.server import SftpAddress
from engine.sftp.sockets import listening_socket
from engine.wiring import open_sftp_server
from tests.web.api import Api, bank_number

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


class Harbour(msgspec.Struct, frozen=True):
    """An engine, where its SFTP server is, and the banks' keys: Ed25519 of bank 0 and 2, ECDSA of bank 1."""

    api: Api
    address: SftpAddress
    keys: tuple[PrivateKey, ...]

    @asynccontextmanager
    async def connection(
        self, bank: int, *, key: PrivateKey | None = None, username: str | None = None
    ) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """A connection of a bank, or of somebody who says so."""
        async with asyncssh.connect(
            self.address.host,
            self.address.port,
            username=username if username is not None else bank_number(bank),
            client_keys=[asyncssh.import_private_key(openssh_of(key or self.keys[bank]))],
            known_hosts=([asyncssh.import_public_key(self.address.host_key)], [], []),
            agent_path=None,
            config=None,
        ) as opened:
            yield opened

    @asynccontextmanager
    async def client(self, bank: int = 0) -> AsyncIterator[asyncssh.SFTPClient]:
        """A bank's SFTP session."""
        async with self.connection(bank) as connection, connection.start_sftp_client() as client:
            yield client

    def write_keys(self, folder: Path, bank: int = 0) -> tuple[Path, Path]:
        """A bank's key and the server's, as OpenSSH's client reads them."""
        key, known = folder / "key", folder / "known_hosts"
        key.touch(mode=0o600)
        key.write_bytes(openssh_of(self.keys[bank]))
        known.write_text(f"[{self.address.host}]:{self.address.port} {self.address.host_key}\n")
        return key, known


@asynccontextmanager
async def open_harbour(api: Api) -> AsyncIterator[Harbour]:
    """The SFTP server of *api*'s node."""
    keys: tuple[PrivateKey, ...] = (
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP256R1()),
        ed25519.Ed25519PrivateKey.generate(),
    )
    for n, key in enumerate(keys):
        await add_key(api, api.world.banks[n], key, keyid=f"ssh-{n}")
    async with open_sftp_server(api.node, listening_socket("127.0.0.1", 0)) as address:
        yield Harbour(api, address, keys)


async def add_key(api: Api, bank: BankId, key: PrivateKey, *, keyid: str) -> None:
    """One more key that a bank signs with."""
    alg = "ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else "ecdsa-p256-sha256"
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    sealed = api.node.keyring.seal(public, place=CALLER_KEY_PLACE, nonce=secrets.token_bytes(12))
    record = (keyid, bank, alg, sealed, FIELD_KEY_ID, False)
    await api.sql.copy_records_to_table("caller_key", records=[record])


def openssh_of(key: PrivateKey) -> bytes:
    """The key as OpenSSH keeps it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


class Told(msgspec.Struct, frozen=True):
    """What a bank is told over HTTP of a file that is out."""

    cycle: CycleNumber
    name: str
    content: bytes
    day: str

    @property
    def path(self) -> str:
        """Where it is over SFTP."""
        return f"/outbox/{self.day}/{self.name}"


async def told(api: Api, cycle: CycleNumber, *, bank: int, kind: str = "COLLECT", form: str = "flat") -> Told:
    """A bank's file of a cycle."""
    listed = await api.get(
        f"/v1/clearing/files?cycle={cycle_text(cycle)}&kind={kind}&form={form}", caller=f"bank-{bank}"
    )
    (manifest,) = listed.items
    name = str(manifest["name"])
    content = (await api.get(f"/v1/clearing/files/{name}", caller=f"bank-{bank}")).body
    return Told(cycle, name, content, f"{cycle_date(cycle):%Y%m%d}")
