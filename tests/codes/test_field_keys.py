"""Sealed fields: keys and ciphers follow each other, and whatever was sealed stays readable to nobody else."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.codes import keys
from engine.codes.field_keys import (
    ERASED,
    PERSON_KEY_PLACE,
    Erased,
    FieldCipher,
    FieldKey,
    SealBroken,
    field_header,
    header_of,
    with_key,
)
from engine.codes.hashes import HashAlgorithm
from engine.codes.keys import Keyring

MASTER = bytes(range(32))
PLACE, NONCE = "person.phone", bytes(range(12))
PHONE = b"13800138000"
PERSON_KEY = bytes(range(100, 132))
KEYS = [FieldKey(key_id, cipher) for key_id in (1, 2, 300) for cipher in FieldCipher]


def keyring_of(key: FieldKey, index_hash: HashAlgorithm = HashAlgorithm.SHA256) -> Keyring:
    """A keyring that seals under *key*."""
    keyring = Keyring(MASTER)
    keyring.use(key, index_hash)
    return keyring


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_sealed_text_says_its_key_and_every_keyring_of_the_master_opens_it(key: FieldKey) -> None:
    sealed = keyring_of(key).seal(PHONE, place=PLACE, nonce=NONCE)
    assert header_of(sealed) == (False, key)
    assert sealed.startswith(field_header(key))
    assert keyring_of(KEYS[-1]).unseal(sealed, place=PLACE) == PHONE
    with pytest.raises(SealBroken):
        Keyring(bytes(32)).unseal(sealed, place=PLACE)
    with pytest.raises(SealBroken):
        Keyring(MASTER).unseal(sealed, place="person.name")


def test_no_two_keys_seal_alike() -> None:
    bodies = {keyring_of(key).seal(PHONE, place=PLACE, nonce=NONCE)[6:] for key in KEYS}
    assert len(bodies) == len(KEYS)


@pytest.mark.parametrize("key", KEYS[:2], ids=repr)
def test_every_changed_byte_is_noticed(key: FieldKey) -> None:
    keyring = keyring_of(key)
    sealed = keyring.seal(PHONE, place=PLACE, nonce=NONCE)
    for at in range(len(sealed)):
        for bit in (1, 128):
            changed = bytearray(sealed)
            changed[at] ^= bit
            with pytest.raises(SealBroken):
                keyring.unseal(bytes(changed), place=PLACE)
        with pytest.raises(SealBroken):
            keyring.unseal(sealed[:at], place=PLACE)


@pytest.mark.parametrize("nonce", [NONCE, field_header(KEYS[0]) + bytes(6), field_header(KEYS[3]) + bytes(6)])
def test_text_of_the_time_before_headers_opens_whatever_its_nonce_looks_like(nonce: bytes) -> None:
    oldest = AESGCM(keys._derived(MASTER, b"fields"))
    sealed = nonce + oldest.encrypt(nonce, PHONE, PLACE.encode())
    assert Keyring(MASTER).unseal(sealed, place=PLACE) == PHONE


@pytest.mark.parametrize("cipher", FieldCipher)
def test_what_is_a_person_s_opens_behind_the_person_s_key_only(cipher: FieldCipher) -> None:
    keyring = keyring_of(FieldKey(2, cipher))
    sealed = keyring.seal_for(PERSON_KEY, PHONE, place=PLACE, nonce=NONCE)
    sealed_key = keyring.seal(PERSON_KEY, place=PERSON_KEY_PLACE, nonce=NONCE)
    assert Keyring(MASTER).unseal(with_key(sealed_key, sealed), place=PLACE) == PHONE
    with pytest.raises(Erased):
        keyring.unseal(sealed, place=PLACE)
    with pytest.raises(Erased):
        keyring.unseal(ERASED, place=PLACE)
    other = keyring.seal(bytes(32), place=PERSON_KEY_PLACE, nonce=NONCE)
    with pytest.raises(SealBroken):
        keyring.unseal(with_key(other, sealed), place=PLACE)
    # Who has had no own key when it was sealed may have one by now.
    plain = keyring.seal(PHONE, place=PLACE, nonce=NONCE)
    assert keyring.unseal(with_key(sealed_key, plain), place=PLACE) == PHONE


def test_blind_index_is_the_same_under_every_field_key_and_another_for_each_hash() -> None:
    indexes = {
        (index_hash, keyring_of(key, index_hash).blind_index("110101199003079972"))
        for key in KEYS
        for index_hash in HashAlgorithm
    }
    assert len(indexes) == len({index for _, index in indexes}) == 2
    assert {len(index) for _, index in indexes} == {32}


@pytest.mark.parametrize("junk", [b"", b"\xf5", b"\xf5\xc1", b"\xf5\xc2\xff\xff", b"\xf5\xc2\x00\x00", bytes(300)])
def test_junk_is_broken(junk: bytes) -> None:
    with pytest.raises(SealBroken):
        Keyring(MASTER).unseal(junk, place=PLACE)
