"""Examples of passkeys."""

from typing import Final

import msgspec

from engine.codes.webauthn_answers import base64url_text
from engine.core.ids import IdKind, id_text, make_id
from engine.core.passkeys import CONFIRM
from engine.web.passkeys.credential import NewPasskeyCredential, RegistrationAnswer
from engine.web.passkeys.wire import (
    AssertionOptionsRequest,
    NewPasskeyRequest,
    PasskeyLinkRequest,
    PasskeyOptionsRequest,
)

_AT_MS: Final = 1_795_521_600_000
_CARD: Final = id_text(make_id(IdKind.CARD, at_ms=_AT_MS, shard=7, region=110101, entropy=2**40))
_PAYMENT: Final = id_text(make_id(IdKind.PAYMENT, at_ms=_AT_MS, shard=7, region=110101, entropy=2**40))
_LABEL: Final = "手机"
# Only its shape is a block's.
_BLOCK: Final = "eyJhbGciOiJFQ0RILUVTIn0..MDEyMzQ1Njc4OWFi.c2VhbGVk.MDEyMzQ1Njc4OWFiY2RlZg"

PASSKEYS_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    PasskeyOptionsRequest(card_id=_CARD, password_block=_BLOCK),
    NewPasskeyRequest(
        card_id=_CARD,
        label=_LABEL,
        credential=NewPasskeyCredential(
            id=base64url_text(bytes(range(16))),
            type="public-key",
            response=RegistrationAnswer(
                client_data=base64url_text(b'{"type":"webauthn.create"}'), attestation=base64url_text(b"\xa3cfmtdnone")
            ),
        ),
    ),
    AssertionOptionsRequest(card_id=_CARD, act=CONFIRM, bound_to=_PAYMENT),
    PasskeyLinkRequest(card_id=_CARD, payment_id=_PAYMENT),
)
