"""Fields on the wire of verification, admission by a shown code, and certification of eligibility."""

from typing import Final

from engine.web.field_note import FieldNote

IDENTITY_NAMES: Final[dict[str, FieldNote]] = {}
"""By field, for every struct."""

IDENTITY_NOTES: Final[dict[tuple[str, str], FieldNote]] = {}
"""By struct and field, where the name alone means another thing."""
