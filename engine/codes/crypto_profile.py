"""Which algorithms are used for what is sealed and hashed from now on; what is there says itself how it was made."""

from collections.abc import Mapping
from typing import Final

import msgspec

from engine.codes.field_keys import FieldCipher
from engine.codes.hashes import HashAlgorithm


class CryptoProfile(msgspec.Struct, frozen=True):
    """A cipher for fields; a hash for the audit trail, and for the blind indexes of a database that has none yet."""

    cipher: FieldCipher
    hash: HashAlgorithm


CRYPTO_PROFILES: Final[Mapping[str, CryptoProfile]] = {
    "international": CryptoProfile(FieldCipher.AES_256_GCM, HashAlgorithm.SHA256),
    "sm": CryptoProfile(FieldCipher.SM4_GCM, HashAlgorithm.SM3),
}
"""By the name that the setting has."""
