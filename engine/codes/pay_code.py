"""The payment code that a cardholder's phone shows: 24 digits that prove themselves, without a network.

    91 | refresh 1 | device 11 | one-time value 9 | Luhn 1

The device number is the pseudonym of a registered phone. The phone keeps the key of that device; the
server derives the same key again, so judging a code looks nothing up. The one-time value is
HOTP(key, 10 x step + refresh) with nine digits, where a step is 30 seconds of Unix time; as the refresh
digit is part of the counter, whoever sees a code cannot turn it into a second one.

That a code is good once only is not judged here but by a unique key on (device, step, refresh).

Source: RFC 4226 section 5.3 and RFC 6238, with HMAC-SHA-256 (or HMAC with the SM3 of GB/T 32905) and ten
counters a step; RFC 5869 for the keys; ISO/IEC 7812-1 annex B for the check digit.
"""

import hmac
import re
from typing import Final, Literal, assert_never

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from engine.codes.consumer_qr import KEY_ID_MAX, CodeProof, decode_consumer_qr
from engine.core.refusals import Refusal

Digest = Literal["sha256", "sm3"]

DEVICE_NO_MAX: Final = 10**11 - 1
REFRESH_MAX: Final = 9
MASTER_KEY_BYTES_MIN: Final = 32
STEP_S: Final = 30

STEPS_ACCEPTED: Final = 2  # the current and the previous one: a code lives at most 60 s

# Five minutes before that, a genuine code is told from a guess. The honest latecomer (a queue, a slow
# phone clock) hears "expired, refresh" and may find the attempt among his payments, and nobody is counted
# as guessing. It is bounded since every step tried makes a wrong code dearer to judge, and gives a guess
# one more chance in 10^9 to leave an attempt under a stranger's name. It never pays.
STEPS_EXPIRED: Final = 10

_DEVICE_KEY_INFO: Final = b"ssc pay code device key 1"
_OTP_VALUES: Final = 10**9
_LUHN_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")
_ASCII_ZERO: Final = ord("0")

_SCANNER_ENDING: Final = "\r\n\t"
_AIM_PREFIX: Final = re.compile(r"\][CQ][0-6]")  # Code 128 and QR, the two forms in which we print a code

_PAY_CODE: Final = re.compile(r"91[0-9]{22}")
_FOREIGN_CODE: Final = re.compile(
    r"""
      1[0-5][0-9]{16}               # WeChat: 18 digits
    | (?: 2[5-9] | 30 )[0-9]{14,22} # Alipay: 16 to 24 digits
    | fp[!-~]{33}                   # Alipay: face token of 35 characters
    | 62[0-9]{17}                   # UnionPay: 19 digits
    """,
    re.VERBOSE,
)


class PayCode(msgspec.Struct, frozen=True, kw_only=True):
    """A payment code that is well-formed and not yet judged. It is a secret until it is used."""

    device_no: int
    refresh: int
    otp: int
    text: str  # the 24 digits, in whichever form they were presented
    key_id: int | None = None  # None: presented as digits, which do not say which key they were made with
    proof: CodeProof | None = None  # None: only the engine can tell whether it is genuine

    def __repr__(self) -> str:
        return (
            f"PayCode(device_no={self.device_no}, refresh={self.refresh}, otp=<masked>, text=<masked>,"
            f" key_id={self.key_id})"
        )

    def __rich_repr__(self) -> list[tuple[str, int | None]]:
        return [("device_no", self.device_no), ("refresh", self.refresh), ("key_id", self.key_id)]


def parse_pay_code(presented: str) -> PayCode | Refusal:
    """The code in what a scanner, or a person, handed over; PAY_CODE_FOREIGN or PAY_CODE_MALFORMED else.

    Shape: the 24 digits or the Base64 text of the QR code. What scanners add is taken off: one AIM symbology
    identifier in front (``]C1``, ``]Q3``), CR, LF and TAB behind. Nothing else is forgiven.
    """
    text = presented.rstrip(_SCANNER_ENDING)
    if prefix := _AIM_PREFIX.match(text):
        text = text[prefix.end() :]
    if _PAY_CODE.fullmatch(text):
        return _pay_code(text, key_id=None)
    if _FOREIGN_CODE.fullmatch(text):
        return Refusal.PAY_CODE_FOREIGN
    shown = decode_consumer_qr(text)
    if isinstance(shown, Refusal):
        return shown
    if _PAY_CODE.fullmatch(shown.digits):
        return _pay_code(shown.digits, shown.key_id, shown.proof)
    return Refusal.PAY_CODE_MALFORMED


def judge_pay_code(code: PayCode, key: bytes, at_s: float, digest: Digest = "sha256") -> int | Refusal:
    """The step to which the code belongs, if that is the current or the previous one at *at_s*.

    Exactly: a code made within [30n, 30n + 30) is accepted within [30n, 30n + 60), by the server's clock.
    Of the ten steps before it is PAY_CODE_EXPIRED, and everything else is PAY_CODE_WRONG. A code of the
    next step is wrong as well: a phone whose clock is ahead would otherwise show codes that outlive their
    60 seconds, and that an onlooker could keep for later.

    Units: *at_s* in Unix seconds, not negative; *key* is the `device_key` of ``code.device_no``.
    """
    current = step_at(at_s)
    presented = code.otp.to_bytes(4, "big")
    earliest = max(0, current - STEPS_ACCEPTED - STEPS_EXPIRED + 1)
    for step in range(current, earliest - 1, -1):
        if hmac.compare_digest(presented, _otp(key, step, code.refresh, digest).to_bytes(4, "big")):
            return step if current - step < STEPS_ACCEPTED else Refusal.PAY_CODE_EXPIRED
    return Refusal.PAY_CODE_WRONG


def pay_code_at(key: bytes, device_no: int, refresh: int, at_s: float, digest: Digest = "sha256") -> str:
    """The 24 digits that the phone with this device number and key shows at *at_s*.

    Raises:
        ValueError: a device number or a refresh digit out of range.
    """
    _require_device_no(device_no)
    if not 0 <= refresh <= REFRESH_MAX:
        raise ValueError(f"refresh digit {refresh} is outside 0..{REFRESH_MAX}")
    body = f"91{refresh}{device_no:011d}{_otp(key, step_at(at_s), refresh, digest):09d}"
    return f"{body}{-_luhn_sum(body + '0') % 10}"


def device_key(master: bytes, key_id: int, device_no: int) -> bytes:
    """The 32-byte key that the phone with this device number was given under this master key.

    It is HKDF-Expand with SHA-256 (RFC 5869 section 2.3) of the master key, which must be 32 random bytes or
    more, with ``"ssc pay code device key 1" | key id, 2 bytes | device number, 5 bytes`` as info. One block
    is asked for, so that the expansion is one HMAC over the info and a byte of 1.

    Raises:
        ValueError: a master key too short, a key id or a device number out of range.
    """
    if len(master) < MASTER_KEY_BYTES_MIN:
        raise ValueError(f"a master key has {MASTER_KEY_BYTES_MIN} bytes or more, not {len(master)}")
    if not 0 <= key_id <= KEY_ID_MAX:
        raise ValueError(f"key id {key_id} is outside 0..{KEY_ID_MAX}")
    _require_device_no(device_no)
    info = _DEVICE_KEY_INFO + key_id.to_bytes(2, "big") + device_no.to_bytes(5, "big")
    return hmac.digest(master, info + b"\x01", "sha256")


def step_at(at_s: float) -> int:
    """The number of the 30-second step that contains this Unix time."""
    assert at_s >= 0, "a Unix time is not negative"
    return int(at_s // STEP_S)


def _pay_code(digits: str, key_id: int | None, proof: CodeProof | None = None) -> PayCode | Refusal:
    if _luhn_sum(digits) % 10:
        return Refusal.PAY_CODE_MALFORMED
    return PayCode(
        refresh=int(digits[2]),
        device_no=int(digits[3:14]),
        otp=int(digits[14:23]),
        text=digits,
        key_id=key_id,
        proof=proof,
    )


def _luhn_sum(digits: str) -> int:
    """Sum of an even number of digits, where every other one, from the first on, counts its double."""
    content = digits.encode("ascii")
    doubled = content[::2].translate(_LUHN_DOUBLED)
    return sum(doubled) + sum(content[1::2]) - _ASCII_ZERO * len(content)


def _otp(key: bytes, step: int, refresh: int, digest: Digest) -> int:
    mac = _mac(key, (10 * step + refresh).to_bytes(8, "big"), digest)
    offset = mac[-1] & 0x0F  # RFC 4226 says byte 19, the last one of SHA-1
    return (int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF) % _OTP_VALUES


def _mac(key: bytes, message: bytes, digest: Digest) -> bytes:
    match digest:
        case "sha256":
            return hmac.digest(key, message, "sha256")
        case "sm3":
            # Not from hashlib: whether it has SM3 depends on how the OpenSSL of the machine was built.
            sm3 = HMAC(key, hashes.SM3())
            sm3.update(message)
            return sm3.finalize()
        case _:
            assert_never(digest)


def _require_device_no(device_no: int) -> None:
    if not 0 <= device_no <= DEVICE_NO_MAX:
        raise ValueError(f"device number {device_no} is outside 0..{DEVICE_NO_MAX}")
