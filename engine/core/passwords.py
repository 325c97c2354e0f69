"""Card passwords: which ones may be set. What a checked one means for the payer is judged under the payer's lock."""

import enum
from itertools import pairwise
from typing import Final

PASSWORD_DIGITS: Final = 6
PASSWORD_PATTERN: Final = f"^[0-9]{{{PASSWORD_DIGITS}}}$"


class Weakness(enum.Enum):
    """Why a password may not be set."""

    NOT_SIX_DIGITS = "six digits"
    ONE_DIGIT = "not the same digit six times"
    STRAIGHT_RUN = "not digits in a row, up or down"
    OF_ID_NUMBER = "not the last six digits of the ID number"


def weakness_of(password: str, *, id_number: str | None = None) -> Weakness | None:
    """The first reason for which *password* may not be set. *id_number* is the cardholder's, if it is known."""
    if len(password) != PASSWORD_DIGITS or not (password.isascii() and password.isdigit()):
        return Weakness.NOT_SIX_DIGITS
    steps = {(int(later) - int(earlier)) % 10 for earlier, later in pairwise(password)}
    if steps == {0}:
        return Weakness.ONE_DIGIT
    if steps in ({1}, {9}):  # 890123 as well, as the keys of a terminal stand
        return Weakness.STRAIGHT_RUN
    if id_number is not None and password == "".join(filter(str.isdigit, id_number))[-PASSWORD_DIGITS:]:
        return Weakness.OF_ID_NUMBER
    return None
