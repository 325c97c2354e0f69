"""Examples of verification, admission by a shown code, and certification of eligibility."""

from typing import Final

import msgspec

IDENTITY_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = ()
