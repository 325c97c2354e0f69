"""The password block: a card's password on its way here, sealed so that nobody in between can read or re-use it.

It is a JWE in compact form, made for the engine's P-256 key that `/v1/keys` publishes with ``"use": "enc"``:

    header     {"alg": "ECDH-ES", "enc": "A256GCM", "kid": …, "epk": {"kty": "EC", "crv": "P-256", "x": …, "y": …}}
    plaintext  {"password": "123456", "iat": unix seconds, "order_no": …, "merchant_id"?: "mer_…"}

In place of `order_no` stands `payment_id`, or `card_id` of a password that is changed. The members may stand in any
order; there are no others. The plaintext names what the password confirms, so that a block that somebody has kept
confirms nothing else. An order's number is good for one merchant: `merchant_id` says for which.

Source: RFC 7516 for the form, RFC 7518 sections 4.6 (ECDH-ES), 5.3 (A256GCM) and 6.2 (EC keys).
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from engine.core.passwords import PASSWORD_DIGITS, PASSWORD_PATTERN
from engine.core.refusals import Refusal

T = TypeVar("T", bound=msgspec.Struct)

AGE_S_MAX: Final = 300
AHEAD_S_MAX: Final = 60
"""A terminal's clock may be fast by a minute; more would let a block live much longer than its five minutes."""

IV_BYTES: Final = 12
_ALG: Final = "ECDH-ES"
_ENC: Final = "A256GCM"
_KEY_BYTES: Final = 32
_TAG_BYTES: Final = 16
_COORDINATE_BYTES: Final = 32
_HEADER_CHARS_MAX: Final = 512
_CIPHER_CHARS_MAX: Final = 342  # 256 bytes
BLOCK_CHARS_MAX: Final = _HEADER_CHARS_MAX + _CIPHER_CHARS_MAX + 16 + 22 + 4
# Header, no encrypted key, 12 bytes of IV, ciphertext, 16 bytes of tag.
_COMPACT: Final = re.compile(
    rf"([\w-]{{1,{_HEADER_CHARS_MAX}}})\.\.([\w-]{{16}})\.([\w-]{{1,{_CIPHER_CHARS_MAX}}})\.([\w-]{{22}})", re.ASCII
)


class _Point(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public key of P-256 as the header has it."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str


class _Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The only header that a block may have."""

    alg: Literal["ECDH-ES"]
    enc: Literal["A256GCM"]
    kid: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    epk: _Point


class EncryptionJwk(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's key that passwords are sealed for, as `/v1/keys` publishes it."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    use: Literal["enc"]
    alg: Literal["ECDH-ES"]
    kid: str
    x: str
    y: str


class BoundTo(msgspec.Struct, frozen=True, kw_only=True):
    """What a password confirms: a payment that waits for it, an order, which a merchant numbers, or a card's change."""

    payment_id: str | None = None
    order_no: str | None = None
    card_id: str | None = None
    merchant_id: str | None = None  # whose order; a block that does not say it fits every merchant

    def __post_init__(self) -> None:
        named = (self.payment_id, self.order_no, self.card_id)
        assert named.count(None) == len(named) - 1, "one of them"


class PasswordBlock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is inside of a block. Its repr does not show the password."""

    password: Annotated[str, msgspec.Meta(pattern=PASSWORD_PATTERN, max_length=PASSWORD_DIGITS)]
    iat: Annotated[int, msgspec.Meta(ge=0, lt=2**53)]  # unix seconds
    order_no: str | None = None
    payment_id: str | None = None
    card_id: str | None = None
    merchant_id: str | None = None

    def __repr__(self) -> str:
        return f"PasswordBlock(password=<masked>, iat={self.iat})"

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("iat", self.iat)]


class SealedBlock(msgspec.Struct, frozen=True, kw_only=True):
    """A block that is well-formed and not yet opened."""

    kid: str
    ephemeral: ec.EllipticCurvePublicKey
    protected: bytes  # the header as it was sent, which the tag covers
    iv: bytes
    sealed: bytes  # ciphertext and tag


class BlockKey(msgspec.Struct, frozen=True):
    """One of the engine's keys that passwords are sealed for."""

    key_id: str
    private: ec.EllipticCurvePrivateKey

    @property
    def jwk(self) -> EncryptionJwk:
        """The public half."""
        x, y = _coordinates(self.private.public_key())
        return EncryptionJwk(kty="EC", crv="P-256", use="enc", alg="ECDH-ES", kid=self.key_id, x=x, y=y)

    def to_der(self) -> bytes:
        """PKCS 8, not encrypted: seal it before it is stored."""
        return self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def block_key_of(key_id: str, der: bytes) -> BlockKey:
    """Read a key that `BlockKey.to_der` wrote."""
    private = load_der_private_key(der, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return BlockKey(key_id, private)


def seal_password(key: EncryptionJwk, block: PasswordBlock, *, ephemeral: ec.EllipticCurvePrivateKey, iv: bytes) -> str:
    """The block in compact form. *ephemeral* is a key made for this block alone, *iv* is 12 fresh bytes.

    Raises:
        ValueError: the key is no point of its curve, or the password is not six digits.
    """
    if re.fullmatch(PASSWORD_PATTERN, block.password) is None:
        raise ValueError("a password is six digits")
    x, y = _coordinates(ephemeral.public_key())
    header = _Header(alg=_ALG, enc=_ENC, kid=key.kid, epk=_Point(kty="EC", crv="P-256", x=x, y=y))
    protected = _base64url(msgspec.json.encode(header)).encode()
    shared = ephemeral.exchange(ec.ECDH(), _public_key(key.x, key.y))
    sealed = AESGCM(agreed_key(shared, _ENC, key_bytes=_KEY_BYTES)).encrypt(iv, msgspec.json.encode(block), protected)
    parts = (sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:])
    text = f"{protected.decode()}..{_base64url(iv)}.{'.'.join(map(_base64url, parts))}"
    assert isinstance(parse_block(text), SealedBlock), "what we seal, we can read"
    return text


def parse_block(text: str) -> SealedBlock | Refusal:
    """The parts of a block, PASSWORD_BLOCK_INVALID if it is none of the form above. Nothing is decrypted yet."""
    match = _COMPACT.fullmatch(text)
    if match is None:
        return Refusal.PASSWORD_BLOCK_INVALID
    try:
        header = _decoded(_from_base64url(match[1]), _Header)
        iv, cipher, tag = (_from_base64url(part) for part in match.groups()[1:])
        ephemeral = _public_key(header.epk.x, header.epk.y)
    except ValueError:
        return Refusal.PASSWORD_BLOCK_INVALID
    return SealedBlock(kid=header.kid, ephemeral=ephemeral, protected=match[1].encode(), iv=iv, sealed=cipher + tag)


def open_block(sealed: SealedBlock, key: BlockKey) -> PasswordBlock | Refusal:
    """What is in the block, PASSWORD_BLOCK_INVALID if it was sealed for another key or changed, or is no password."""
    shared = key.private.exchange(ec.ECDH(), sealed.ephemeral)
    try:
        cipher = AESGCM(agreed_key(shared, _ENC, key_bytes=_KEY_BYTES))
        return _decoded(cipher.decrypt(sealed.iv, sealed.sealed, sealed.protected), PasswordBlock)
    except (InvalidTag, ValueError):
        return Refusal.PASSWORD_BLOCK_INVALID


def judge_block(block: PasswordBlock, bound_to: BoundTo, *, now_s: float) -> Refusal | None:
    """The first reason for which an opened block does not confirm *bound_to* now. Units: *now_s* in unix seconds."""
    confirmed = (block.payment_id, block.order_no, block.card_id)
    if confirmed != (bound_to.payment_id, bound_to.order_no, bound_to.card_id):
        return Refusal.PASSWORD_BLOCK_INVALID
    if block.merchant_id is not None and block.merchant_id != bound_to.merchant_id:
        return Refusal.PASSWORD_BLOCK_INVALID
    if not -AHEAD_S_MAX <= now_s - block.iat <= AGE_S_MAX:
        return Refusal.PASSWORD_BLOCK_EXPIRED
    return None


def agreed_key(shared: bytes, algorithm: str, *, key_bytes: int, apu: bytes = b"", apv: bytes = b"") -> bytes:
    """The key that both sides make of their *shared* secret: the Concat KDF with SHA-256.

    Source: RFC 7518 section 4.6.2; NIST SP 800-56A section 5.8.1.
    """
    fields = b"".join(len(field).to_bytes(4) + field for field in (algorithm.encode(), apu, apv))
    return ConcatKDFHash(hashes.SHA256(), key_bytes, fields + (key_bytes * 8).to_bytes(4)).derive(shared)


def _decoded(raw: bytes, kind: type[T]) -> T:
    """A JSON object of these fields, each named once: of two, readers would take different ones.

    Raises:
        ValueError: it is something else.
    """
    json.loads(raw, object_pairs_hook=_distinct, parse_int=str, parse_float=str)
    return msgspec.json.decode(raw, type=kind)


def _distinct(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name stands twice")


def _public_key(x: str, y: str) -> ec.EllipticCurvePublicKey:
    """Raises ValueError if the coordinates are no point of the curve."""
    numbers = []
    for text in (x, y):
        raw = _from_base64url(text)
        if len(raw) != _COORDINATE_BYTES:
            raise ValueError("a coordinate has 32 bytes")
        numbers.append(int.from_bytes(raw))
    return ec.EllipticCurvePublicNumbers(numbers[0], numbers[1], ec.SECP256R1()).public_key()


def _coordinates(public: ec.EllipticCurvePublicKey) -> tuple[str, str]:
    numbers = public.public_numbers()
    return _base64url(numbers.x.to_bytes(_COORDINATE_BYTES)), _base64url(numbers.y.to_bytes(_COORDINATE_BYTES))


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _from_base64url(text: str) -> bytes:
    """Base64url without padding, in its one spelling (RFC 7515, section 2). Raises ValueError for any other."""
    raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if _base64url(raw) != text:
        raise ValueError("not canonical Base64url")
    return raw
