"""What an authenticator answers to a challenge, verified: a new credential, or a signature of one that is known.

Attestation is not asked for, so statements of it are refused unread: each of their formats is one more parser. All that
is signed has to come from the relying party's own page, for its id, and with the user verified.

Source: WebAuthn Level 3, sections 7.1 and 7.2.
"""

import base64
import binascii
import json
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from engine.core.passkeys import CHALLENGE_BYTES, RelyingParty

ES256: Final = -7
EDDSA: Final = -8
RS256: Final = -257
ALGORITHMS: Final = (ES256, EDDSA, RS256)
"""Of COSE, in order of preference (RFC 9053, RFC 8812)."""

CREDENTIAL_ID_BYTES_MAX: Final = 1_023
_NO_ATTESTATION: Final = "none"


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What a device answers when it has made a credential."""

    credential_id: bytes
    client_data: bytes  # JSON, as it was signed
    attestation: bytes  # CBOR


class Assertion(msgspec.Struct, frozen=True, kw_only=True):
    """What a device answers when it has signed a challenge."""

    credential_id: bytes
    client_data: bytes
    authenticator_data: bytes
    signature: bytes


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential that was verified."""

    id: bytes
    public_key: bytes
    sign_count: int


def base64url_text(raw: bytes) -> str:
    """Base64url without padding, as WebAuthn's JSON has every byte string."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def base64url_bytes(text: str) -> bytes | None:
    """The bytes of such a text; None if it is none."""
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, UnicodeEncodeError):
        return None
    return raw if base64url_text(raw) == text else None


def challenge_in(client_data: bytes) -> bytes | None:
    """The challenge that an answer says it is to; None if it says none that we could have made."""
    try:
        told = json.loads(client_data)
    except (ValueError, RecursionError):
        return None
    text = told.get("challenge") if isinstance(told, dict) else None
    challenge = base64url_bytes(text) if isinstance(text, str) else None
    return challenge if challenge is not None and len(challenge) == CHALLENGE_BYTES else None


def verify_registration(answer: Registration, *, challenge: bytes, party: RelyingParty) -> Credential | None:
    """The new credential; None if anything about the answer is not as it must be."""
    # The library loads for a third of a second, which only a node that meets a passkey has to pay.
    from webauthn import verify_registration_response
    from webauthn.helpers import parse_attestation_object
    from webauthn.helpers.cose import COSEAlgorithmIdentifier
    from webauthn.helpers.structs import AuthenticatorAttestationResponse, RegistrationCredential

    given = RegistrationCredential(
        id=base64url_text(answer.credential_id),
        raw_id=answer.credential_id,
        response=AuthenticatorAttestationResponse(
            client_data_json=answer.client_data, attestation_object=answer.attestation
        ),
    )
    try:
        if parse_attestation_object(answer.attestation).fmt != _NO_ATTESTATION:
            return None
        made = verify_registration_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
            supported_pub_key_algs=[COSEAlgorithmIdentifier(number) for number in ALGORITHMS],
        )
    except _unreadable():
        return None
    if made.credential_id != answer.credential_id or len(made.credential_id) > CREDENTIAL_ID_BYTES_MAX:
        return None
    return Credential(id=made.credential_id, public_key=made.credential_public_key, sign_count=made.sign_count)


def verify_assertion(answer: Assertion, *, challenge: bytes, party: RelyingParty, public_key: bytes) -> int | None:
    """How often the credential says that it has signed; None if anything about the answer is not as it must be.

    The count is for the caller to judge: one that is too low is signed as well as any other.
    """
    from webauthn import verify_authentication_response  # as above
    from webauthn.helpers.structs import AuthenticationCredential, AuthenticatorAssertionResponse

    given = AuthenticationCredential(
        id=base64url_text(answer.credential_id),
        raw_id=answer.credential_id,
        response=AuthenticatorAssertionResponse(
            client_data_json=answer.client_data,
            authenticator_data=answer.authenticator_data,
            signature=answer.signature,
        ),
    )
    try:
        verified = verify_authentication_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except _unreadable():
        return None
    return verified.new_sign_count


def _unreadable() -> tuple[type[Exception], ...]:
    """What bytes that somebody has made up can raise on their way through the library's parsers."""
    from webauthn.helpers.exceptions import WebAuthnException

    return (
        WebAuthnException,
        InvalidSignature,
        UnsupportedAlgorithm,
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        AttributeError,
    )
