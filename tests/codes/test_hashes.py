"""Hashes and ciphers by name, against their standards' own examples."""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from engine.codes.field_keys import FieldCipher, opener
from engine.codes.hashes import HashAlgorithm, hash_of, keyed_hash


def test_sm3_of_the_standard_s_examples() -> None:
    """GB/T 32905-2016, appendix A."""
    assert hash_of(HashAlgorithm.SM3, b"abc").hex() == (
        "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    )
    assert hash_of(HashAlgorithm.SM3, b"abcd" * 16).hex() == (
        "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    )


@pytest.mark.parametrize("algorithm", HashAlgorithm)
@pytest.mark.parametrize("key", [b"k", b"k" * 64, b"k" * 65])
def test_keyed_hash_is_hmac(algorithm: HashAlgorithm, key: bytes) -> None:
    block = (key if len(key) <= 64 else hash_of(algorithm, key)).ljust(64, b"\0")
    inner = hash_of(algorithm, bytes(byte ^ 0x36 for byte in block) + b"message")
    assert keyed_hash(algorithm, key, b"message") == hash_of(algorithm, bytes(byte ^ 0x5C for byte in block) + inner)


def test_sha256_is_the_usual_one() -> None:
    assert hash_of(HashAlgorithm.SHA256, b"abc") == hashlib.sha256(b"abc").digest()
    assert keyed_hash(HashAlgorithm.SHA256, b"key", b"abc") == hmac.digest(b"key", b"abc", "sha256")


def test_sm4_of_the_standard_s_example() -> None:
    """GB/T 32907-2016, appendix A: the block cipher that SM4-GCM is made of."""
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    encryptor = Cipher(algorithms.SM4(key), modes.ECB()).encryptor()  # noqa: S305  # the example is one block
    assert encryptor.update(key).hex() == "681edf34d206965e86b3e94f536e4246"


def test_sm4_gcm_of_its_rfc_s_example() -> None:
    """RFC 8998, appendix A.1."""
    key = bytes.fromhex("0123456789abcdeffedcba9876543210")
    plain = bytes.fromhex("".join(letter * 16 for letter in "ABCDEFEA"))
    sealed = opener(FieldCipher.SM4_GCM, key + bytes(16)).encrypt(
        bytes.fromhex("00001234567800000000abcd"), plain, bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    )
    assert sealed.hex() == (
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
        "83de3541e4c2b58177e065a9bf7b62ec"
    )
