"""Requests are signed and verified by one fixed profile of RFC 9421, their bodies bound by RFC 9530 digests.

The profile: the covered components are exactly ``("@method" "@path" "@query" "content-digest"
"idempotency-key")``, the last two if and only if the header is sent; the parameters ``created``,
``keyid``, ``nonce`` and ``alg`` are all present, in any order; the label is free. Decided here:

- ``@path`` is the path as it stands on the wire, percent-encoding untouched; ``@query`` is ``?`` and all that
  follows the first question mark, also untouched, so that no query and an empty one are both ``?``.
- ``expires`` is honoured without tolerance: with the tolerance of ``created`` it could never bite. ``tag`` is
  accepted and means nothing. Any other parameter, and any parameter twice, is refused.
- Of several labels the one that fits the profile counts; two that fit are refused, for nobody could say on
  whose behalf the request comes. Both headers must carry the same labels.
- Structured fields are read in their canonical spelling only, Base64 included, as RFC 9651 section 4.1 makes
  senders write them. What was received is then what a parser would serialise again, so the received text
  stands in the signature base as it is, and a changed byte anywhere is a changed signature.
"""

import binascii
import enum
import hashlib
import hmac
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import ClassVar, Final, TypeAlias

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

from engine.core.refusals import Refusal

SKEW_S: Final = 300
NAME_LENGTH_MAX: Final = 128  # of a keyid, a nonce, an idempotency key
HMAC_SECRET_BYTES_MIN: Final = 32  # RFC 2104 section 3: a key shorter than the hash's output weakens the code


class Algorithm(enum.StrEnum):
    """The signature algorithms of the profile, by their names in RFC 9421 section 6.2.2."""

    HMAC_SHA256 = "hmac-sha256"
    ED25519 = "ed25519"
    ECDSA_P256_SHA256 = "ecdsa-p256-sha256"


class CoveredRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All of one request that a signature covers.

    Shape: `target` is the request target in origin form, as on the wire (``/v1/payments?limit=5``). A header
    is its whole value, several lines joined by ``", "``, or None if it is not sent.
    """

    method: str
    target: str
    content_digest: str | None = None
    idempotency_key: str | None = None


class ParsedSignature(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A signature that fits the profile and is not yet verified.

    Units: `created` and `expires` in unix seconds. `base` is what was signed, RFC 9421 section 2.5.
    """

    keyid: str
    algorithm: Algorithm
    nonce: str
    created: int
    expires: int | None
    base: bytes
    signature: bytes

    def __repr__(self) -> str:
        # The base quotes the request's query, which may name a person.
        return f"ParsedSignature(keyid={self.keyid!r}, algorithm={self.algorithm.value!r}, ***)"


class HmacKey:
    """A secret shared with one caller; it signs and verifies (RFC 9421 section 3.3.3)."""

    __slots__ = ("_secret",)
    algorithm: ClassVar = Algorithm.HMAC_SHA256

    def __init__(self, secret: bytes) -> None:
        if len(secret) < HMAC_SECRET_BYTES_MIN:
            raise ValueError(f"an HMAC secret has at least {HMAC_SECRET_BYTES_MIN} bytes, got {len(secret)}")
        self._secret = secret

    def __repr__(self) -> str:
        return "HmacKey(***)"

    def sign(self, base: bytes) -> bytes:
        """The 32 bytes of the message authentication code."""
        return hmac.digest(self._secret, base, "sha256")

    def verify(self, base: bytes, signature: bytes) -> bool:
        """True if the holder of the secret signed `base`; the time taken tells nothing of the secret."""
        return hmac.compare_digest(self.sign(base), signature)


class Ed25519Key:
    """A caller's public Ed25519 key (RFC 9421 section 3.3.6)."""

    __slots__ = ("_public_key",)
    algorithm: ClassVar = Algorithm.ED25519

    def __init__(self, public_key: ed25519.Ed25519PublicKey) -> None:
        self._public_key = public_key

    def verify(self, base: bytes, signature: bytes) -> bool:
        """True if the holder of the private key signed `base`."""
        with suppress(InvalidSignature):
            self._public_key.verify(signature, base)
            return True
        return False


class EcdsaKey:
    """A caller's public key on the curve P-256 (RFC 9421 section 3.3.4)."""

    __slots__ = ("_public_key",)
    algorithm: ClassVar = Algorithm.ECDSA_P256_SHA256

    def __init__(self, public_key: ec.EllipticCurvePublicKey) -> None:
        if not isinstance(public_key.curve, ec.SECP256R1):
            raise ValueError(f"the key is on the curve {public_key.curve.name}, not on P-256")
        self._public_key = public_key

    def verify(self, base: bytes, signature: bytes) -> bool:
        """True if the holder of the private key signed `base`; `signature` is r and s, 32 bytes each."""
        if len(signature) != 64:
            return False
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        with suppress(InvalidSignature):
            self._public_key.verify(utils.encode_dss_signature(r, s), base, ec.ECDSA(hashes.SHA256()))
            return True
        return False


VerificationKey: TypeAlias = HmacKey | Ed25519Key | EcdsaKey
SigningKey: TypeAlias = HmacKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


def verification_key(key: SigningKey) -> VerificationKey:
    """The key that verifies what `key` signs. Raises ValueError for a curve other than P-256."""
    if isinstance(key, HmacKey):
        return key
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Ed25519Key(key.public_key())
    return EcdsaKey(key.public_key())


def load_verification_key(algorithm: Algorithm, text: str) -> VerificationKey:
    """The key written in `text`: Base64 of a shared secret, or a public key as PEM (SubjectPublicKeyInfo).

    Raises:
        ValueError: the text is no key of this algorithm; the message never quotes it.
    """
    if algorithm is Algorithm.HMAC_SHA256:
        return HmacKey(binascii.a2b_base64(text, strict_mode=True))
    with suppress(UnsupportedAlgorithm):
        key = serialization.load_pem_public_key(text.encode())
        if algorithm is Algorithm.ED25519 and isinstance(key, ed25519.Ed25519PublicKey):
            return Ed25519Key(key)
        if algorithm is Algorithm.ECDSA_P256_SHA256 and isinstance(key, ec.EllipticCurvePublicKey):
            return EcdsaKey(key)
    raise ValueError(f"the text is not a public key for {algorithm.value}")


def load_signing_key(algorithm: Algorithm, text: str) -> SigningKey:
    """The key written in `text`: Base64 of a shared secret, or a private key as PEM (PKCS 8, not encrypted).

    Raises:
        ValueError: the text is no key of this algorithm; the message never quotes it.
    """
    if algorithm is Algorithm.HMAC_SHA256:
        return HmacKey(binascii.a2b_base64(text, strict_mode=True))
    with suppress(TypeError, UnsupportedAlgorithm):  # a TypeError if it is encrypted
        key = serialization.load_pem_private_key(text.encode(), password=None)
        if isinstance(key, SigningKey) and verification_key(key).algorithm is algorithm:
            return key
    raise ValueError(f"the text is not a private key for {algorithm.value}")


def sign(
    request: CoveredRequest, key: SigningKey, *, keyid: str, created: int, nonce: str, label: str = "sig1"
) -> dict[str, str]:
    """The request is signed: these headers, the covered ones among them, are to be sent with it.

    Units: `created` in unix seconds.

    Raises:
        ValueError: the request or a parameter cannot be spelt in the profile.
    """
    covered = _cover(request)
    if covered is None:
        raise ValueError("only an upper-case method, an encoded target and printable headers can be signed")
    components, lines = covered
    alg = verification_key(key).algorithm
    params = f"({components});created={created};keyid={_quote(keyid)};nonce={_quote(nonce)};alg={_quote(alg)}"
    base = f'{lines}"@signature-params": {params}'.encode()
    member = _INPUT_MEMBER.fullmatch(f"{label}={params}")
    if member is None or _parse_parameters(member[4], base, b"") is None:
        raise ValueError("label, created, keyid or nonce does not fit the profile")
    if isinstance(key, ec.EllipticCurvePrivateKey):
        # Deterministic, RFC 6979: this module draws no random numbers.
        r, s = utils.decode_dss_signature(key.sign(base, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
        signature = r.to_bytes(32) + s.to_bytes(32)
    else:
        signature = key.sign(base)
    headers = {
        "Content-Digest": request.content_digest,
        "Idempotency-Key": request.idempotency_key,
        "Signature-Input": f"{label}={params}",
        "Signature": f"{label}=:{_base64(signature)}:",
    }
    return {name: value for name, value in headers.items() if value is not None}


def parse_signature(
    request: CoveredRequest, signature_input: str | None, signature: str | None
) -> ParsedSignature | Refusal:
    """The one signature of the request that fits the profile, or why there is none."""
    if not signature_input or not signature:
        return Refusal.SIGNATURE_MISSING
    covered = _cover(request)
    own, made = _OWN_INPUT.fullmatch(signature_input), _BYTES_MEMBER.fullmatch(signature)
    if covered is not None and own is not None and made is not None:
        return _parse_own(own, made, covered)
    inputs = _members(_INPUT_MEMBER, signature_input)
    signatures = _members(_BYTES_MEMBER, signature)
    if covered is None or inputs is None or signatures is None or inputs.keys() != signatures.keys():
        return Refusal.SIGNATURE_INVALID
    components, lines = covered
    fitting: list[ParsedSignature] = []
    for label, member in inputs.items():
        base = f'{lines}"@signature-params": {member[2]}'.encode()
        parsed = _parse_parameters(member[4], base, binascii.a2b_base64(signatures[label][2]))
        if member[3] == components and parsed is not None:
            fitting.append(parsed)
    return fitting[0] if len(fitting) == 1 else Refusal.SIGNATURE_INVALID


def judge_signature(parsed: ParsedSignature, key: VerificationKey | None, *, now_s: float) -> Refusal | None:
    """The first of the refusals, in their order of precedence, that applies to a parsed signature.

    `key` is the one its keyid names, None if it names none. Units: `now_s` in unix seconds.
    """
    if key is None:
        return check_age(parsed, now_s=now_s) or Refusal.SIGNATURE_KEY_UNKNOWN
    return verify(parsed, key) or check_age(parsed, now_s=now_s)


def verify(parsed: ParsedSignature, key: VerificationKey) -> Refusal | None:
    """None if `key` made the signature and the signature names the key's own algorithm."""
    # The key decides the algorithm: a public key must never be taken for a shared secret.
    if parsed.algorithm is not key.algorithm or not key.verify(parsed.base, parsed.signature):
        return Refusal.SIGNATURE_INVALID
    return None


def check_age(parsed: ParsedSignature, *, now_s: float) -> Refusal | None:
    """None if the signature was made within `SKEW_S` of now, before or after, and has not expired."""
    if abs(now_s - parsed.created) > SKEW_S or (parsed.expires is not None and now_s > parsed.expires):
        return Refusal.SIGNATURE_EXPIRED
    return None


def content_digest(body: bytes) -> str:
    """The Content-Digest header of a body (RFC 9530 section 2)."""
    return f"sha-256=:{_base64(hashlib.sha256(body).digest())}:"


def check_content_digest(header: str | None, body: bytes) -> Refusal | None:
    """None if the header holds the body's SHA-256; without a body there need not be a header."""
    if header is None:
        return Refusal.CONTENT_DIGEST_MISMATCH if body else None
    return check_digest(header, content_digest(body))


def check_digest(header: str, expected: str) -> Refusal | None:
    """None if the header holds that digest. Others beside it are ignored (RFC 9530 section 2)."""
    if header == expected:
        return None
    found = (_members(_BYTES_MEMBER, header) or {}).get("sha-256")
    return None if found is not None and f"sha-256=:{found[2]}:" == expected else Refusal.CONTENT_DIGEST_MISMATCH


def parse_idempotency_key(header: str | None) -> str | Refusal:
    """The key, at most `NAME_LENGTH_MAX` printable ASCII characters; quotes around it do not count.

    A bare key has no spaces, so that two header lines joined are not one key; a quoted one is a structured-field
    string without parameters (RFC 9651 section 3.3.3).
    """
    if header is None:
        return Refusal.IDEMPOTENCY_KEY_MISSING
    match = _IDEMPOTENCY_KEY.fullmatch(header)
    if match is None:
        return Refusal.FIELD_INVALID
    key = match[2] or _unescape(match[1])
    return key if 1 <= len(key) <= NAME_LENGTH_MAX else Refusal.FIELD_INVALID


_ALGORITHMS: Final[Mapping[str, Algorithm]] = {algorithm.value: algorithm for algorithm in Algorithm}
_STRING_PARAMETERS: Final = frozenset({"keyid", "nonce", "alg", "tag"})  # RFC 9421 section 2.3
_INTEGER_PARAMETERS: Final = frozenset({"created", "expires"})
_REQUIRED_PARAMETERS: Final = frozenset({"created", "keyid", "nonce", "alg"})

# Possessive quantifiers throughout: no header can make a pattern try again.
_KEY: Final = r"[a-z*][a-z0-9_.*\-]*+"
_CHARACTERS: Final = r'[ !#-\[\]-~]*+(?:\\["\\][ !#-\[\]-~]*+)*+'
_INTEGER: Final = r"(?:0|[1-9][0-9]{0,14}+)"
_WORD: Final = r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/\-]*+"
# Canonical Base64: the last character of an incomplete group carries no stray bits.
_BASE64: Final = r"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?+"
# Wider than the profile's own parameters, for the signatures of others under other labels.
_PARAMETERS: Final = rf'(?:;{_KEY}(?:=(?:"{_CHARACTERS}"|{_INTEGER}|{_WORD}|:{_BASE64}:))?+)*+'
_DELIMITER: Final = r"(?:\Z|[ \t]*+,[ \t]*+(?!\Z))"
_COMPONENT: Final = rf'"{_CHARACTERS}"{_PARAMETERS}'
# Groups: label, the value of "@signature-params", components, parameters.
_INPUT_MEMBER: Final = re.compile(rf"({_KEY})=(\(((?:{_COMPONENT}(?: {_COMPONENT})*+)?+)\)({_PARAMETERS})){_DELIMITER}")
_NAME: Final = rf"([ !#-\[\]-~]{{1,{NAME_LENGTH_MAX}}})"
_OWN_INPUT: Final = re.compile(
    rf"({_KEY})=(\(((?:{_COMPONENT}(?: {_COMPONENT})*+)?+)\)"
    rf';created=({_INTEGER});keyid="{_NAME}";nonce="{_NAME}";alg="({"|".join(_ALGORITHMS)})")'
)
_BYTES_MEMBER: Final = re.compile(rf"({_KEY})=:({_BASE64}):{_DELIMITER}")
_PARAMETER: Final = re.compile(rf';({_KEY})=(?:"({_CHARACTERS})"|({_INTEGER}))')
_ESCAPED: Final = re.compile(r'\\(["\\])')
_IDEMPOTENCY_KEY: Final = re.compile(rf'"({_CHARACTERS})"|([!#-~][!-~]*+)')

# RFC 3986 section 3: a path and a query are of characters that stand for themselves and encoded octets.
_PCHARS: Final = r"[A-Za-z0-9._~!$&'()*+,;=:@/\-]*+"
_TEXT: Final = rf"{_PCHARS}(?:%[0-9A-Fa-f]{{2}}{_PCHARS})*+"
_REQUEST_LINE: Final = re.compile(rf"([A-Z]++) (/{_TEXT})(?:\?({_TEXT}(?:\?{_TEXT})*+))?")


def _cover(request: CoveredRequest) -> tuple[str, str] | None:
    """The covered components as a header lists them and their lines of the base; None if they have none."""
    match = _REQUEST_LINE.fullmatch(f"{request.method} {request.target}")
    if match is None:
        return None
    components = '"@method" "@path" "@query"'
    lines = f'"@method": {match[1]}\n"@path": {match[2]}\n"@query": ?{match[3] or ""}\n'
    headers = ("content-digest", request.content_digest), ("idempotency-key", request.idempotency_key)
    for name, header in headers:
        if header is not None:
            # A line break here could forge a line of the base.
            if not (header.isascii() and header.isprintable()):
                return None
            components += f' "{name}"'
            lines += f'"{name}": {header.strip(" ")}\n'
    return components, lines


def _members(pattern: re.Pattern[str], text: str) -> dict[str, re.Match[str]] | None:
    """The members of a structured-field dictionary by key; None if it is malformed or a key comes twice."""
    members: dict[str, re.Match[str]] = {}
    position = 0
    while (match := pattern.match(text, position)) is not None and match[1] not in members:
        members[match[1]] = match
        if (position := match.end()) == len(text):
            return members
    return None


def _parse_parameters(text: str, base: bytes, signature: bytes) -> ParsedSignature | None:
    """The signature with these parameters; None if they are not those of the profile."""
    values: dict[str, str] = {}
    position = 0
    for match in _PARAMETER.finditer(text):
        name = match[1]
        value = match[2] if name in _STRING_PARAMETERS else match[3] if name in _INTEGER_PARAMETERS else None
        if value is None or name in values or match.start() != position:
            return None
        values[name] = value
        position = match.end()
    if position != len(text) or not values.keys() >= _REQUIRED_PARAMETERS:
        return None
    keyid, nonce = _unescape(values["keyid"]), _unescape(values["nonce"])
    algorithm = _ALGORITHMS.get(values["alg"])
    if algorithm is None or not (1 <= len(keyid) <= NAME_LENGTH_MAX and 1 <= len(nonce) <= NAME_LENGTH_MAX):
        return None
    return ParsedSignature(
        keyid=keyid,
        algorithm=algorithm,
        nonce=nonce,
        created=int(values["created"]),
        expires=int(values["expires"]) if "expires" in values else None,
        base=base,
        signature=signature,
    )


def _parse_own(own: re.Match[str], made: re.Match[str], covered: tuple[str, str]) -> ParsedSignature | Refusal:
    """The signature as our own client spells it, in a third of the time; what it says is what the parser would say."""
    if own[1] != made[1] or own[3] != covered[0]:
        return Refusal.SIGNATURE_INVALID
    return ParsedSignature(
        keyid=own[5],
        algorithm=_ALGORITHMS[own[7]],
        nonce=own[6],
        created=int(own[4]),
        expires=None,
        base=f'{covered[1]}"@signature-params": {own[2]}'.encode(),
        signature=binascii.a2b_base64(made[2]),
    )


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _unescape(characters: str) -> str:
    return _ESCAPED.sub(r"\1", characters) if "\\" in characters else characters


def _base64(octets: bytes) -> str:
    return binascii.b2a_base64(octets, newline=False).decode("ascii")
