"""What the contract says of regions as a tree, activation figures, and the move of local platforms."""

from collections.abc import Mapping
from typing import Final

from engine.web.operation import Operation

TERRITORY_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {}
