"""What the contract says of the audit trail, and the keys of personal data."""

from collections.abc import Mapping
from typing import Final

from engine.web.operation import Operation

AUDIT_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {}
