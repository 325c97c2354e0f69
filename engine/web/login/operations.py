"""What the contract says of login by QR code, and OpenID Connect."""

from collections.abc import Mapping
from typing import Final

import msgspec

from engine.codes.order_code import TOKEN_PATTERN
from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.web.field_notes import id_pattern
from engine.web.login.field_notes import ASKED_NOTES
from engine.web.login.wire import (
    AuthorizationRequest,
    LoginClientList,
    LoginClientRequest,
    LoginClientView,
    LoginConfirmationRequest,
    LoginScanRequest,
    LoginSecretRequest,
    LoginView,
    NewLoginClientView,
    OAuthErrorDocument,
    TokenDocument,
    TokenRequest,
    TokenRevocationRequest,
    UserinfoRequest,
)
from engine.web.operation import PAGE, Operation, Parameter, Schema, Tag, object_schema, text_schema
from engine.web.wire import NothingRequest

_CLIENT_ID: Final = Parameter(
    name="id",
    text="The portal.",
    schema={"type": "string", "pattern": id_pattern(IdKind.LOGIN_CLIENT)},
    place="path",
)
_TOKEN: Final = Parameter(
    name="token",
    text="The last 22 characters of the code that was scanned.",
    schema={"type": "string", "pattern": f"^{TOKEN_PATTERN}$"},
    place="path",
)
_READING: Final = (Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED, Refusal.CALLER_SUSPENDED)
_CHANGING: Final = (*_READING, Refusal.REGION_NOT_PERMITTED, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS)
_SCANNING: Final = (
    Refusal.NOT_FOUND,
    Refusal.IDEMPOTENCY_KEY_IN_PROGRESS,
    Refusal.LOGIN_CODE_EXPIRED,
    Refusal.LOGIN_CODE_USED,
    Refusal.LOGIN_CODE_BOUND_TO_OTHER,
    Refusal.CARD_REPORTED_LOST,
    Refusal.CARD_NOT_USABLE,
    Refusal.CHANNEL_SUSPENDED,
    Refusal.CHANNEL_NOT_AUTHORIZED,
)
_AGREEING: Final = (
    Refusal.REAUTHENTICATION_REQUIRED,
    Refusal.PASSWORD_BLOCK_INVALID,
    Refusal.PASSWORD_BLOCK_EXPIRED,
    Refusal.PASSWORD_INCORRECT,
    Refusal.PASSWORD_LOCKED,
    Refusal.PASSKEY_INVALID,
    Refusal.TOO_MANY_ATTEMPTS,
)
_UNAUTHORIZED: Final = ("`invalid_client`; the header `WWW-Authenticate` says what would do.", OAuthErrorDocument)


_ONLY: Final[Mapping[str, tuple[str, ...]]] = {"response_type": ("code",), "code_challenge_method": ("S256",)}
_TOLD: Final[Schema] = {
    "type": "object",
    "properties": {name: text_schema() for name in ("sub", "name", "masked_id_number", "region")},
    "required": ["sub"],
}
_TOO_MANY: Final = ("`temporarily_unavailable`; `Retry-After` says when it would be.", OAuthErrorDocument)
_UNTOLD: Final[Mapping[int, tuple[str, type[msgspec.Struct]]]] = {
    401: ("`invalid_token`.", OAuthErrorDocument),
    429: _TOO_MANY,
}

_OPERATORS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/identity/clients"): Operation(
        tag=Tag.IDENTITY,
        summary="Register a portal",
        text="For operators, of their region. Its secret is in this answer and in no other.",
        request=LoginClientRequest,
        status=201,
        response=NewLoginClientView,
        refusals=(*_CHANGING, Refusal.REGION_UNKNOWN),
    ),
    ("GET", "/v1/identity/clients"): Operation(
        tag=Tag.IDENTITY,
        summary="Portals",
        text="For operators.",
        parameters=PAGE,
        response=LoginClientList,
        refusals=_READING,
    ),
    ("GET", "/v1/identity/clients/{id}"): Operation(
        tag=Tag.IDENTITY,
        summary="A portal",
        text="For operators.",
        parameters=(_CLIENT_ID,),
        response=LoginClientView,
        refusals=_READING,
    ),
    ("POST", "/v1/identity/clients/{id}/rotate-secret"): Operation(
        tag=Tag.IDENTITY,
        summary="Give a portal a new secret",
        text="For operators. With an overlap of 0 the one before it is dead at once.",
        parameters=(_CLIENT_ID,),
        request=LoginSecretRequest,
        response=NewLoginClientView,
        refusals=_CHANGING,
    ),
    ("POST", "/v1/identity/clients/{id}/enable"): Operation(
        tag=Tag.IDENTITY,
        summary="Let people log in at a portal",
        text="For operators: another one than has registered or suspended it.",
        parameters=(_CLIENT_ID,),
        request=NothingRequest,
        response=LoginClientView,
        refusals=(*_CHANGING, Refusal.APPROVAL_REQUIRED),
    ),
    ("POST", "/v1/identity/clients/{id}/suspend"): Operation(
        tag=Tag.IDENTITY,
        summary="Stop a portal",
        text="For operators; one is enough.",
        parameters=(_CLIENT_ID,),
        request=NothingRequest,
        response=LoginClientView,
        refusals=_CHANGING,
    ),
}
_CHANNELS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/identity/logins/{token}/scan"): Operation(
        tag=Tag.IDENTITY,
        summary="Scan a login code",
        text="For channels that have issued the card. Show the person who asks, where, and for what, before `confirm`:"
        " a code may have been sent by somebody who means no good.",
        parameters=(_TOKEN,),
        request=LoginScanRequest,
        response=LoginView,
        refusals=_SCANNING,
    ),
    ("POST", "/v1/identity/logins/{token}/confirm"): Operation(
        tag=Tag.IDENTITY,
        summary="Log the person in",
        text="For the channel and card that have scanned the code. Telling `profile` is kept as a consent, with the"
        " person's act as its evidence.",
        parameters=(_TOKEN,),
        request=LoginConfirmationRequest,
        response=LoginView,
        refusals=(*_SCANNING, *_AGREEING, Refusal.SCOPE_NOT_AUTHORIZED),
    ),
    ("POST", "/v1/identity/logins/{token}/cancel"): Operation(
        tag=Tag.IDENTITY,
        summary="Log nobody in",
        text="For the channel and card that have scanned the code.",
        parameters=(_TOKEN,),
        request=LoginScanRequest,
        response=LoginView,
        refusals=_SCANNING,
    ),
}
_PORTALS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/.well-known/openid-configuration"): Operation(
        tag=Tag.OPEN,
        summary="OpenID Connect discovery",
        text="All that an ordinary OpenID Connect client needs, besides its own id and secret.",
        response=object_schema(issuer=text_schema(), jwks_uri=text_schema()),
    ),
    ("GET", "/oauth2/jwks"): Operation(
        tag=Tag.OPEN,
        summary="Keys of id tokens",
        text="A new key comes every 90 days; the one before is here for a day more.",
        response=object_schema(keys={"type": "array", "items": {"type": "object"}}),
    ),
    ("GET", "/oauth2/authorize"): Operation(
        tag=Tag.OPEN,
        summary="Send a browser to log in",
        text="Authorization code flow with PKCE (S256). The browser is shown a QR code, and comes back with `code`,"
        " `state` and `iss`, or with an `error` of RFC 6749, section 4.1.2.1. Unknown parameters are ignored.",
        parameters=(
            *(
                Parameter(name=name, text=text, schema=text_schema(*_ONLY.get(name, ())))
                for name, text in ASKED_NOTES.items()
            ),
        ),
        status=303,
        media_types=(),
        refusals=(Refusal.REDIRECT_NOT_ALLOWED,),
    ),
    ("POST", "/oauth2/authorize"): Operation(
        tag=Tag.OPEN,
        summary="Send a browser to log in, by a form",
        text="What the query says otherwise is in a form, which a portal's own page sends. The answers are the same.",
        request=AuthorizationRequest,
        is_form=True,
        status=303,
        media_types=(),
        refusals=(Refusal.REDIRECT_NOT_ALLOWED,),
    ),
    ("POST", "/oauth2/token"): Operation(
        tag=Tag.OPEN,
        summary="Redeem a code",
        text="A form (`application/x-www-form-urlencoded`), with the portal's id and secret as HTTP Basic or in it. A"
        " code is good for a minute, once; one that comes again takes back the tokens of the first time.",
        request=TokenRequest,
        is_form=True,
        response=TokenDocument,
        answers={
            400: ("`invalid_request`, `invalid_grant` or `unsupported_grant_type`.", OAuthErrorDocument),
            401: _UNAUTHORIZED,
            429: _TOO_MANY,
        },
    ),
    ("GET", "/oauth2/userinfo"): Operation(
        tag=Tag.OPEN,
        summary="Who has logged in",
        text="With the access token as `Authorization: Bearer`. `sub` names the person for this portal only; the rest"
        " is there if the person has agreed to `profile`, and not taken that back.",
        response=_TOLD,
        answers=_UNTOLD,
    ),
    ("POST", "/oauth2/userinfo"): Operation(
        tag=Tag.OPEN,
        summary="Who has logged in, by POST",
        text="The same, with the access token in the header or in a form.",
        request=UserinfoRequest,
        is_form=True,
        response=_TOLD,
        answers={400: ("`invalid_request`.", OAuthErrorDocument), **_UNTOLD},
    ),
    ("POST", "/oauth2/revoke"): Operation(
        tag=Tag.OPEN,
        summary="Give an access token back",
        text="A form, with the portal's id and secret as for a code. Also answered with 200 if there is no such token.",
        request=TokenRevocationRequest,
        is_form=True,
        media_types=(),
        answers={400: ("`invalid_request`.", OAuthErrorDocument), 401: _UNAUTHORIZED, 429: _TOO_MANY},
    ),
}
LOGIN_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {**_OPERATORS, **_CHANNELS, **_PORTALS}
