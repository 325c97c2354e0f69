"""Examples of regions as a tree, activation figures, and the move of local platforms."""

from typing import Final

import msgspec

TERRITORY_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = ()
