"""Well-formed numbers of people, cards and banks: each is a body and the check character of its standard."""

from datetime import date
from typing import Final

from engine.sandbox.draws import scattered

_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS: Final = "10X98765432"
_CARD_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
_CARD_CHECKS: Final = "0X987654321"  # eleven minus the remainder, where ten is X and eleven is 0

CARD_NUMBERS_MAX: Final = 10_000_000
PHONES_MAX: Final = 100_000_000


def id_number(*, region: int, born_on: date, sequence: int) -> str:
    """The citizen ID number, which is also the social security number.

    Shape: 18 characters: region 6, birth date 8, sequence 3 (odd for men, even for women), check 1.
    Source: GB 11643-1999.
    """
    body = f"{region:06d}{born_on:%Y%m%d}{sequence:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(body, _ID_WEIGHTS, strict=True))
    return body + _ID_CHECKS[total % 11]


def card_number(body: str) -> str:
    """The number printed on a physical social security card.

    Shape: the eight digits or capitals of *body*, and a check character.
    Source: the check of GB 11714, which card numbers follow.
    """
    total = sum(int(char, 36) * weight for char, weight in zip(body, _CARD_WEIGHTS, strict=True))
    return body + _CARD_CHECKS[total % 11]


def bank_number(*, bank_class: int, area: int, serial: int) -> str:
    """The CNAPS bank number (联行号).

    Shape: 12 digits: class of bank 3, area 4, serial 4, check 1.
    Source: the check is ISO 7064 MOD 11,10, found by comparing with published bank numbers; all of 56 agreed.
    """
    body = f"{bank_class:03d}{area:04d}{serial:04d}"
    product = 10
    for digit in body:
        product = ((product + int(digit)) % 10 or 10) * 2 % 11
    return f"{body}{(11 - product) % 10}"


def sample_card_number(index: int, *, offset: int) -> str:
    """The card number of the sample cardholder *index*, different from all others."""
    return card_number(f"Z{scattered(index, size=CARD_NUMBERS_MAX, offset=offset):07d}")


def sample_phone(index: int, *, offset: int) -> str:
    """The phone number of the sample cardholder *index*: eleven digits that ring nobody's phone.

    Numbers that begin with 154 were never given to an operator.
    """
    return f"154{scattered(index, size=PHONES_MAX, offset=offset):08d}"
