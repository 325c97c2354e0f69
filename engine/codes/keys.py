"""Keys derived from the engine's one master secret, and what they do: seal fields, index them, sign."""

import hashlib
import hmac
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

MASTER_BYTES: Final = 32
FIELD_KEY_ID: Final = 1
DEVICE_KEY_ID: Final = 1  # of the phones' keys; a code in digits does not name one
CALLER_KEY_PLACE: Final = "caller_key.secret"
_NONCE_BYTES: Final = 12


class SealBroken(ValueError):
    """The bytes were not sealed with this key for this place."""


class Keyring:
    """Everything that follows from the master secret. Its repr shows nothing."""

    def __init__(self, master: bytes) -> None:
        """Derive the keys from a master secret of 32 bytes."""
        assert len(master) == MASTER_BYTES, "a master secret has 32 bytes"
        self.device_master = _derived(master, b"pay code devices")
        self.password_pepper = _derived(master, b"card passwords")
        self._index_key = _derived(master, b"blind index")
        self._cipher = AESGCM(_derived(master, b"fields"))

    def seal(self, plain: bytes, *, place: str, nonce: bytes) -> bytes:
        """Encrypt one field (AES-256-GCM). *place* (table and column) is bound to it; *nonce* is 12 fresh bytes."""
        assert len(nonce) == _NONCE_BYTES
        return nonce + self._cipher.encrypt(nonce, plain, place.encode())

    def unseal(self, sealed: bytes, *, place: str) -> bytes:
        """Decrypt one field.

        Raises:
            SealBroken: another key, another place, or changed bytes.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken(place) from error

    def blind_index(self, plain: str) -> bytes:
        """What an encrypted field is found by: HMAC-SHA-256, so that the table alone tells nothing."""
        return hmac.digest(self._index_key, plain.encode(), hashlib.sha256)


class SigningKey(msgspec.Struct, frozen=True):
    """The engine's own Ed25519 key: seals, clearing files."""

    key_id: str
    private: Ed25519PrivateKey

    def sign(self, message: bytes) -> bytes:
        """The signature over *message*, 64 bytes (RFC 8032)."""
        return self.private.sign(message)

    @property
    def public_bytes(self) -> bytes:
        """The public key, 32 bytes."""
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def to_der(self) -> bytes:
        """PKCS 8, not encrypted: seal it before it is stored."""
        return self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def signing_key_of(key_id: str, der: bytes) -> SigningKey:
    """Read a key that `SigningKey.to_der` wrote."""
    private = load_der_private_key(der, None)
    assert isinstance(private, Ed25519PrivateKey)
    return SigningKey(key_id, private)


def _derived(master: bytes, purpose: bytes) -> bytes:
    """HKDF's expand step for one block (RFC 5869, section 2.3); the master is random, so it needs no extract step."""
    return hmac.digest(master, purpose + b"\1", hashlib.sha256)
