"""Ids: 128 time-ordered bits that say their kind, their region and their lane's shard.

Layout, most significant first: milliseconds since 1970 (48), shard (8), kind (8), region (20), entropy (44).
The shard of everything that belongs to a payer is the payer's, so that all of it reaches one lane.
The text form is a prefix and 26 characters of lower-case Crockford base32.
"""

import base64
import enum
from typing import Final, NewType

PaymentId = NewType("PaymentId", bytes)
RefundId = NewType("RefundId", bytes)
CardId = NewType("CardId", bytes)
MerchantId = NewType("MerchantId", bytes)
BankId = NewType("BankId", bytes)
AgencyId = NewType("AgencyId", bytes)
DisbursementId = NewType("DisbursementId", bytes)
DisbursementLineId = NewType("DisbursementLineId", bytes)
OrderId = NewType("OrderId", bytes)
QuoteId = NewType("QuoteId", bytes)
CallerId = NewType("CallerId", bytes)
PersonId = NewType("PersonId", bytes)
SignNo = NewType("SignNo", bytes)
RelativeId = NewType("RelativeId", bytes)

SHARD_COUNT: Final = 256
ENTROPY_BITS: Final = 44
REGION_MAX: Final = 999_999
NO_ID: Final = bytes(16)

_DEVICES_PER_SHARD: Final = 10**8
_SHARD_AT: Final = 6
_KIND_AT: Final = 7
_RFC4648: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_CROCKFORD: Final = b"0123456789abcdefghjkmnpqrstvwxyz"
_FROM_CROCKFORD: Final = bytes.maketrans(_CROCKFORD, _RFC4648)
_TEXT_LENGTH: Final = 26
_PAD_CHARS: Final = 6  # four zero bytes in front make the 128 bits end on a base32 boundary
_ALPHABET: Final = frozenset(_CROCKFORD)


class IdKind(enum.IntEnum):
    """What an id names. The number is in the id; the name in lower case is never shown."""

    PAYMENT = 1
    REFUND = 2
    MERCHANT = 3
    CARD = 4
    BANK = 5
    CHANNEL = 6
    AGENCY = 7
    OPERATOR = 8
    EVENT = 9
    APPROVAL = 10
    UPLOAD = 20
    RECONCILIATION = 21
    DISBURSEMENT = 30
    DISBURSEMENT_LINE = 31
    BILL = 32
    ORDER = 40
    WEBHOOK_ENDPOINT = 50
    RISK_DECISION = 60
    QUOTE = 70
    PERSON = 80
    SIGN = 81
    RELATIVE = 82
    CONSENT = 90
    GRANT = 91
    APPLICATION = 92
    VERIFICATION = 93
    ADMISSION = 94
    CERTIFICATION = 95
    PASSKEY = 96
    LOGIN = 97
    LOGIN_CLIENT = 98
    STOP_ORDER = 99
    CONFORMANCE_RUN = 100
    LOCAL_PLATFORM = 101


PREFIXES: Final = {
    IdKind.PAYMENT: "pay_",
    IdKind.REFUND: "ref_",
    IdKind.MERCHANT: "mer_",
    IdKind.CARD: "card_",
    IdKind.BANK: "bank_",
    IdKind.CHANNEL: "chan_",
    IdKind.AGENCY: "agc_",
    IdKind.OPERATOR: "opr_",
    IdKind.EVENT: "evt_",
    IdKind.APPROVAL: "apr_",
    IdKind.UPLOAD: "upl_",
    IdKind.RECONCILIATION: "rcn_",
    IdKind.DISBURSEMENT: "dsb_",
    IdKind.DISBURSEMENT_LINE: "dsl_",
    IdKind.BILL: "bil_",
    IdKind.ORDER: "ord_",
    IdKind.WEBHOOK_ENDPOINT: "whe_",
    IdKind.RISK_DECISION: "rsk_",
    IdKind.QUOTE: "quo_",
    IdKind.PERSON: "per_",
    IdKind.SIGN: "sgn_",
    IdKind.RELATIVE: "rel_",
    IdKind.CONSENT: "con_",
    IdKind.GRANT: "grt_",
    IdKind.APPLICATION: "app_",
    IdKind.VERIFICATION: "ver_",
    IdKind.ADMISSION: "adm_",
    IdKind.CERTIFICATION: "crt_",
    IdKind.PASSKEY: "pky_",
    IdKind.LOGIN: "log_",
    IdKind.LOGIN_CLIENT: "cli_",
    IdKind.STOP_ORDER: "sto_",
    IdKind.CONFORMANCE_RUN: "cfr_",
    IdKind.LOCAL_PLATFORM: "lpf_",
}


_PREFIX_OF: Final = {int(kind): prefix for kind, prefix in PREFIXES.items()}
_PAIRS: Final = tuple(chr(first) + chr(second) for first in _CROCKFORD for second in _CROCKFORD)
_SHIFTS: Final = tuple(range(120, -1, -10))


class MalformedId(ValueError):
    """The text is not an id of the wanted kind."""


def make_id(kind: IdKind, *, at_ms: int, shard: int, region: int, entropy: int) -> bytes:
    """Compose an id of 16 bytes.

    Units: *at_ms* milliseconds since 1970; *entropy* below 2**44.
    """
    assert 0 <= region <= REGION_MAX, "a region has six digits"
    tail = (region << ENTROPY_BITS) | entropy
    return ((at_ms << 80) | (shard << 72) | (kind << 64) | tail).to_bytes(16, "big")


def shard_of(identifier: bytes) -> int:
    """The shard that the id carries, 0..255."""
    return identifier[_SHARD_AT]


def device_number(shard: int, serial: int) -> int:
    """The number of a card's phone, eleven digits: three of its card's shard, so that paying finds the lane without a
    look-up, and eight of its own.
    """
    assert 0 <= serial < _DEVICES_PER_SHARD, "eight digits"
    return shard * _DEVICES_PER_SHARD + serial


def device_shard(device_no: int) -> int:
    """The shard of the card whose phone this is."""
    return device_no // _DEVICES_PER_SHARD % SHARD_COUNT


def device_serial(device_no: int) -> int:
    """The phone's own eight digits."""
    return device_no % _DEVICES_PER_SHARD


def kind_number(identifier: bytes) -> int:
    """The id's kind as a number; `core.accounts` keeps its own kinds in the same byte."""
    return identifier[_KIND_AT]


def region_of(identifier: bytes) -> int:
    """The six-digit region (GB/T 2260) that the id carries."""
    return int.from_bytes(identifier[8:], "big") >> ENTROPY_BITS


def at_ms_of(identifier: bytes) -> int:
    """When the id was made, in milliseconds since 1970."""
    return int.from_bytes(identifier[:6], "big")


def with_kind_number(identifier: bytes, kind: int) -> bytes:
    """The same id with another kind."""
    return identifier[:_KIND_AT] + bytes((kind,)) + identifier[_KIND_AT + 1 :]


def id_text(identifier: bytes) -> str:
    """The id as it is written outside, prefix included."""
    number = int.from_bytes(identifier)
    # Ten bits at a time from a table: an id is written into every answer and every line of a file.
    return _PREFIX_OF[identifier[_KIND_AT]] + "".join(
        [_PAIRS[number >> shift & 0x3FF] for shift in _SHIFTS],
    )


def parse_id(text: str, kind: IdKind) -> bytes:
    """Read an id of the wanted kind.

    Raises:
        MalformedId: another kind's prefix, a wrong length or a character that is not in the alphabet.
    """
    prefix = PREFIXES[kind]
    coded = text[len(prefix) :].encode("utf-8", "replace")
    if not text.startswith(prefix) or len(coded) != _TEXT_LENGTH or not _ALPHABET.issuperset(coded):
        raise MalformedId(f"not an id that starts with {prefix}")
    padded = b"A" * _PAD_CHARS + coded.translate(_FROM_CROCKFORD)
    raw = base64.b32decode(padded)
    if raw[:4] != b"\0\0\0\0" or raw[4 + _KIND_AT] != kind:
        raise MalformedId(f"not an id that starts with {prefix}")
    return raw[4:]
