"""Fields on the wire of passkeys."""

from typing import Final

from engine.core.ids import IdKind
from engine.core.passkeys import CHALLENGE_S, LINK_S
from engine.web.field_note import FieldNote, id_note, instant_note

PASSKEYS_NAMES: Final[dict[str, FieldNote]] = {}
"""By field, for every struct."""

_CARD: Final = id_note("The card.", IdKind.CARD)
_LABEL: Final = FieldNote("What the person calls it, or the device that it is in.")
_PUBLIC_KEY: Final = FieldNote("Always `public-key`.")
_CREDENTIAL: Final = FieldNote("What the device calls the passkey by, Base64url.")
_CHALLENGE: Final = FieldNote("Fresh bytes to be signed, Base64url.")
_TIMEOUT: Final = FieldNote("Milliseconds that the person may take.")
_PASSWORD: Final = FieldNote("The card's password, sealed for the engine with the card's id (RFC 7516).")
_PASSKEY: Final = FieldNote("What a passkey of the card has signed for just this, in place of the password.")

PASSKEYS_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    **{
        (request, field): note
        for request in ("PasskeyOptionsRequest", "PasskeyLinkRequest")
        for field, note in (("card_id", _CARD), ("password_block", _PASSWORD), ("passkey", _PASSKEY))
    },
    ("EndingRequest", "passkey"): _PASSKEY,
    ("ConfirmationRequest", "passkey"): FieldNote(
        "What a passkey has signed for the act `confirm`, bound to the payment's id, in place of the password; of"
        " channels only."
    ),
    ("PasskeyLinkRequest", "label"): FieldNote("To register a passkey: what it will be called. Else absent."),
    ("PasskeyLinkRequest", "payment_id"): id_note(
        "To confirm a payment: the one that waits. Else absent.", IdKind.PAYMENT
    ),
    ("PasskeyLinkView", "url"): FieldNote("The page. Whoever has this link may use it, so it is a secret."),
    ("PasskeyLinkView", "expires_at"): instant_note(f"Until when it may be opened: {LINK_S // 60} minutes."),
    ("NewPasskeyRequest", "card_id"): _CARD,
    ("NewPasskeyRequest", "label"): _LABEL,
    ("NewPasskeyRequest", "credential"): FieldNote(
        "What `navigator.credentials.create` has given, as `toJSON` writes it."
    ),
    ("NewPasskeyCredential", "id"): _CREDENTIAL,
    ("NewPasskeyCredential", "type"): _PUBLIC_KEY,
    ("NewPasskeyCredential", "response"): FieldNote("The device's answer."),
    ("RegistrationAnswer", "clientDataJSON"): FieldNote("What the browser says of the page, Base64url."),
    ("RegistrationAnswer", "attestationObject"): FieldNote("The new public key (CBOR), Base64url."),
    ("PasskeyAssertion", "id"): _CREDENTIAL,
    ("PasskeyAssertion", "type"): _PUBLIC_KEY,
    ("PasskeyAssertion", "response"): FieldNote("The device's answer."),
    ("AssertionAnswer", "clientDataJSON"): FieldNote("What the browser says of the page, Base64url."),
    ("AssertionAnswer", "authenticatorData"): FieldNote("What the device says of itself and of the person, Base64url."),
    ("AssertionAnswer", "signature"): FieldNote("The signature over both, Base64url."),
    ("AssertionOptionsRequest", "card_id"): _CARD,
    ("AssertionOptionsRequest", "act"): FieldNote(
        "What the person agrees to: `confirm`, `cancel`, `unlink`, `register_passkey`, or what the request says that"
        " wants it."
    ),
    ("AssertionOptionsRequest", "bound_to"): FieldNote("What it is about: the id of a payment, a card or an issue."),
    **{
        (view, "expires_at"): instant_note(f"Until when it may be signed: {CHALLENGE_S // 60} minutes.")
        for view in ("CreationOptionsView", "AssertionOptionsView")
    },
    ("CreationOptionsView", "options"): FieldNote("PublicKeyCredentialCreationOptionsJSON (WebAuthn Level 3)."),
    ("AssertionOptionsView", "options"): FieldNote("PublicKeyCredentialRequestOptionsJSON (WebAuthn Level 3)."),
    ("CreationOptions", "rp"): FieldNote("Whom it is made for."),
    ("CreationOptions", "user"): FieldNote("Whose it is, masked."),
    ("CreationOptions", "challenge"): _CHALLENGE,
    ("CreationOptions", "pubKeyCredParams"): FieldNote("Kinds of keys that are taken, the best first."),
    ("CreationOptions", "timeout"): _TIMEOUT,
    ("CreationOptions", "excludeCredentials"): FieldNote("Passkeys that the card has: their devices need no other."),
    ("CreationOptions", "authenticatorSelection"): FieldNote("What the device has to be able to."),
    ("CreationOptions", "attestation"): FieldNote("Nothing is asked about the device's make."),
    ("PartyEntity", "id"): FieldNote("The name of the host that passkeys are made for."),
    ("PartyEntity", "name"): FieldNote("What the device shows."),
    ("UserEntity", "id"): FieldNote("The same for every passkey of the card, and tells nothing; Base64url."),
    ("UserEntity", "name"): FieldNote("What the device shows."),
    ("UserEntity", "displayName"): FieldNote("What the device shows."),
    ("CredentialParameter", "type"): _PUBLIC_KEY,
    ("CredentialParameter", "alg"): FieldNote("COSE algorithm: ES256, EdDSA or RS256."),
    ("CredentialDescriptor", "type"): _PUBLIC_KEY,
    ("CredentialDescriptor", "id"): _CREDENTIAL,
    ("AuthenticatorSelection", "residentKey"): FieldNote("The device keeps it."),
    ("AuthenticatorSelection", "requireResidentKey"): FieldNote("The same, for browsers that do not know it."),
    ("AuthenticatorSelection", "userVerification"): FieldNote("The device asks who uses it, each time."),
    ("RequestOptions", "challenge"): _CHALLENGE,
    ("RequestOptions", "rpId"): FieldNote("The name of the host that passkeys are made for."),
    ("RequestOptions", "timeout"): _TIMEOUT,
    ("RequestOptions", "allowCredentials"): FieldNote("The card's passkeys."),
    ("RequestOptions", "userVerification"): FieldNote("The device asks who uses it."),
    ("PasskeyView", "id"): id_note("The passkey.", IdKind.PASSKEY),
    ("PasskeyView", "card_id"): _CARD,
    ("PasskeyView", "label"): _LABEL,
    ("PasskeyView", "status"): FieldNote(
        "`copied` once it has signed with a count that it had passed already: there are two of it, and neither counts."
    ),
    ("PasskeyView", "registered_at"): instant_note("When it was registered, in business time."),
    ("PasskeyView", "used_at"): instant_note("When it agreed to something last, in business time; null if never."),
    ("PasskeyView", "copied_at"): instant_note("When the copy showed, in business time; null if none has."),
    ("PasskeyView", "revoked_at"): instant_note("When it was ended, in business time; null if it was not."),
    ("PasskeyList", "items"): FieldNote("All of them, newest first."),
}
"""By struct and field, where the name alone means another thing."""
