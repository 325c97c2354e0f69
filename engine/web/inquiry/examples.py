"""Examples of inquiry: the seven topics."""

from typing import Final

import msgspec

INQUIRY_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = ()
