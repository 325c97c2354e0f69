"""Examples of consents of persons and grants of departments and channels."""

from typing import Final

import msgspec

CONSENTS_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = ()
