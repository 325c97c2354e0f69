"""Fields on the wire of regions as a tree, activation figures, and the move of local platforms."""

from typing import Final

from engine.web.field_note import FieldNote

TERRITORY_NAMES: Final[dict[str, FieldNote]] = {}
"""By field, for every struct."""

TERRITORY_NOTES: Final[dict[tuple[str, str], FieldNote]] = {}
"""By struct and field, where the name alone means another thing."""
