"""A payment code and the key behind it are made exactly as published, so that any phone can make them."""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codes.pay_code import DEVICE_NO_MAX, device_key, pay_code_at
from tests.codes.pay_code_builders import DEVICE_NO, KEY, MASTER, NOON_S, SHOWN_AT_NOON, with_check_digit

PROPERTY = settings(deadline=None)


# RFC 6238, appendix B, SHA-256: a counter and the value of eight digits, which ours of nine ends in.
@pytest.mark.parametrize(
    ("counter", "value"),
    [
        (0x0000000000000001, "46119246"),
        (0x00000000023523EC, "68084774"),
        (0x00000000023523ED, "67062674"),
        (0x000000000273EF07, "91819424"),
        (0x0000000003F940AA, "90698825"),
        (0x0000000027BC86AA, "77737706"),
    ],
)
def test_one_time_value_is_that_of_the_standard(counter: int, value: str) -> None:
    step, refresh = divmod(counter, 10)
    key = b"12345678901234567890123456789012"
    assert pay_code_at(key, DEVICE_NO, refresh, 30.0 * step)[15:23] == value


def hotp(mac: bytes) -> str:
    """RFC 4226, section 5.4, with nine digits."""
    offset = mac[-1] & 0xF
    value = (
        (mac[offset] & 0x7F) << 24 | mac[offset + 1] << 16 | mac[offset + 2] << 8 | mac[offset + 3]
    ) % 1_000_000_000
    return str(value).zfill(9)


def hmac_sm3(key: bytes, message: bytes) -> bytes:
    """RFC 2104, section 2, for keys within one block of 64 bytes."""

    def sm3(content: bytes) -> bytes:
        digest = hashes.Hash(hashes.SM3())
        digest.update(content)
        return digest.finalize()

    block = key.ljust(64, b"\0")
    inner = sm3(bytes(byte ^ 0x36 for byte in block) + message)
    return sm3(bytes(byte ^ 0x5C for byte in block) + inner)


@PROPERTY
@given(
    key=st.binary(min_size=32, max_size=32),
    device_no=st.integers(0, DEVICE_NO_MAX),
    refresh=st.integers(0, 9),
    step=st.integers(0, 2**33),
)
def test_code_is_made_as_published(key: bytes, device_no: int, refresh: int, step: int) -> None:
    counter = (10 * step + refresh).to_bytes(8, "big")
    shown = f"91{refresh}{device_no:011d}"
    with_sha256 = with_check_digit(shown + hotp(hmac.new(key, counter, hashlib.sha256).digest()))
    with_sm3 = with_check_digit(shown + hotp(hmac_sm3(key, counter)))
    assert pay_code_at(key, device_no, refresh, 30.0 * step) == with_sha256
    assert pay_code_at(key, device_no, refresh, 30.0 * step, "sm3") == with_sm3


def test_sm3_used_for_comparison_is_sm3() -> None:
    published = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    digest = hashes.Hash(hashes.SM3())
    digest.update(b"abc")
    assert digest.finalize().hex() == published


def test_code_of_a_known_key_never_changes() -> None:
    assert KEY.hex() == "3cacd3198cfa0651821e4f375a27da0b0de7ac1390c2ee23b8b299b736f1c507"
    assert pay_code_at(KEY, DEVICE_NO, 7, NOON_S) == SHOWN_AT_NOON


@PROPERTY
@given(
    master=st.binary(min_size=32, max_size=64),
    key_id=st.integers(0, 0xFFFF),
    device_no=st.integers(0, DEVICE_NO_MAX),
)
def test_device_key_is_hkdf_expand(master: bytes, key_id: int, device_no: int) -> None:
    info = b"ssc pay code device key 1" + key_id.to_bytes(2, "big") + device_no.to_bytes(5, "big")
    assert device_key(master, key_id, device_no) == HKDFExpand(hashes.SHA256(), 32, info).derive(master)


def test_each_device_and_key_id_has_a_key_of_its_own() -> None:
    keys = {device_key(MASTER, key_id, device_no) for key_id in (0, 1, 256) for device_no in (0, 1, 256)}
    assert len(keys) == 9


@pytest.mark.parametrize("device_no", [-1, 10**11])
def test_device_number_out_of_range_is_an_error(device_no: int) -> None:
    with pytest.raises(ValueError, match=f"device number {device_no} is outside"):
        pay_code_at(KEY, device_no, 0, NOON_S)
    with pytest.raises(ValueError, match=f"device number {device_no} is outside"):
        device_key(MASTER, 1, device_no)


@pytest.mark.parametrize("refresh", [-1, 10])
def test_refresh_digit_out_of_range_is_an_error(refresh: int) -> None:
    with pytest.raises(ValueError, match=f"refresh digit {refresh} is outside"):
        pay_code_at(KEY, DEVICE_NO, refresh, NOON_S)


@pytest.mark.parametrize("key_id", [-1, 0x10000])
def test_key_id_out_of_range_is_an_error(key_id: int) -> None:
    with pytest.raises(ValueError, match=f"key id {key_id} is outside"):
        device_key(MASTER, key_id, DEVICE_NO)


def test_short_master_key_is_an_error() -> None:
    with pytest.raises(ValueError, match="32 bytes or more, not 31"):
        device_key(MASTER[:-1], 1, DEVICE_NO)
