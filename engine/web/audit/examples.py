"""Examples of the audit trail, and the keys of personal data."""

from typing import Final

import msgspec

AUDIT_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = ()
