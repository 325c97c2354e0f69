"""Examples of login by QR code, and OpenID Connect."""

from typing import Final

import msgspec

LOGIN_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = ()
