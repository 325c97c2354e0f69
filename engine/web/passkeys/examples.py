"""Examples of passkeys."""

from typing import Final

import msgspec

PASSKEYS_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = ()
