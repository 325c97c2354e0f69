"""Logging in by QR code: what a portal may ask, how a login moves on, and what its code is worth.

Source: RFC 6749 (authorization code), RFC 7636 (PKCE), OpenID Connect Core 1.0 sections 3.1 and 8.1.
"""

import base64
import enum
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import msgspec

from engine.core.refusals import Refusal

SHOWN_FOR: Final = timedelta(seconds=120)
"""From asking to the scan, and again from the scan to the person's answer."""

CODE_LASTS: Final = timedelta(seconds=60)
TOKENS_LAST: Final = timedelta(minutes=10)
EARLIER_SECRET_S_MAX: Final = 86_400
REDIRECTS_MAX: Final = 10
REDIRECT_CHARS_MAX: Final = 500

_CHALLENGE: Final = re.compile(r"[0-9A-Za-z_-]{43}")
_VERIFIER: Final = re.compile(r"[0-9A-Za-z._~-]{43,128}")  # RFC 7636, section 4.1
_HANDED_THROUGH: Final = re.compile(r"[\x20-\x7e]{1,2048}")  # RFC 6749, appendix A.5
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class LoginScope(enum.StrEnum):
    """What a portal may ask for. Name, masked ID number and region are `profile`."""

    OPENID = "openid"
    PROFILE = "profile"


class ClientState(enum.IntEnum):
    """Whether a portal may let people log in. One operator registers it, another one lets it."""

    REGISTERED = 1
    ACTIVE = 2
    SUSPENDED = 3


class LoginState(enum.IntEnum):
    """Where a login stands. That it has expired is seen by the clock, not written down."""

    CREATED = 1
    SCANNED = 2
    CONFIRMED = 3
    CONSUMED = 4  # its code was redeemed
    CANCELLED = 5


class LoginClient(msgspec.Struct, frozen=True, kw_only=True):
    """A portal. Its secrets are hashes; `changed_by` is who registered it or has last changed its state."""

    id: bytes
    region: int
    name_zh: str
    name_en: str
    place: str
    redirect_uris: tuple[str, ...]
    scopes: tuple[LoginScope, ...]
    secret_hash: bytes
    earlier_secret_hash: bytes | None
    earlier_ends_at: datetime | None
    state: ClientState
    changed_by: bytes
    changed_at: datetime
    created_at: datetime

    def is_secret(self, given: str, *, now: datetime) -> bool:
        """True if this is the client's secret, or the one before it in its last day."""
        hashed = hashlib.sha256(given.encode()).digest()
        is_earlier = self.earlier_ends_at is not None and now < self.earlier_ends_at
        return hmac.compare_digest(hashed, self.secret_hash) | (
            hmac.compare_digest(hashed, self.earlier_secret_hash or b"") and is_earlier
        )


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """One login. `expires_at` is business time; `confirmed_at`, `redeemed_at` and `revoked_at` are the clock's."""

    token: bytes
    client: bytes
    redirect_uri: str
    scopes: tuple[LoginScope, ...]
    client_state: str | None
    nonce: str | None
    challenge: str
    browser_hash: bytes
    state: LoginState
    created_at: datetime
    expires_at: datetime
    card: bytes | None = None
    channel: bytes | None = None
    agreed_scopes: tuple[LoginScope, ...] | None = None
    act: str | None = None
    confirmed_at: datetime | None = None
    redeemed_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_expired(self, now: datetime) -> bool:
        """True if nobody has said yes or no in time."""
        return self.state in (LoginState.CREATED, LoginState.SCANNED) and now >= self.expires_at

    def is_shown_by(self, secret: str | None) -> bool:
        """True if *secret* is that of the browser that has asked."""
        hashed = hashlib.sha256((secret or "").encode()).digest()
        return hmac.compare_digest(hashed, self.browser_hash)


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a portal asks for, as it is kept."""

    redirect_uri: str
    scopes: tuple[LoginScope, ...]
    client_state: str | None
    nonce: str | None
    challenge: str


class OAuthFault(msgspec.Struct, frozen=True):
    """An error in OAuth's own words (RFC 6749, sections 4.1.2.1 and 5.2). `description` is for the portal's makers."""

    error: str
    description: str


def read_ask(given: Mapping[str, str], client: LoginClient) -> Ask | OAuthFault:
    """What an authorization request asks for; its redirect is known to be the client's. What is unknown is ignored."""
    client_state, nonce = given.get("state"), given.get("nonce")
    if any(text is not None and not _HANDED_THROUGH.fullmatch(text) for text in (client_state, nonce)):
        return OAuthFault("invalid_request", "state and nonce are printable ASCII")
    for unsupported in ("request", "request_uri", "registration"):
        if unsupported in given:
            return OAuthFault(f"{unsupported}_not_supported", f"{unsupported} is not taken")
    if given.get("response_type") != "code":
        return OAuthFault("unsupported_response_type", "response_type is code")
    if given.get("response_mode", "query") != "query":
        return OAuthFault("invalid_request", "response_mode is query")
    if given.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(given.get("code_challenge", "")):
        return OAuthFault("invalid_request", "PKCE with code_challenge_method S256 is required")
    named = given.get("scope", "").split()
    asked = tuple(scope for scope in LoginScope if scope in named)  # others' scopes are ignored: Core, section 3.1.2.1
    if LoginScope.OPENID not in asked or not set(client.scopes).issuperset(asked):
        return OAuthFault("invalid_scope", f"openid, and of {' '.join(sorted(client.scopes))}")
    if "none" in given.get("prompt", "").split():
        return OAuthFault("login_required", "somebody has to scan the code")
    return Ask(
        redirect_uri=given["redirect_uri"],
        scopes=asked,
        client_state=client_state,
        nonce=nonce,
        challenge=given["code_challenge"],
    )


def why_no_redirect(uri: str) -> str | None:
    """Why an address cannot be one that browsers are sent back to; it is compared as a whole, so nothing is tidied."""
    if not (uri.isascii() and uri.isprintable() and " " not in uri and len(uri) <= REDIRECT_CHARS_MAX):
        return f"at most {REDIRECT_CHARS_MAX} printable ASCII characters"
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "not an address"
    if not host or parts.username is not None or "#" in uri or "\\" in uri:
        return "an absolute address without user and fragment"
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        return "https, or http to this very machine"
    return None


def why_not_scanned(login: Login, *, card: bytes, channel: bytes, now: datetime) -> Refusal | None:
    """Why a card may not scan the code. None as well for the one that has: it may have lost the answer."""
    if login.is_expired(now):
        return Refusal.LOGIN_CODE_EXPIRED
    if login.state not in (LoginState.CREATED, LoginState.SCANNED):
        return Refusal.LOGIN_CODE_USED
    if login.state is LoginState.SCANNED and (login.card, login.channel) != (card, channel):
        return Refusal.LOGIN_CODE_BOUND_TO_OTHER
    return None


def why_not_answered(login: Login, *, card: bytes, channel: bytes, now: datetime) -> Refusal | None:
    """Why a card may not say yes or no: what it has not scanned does not exist for it."""
    if login.state is LoginState.CREATED and not login.is_expired(now):
        return Refusal.NOT_FOUND
    return why_not_scanned(login, card=card, channel=channel, now=now)


def scanned(login: Login, *, card: bytes, channel: bytes, now: datetime) -> Login:
    """The login, bound to who has scanned it, who has from now on as long to answer as it was shown."""
    if login.state is LoginState.SCANNED:
        return login
    return msgspec.structs.replace(
        login, state=LoginState.SCANNED, card=card, channel=channel, expires_at=now + SHOWN_FOR
    )


class Redemption(enum.Enum):
    """What a code is worth that a portal has brought."""

    TOKENS = "tokens"
    NOTHING = "nothing"
    REVOKES = "revokes"  # it was worth tokens before: somebody has copied it, so they are worth nothing any more


class CodeBrought(msgspec.Struct, frozen=True, kw_only=True):
    """A code, by whom it was brought, and what came with it."""

    client: bytes
    redirect_uri: str
    verifier: str

    def __repr__(self) -> str:
        return "CodeBrought(<masked>)"


def decide_redemption(login: Login, brought: CodeBrought, *, now: datetime) -> Redemption:
    """What a genuine code of this login is worth. *now* is the clock's."""
    if login.client != brought.client:
        return Redemption.NOTHING
    if login.state is LoginState.CONSUMED:
        return Redemption.REVOKES
    if not is_code_good(login, now=now) or login.redirect_uri != brought.redirect_uri:
        return Redemption.NOTHING
    return Redemption.TOKENS if is_verified(brought.verifier, login.challenge) else Redemption.NOTHING


def is_code_good(login: Login, *, now: datetime) -> bool:
    """True while the login's code may be redeemed."""
    return (
        login.state is LoginState.CONFIRMED and login.confirmed_at is not None and now < login.confirmed_at + CODE_LASTS
    )


def are_tokens_good(login: Login, *, now: datetime) -> bool:
    """True while the login's access token opens something."""
    return login.redeemed_at is not None and login.revoked_at is None and now < login.redeemed_at + TOKENS_LAST


def is_verified(verifier: str, challenge: str) -> bool:
    """True if the challenge was made of this verifier (RFC 7636, section 4.6)."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    return hmac.compare_digest(made, challenge.encode())
