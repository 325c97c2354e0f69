"""What the server proves itself with, and how keys of requests and of SSH are the same keys."""

from typing import Final

import asyncssh
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from engine.codes.http_signature import Algorithm
from engine.codes.keys import FIELD_KEY_ID, Keyring
from engine.flows.clock import IdSource
from engine.store.sftp_access import BankKey, SftpAccess

HOST_KEY_PLACE: Final = "sftp_host_key.secret"
SSH_ALGORITHMS: Final = frozenset((Algorithm.ED25519, Algorithm.ECDSA_P256_SHA256))
"""A shared secret is no SSH key: a bank that has nothing else signs its requests and cannot come in."""


async def host_key(access: SftpAccess, keyring: Keyring, ids: IdSource) -> asyncssh.SSHKey:
    """The server's key; a database without one gets one, whatever the number of nodes that ask at once.

    Raises:
        Fault: the database cannot answer.
        SealBroken: it was sealed with another master secret.
    """
    sealed = await access.host_key()
    if sealed is None:
        fresh = Ed25519PrivateKey.generate().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        sealed = keyring.seal(fresh, place=HOST_KEY_PLACE, nonce=ids.nonce())
        await access.insert_host_key(sealed, field_key_id=FIELD_KEY_ID)
        sealed = await access.host_key()
        assert sealed is not None, "a host key is never deleted"
    return asyncssh.import_private_key(keyring.unseal(sealed, place=HOST_KEY_PLACE))


def public_key_line(key: asyncssh.SSHKey) -> str:
    """The public half as OpenSSH writes it in one line, without a comment."""
    return " ".join(key.export_public_key("openssh").decode().split()[:2])


def ssh_key_of(key: BankKey, keyring: Keyring, *, place: str) -> bytes | None:
    """The public half of a bank's key as SSH sends it; None if it is a shared secret."""
    if Algorithm(key.alg) not in SSH_ALGORITHMS:
        return None
    return asyncssh.import_public_key(keyring.unseal(key.sealed, place=place)).public_data
