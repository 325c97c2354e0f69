"""Fields on the wire of login by QR code, and OpenID Connect."""

from typing import Final

from engine.web.field_note import FieldNote

LOGIN_NAMES: Final[dict[str, FieldNote]] = {}
"""By field, for every struct."""

LOGIN_NOTES: Final[dict[tuple[str, str], FieldNote]] = {}
"""By struct and field, where the name alone means another thing."""
