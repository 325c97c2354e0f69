"""What the contract says of applications to offices and banks."""

from collections.abc import Mapping
from typing import Final

from engine.web.operation import Operation

APPLICATIONS_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {}
