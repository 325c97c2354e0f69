"""What the contract says of login by QR code, and OpenID Connect."""

from collections.abc import Mapping
from typing import Final

from engine.web.operation import Operation

LOGIN_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {}
