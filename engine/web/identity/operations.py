"""What the contract says of verification, admission by a shown code, and certification of eligibility."""

from collections.abc import Mapping
from typing import Final

from engine.web.operation import Operation

IDENTITY_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {}
