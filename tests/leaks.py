"""What no log line and no problem may show of anybody: looked for in every test."""

import re
from datetime import date
from typing import Final

from engine.core.id_numbers import check_character

_ID_NUMBER: Final = re.compile(r"(?<![0-9A-Za-z])([1-8][0-9]{5})((?:19|20)[0-9]{6})([0-9]{3})([0-9Xx])(?![0-9A-Za-z])")
_OF_TEST_PEOPLE: Final = re.compile(r"欧阳测|(?<![0-9])154000[0-9]{5}(?![0-9])|(?<![0-9])62179999[0-9]{8}(?![0-9])")
"""What the people of `tests.people` are called, and the numbers of their phones and accounts."""


def leaks(text: str) -> list[str]:
    """The ID numbers in a text, whosever they are, and what is known of the tests' people; cut, for they are told."""
    found = [f"{match[0][:4]}…" for match in _OF_TEST_PEOPLE.finditer(text)]
    for region, born, serial, check in _ID_NUMBER.findall(text):
        if check_character(region + born + serial) == check.upper() and _is_date(born):
            found.append(f"ID number {region}…")
    return found


def _is_date(digits: str) -> bool:
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True
