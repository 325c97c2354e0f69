"""Hashes by name, for what says which one it was made with: SHA-256, and SM3 where Chinese algorithms are wanted."""

import enum
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import hmac as keyed

DIGEST_BYTES: Final = 32


class HashAlgorithm(enum.IntEnum):
    """A hash of 32 bytes. The number is stored with what it was used for."""

    SHA256 = 1  # FIPS 180-4
    SM3 = 2  # GB/T 32905-2016


def _sha256(message: bytes) -> bytes:
    return hashlib.sha256(message).digest()


def _sm3(message: bytes) -> bytes:
    hashing = hashes.Hash(hashes.SM3())
    hashing.update(message)
    return hashing.finalize()


_HASHES: Final[Mapping[HashAlgorithm, Callable[[bytes], bytes]]] = {
    HashAlgorithm.SHA256: _sha256,
    HashAlgorithm.SM3: _sm3,
}


def hash_of(algorithm: HashAlgorithm, message: bytes) -> bytes:
    """The hash of *message*, 32 bytes."""
    return _HASHES[algorithm](message)


def keyed_hash(algorithm: HashAlgorithm, key: bytes, message: bytes) -> bytes:
    """HMAC (RFC 2104) with the hash, 32 bytes."""
    if algorithm is HashAlgorithm.SHA256:
        return hmac.digest(key, message, hashlib.sha256)
    mac = keyed.HMAC(key, hashes.SM3())
    mac.update(message)
    return mac.finalize()
