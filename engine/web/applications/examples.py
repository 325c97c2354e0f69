"""Examples of applications to offices and banks."""

from typing import Final

import msgspec

APPLICATIONS_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = ()
