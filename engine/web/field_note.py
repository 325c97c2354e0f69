"""How a field on the wire is explained, and the patterns and formats that many fields share."""

from typing import Final, Literal

import msgspec

from engine.core.ids import PREFIXES, IdKind


class FieldNote(msgspec.Struct, frozen=True):
    """One field. `pattern` is an ECMA-262 regular expression, as JSON Schema wants it."""

    text: str
    format: Literal["date", "date-time"] | None = None
    pattern: str | None = None


BANK_PATTERN: Final = "^[0-9]{12}$"
CYCLE_PATTERN: Final = "^[0-9]{8}-[0-9]{2}$"
FILE_NAME_PATTERN: Final = r"^SSC_[0-9]{12}_[0-9]{8}_[0-9]{2}_[A-Z]+_v[1-9][0-9]?\.[a-z]+$"


def id_pattern(kind: IdKind) -> str:
    """The pattern of an id: its prefix and 26 characters of lower-case Crockford base32, 128 bits in all."""
    return f"^{PREFIXES[kind]}[0-7][0-9a-hjkmnp-tv-z]{{25}}$"


def id_note(text: str, kind: IdKind) -> FieldNote:
    """The note of a field that holds an id."""
    return FieldNote(f"{text} Prefix `{PREFIXES[kind]}` and 26 characters of Crockford base32.", None, id_pattern(kind))


def instant_note(text: str) -> FieldNote:
    """The note of a field that holds an instant."""
    return FieldNote(f"{text} RFC 3339, UTC.", "date-time")
