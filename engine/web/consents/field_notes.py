"""Fields on the wire of consents of persons and grants of departments and channels."""

from typing import Final

from engine.web.field_note import FieldNote

CONSENTS_NAMES: Final[dict[str, FieldNote]] = {}
"""By field, for every struct."""

CONSENTS_NOTES: Final[dict[tuple[str, str], FieldNote]] = {}
"""By struct and field, where the name alone means another thing."""
