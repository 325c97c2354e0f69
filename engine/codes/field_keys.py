"""Sealed fields: what stands before a sealed text, and the keys that open it.

A sealed text says itself which key and which cipher it was sealed with, so keys and ciphers can follow each other while
everything stays readable. There are three forms:

    nonce, cipher text                      the oldest: field key 1, AES-256-GCM, and no header
    header, nonce, cipher text              under the field key that the header names
    header, nonce, cipher text              under a person's own key, which the header says; it does not open by itself,
                                            but put behind that key, as it is sealed under a field key: a `with_key`

A text without a header can begin like one by chance; what decides is which of the two opens.
"""

import enum
from struct import Struct
from typing import Final, TypeAlias

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES: Final = 12
PERSON_KEY_BYTES: Final = 32
PERSON_KEY_PLACE: Final = "person_key.secret"

_HEADER: Final = Struct(">HBBH")  # what tells it from a nonce, form, cipher, key id
_WITH_KEY: Final = Struct(">HH")  # the same, length of the sealed key
_MARK: Final = 0xF5C1
_MARK_WITH_KEY: Final = 0xF5C2
_OF_FIELD: Final = 1
_OF_PERSON: Final = 2
_TAG_BYTES: Final = 16
_SM4_KEY_BYTES: Final = 16


class SealBroken(ValueError):
    """The bytes were not sealed with this key for this place."""


class Erased(SealBroken):
    """The bytes were sealed with a person's own key, and that is not there, or not any more."""


class FieldCipher(enum.IntEnum):
    """An authenticated cipher with nonces of 12 bytes. The number is in what it has sealed."""

    AES_256_GCM = 1  # NIST SP 800-38D
    SM4_GCM = 2  # RFC 8998; GB/T 32907-2016


class FieldKey(msgspec.Struct, frozen=True):
    """A key that fields are sealed under, by its number, and the cipher that it is for. The key itself is derived."""

    id: int
    cipher: FieldCipher


FIRST_FIELD_KEY: Final = FieldKey(1, FieldCipher.AES_256_GCM)


class _Sm4Gcm:
    """SM4-GCM, with the two methods of AES-GCM that are used here."""

    def __init__(self, key: bytes) -> None:
        self._key = algorithms.SM4(key)

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """The cipher text and its tag."""
        encryptor = Cipher(self._key, modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated_data)
        return encryptor.update(data) + encryptor.finalize() + encryptor.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """The plain text.

        Raises:
            InvalidTag: another key, or changed bytes.
        """
        if len(data) < _TAG_BYTES:
            raise InvalidTag
        decryptor = Cipher(self._key, modes.GCM(nonce, data[-_TAG_BYTES:])).decryptor()
        decryptor.authenticate_additional_data(associated_data)
        return decryptor.update(data[:-_TAG_BYTES]) + decryptor.finalize()


Opener: TypeAlias = "AESGCM | _Sm4Gcm"


def opener(cipher: FieldCipher, key: bytes) -> Opener:
    """What encrypts and decrypts with a key of 32 bytes; SM4 takes its first half."""
    return AESGCM(key) if cipher is FieldCipher.AES_256_GCM else _Sm4Gcm(key[:_SM4_KEY_BYTES])


def field_header(key: FieldKey) -> bytes:
    """What stands before everything that is sealed under a field key."""
    return _HEADER.pack(_MARK, _OF_FIELD, key.cipher, key.id)


def person_header(cipher: FieldCipher) -> bytes:
    """What stands before everything that is sealed under a person's own key."""
    return _HEADER.pack(_MARK, _OF_PERSON, cipher, 0)


ERASED: Final = person_header(FieldCipher.AES_256_GCM)
"""What stands in place of a text that nobody is to read again."""


def with_key(sealed_key: bytes, sealed: bytes) -> bytes:
    """A person's text, put behind the person's key, which is sealed itself."""
    return _WITH_KEY.pack(_MARK_WITH_KEY, len(sealed_key)) + sealed_key + sealed


def without_key(sealed: bytes) -> tuple[bytes | None, bytes]:
    """A sealed key and the text behind it, if *sealed* is such a pair; else None and *sealed*."""
    if len(sealed) < _WITH_KEY.size:
        return None, sealed
    mark, length = _WITH_KEY.unpack_from(sealed)
    at = _WITH_KEY.size + length
    if mark != _MARK_WITH_KEY or len(sealed) < at:
        return None, sealed
    return sealed[_WITH_KEY.size : at], sealed[at:]


def header_of(sealed: bytes) -> tuple[bool, FieldKey] | None:
    """Whether *sealed* is a person's, and the key and cipher that its header names. None: it has no header."""
    if len(sealed) < _HEADER.size:
        return None
    mark, form, cipher, key_id = _HEADER.unpack_from(sealed)
    if mark != _MARK or form not in (_OF_FIELD, _OF_PERSON) or cipher not in frozenset(FieldCipher):
        return None
    return form == _OF_PERSON, FieldKey(key_id, FieldCipher(cipher))


def sealed_by(opening: Opener, header: bytes, plain: bytes, *, place: str, nonce: bytes) -> bytes:
    """The sealed text; header and place are bound to it."""
    assert len(nonce) == NONCE_BYTES
    return header + nonce + opening.encrypt(nonce, plain, header + place.encode())


def opened_by(opening: Opener, sealed: bytes, *, place: str) -> bytes:
    """The plain text of what `sealed_by` made.

    Raises:
        SealBroken: another key, another place, or changed bytes.
    """
    header, rest = sealed[: _HEADER.size], sealed[_HEADER.size :]
    try:
        return opening.decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], header + place.encode())
    except (InvalidTag, ValueError) as error:
        raise SealBroken(place) from error
