"""The keys of the sandbox's banks as OpenSSH's client reads them: `ssh/NAME`, and `ssh/known_hosts` beside them."""

import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from engine.codes.http_signature import Algorithm
from engine.sandbox.guide import SandboxGuide, SandboxSftp

FOLDER_NAME: Final = "ssh"
KNOWN_HOSTS: Final = "known_hosts"


def write_ssh_keys(data_dir: Path, guide: SandboxGuide) -> Path | None:
    """Write the banks' private keys, each readable by its owner only: OpenSSH takes no other. Returns their folder.

    They are the keys that the banks sign requests with. None, and nothing is written, where there is no SFTP server.
    """
    if guide.sftp is None:
        return None
    folder = data_dir / FOLDER_NAME
    folder.mkdir(mode=0o700, exist_ok=True)
    for caller in guide.callers:
        if caller.kind == "bank" and caller.alg == Algorithm.ED25519:
            _write(folder / caller.name, openssh_key(caller.key))
    _write(folder / KNOWN_HOSTS, known_host(guide.sftp).encode())
    return folder


def openssh_key(pem: str) -> bytes:
    """A private key in PKCS 8 as OpenSSH keeps it."""
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def known_host(sftp: SandboxSftp) -> str:
    """The server's line of a known_hosts file."""
    return f"[{sftp.host}]:{sftp.port} {sftp.host_key}\n"


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
        opened.write(content)
    fresh.replace(path)
