"""Citizens' ID numbers, which are their social security numbers too: what one is, and what it says of its person."""

import re
from datetime import date
from typing import Final, Literal

import msgspec

Sex = Literal["male", "female"]

ID_NUMBER_CHARS: Final = 18
BORN_FIRST_ON: Final = date(1850, 1, 1)
"""Whoever was born before that is not alive: the date is a slip of the pen."""

PROVINCES: Final = frozenset(
    {
        *(11, 12, 13, 14, 15),
        *(21, 22, 23),
        *(31, 32, 33, 34, 35, 36, 37),
        *(41, 42, 43, 44, 45, 46),
        *(50, 51, 52, 53, 54),
        *(61, 62, 63, 64, 65),
        *(71, 81, 82, 83),
    }
)
"""The first two digits of GB/T 2260; 83 is for residents from Taiwan, who have numbers like everybody's."""

_WITHOUT_CITIES: Final = frozenset({71, 81, 82, 83})
_NEW: Final = re.compile(r"[0-9]{17}[0-9Xx]", re.ASCII)
_OLD: Final = re.compile(r"[0-9]{15}", re.ASCII)
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10X98765432"
_CENTURY_OF_OLD: Final = "19"


class IdNumber(msgspec.Struct, frozen=True):
    """A number that can be somebody's. Its repr does not show it."""

    text: str  # eighteen characters, the last a digit or X

    def __repr__(self) -> str:
        return "IdNumber(<masked>)"

    @property
    def region(self) -> int:
        """Where it was given out, by the code of GB/T 2260 that the place had then."""
        return int(self.text[:6])

    @property
    def born_on(self) -> date:
        """The birth date."""
        return _date_of(self.text[6:14])

    @property
    def sex(self) -> Sex:
        """Odd sequence numbers are men's."""
        return "male" if int(self.text[16]) % 2 else "female"

    def age_on(self, day: date) -> int:
        """Full years on *day*. Somebody born on 29 February has a birthday on 1 March of a common year."""
        born = self.born_on
        return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def parse_id_number(text: str, *, today: date) -> IdNumber | str:
    """The ID number that *text* is, or why it is none; the reason does not tell the number.

    Shape: eighteen characters of which the last is the check, x for X allowed; or the fifteen digits of numbers given
    out before 1999, which are brought into the new form. Digits of other scripts, such as full-width ones, are none.
    Source: GB 11643-1999; the check is ISO 7064 MOD 11-2.
    """
    if _OLD.fullmatch(text):
        body = text[:6] + _CENTURY_OF_OLD + text[6:]
        number = body + check_character(body)
    elif _NEW.fullmatch(text):
        number = text.upper()
        if check_character(number[:17]) != number[17]:
            return "its check character does not fit"
    else:
        return "not eighteen characters, 0 to 9 and at the end perhaps X"
    if not is_id_region(int(number[:6])):
        return "it begins with no region"
    try:
        born_on = _date_of(number[6:14])
    except ValueError:
        return "it names a day that there is not"
    if not BORN_FIRST_ON <= born_on <= today:
        return "it names a birth date that cannot be"
    return IdNumber(number)


def check_character(body: str) -> str:
    """The eighteenth character of a number whose first seventeen are *body*."""
    total = 0
    for digit, weight in zip(body, _WEIGHTS, strict=True):
        total += (ord(digit) - 48) * weight
    return _CHECKS[total % 11]


def is_id_region(region: int) -> bool:
    """True if numbers are given out there: a place of a known province. What a place was called before, it was called
    by such a code too, so old numbers stay good although their place has another code now.
    """
    province, city = region // 10_000, region // 100 % 100
    return province in PROVINCES and (city != 0 or province in _WITHOUT_CITIES)


def is_card_region(region: int) -> bool:
    """True if cards can be issued there: a place of a known province, or the province itself."""
    city, district = region // 100 % 100, region % 100
    return region // 10_000 in PROVINCES and (city != 0 or district == 0)


def _date_of(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
