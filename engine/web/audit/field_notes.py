"""Fields on the wire of the audit trail, and the keys of personal data."""

from typing import Final

from engine.web.field_note import FieldNote

AUDIT_NAMES: Final[dict[str, FieldNote]] = {}
"""By field, for every struct."""

AUDIT_NOTES: Final[dict[tuple[str, str], FieldNote]] = {}
"""By struct and field, where the name alone means another thing."""
