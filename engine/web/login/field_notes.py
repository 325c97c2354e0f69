"""Fields on the wire of login by QR code, and OpenID Connect."""

from typing import Final

from engine.core.ids import IdKind
from engine.web.field_note import FieldNote, id_note, instant_note

_REGION: Final = FieldNote("The portal's region, GB/T 2260.", None, "^[0-9]{6}$")
_PLACE: Final = FieldNote("Where it is, as people are shown before they agree.")
_CARD: Final = id_note("The card of the person in whose app the code was scanned.", IdKind.CARD)
_ASKED: Final = FieldNote("What it may ask for. `profile`: name, masked ID number and region.")

ASKED_NOTES: Final[dict[str, str]] = {
    "response_type": "What is asked for.",
    "client_id": "The portal.",
    "redirect_uri": "One of its registered addresses.",
    "scope": "`openid`, and `profile` for name, masked ID number and region. Others' scopes are ignored.",
    "state": "Comes back as it is.",
    "nonce": "Comes back in the id token.",
    "code_challenge": "SHA-256 of the code verifier, base64url.",
    "code_challenge_method": "How it was made.",
    "prompt": "`none` is answered with `login_required`: nobody stays logged in here.",
    "ui_locales": "The page's language: `zh-CN` or `en`.",
}
"""What a portal may ask, in the query or as a form."""

LOGIN_NAMES: Final[dict[str, FieldNote]] = {}
"""By field, for every struct."""

LOGIN_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    **{
        (view, field): note
        for view in ("LoginClientRequest", "LoginClientView", "NewLoginClientView")
        for field, note in {
            "region": _REGION,
            "place": _PLACE,
            "redirect_uris": FieldNote("Addresses that browsers may come back to, compared as a whole."),
            "scopes": _ASKED,
        }.items()
    },
    **{
        (view, field): note
        for view in ("LoginClientView", "NewLoginClientView")
        for field, note in {
            "id": id_note("The portal; its `client_id`.", IdKind.LOGIN_CLIENT),
            "status": FieldNote("Only where it is `active` people log in."),
            "changed_at": instant_note("When it was registered, enabled or suspended, in business time."),
            "created_at": instant_note("When it was registered, in business time."),
        }.items()
    },
    ("NewLoginClientView", "client_secret"): FieldNote("The secret that was just made: here and in replays only."),
    ("LoginSecretRequest", "overlap_s"): FieldNote("Seconds for which the secret before it works on."),
    ("LoginScanRequest", "card_id"): _CARD,
    ("LoginConfirmationRequest", "card_id"): _CARD,
    ("LoginConfirmationRequest", "scopes"): FieldNote("What the person agrees to, of what is asked for."),
    ("LoginConfirmationRequest", "password_block"): FieldNote(
        "The card's password, sealed for the engine (RFC 7516), with the code's 22 characters and `/login` as"
        " `order_no`."
    ),
    ("LoginConfirmationRequest", "passkey"): FieldNote(
        "What a passkey of the card has signed for the act `login`, bound to the same 22 characters, instead."
    ),
    ("LoginView", "status"): FieldNote("Where the login stands."),
    ("LoginView", "client_id"): id_note("The portal that asks.", IdKind.LOGIN_CLIENT),
    ("LoginView", "place"): _PLACE,
    ("LoginView", "region"): _REGION,
    ("LoginView", "scopes"): FieldNote("What it asks for."),
    ("LoginView", "agreed_scopes"): FieldNote("What the person has agreed to; null before."),
    ("LoginView", "expires_at"): instant_note("When it is too late to answer, in business time."),
    ("TokenRequest", "grant_type"): FieldNote("How the portal shows that it may be told."),
    ("TokenRequest", "code"): FieldNote("What the browser has come back with; good once."),
    ("TokenRequest", "redirect_uri"): FieldNote("The address that it has come back to."),
    ("TokenRequest", "code_verifier"): FieldNote("What the code challenge was made of (RFC 7636)."),
    **{("AuthorizationRequest", name): FieldNote(text) for name, text in ASKED_NOTES.items()},
    **{
        (view, field): note
        for view in ("TokenRequest", "TokenRevocationRequest")
        for field, note in {
            "client_id": FieldNote("The portal, unless it comes as HTTP Basic."),
            "client_secret": FieldNote("Its secret, unless that comes as HTTP Basic."),
        }.items()
    },
    ("UserinfoRequest", "access_token"): FieldNote("The access token, unless it is in the header."),
    ("TokenRevocationRequest", "token"): FieldNote("The access token."),
    ("TokenRevocationRequest", "token_type_hint"): FieldNote("Not used: there is one kind."),
    ("TokenDocument", "access_token"): FieldNote("Opens userinfo."),
    ("TokenDocument", "token_type"): FieldNote("How it is shown (RFC 6750)."),
    ("TokenDocument", "expires_in"): FieldNote("Seconds for which it does."),
    ("TokenDocument", "id_token"): FieldNote("Who has logged in: a JWT, signed by ES256 with a key of `/oauth2/jwks`."),
    ("TokenDocument", "scope"): FieldNote("What the person has agreed to."),
    ("OAuthErrorDocument", "error"): FieldNote("What is the matter, in OAuth's words."),
    ("OAuthErrorDocument", "error_description"): FieldNote("The same for whoever writes the portal."),
}
"""By struct and field, where the name alone means another thing."""
