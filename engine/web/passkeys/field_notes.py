"""Fields on the wire of passkeys."""

from typing import Final

from engine.web.field_note import FieldNote

PASSKEYS_NAMES: Final[dict[str, FieldNote]] = {}
"""By field, for every struct."""

PASSKEYS_NOTES: Final[dict[tuple[str, str], FieldNote]] = {}
"""By struct and field, where the name alone means another thing."""
