"""How the fields of uploads are read, in every form. Each function raises `Misfit` for any other text.

Nothing is trimmed, padded or made up: a value is what its field may hold, or it is a fault.
"""

import re
from datetime import date, datetime
from functools import lru_cache
from typing import Final

from engine.core.bank_lines import AckStatus, Direction
from engine.core.calendar import SHANGHAI
from engine.core.ids import IdKind, MalformedId, parse_id

_TEXT_MAX: Final = 35  # Max35Text of ISO 20022, for ids and references of every form
_COUNT_DIGITS_MAX: Final = 15  # Max15NumericText
_NOT_PROVIDED: Final = "NOTPROVIDED"  # what ISO 20022 writes where an EndToEndId is due and none is known

_DECIMAL: Final = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,2}))?", re.ASCII)
_DAY: Final = re.compile(r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})", re.ASCII)
_MONTH: Final = re.compile(r"([0-9]{4})-?(0[1-9]|1[0-2])", re.ASCII)
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII
)
_REASON: Final = re.compile("[A-Z0-9]{4}", re.ASCII)
_CODE: Final = re.compile("[0-9A-Z_-]{1,32}", re.ASCII)
_CNAPS: Final = re.compile("[0-9]{12}", re.ASCII)
_FUND_PAY_TYPE: Final = re.compile("[0-9]{6}", re.ASCII)
_DIRECTIONS: Final = {
    "D": Direction.DEBIT,
    "DBIT": Direction.DEBIT,
    "DEBIT": Direction.DEBIT,
    "C": Direction.CREDIT,
    "CRDT": Direction.CREDIT,
    "CREDIT": Direction.CREDIT,
}


class Misfit(ValueError):
    """A text that its field cannot hold. The message is the reason, without the text."""


def read_text(text: str) -> str:
    """An id or reference: 1 to 35 characters that can be printed, without space around them."""
    if not 1 <= len(text) <= _TEXT_MAX or not text.isprintable() or text[0] == " " or text[-1] == " ":
        raise Misfit("not a text of 1 to 35 characters")
    return text


def read_text_or_nothing(text: str) -> str:
    """A text as above, or none."""
    return text and read_text(text)


def read_end_to_end_id(text: str) -> str:
    """The payment id that a bank tells, or nothing if it says that it knows none."""
    return "" if text == _NOT_PROVIDED else read_text(text)


def read_fen(text: str) -> int:
    """An amount above zero in fen, as whole digits."""
    if not text.isascii() or not text.isdigit() or text[0] == "0" or len(text) > 18:
        raise Misfit("not an amount in fen above zero")
    return int(text)


def read_fen_total(text: str) -> int:
    """A total in fen, as whole digits. It may be zero."""
    return 0 if text == "0" else read_fen(text)


def read_yuan(text: str) -> int:
    """An amount above zero, written in yuan with at most two decimals; in fen."""
    amount = _fen_of(text)
    if not amount:
        raise Misfit("not an amount above zero with at most two decimals")
    return amount


def read_yuan_total(text: str) -> int:
    """A total, written in yuan with at most two decimals; in fen. It may be zero."""
    total = _fen_of(text)
    if total is None:
        raise Misfit("not a total with at most two decimals")
    return total


def read_count(text: str) -> int:
    """How many there are."""
    if not text.isascii() or not text.isdigit() or len(text) > _COUNT_DIGITS_MAX:
        raise Misfit("not a number of lines")
    return int(text)


def read_place(text: str) -> int:
    """The place of a line in a file, from one; zero for the whole file."""
    if not text.isascii() or not text.isdigit() or (text[0] == "0" and text != "0") or len(text) > _COUNT_DIGITS_MAX:
        raise Misfit("not the place of a line")
    return int(text)


def read_direction(text: str) -> Direction:
    """Debit or credit, in any of the ways in which banks write it."""
    direction = _DIRECTIONS.get(text) or _DIRECTIONS.get(text.upper())
    if direction is None:
        raise Misfit("neither debit nor credit")
    return direction


@lru_cache(maxsize=1_024)
def read_day(text: str) -> date:
    """A date, ``20261124`` or ``2026-11-24``."""
    found = _DAY.fullmatch(text)
    try:
        if found is not None:
            return date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError as error:
        raise Misfit("not a date") from error
    raise Misfit("not a date")


@lru_cache(maxsize=1_024)
def read_month(text: str) -> str:
    """A month, ``202611`` or ``2026-11``; as ``202611``."""
    found = _MONTH.fullmatch(text)
    if found is None:
        raise Misfit("not a month")
    return found[1] + found[2]


def read_instant(text: str) -> datetime:
    """An instant of RFC 3339; one without an offset is Shanghai's, as Chinese banks mean it."""
    try:
        if _INSTANT.fullmatch(text):
            instant = datetime.fromisoformat(text)
            return instant if instant.tzinfo is not None else instant.replace(tzinfo=SHANGHAI)
    except ValueError as error:
        raise Misfit("not an instant") from error
    raise Misfit("not an instant")


def read_day_of_instant(text: str) -> date:
    """The date in Shanghai of an instant as above."""
    try:
        return read_instant(text).astimezone(SHANGHAI).date()
    except OverflowError as error:
        raise Misfit("not an instant") from error


def read_flag(text: str) -> bool:
    """A truth value of XML Schema."""
    if text in ("true", "1"):
        return True
    if text in ("false", "0"):
        return False
    raise Misfit("neither true nor false")


def read_reason(text: str) -> str:
    """A reason code: AC01, DUPL, MD07 …"""
    if not _REASON.fullmatch(text):
        raise Misfit("not a reason code")
    return text


def read_status(text: str) -> AckStatus:
    """What an acknowledgement says of a whole file."""
    try:
        return AckStatus(text)
    except ValueError as error:
        raise Misfit(f"none of {', '.join(AckStatus)}") from error


def read_cnaps(text: str) -> str:
    """A bank's number in the clearing system, twelve digits."""
    if not _CNAPS.fullmatch(text):
        raise Misfit("not a CNAPS number")
    return text


def read_card_id(text: str) -> str:
    """The id of a card."""
    try:
        parse_id(text, IdKind.CARD)
    except MalformedId as error:
        raise Misfit("not the id of a card") from error
    return text


def read_benefit_code(text: str) -> str:
    """What a benefit is called."""
    if not _CODE.fullmatch(text):
        raise Misfit("not a benefit code: 1 to 32 of A-Z, 0-9, _ and -")
    return text


def read_fund_pay_type(text: str) -> str:
    """A fund pay type, six digits."""
    if not _FUND_PAY_TYPE.fullmatch(text):
        raise Misfit("not a fund pay type of six digits")
    return text


def _fen_of(text: str) -> int | None:
    found = _DECIMAL.fullmatch(text)
    if found is None:
        return None
    yuan, fraction = found.groups()
    return int(yuan) * 100 + (int(fraction.ljust(2, "0")) if fraction else 0)
