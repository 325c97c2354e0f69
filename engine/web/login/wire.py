"""What goes over the wire about logins by QR code and the portals that ask for them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from engine.core.ids import id_text
from engine.core.logins import (
    EARLIER_SECRET_S_MAX,
    REDIRECT_CHARS_MAX,
    REDIRECTS_MAX,
    ClientState,
    Login,
    LoginClient,
    LoginScope,
    LoginState,
)
from engine.flows.login.clients import ClientWithSecret
from engine.flows.login.sessions import Seen
from engine.web.wire_cards import AgreementRequest
from engine.web.wire_participants import ParticipantName, RegionCode

RedirectUri = Annotated[str, Meta(min_length=1, max_length=REDIRECT_CHARS_MAX)]
ScopeName = Literal["openid", "profile"]
ClientStateName = Literal["registered", "active", "suspended"]
LoginStatusName = Literal["created", "scanned", "confirmed", "consumed", "cancelled", "expired"]
CardIdText = Annotated[str, Meta(min_length=1, max_length=64)]
_CLIENT_STATES: Final[Mapping[ClientState, ClientStateName]] = {
    ClientState.REGISTERED: "registered",
    ClientState.ACTIVE: "active",
    ClientState.SUSPENDED: "suspended",
}
_STATUSES: Final[Mapping[LoginState, LoginStatusName]] = {
    LoginState.CREATED: "created",
    LoginState.SCANNED: "scanned",
    LoginState.CONFIRMED: "confirmed",
    LoginState.CONSUMED: "consumed",
    LoginState.CANCELLED: "cancelled",
}


class LoginClientRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Register a portal."""

    region: RegionCode
    name_zh: ParticipantName
    name_en: ParticipantName
    place: ParticipantName
    redirect_uris: Annotated[tuple[RedirectUri, ...], Meta(min_length=1, max_length=REDIRECTS_MAX)]
    scopes: Annotated[tuple[ScopeName, ...], Meta(max_length=len(LoginScope))] = ("openid", "profile")


class LoginSecretRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give a portal a new secret."""

    overlap_s: Annotated[int, Meta(ge=0, le=EARLIER_SECRET_S_MAX)] = EARLIER_SECRET_S_MAX


class LoginScanRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose card has scanned the code, or says no."""

    card_id: CardIdText


class LoginConfirmationRequest(AgreementRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Log the person in, who agrees."""

    card_id: CardIdText
    scopes: Annotated[tuple[ScopeName, ...], Meta(max_length=len(LoginScope))]


class LoginClientView(msgspec.Struct, frozen=True, kw_only=True):
    """A portal."""

    id: str
    region: str
    name_zh: str
    name_en: str
    place: str
    redirect_uris: tuple[str, ...]
    scopes: tuple[ScopeName, ...]
    status: ClientStateName
    changed_at: datetime
    created_at: datetime


class NewLoginClientView(LoginClientView, frozen=True, kw_only=True):
    """A portal and its secret."""

    client_secret: str


class LoginClientList(msgspec.Struct, frozen=True, kw_only=True):
    """One page of portals."""

    items: tuple[LoginClientView, ...]
    next_cursor: str | None = None


class LoginView(msgspec.Struct, frozen=True, kw_only=True):
    """A login, as the person in front of it has to see it before saying yes."""

    status: LoginStatusName
    client_id: str
    name_zh: str
    name_en: str
    place: str
    region: str
    scopes: tuple[ScopeName, ...]
    agreed_scopes: tuple[ScopeName, ...] | None
    expires_at: datetime


class AuthorizationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a portal asks a person for, as a form (RFC 6749, section 4.1.1; OpenID Connect Core 1.0, 3.1.2.1)."""

    response_type: Literal["code"]
    client_id: str
    redirect_uri: str
    scope: str
    code_challenge: str
    code_challenge_method: Literal["S256"]
    state: str | None = None
    nonce: str | None = None
    prompt: str | None = None
    ui_locales: str | None = None


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A code that a portal brings, as a form (RFC 6749, section 4.1.3; RFC 7636, section 4.5)."""

    grant_type: Literal["authorization_code"]
    code: str
    redirect_uri: str
    code_verifier: str
    client_id: str | None = None
    client_secret: str | None = None

    def __repr__(self) -> str:
        return "TokenRequest(***)"


class UserinfoRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An access token that a portal shows, as a form (RFC 6750, section 2.2). Its repr shows nothing."""

    access_token: str | None = None

    def __repr__(self) -> str:
        return "UserinfoRequest(***)"


class TokenRevocationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An access token that a portal gives back, as a form (RFC 7009, section 2.1)."""

    token: str
    token_type_hint: str | None = None
    client_id: str | None = None
    client_secret: str | None = None

    def __repr__(self) -> str:
        return "TokenRevocationRequest(***)"


class TokenDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What a code is worth (RFC 6749, section 5.1; OpenID Connect Core 1.0, 3.1.3.3). Its repr shows nothing."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    id_token: str
    scope: str

    def __repr__(self) -> str:
        return "TokenDocument(***)"


class OAuthErrorDocument(msgspec.Struct, frozen=True, kw_only=True):
    """An error in OAuth's own form (RFC 6749, section 5.2)."""

    error: str
    error_description: str


def client_view(client: LoginClient) -> LoginClientView:
    """A portal without its secret."""
    return LoginClientView(
        id=id_text(client.id),
        region=f"{client.region:06d}",
        name_zh=client.name_zh,
        name_en=client.name_en,
        place=client.place,
        redirect_uris=client.redirect_uris,
        scopes=_names(client.scopes),
        status=_CLIENT_STATES[client.state],
        changed_at=client.changed_at,
        created_at=client.created_at,
    )


def new_client_view(made: ClientWithSecret) -> NewLoginClientView:
    """A portal with the secret that was just made."""
    return NewLoginClientView(**msgspec.structs.asdict(client_view(made.client)), client_secret=made.secret)


def login_view(seen: Seen) -> LoginView:
    """A login that somebody in time has scanned."""
    client, login = seen.client, seen.login
    return LoginView(
        status=_STATUSES[login.state],
        client_id=id_text(client.id),
        name_zh=client.name_zh,
        name_en=client.name_en,
        place=client.place,
        region=f"{client.region:06d}",
        scopes=_names(login.scopes),
        agreed_scopes=_names(login.agreed_scopes) if login.agreed_scopes is not None else None,
        expires_at=login.expires_at,
    )


def status_name(login: Login, *, now: datetime) -> LoginStatusName:
    """Where a login stands at this moment of business time."""
    return "expired" if login.is_expired(now) else _STATUSES[login.state]


def _names(scopes: tuple[LoginScope, ...]) -> tuple[ScopeName, ...]:
    return tuple(scope.value for scope in scopes)
