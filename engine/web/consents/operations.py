"""What the contract says of consents of persons and grants of departments and channels."""

from collections.abc import Mapping
from typing import Final

from engine.web.operation import Operation

CONSENTS_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {}
