"""Keys derived from the engine's one master secret, and what they do: seal fields, index them, sign."""

import hashlib
import hmac
from contextlib import suppress
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

from engine.codes.field_keys import (
    FIRST_FIELD_KEY,
    NONCE_BYTES,
    PERSON_KEY_PLACE,
    Erased,
    FieldKey,
    Opener,
    SealBroken,
    field_header,
    header_of,
    opened_by,
    opener,
    person_header,
    sealed_by,
    without_key,
)
from engine.codes.hashes import HashAlgorithm, keyed_hash

MASTER_BYTES: Final = 32
FIELD_KEY_ID: Final = 1  # beside what no rotation has been by yet; what a text is sealed under it says itself
DEVICE_KEY_ID: Final = 1  # of the phones' keys; a code in digits does not name one
CALLER_KEY_PLACE: Final = "caller_key.secret"


class Keyring:
    """Everything that follows from the master secret. Its repr shows nothing.

    Of the keys for fields there are as many as are wanted, each derived from the master by its number: every node can
    open everything. Only which one is used for what is sealed from now on has to be told (`use`).
    """

    def __init__(self, master: bytes) -> None:
        """Derive the keys from a master secret of 32 bytes."""
        assert len(master) == MASTER_BYTES, "a master secret has 32 bytes"
        self.device_master = _derived(master, b"pay code devices")
        self.password_pepper = _derived(master, b"card passwords")
        self.field_key = FIRST_FIELD_KEY
        """What is sealed from now on is sealed under it."""
        self.index_hash = HashAlgorithm.SHA256
        """Of the blind indexes: one a database, for as long as it lives."""
        self._index_key = _derived(master, b"blind index")
        self._master = master
        self._openers: dict[FieldKey, Opener] = {}
        self._oldest = AESGCM(_derived(master, b"fields"))

    def use(self, key: FieldKey, index_hash: HashAlgorithm) -> None:
        """Seal under *key* from now on, and find by *index_hash*."""
        self.field_key = key
        self.index_hash = index_hash

    def seal(self, plain: bytes, *, place: str, nonce: bytes) -> bytes:
        """Encrypt one field. *place* (table and column) is bound to it; *nonce* is 12 fresh bytes."""
        key = self.field_key
        return sealed_by(self._opener(key), field_header(key), plain, place=place, nonce=nonce)

    def seal_for(self, person_key: bytes, plain: bytes, *, place: str, nonce: bytes) -> bytes:
        """Encrypt one field under a person's own key of 32 bytes, and nothing else opens it."""
        cipher = self.field_key.cipher
        return sealed_by(opener(cipher, person_key), person_header(cipher), plain, place=place, nonce=nonce)

    def unseal(self, sealed: bytes, *, place: str) -> bytes:
        """Decrypt one field, whichever key and cipher it says; a person's comes behind the person's key (`with_key`).

        Raises:
            Erased: it is a person's, and comes without the key.
            SealBroken: another key, another place, or changed bytes.
        """
        sealed_key, text = without_key(sealed)
        header = header_of(text)
        if header is not None:
            is_persons, key = header
            if is_persons and sealed_key is None:
                raise Erased(place)
            if is_persons:
                person_key = self.unseal(sealed_key or b"", place=PERSON_KEY_PLACE)
                return opened_by(opener(key.cipher, person_key), text, place=place)
            with suppress(SealBroken):
                return opened_by(self._opener(key), text, place=place)
        try:
            return self._oldest.decrypt(text[:NONCE_BYTES], text[NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken(place) from error

    def blind_index(self, plain: str) -> bytes:
        """What an encrypted field is found by: HMAC under a key that nothing is sealed with, so that the table alone
        tells nothing. It does not follow the field keys: an index under another key would find nothing.
        """
        return keyed_hash(self.index_hash, self._index_key, plain.encode())

    def _opener(self, key: FieldKey) -> Opener:
        found = self._openers.get(key)
        if found is None:
            secret = _derived(self._master, b"fields %d %d" % (key.cipher, key.id))
            found = self._openers[key] = opener(key.cipher, secret)
        return found


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
