"""Fields on the wire of inquiry: the seven topics."""

from typing import Final

from engine.web.field_note import FieldNote

INQUIRY_NAMES: Final[dict[str, FieldNote]] = {}
"""By field, for every struct."""

INQUIRY_NOTES: Final[dict[tuple[str, str], FieldNote]] = {}
"""By struct and field, where the name alone means another thing."""
