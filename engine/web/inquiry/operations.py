"""What the contract says of inquiry: the seven topics."""

from collections.abc import Mapping
from typing import Final

from engine.web.operation import Operation

INQUIRY_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {}
