"""Public keys in each of their forms; nothing else is taken for one."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from engine.codes.http_signature import Algorithm, load_verification_key
from engine.codes.public_keys import Jwk, MalformedKey, read_public_key

# RFC 8037, appendix A.2
OKP = Jwk(kty="OKP", crv="Ed25519", x="11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
# RFC 7517, appendix A.1
EC = Jwk(
    kty="EC",
    crv="P-256",
    x="MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    y="4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
)
ED25519 = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def pem(key: object) -> str:
    """The public half as PEM."""
    assert isinstance(key, Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("jwk", "algorithm"), [(OKP, Algorithm.ED25519), (EC, Algorithm.ECDSA_P256_SHA256)], ids=["OKP", "EC"]
)
def test_published_jwk_becomes_a_key_that_verifies(jwk: Jwk, algorithm: Algorithm) -> None:
    key = read_public_key(jwk)
    assert key.algorithm is algorithm
    load_verification_key(algorithm, key.pem)


@pytest.mark.parametrize("private", [ED25519, ec.derive_private_key(7, ec.SECP256R1())], ids=["ed25519", "ecdsa"])
def test_pem_and_its_base64_alone_are_one_key(private: object) -> None:
    text = pem(private)
    alone = "".join(line for line in text.splitlines() if not line.startswith("-"))
    assert read_public_key(text) == read_public_key(alone) == read_public_key(f"\n{text}\n")
    assert read_public_key(text).pem == text


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        "AAAA",
        base64.b64encode(bytes(range(32))).decode(),
        pem(rsa.generate_private_key(65537, 2048)),
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(ED25519).replace("M", "*", 1),
        "A" * 3_000,
        Jwk(kty="OKP", crv="Ed448", x=OKP.x),
        Jwk(kty="OKP", crv="Ed25519", x=OKP.x[:-1]),
        Jwk(kty="OKP", crv="Ed25519", x=OKP.x[:-1] + "p"),  # stray bits
        Jwk(kty="OKP", crv="Ed25519", x=OKP.x, y=OKP.x),
        Jwk(kty="EC", crv="P-256", x=EC.x),
        Jwk(kty="EC", crv="P-256", x=EC.x, y=EC.x),  # no point of the curve
        Jwk(kty="RSA", crv="P-256", x=EC.x, y=EC.y),
        Jwk(kty="EC", crv="P-256", x="元" * 43, y=EC.y),
    ],
)
def test_what_is_no_public_key_is_refused_without_being_quoted(given: str | Jwk) -> None:
    with pytest.raises(MalformedKey) as caught:
        read_public_key(given)
    assert (given if isinstance(given, str) else given.x)[:20] not in str(caught.value) or given == ""


@pytest.mark.parametrize(
    "given",
    [
        ED25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        Jwk(kty="OKP", crv="Ed25519", x=OKP.x, d="nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"),
    ],
    ids=["PEM", "JWK"],
)
def test_private_key_is_told_to_be_one(given: str | Jwk) -> None:
    with pytest.raises(MalformedKey, match="private key"):
        read_public_key(given)
