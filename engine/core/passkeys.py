"""Passkeys: what one is good for, how long a challenge lives, and how a copy gives itself away."""

from datetime import datetime
from typing import Final, Literal, NewType

import msgspec

from engine.core.ids import CardId

PasskeyId = NewType("PasskeyId", bytes)

CHALLENGE_BYTES: Final = 32
CHALLENGE_S: Final = 300
LINK_S: Final = 600
USED_LINK_S: Final = 3_600
"""For so long after its time the page of a link that was used shows what has come of it; then the link goes."""

PASSKEYS_MAX: Final = 10
REGISTER: Final = "register_passkey"
"""What a person agrees to before a passkey is registered: by password, or by another passkey."""

CREATE: Final = "create-credential"
"""What the challenge of a new passkey is for. No act has such a name, so nobody gets one by asking for an act's."""

CONFIRM: Final = "confirm"
"""What a person agrees to who confirms a payment that waits."""

PasskeyStatus = Literal["active", "copied", "revoked"]


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """A key in a device of a cardholder's. `label` is sealed."""

    id: PasskeyId
    card: CardId
    credential_id: bytes
    public_key: bytes
    sign_count: int
    label: bytes
    registered_by: bytes
    registered_at: datetime
    used_at: datetime | None
    copied_at: datetime | None
    revoked_at: datetime | None

    @property
    def status(self) -> PasskeyStatus:
        """Whether it can be used; a copied one that was revoked is revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "copied" if self.copied_at is not None else "active"


class RelyingParty(msgspec.Struct, frozen=True, kw_only=True):
    """Whom passkeys are made for, and where its pages are: nothing that was signed elsewhere counts.

    Source: WebAuthn Level 3, section 13.4.9.
    """

    id: str
    origin: str


def is_copy(kept: int, shown: int) -> bool:
    """True if a passkey that has signed *kept* times says that it has signed *shown* times, and cannot be the same.

    One that never counts shows zero for ever. Source: WebAuthn Level 3, section 6.1.1.
    """
    return (kept > 0 or shown > 0) and shown <= kept
