"""Examples of channels: admission, conformance, what they may do, and what stops them."""

from typing import Final

import msgspec

CHANNELS_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = ()
