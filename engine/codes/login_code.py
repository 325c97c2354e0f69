"""What a login is shown and told by: authorization codes, access tokens, subjects, and the keys of id tokens.

Codes and tokens follow from the master secret and the login, so none is stored, and a browser that has lost its answer
gets the same one again. Source: RFC 7515, 7517, 7518 (ES256), OpenID Connect Core 1.0 sections 2 and 8.1.
"""

import base64
import hmac
from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from joserfc import jwt
from joserfc.jwk import ECKey

from engine.codes.keys import Keyring
from engine.codes.order_code import read_token, token_text

ALGORITHM: Final = "ES256"
_COORDINATE_BYTES: Final = 32
_TOKEN_CHARS: Final = 22

Purpose = Literal["code", "access"]


def bearer_of(keyring: Keyring, token: bytes, purpose: Purpose) -> str:
    """The code or the access token of a login: where it is, and what only we can make of that."""
    name = token_text(token)
    return f"{name}.{_base64url(keyring.blind_index(f'login {purpose} {name}'))}"


def read_bearer(keyring: Keyring, text: str, purpose: Purpose) -> bytes | None:
    """The token of the login whose code or access token this is; None if it is nobody's."""
    token = read_token(text[:_TOKEN_CHARS])
    if token is None or not text.isascii():
        return None
    return token if hmac.compare_digest(bearer_of(keyring, token, purpose), text) else None


def subject_of(keyring: Keyring, *, client: bytes, person: bytes) -> str:
    """Who somebody is for one client: always the same there, and another one everywhere else."""
    return _base64url(keyring.blind_index(f"login subject {client.hex()} {person.hex()}"))


class LoginJwk(msgspec.Struct, frozen=True, kw_only=True):
    """A public key that id tokens are verified with."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    use: Literal["sig"]
    alg: Literal["ES256"]
    kid: str
    x: str
    y: str


class LoginKey(msgspec.Struct, frozen=True):
    """A key that id tokens are signed with."""

    key_id: str
    private: ec.EllipticCurvePrivateKey

    @property
    def jwk(self) -> LoginJwk:
        """Its public half."""
        point = self.private.public_key().public_numbers()
        x, y = (_base64url(number.to_bytes(_COORDINATE_BYTES)) for number in (point.x, point.y))
        return LoginJwk(kty="EC", crv="P-256", use="sig", alg=ALGORITHM, kid=self.key_id, x=x, y=y)

    def id_token(self, claims: Mapping[str, object]) -> str:
        """A signed id token, as compact JWS."""
        header = {"alg": ALGORITHM, "kid": self.key_id, "typ": "JWT"}
        return jwt.encode(header, dict(claims), ECKey.import_key(self.private), algorithms=[ALGORITHM])

    def to_der(self) -> bytes:
        """PKCS 8, not encrypted: seal it before it is stored."""
        return self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def new_login_key(key_id: str) -> LoginKey:
    """A fresh key of that name."""
    return LoginKey(key_id, ec.generate_private_key(ec.SECP256R1()))


def login_key_of(key_id: str, der: bytes) -> LoginKey:
    """Read a key that `LoginKey.to_der` wrote."""
    private = load_der_private_key(der, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return LoginKey(key_id, private)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
