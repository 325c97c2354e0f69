"""Keys of the signature profile: the published vectors verify, and only texts of the right kind are keys."""

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from engine.codes.http_signature import (
    Algorithm,
    CoveredRequest,
    HmacKey,
    ParsedSignature,
    load_signing_key,
    load_verification_key,
    parse_signature,
    sign,
    verify,
)

# The keys of RFC 9421 appendix B.1.5, B.1.4 and B.1.3.
RFC_SECRET = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
RFC_ED25519_PUBLIC = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----"""
RFC_ED25519_PRIVATE = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----"""
RFC_ECDSA_PUBLIC = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----"""

RFC_VECTORS: list[tuple[Algorithm, str, list[str], str]] = [
    (
        Algorithm.ECDSA_P256_SHA256,  # appendix B.2.4
        RFC_ECDSA_PUBLIC,
        [
            '"@status": 200',
            '"content-type": application/json',
            (
                '"content-digest": sha-512=:'
                "mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:"
            ),
            '"content-length": 23',
            (
                '"@signature-params": ("@status" "content-type" "content-digest" "content-length")'
                ';created=1618884473;keyid="test-key-ecc-p256"'
            ),
        ],
        "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==",
    ),
    (
        Algorithm.HMAC_SHA256,  # appendix B.2.5
        RFC_SECRET,
        [
            '"date": Tue, 20 Apr 2021 02:07:55 GMT',
            '"@authority": example.com',
            '"content-type": application/json',
            '"@signature-params": ("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"',
        ],
        "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
    ),
    (
        Algorithm.ED25519,  # appendix B.2.6
        RFC_ED25519_PUBLIC,
        [
            '"date": Tue, 20 Apr 2021 02:07:55 GMT',
            '"@method": POST',
            '"@path": /foo',
            '"@authority": example.com',
            '"content-type": application/json',
            '"content-length": 18',
            (
                '"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length")'
                ';created=1618884473;keyid="test-key-ed25519"'
            ),
        ],
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
    ),
]


@pytest.mark.parametrize(("algorithm", "key", "base", "signature"), RFC_VECTORS)
def test_published_signatures_verify_under_the_published_keys(
    algorithm: Algorithm, key: str, base: list[str], signature: str
) -> None:
    assert load_verification_key(algorithm, key).verify("\n".join(base).encode(), base64.b64decode(signature))


@pytest.mark.parametrize(("algorithm", "key", "base", "signature"), RFC_VECTORS)
def test_published_signatures_fail_on_another_base(
    algorithm: Algorithm, key: str, base: list[str], signature: str
) -> None:
    assert not load_verification_key(algorithm, key).verify("\n".join(base[1:]).encode(), base64.b64decode(signature))


def test_deterministic_algorithms_reproduce_the_published_signatures() -> None:
    hmac_key = load_signing_key(Algorithm.HMAC_SHA256, RFC_SECRET)
    ed25519_key = load_signing_key(Algorithm.ED25519, RFC_ED25519_PRIVATE)
    for key, (_, _, base, signature) in ((hmac_key, RFC_VECTORS[1]), (ed25519_key, RFC_VECTORS[2])):
        assert isinstance(key, HmacKey | ed25519.Ed25519PrivateKey)
        assert base64.b64decode(signature) == key.sign("\n".join(base).encode())


REQUEST = CoveredRequest(method="GET", target="/v1/payments")


def pem(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> str:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


P384 = ec.derive_private_key(7, ec.SECP384R1())
P256 = ec.derive_private_key(7, ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.mark.parametrize(("algorithm", "key"), [(Algorithm.ED25519, ED), (Algorithm.ECDSA_P256_SHA256, P256)])
def test_a_key_pair_written_as_pem_signs_and_verifies(
    algorithm: Algorithm, key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
) -> None:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()
    loaded = load_signing_key(algorithm, pem(key))
    headers = sign(REQUEST, loaded, keyid="k", created=1, nonce="n")
    signature = parse_signature(REQUEST, headers["Signature-Input"], headers["Signature"])
    assert isinstance(signature, ParsedSignature)
    assert verify(signature, load_verification_key(algorithm, public)) is None


@pytest.mark.parametrize(
    ("algorithm", "text"),
    [
        (Algorithm.ED25519, pem(P256)),
        (Algorithm.ECDSA_P256_SHA256, pem(ED)),
        (Algorithm.ECDSA_P256_SHA256, pem(P384)),
        (Algorithm.ED25519, pem(ED, password=b"secret")),
        (Algorithm.ED25519, "not a key: s3cret"),
        (Algorithm.HMAC_SHA256, "not Base64: s3cret"),
        (Algorithm.HMAC_SHA256, f"!{RFC_SECRET}"),
        (Algorithm.HMAC_SHA256, base64.b64encode(bytes(31)).decode()),
    ],
)
def test_a_text_that_is_no_private_key_of_the_algorithm_is_refused(algorithm: Algorithm, text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        load_signing_key(algorithm, text)
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    ("algorithm", "text"),
    [
        (Algorithm.ED25519, RFC_ECDSA_PUBLIC),
        (Algorithm.ECDSA_P256_SHA256, RFC_ED25519_PUBLIC),
        (Algorithm.ED25519, RFC_ED25519_PRIVATE),
        (Algorithm.HMAC_SHA256, RFC_ED25519_PUBLIC),
    ],
)
def test_a_text_that_is_no_public_key_of_the_algorithm_is_refused(algorithm: Algorithm, text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        load_verification_key(algorithm, text)
    assert text not in str(caught.value)


def test_a_public_key_on_another_curve_is_refused() -> None:
    public = P384.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ValueError, match="P-256"):
        load_verification_key(Algorithm.ECDSA_P256_SHA256, public.decode())
    with pytest.raises(ValueError, match="P-256"):
        sign(REQUEST, P384, keyid="k", created=1, nonce="n")
