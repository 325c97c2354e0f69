"""What goes over the wire about passkeys. Options are as WebAuthn writes them in JSON, for whatever library reads them.

Source: WebAuthn Level 3, section 5.1: PublicKeyCredentialCreationOptionsJSON, PublicKeyCredentialRequestOptionsJSON.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.codes.webauthn_answers import ALGORITHMS, base64url_text
from engine.core.ids import id_text
from engine.core.passkeys import CHALLENGE_S, Passkey, PasskeyStatus, RelyingParty
from engine.web.passkeys.credential import NewPasskeyCredential
from engine.web.wire_bills import CardIdText
from engine.web.wire_cards import AgreementRequest

ActName = Annotated[str, Meta(pattern=r"^[a-z_]{1,32}\Z")]
BoundToText = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_.:/-]{1,128}\Z")]
LabelText = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
PaymentIdText = Annotated[str, Meta(min_length=1, max_length=31)]


class PasskeyOptionsRequest(AgreementRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Begin to register a passkey; the person agrees to it."""

    card_id: CardIdText


class NewPasskeyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Register the passkey that the person's device has made."""

    card_id: CardIdText
    label: LabelText
    credential: NewPasskeyCredential


class AssertionOptionsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a challenge that a passkey of the card signs to agree to something."""

    card_id: CardIdText
    act: ActName
    bound_to: BoundToText


class PasskeyLinkRequest(AgreementRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Open the engine's own page to the person: to register a passkey, or to confirm a payment."""

    card_id: CardIdText
    label: LabelText | None = None
    payment_id: PaymentIdText | None = None


class PartyEntity(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a passkey is made for."""

    id: str
    name: str


class UserEntity(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whose it is, as the device shows it; masked."""

    id: str
    name: str
    display_name: str


class CredentialParameter(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of key that is taken."""

    type: Literal["public-key"] = "public-key"
    alg: int


class CredentialDescriptor(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey that there is."""

    type: Literal["public-key"] = "public-key"
    id: str


class AuthenticatorSelection(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the device has to be able to."""

    resident_key: Literal["required"] = "required"
    require_resident_key: bool = True
    user_verification: Literal["required"] = "required"


class CreationOptions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the device is asked to make."""

    rp: PartyEntity
    user: UserEntity
    challenge: str
    pub_key_cred_params: tuple[CredentialParameter, ...]
    timeout: int
    exclude_credentials: tuple[CredentialDescriptor, ...]
    authenticator_selection: AuthenticatorSelection
    attestation: Literal["none"] = "none"


class RequestOptions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the device is asked to sign."""

    challenge: str
    rp_id: str
    timeout: int
    allow_credentials: tuple[CredentialDescriptor, ...]
    user_verification: Literal["required"] = "required"


class CreationOptionsView(msgspec.Struct, frozen=True, kw_only=True):
    """How a passkey is made, and until when."""

    options: CreationOptions
    expires_at: datetime


class AssertionOptionsView(msgspec.Struct, frozen=True, kw_only=True):
    """How a passkey agrees, and until when."""

    options: RequestOptions
    expires_at: datetime


class PasskeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey of a card."""

    id: str
    card_id: str
    label: str
    status: PasskeyStatus
    registered_at: datetime
    used_at: datetime | None
    copied_at: datetime | None
    revoked_at: datetime | None


class PasskeyList(msgspec.Struct, frozen=True, kw_only=True):
    """The passkeys of a card."""

    items: tuple[PasskeyView, ...]
    next_cursor: str | None = None


class PasskeyLinkView(msgspec.Struct, frozen=True, kw_only=True):
    """A link to the page."""

    url: str
    expires_at: datetime


def passkey_view(passkey: Passkey, label: str) -> PasskeyView:
    """A passkey as its card's channels and operators see it."""
    return PasskeyView(
        id=id_text(passkey.id),
        card_id=id_text(passkey.card),
        label=label,
        status=passkey.status,
        registered_at=passkey.registered_at,
        used_at=passkey.used_at,
        copied_at=passkey.copied_at,
        revoked_at=passkey.revoked_at,
    )


def creation_options(
    party: RelyingParty, *, challenge: bytes, user: UserEntity, known: Iterable[Passkey]
) -> CreationOptions:
    """A passkey that stays in the device, and that asks who uses it each time; not on a device that has one already."""
    return CreationOptions(
        rp=PartyEntity(id=party.id, name=_PARTY_NAME),
        user=user,
        challenge=base64url_text(challenge),
        pub_key_cred_params=tuple(CredentialParameter(alg=number) for number in ALGORITHMS),
        timeout=CHALLENGE_S * 1000,
        exclude_credentials=_descriptors(known),
        authenticator_selection=AuthenticatorSelection(),
    )


def request_options(party: RelyingParty, *, challenge: bytes, known: Iterable[Passkey]) -> RequestOptions:
    """A signature by one of the passkeys that the card has."""
    return RequestOptions(
        challenge=base64url_text(challenge),
        rp_id=party.id,
        timeout=CHALLENGE_S * 1000,
        allow_credentials=_descriptors(known),
    )


def _descriptors(known: Iterable[Passkey]) -> tuple[CredentialDescriptor, ...]:
    usable = (one for one in known if one.status == "active")
    return tuple(CredentialDescriptor(id=base64url_text(one.credential_id)) for one in usable)


_PARTY_NAME = "电子社保卡 · Electronic social security card"
