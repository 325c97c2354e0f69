"""Public keys as participants send them: PEM, one line of Base64, or a JWK; kept as PEM, and never a private key."""

import base64
import binascii
from typing import Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from engine.codes.http_signature import Algorithm

KEY_CHARS_MAX: Final = 2_000
_COORDINATE_BYTES: Final = 32  # of both curves


class MalformedKey(ValueError):
    """The text is no public key that requests can be verified with; the message never quotes it."""


class Jwk(msgspec.Struct, frozen=True, kw_only=True):
    """A public key as JSON. Source: RFC 7517; RFC 7518 section 6.2 (EC), RFC 8037 section 2 (OKP)."""

    kty: str
    crv: str
    x: str
    y: str | None = None
    d: str | None = None  # of a private key, which nobody must send
    kid: str | None = None
    use: str | None = None
    alg: str | None = None


class PublicKey(msgspec.Struct, frozen=True):
    """A public key and the algorithm that it is for. `pem` is a SubjectPublicKeyInfo."""

    algorithm: Algorithm
    pem: str


def read_public_key(given: str | Jwk) -> PublicKey:
    """The key of a PEM text, of its Base64 alone, or of a JWK.

    Raises:
        MalformedKey: it is none, is for another algorithm, or is a private one.
    """
    if isinstance(given, Jwk):
        return _as_kept(_of_jwk(given))
    if len(given) > KEY_CHARS_MAX:
        raise MalformedKey("too long for a public key")
    if "PRIVATE KEY" in given:
        raise MalformedKey(_PRIVATE)
    try:
        if given.lstrip().startswith("-----"):
            return _as_kept(load_pem_public_key(given.strip().encode()))
        return _as_kept(load_der_public_key(base64.b64decode(given, validate=True)))
    except (ValueError, UnsupportedAlgorithm, binascii.Error) as error:
        if isinstance(error, MalformedKey):
            raise
        raise MalformedKey("not a public key as PEM (SubjectPublicKeyInfo) or as a JWK") from None


_PRIVATE: Final = "this is a private key: it is not secret any more, make a new pair and send the public half"


def _of_jwk(jwk: Jwk) -> object:
    if jwk.d is not None:
        raise MalformedKey(_PRIVATE)
    try:
        if (jwk.kty, jwk.crv, jwk.y) == ("OKP", "Ed25519", None):
            return ed25519.Ed25519PublicKey.from_public_bytes(_coordinate(jwk.x))
        if (jwk.kty, jwk.crv) == ("EC", "P-256") and jwk.y is not None:
            x, y = (int.from_bytes(_coordinate(text)) for text in (jwk.x, jwk.y))
            return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError:
        raise MalformedKey("the coordinates of the JWK are no point of its curve") from None
    raise MalformedKey("a JWK is of kty OKP and crv Ed25519, or of kty EC and crv P-256")


def _coordinate(text: str) -> bytes:
    """Base64url without padding, in its one spelling (RFC 7515, section 2).

    Raises:
        ValueError: it is not that, or not of 32 bytes.
    """
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if len(raw) != _COORDINATE_BYTES or base64.urlsafe_b64encode(raw).rstrip(b"=") != text.encode():
        raise ValueError("not 32 bytes as Base64url")
    return raw


def _as_kept(key: object) -> PublicKey:
    if isinstance(key, ed25519.Ed25519PublicKey):
        algorithm = Algorithm.ED25519
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        algorithm = Algorithm.ECDSA_P256_SHA256
    else:
        raise MalformedKey("the key is neither Ed25519 nor on the curve P-256")
    return PublicKey(algorithm, key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())
