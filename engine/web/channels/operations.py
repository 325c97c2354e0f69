"""What the contract says of channels: admission, conformance, what they may do, and what stops them."""

from collections.abc import Mapping
from typing import Final

from engine.web.operation import Operation

CHANNELS_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {}
