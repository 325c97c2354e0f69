"""What a browser or phone gives of a passkey, as WebAuthn writes it in JSON. Members that nobody asks for may be there.

Source: WebAuthn Level 3, section 5.1: RegistrationResponseJSON and AuthenticationResponseJSON.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from engine.codes.webauthn_answers import CREDENTIAL_ID_BYTES_MAX, Assertion, Registration, base64url_bytes

_TEXT: Final = r"^[0-9A-Za-z_-]+\Z"
CredentialIdText = Annotated[str, Meta(pattern=_TEXT, max_length=-(-CREDENTIAL_ID_BYTES_MAX * 4 // 3))]
BytesText = Annotated[str, Meta(pattern=_TEXT, max_length=8_192)]


class AssertionAnswer(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"client_data": "clientDataJSON", "authenticator_data": "authenticatorData"},
):
    """What was signed, and the signature."""

    client_data: BytesText
    authenticator_data: BytesText
    signature: BytesText


class PasskeyAssertion(msgspec.Struct, frozen=True, kw_only=True):
    """What `navigator.credentials.get` gives: a passkey has signed a challenge."""

    id: CredentialIdText
    type: Literal["public-key"]
    response: AssertionAnswer


class RegistrationAnswer(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"client_data": "clientDataJSON", "attestation": "attestationObject"},
):
    """The new public key, and what it was made for."""

    client_data: BytesText
    attestation: BytesText


class NewPasskeyCredential(msgspec.Struct, frozen=True, kw_only=True):
    """What `navigator.credentials.create` gives: a passkey was made."""

    id: CredentialIdText
    type: Literal["public-key"]
    response: RegistrationAnswer


def assertion_in(given: PasskeyAssertion) -> Assertion | None:
    """The assertion; None if a member is not Base64url after all."""
    answer = given.response
    credential_id, client_data = base64url_bytes(given.id), base64url_bytes(answer.client_data)
    authenticator_data, signature = base64url_bytes(answer.authenticator_data), base64url_bytes(answer.signature)
    if credential_id is None or client_data is None or authenticator_data is None or signature is None:
        return None
    return Assertion(
        credential_id=credential_id,
        client_data=client_data,
        authenticator_data=authenticator_data,
        signature=signature,
    )


def registration_in(given: NewPasskeyCredential) -> Registration | None:
    """The registration; None if a member is not Base64url after all."""
    credential_id, client_data = base64url_bytes(given.id), base64url_bytes(given.response.client_data)
    attestation = base64url_bytes(given.response.attestation)
    if credential_id is None or client_data is None or attestation is None:
        return None
    return Registration(credential_id=credential_id, client_data=client_data, attestation=attestation)
