"""Fields on the wire of channels: admission, conformance, what they may do, and what stops them."""

from typing import Final

from engine.web.field_note import FieldNote

CHANNELS_NAMES: Final[dict[str, FieldNote]] = {}
"""By field, for every struct."""

CHANNELS_NOTES: Final[dict[tuple[str, str], FieldNote]] = {}
"""By struct and field, where the name alone means another thing."""
