"""What is shown of personal data: enough to recognise one's own, too little to learn anybody else's."""

from typing import Final

ERASED: Final = "erased"
"""What is shown of a person whose data were made unreadable for good. It hides nothing, so it is shown whole."""

_HIDDEN: Final = "*"
_GROUP: Final = "****"


def masked_name(name: str) -> str:
    """The first character, and a star for each other one: ``张*``. Of a name with blanks, its first letter."""
    if name == ERASED:
        return ERASED
    shown = name[:1]
    return shown + _HIDDEN * min(max(len(name) - 1, 1), 3)


def masked_id_number(number: str) -> str:
    """The first and the last character of an ID number, so that neither birthday nor birthplace shows."""
    return f"{number[:1]}{_GROUP}{number[-1:]}" if number != ERASED else ERASED


def masked_number(number: str) -> str:
    """The last four characters of a card's, an account's or a telephone number."""
    if number == ERASED:
        return ERASED
    return _GROUP + number[-4:] if len(number) > 4 else _GROUP
