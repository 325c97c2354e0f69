"""Examples of what is sent about gates without a network."""

from typing import Final

import msgspec

from engine.codes.public_keys import Jwk
from engine.web.wire_bulk import TerminalKeyRequest

BULK_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    TerminalKeyRequest(
        public_key=Jwk(kty="OKP", crv="Ed25519", x="11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")  # of RFC 8037, A.2
    ),
)
