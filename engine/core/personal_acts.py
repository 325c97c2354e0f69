"""What shows that a person has agreed: a password or a passkey, and the digest of what was sent of it."""

from typing import Literal

import msgspec

ActKind = Literal["password", "passkey"]


class PersonalAct(msgspec.Struct, frozen=True, kw_only=True):
    """A person's own act, as it can be kept for ever: nothing in it is of use to anybody.

    `digest` is the SHA-256, in hex, of the sealed password block, or of the passkey's assertion.
    """

    kind: ActKind
    digest: str


def act_text(act: str, bound_to: str) -> str:
    """What a password that agrees to *act*, about *bound_to*, is sealed for. An order's number has no slash, so no
    order is paid by it.
    """
    return f"{bound_to}/{act}"
