"""Fields on the wire of applications to offices and banks."""

from typing import Final

from engine.web.field_note import FieldNote

APPLICATIONS_NAMES: Final[dict[str, FieldNote]] = {}
"""By field, for every struct."""

APPLICATIONS_NOTES: Final[dict[tuple[str, str], FieldNote]] = {}
"""By struct and field, where the name alone means another thing."""
