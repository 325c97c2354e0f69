"""What the contract says of passkeys."""

from collections.abc import Mapping
from typing import Final

from engine.web.operation import Operation

PASSKEYS_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {}
