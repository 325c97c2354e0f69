"""The signature profile agrees with an independent RFC 9421 library, in both directions and on strange input.

The library's clock checks are switched off: signatures here are made at arbitrary times.
"""

import string
import urllib.parse
from collections.abc import Sequence
from datetime import UTC, datetime

import http_message_signatures as reference
import http_sf
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from http_message_signatures import algorithms
from http_sf.compat import Dictionary, InnerList, Parameters
from hypothesis import example, given
from hypothesis import strategies as st

from engine.codes.http_signature import (
    CoveredRequest,
    HmacKey,
    ParsedSignature,
    SigningKey,
    check_content_digest,
    content_digest,
    parse_idempotency_key,
    parse_signature,
    sign,
    verification_key,
    verify,
)
from engine.core.refusals import Refusal

SECRET = bytes(range(64))
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ECDSA = ec.derive_private_key(0x1CE1CE1CE, ec.SECP256R1())
HMAC = HmacKey(SECRET)
ORIGIN = "https://engine.test"
CREATED_S = 1_764_000_000

ReferenceKey = bytes | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
ReferenceAlgorithm = type[reference.HTTPSignatureAlgorithm]
# Our key, the library's key, the library's algorithm.
PAIRS: list[tuple[SigningKey, ReferenceKey, ReferenceAlgorithm]] = [
    (HMAC, SECRET, algorithms.HMAC_SHA256),
    (ED25519, ED25519, algorithms.ED25519),
    (ECDSA, ECDSA, algorithms.ECDSA_P256_SHA256),
]


class WireRequest:
    """A request as the library wants to see it."""

    def __init__(self, request: CoveredRequest) -> None:
        self.method = request.method
        self.url = ORIGIN + request.target
        self.headers: dict[str, str] = {}
        if request.content_digest is not None:
            self.headers["Content-Digest"] = request.content_digest
        if request.idempotency_key is not None:
            self.headers["Idempotency-Key"] = request.idempotency_key


class OneKey(reference.HTTPSignatureKeyResolver):
    """Every keyid names the same key."""

    def __init__(self, key: ReferenceKey) -> None:
        self._key = key

    def resolve_private_key(self, _key_id: str) -> ReferenceKey:
        return self._key

    def resolve_public_key(self, _key_id: str) -> reference.VerificationKey:
        return self._key if isinstance(self._key, bytes) else self._key.public_key()


class Verifier(reference.HTTPMessageVerifier):
    """The library's verifier without a clock."""

    def validate_created_and_expires(self, sig_input: object, max_age: object = None) -> None:
        """Every time is accepted."""


def components(request: CoveredRequest) -> list[str]:
    listed = ["@method", "@path", "@query"]
    listed += [] if request.content_digest is None else ["content-digest"]
    return listed + ([] if request.idempotency_key is None else ["idempotency-key"])


def library_accepts(
    request: CoveredRequest,
    signature_input: str,
    signature: str,
    *,
    key: ReferenceKey = SECRET,
    algorithm: ReferenceAlgorithm = algorithms.HMAC_SHA256,
) -> reference.VerifyResult | None:
    """What the library verified, None if it refuses."""
    message = WireRequest(request)
    message.headers |= {"Signature-Input": signature_input, "Signature": signature}
    verifier = Verifier(signature_algorithm=algorithm, key_resolver=OneKey(key))
    try:
        (result,) = verifier.verify(message, max_age=None, require_components=components(request))
    except reference.InvalidSignature:
        return None
    return result


def library_signs(
    request: CoveredRequest,
    key: ReferenceKey,
    algorithm: ReferenceAlgorithm,
    *,
    keyid: str,
    nonce: str,
    label: str,
    order: Sequence[str],
) -> tuple[str, str]:
    """Signature-Input and Signature as the library makes them, with the parameters in the given order."""
    message = WireRequest(request)
    signer = reference.HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=OneKey(key))
    prepared = signer.prepare(
        message,
        key_id=keyid,
        nonce=nonce,
        label=label,
        created=datetime.fromtimestamp(CREATED_S, UTC),
        expires=datetime.fromtimestamp(CREATED_S + 60, UTC),
        tag="any",
        covered_component_ids=components(request),
        use_existing_digest=request.content_digest is not None,
    )
    # The library has an order of its own; RFC 9421 section 2.3 leaves it to the signer.
    dictionary = Dictionary()
    dictionary.parse(b"x=" + prepared.signature_params.encode())
    member = dictionary["x"]
    assert isinstance(member, InnerList)
    member.params = Parameters({name: member.params[name] for name in order})
    params = str(member)
    prepared = reference.PreparedSignature(
        prepared.signature_base.replace(prepared.signature_params.encode(), params.encode()),
        params,
        prepared.label,
        prepared.algorithm_id,
    )
    signer.apply(message, prepared, algorithm(private_key=key).sign(prepared.signature_base))
    return message.headers["Signature-Input"], message.headers["Signature"]


PATH_SAFE = "~!$&'()*+,;=:@"
segments = st.text(max_size=12).map(lambda text: urllib.parse.quote(text, safe=PATH_SAFE))
paths = st.lists(segments, max_size=4).map(lambda parts: "/" + "/".join(parts))
pairs = st.lists(st.tuples(st.sampled_from(["a", "b", "社"]), st.text(max_size=8)), max_size=4)
queries = st.one_of(
    st.just(""),
    st.just("?"),
    pairs.map(lambda items: "?" + urllib.parse.urlencode(items)),
    st.text(string.ascii_letters + string.digits + PATH_SAFE + "/?", max_size=20).map(lambda text: "?" + text),
)
printable = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
names = st.text(printable, min_size=1, max_size=128)
labels = st.from_regex(r"[a-z*][a-z0-9_.*\-]{0,12}", fullmatch=True)
orders = st.permutations(["created", "keyid", "nonce", "alg", "expires", "tag"])
idempotency_keys = st.none() | st.text(printable, max_size=40) | names.map(http_sf.ser)
requests = st.builds(
    CoveredRequest,
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    target=st.tuples(paths, queries).map("".join),
    content_digest=st.none() | st.binary(max_size=64).map(content_digest),
    idempotency_key=idempotency_keys,
)


@pytest.mark.parametrize(("ours", "theirs", "algorithm"), PAIRS, ids=["hmac", "ed25519", "ecdsa"])
@given(request_=requests, keyid=names, nonce=names, label=labels, order=orders)
def test_what_the_library_signs_we_verify(
    ours: SigningKey,
    theirs: ReferenceKey,
    algorithm: ReferenceAlgorithm,
    request_: CoveredRequest,
    keyid: str,
    nonce: str,
    label: str,
    order: list[str],
) -> None:
    headers = library_signs(request_, theirs, algorithm, keyid=keyid, nonce=nonce, label=label, order=order)
    parsed = parse_signature(request_, *headers)
    assert isinstance(parsed, ParsedSignature)
    assert verify(parsed, verification_key(ours)) is None
    assert (parsed.keyid, parsed.nonce) == (keyid, nonce)
    assert (parsed.created, parsed.expires) == (CREATED_S, CREATED_S + 60)


@pytest.mark.parametrize(("ours", "theirs", "algorithm"), PAIRS, ids=["hmac", "ed25519", "ecdsa"])
@given(request_=requests, keyid=names, nonce=names, label=labels, created=st.integers(0, 10**15 - 1))
def test_what_we_sign_the_library_verifies(
    ours: SigningKey,
    theirs: ReferenceKey,
    algorithm: ReferenceAlgorithm,
    request_: CoveredRequest,
    keyid: str,
    nonce: str,
    label: str,
    created: int,
) -> None:
    headers = sign(request_, ours, keyid=keyid, created=created, nonce=nonce, label=label)
    result = library_accepts(
        request_, headers["Signature-Input"], headers["Signature"], key=theirs, algorithm=algorithm
    )
    assert result is not None
    expected = {"created": created, "keyid": keyid, "nonce": nonce, "alg": algorithm.algorithm_id}
    assert (result.label, result.parameters) == (label, expected)


@given(body=st.binary(max_size=300))
def test_digests_agree_both_ways(body: bytes) -> None:
    assert content_digest(body) == reference.ContentDigest.create(body)
    assert check_content_digest(reference.ContentDigest.create(body), body) is None


ALPHABET = string.printable + "é"


@st.composite
def damaged(draw: st.DrawFn, text: str, edits_max: int = 3) -> str:
    """`text` with some characters replaced, removed or put in, mostly ones that mean something in the syntax."""
    characters = st.sampled_from(' ;=",:()\\?*0-') | st.sampled_from(ALPHABET)
    for _ in range(draw(st.integers(1, edits_max))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 2)))
        text = text[:start] + draw(st.text(characters, max_size=2)) + text[end:]
    return text


REQUEST = CoveredRequest(method="POST", target="/v1/x?a=1", content_digest=content_digest(b"{}"), idempotency_key="k")
COMPONENTS = '("@method" "@path" "@query" "content-digest" "idempotency-key")'
PARAMETERS = f'created={CREATED_S};keyid="k1";nonce="n1";alg="hmac-sha256"'
CANONICAL = f"sig1={COMPONENTS};{PARAMETERS}"


@given(signature_input=damaged(CANONICAL))
@example(CANONICAL)
@example(f'{CANONICAL};tag="\\\\";expires=0')
def test_whatever_we_parse_the_library_reads_the_same(signature_input: str) -> None:
    label = signature_input.partition("=")[0]
    parsed = parse_signature(REQUEST, signature_input, f"{label}=:AAAA:")
    if isinstance(parsed, Refusal):
        return
    signature = http_sf.ser({label: HMAC.sign(parsed.base)})
    result = library_accepts(REQUEST, signature_input, signature)
    assert result is not None
    assert (parsed.keyid, parsed.nonce) == (result.parameters["keyid"], result.parameters["nonce"])
    assert (parsed.created, parsed.expires) == (result.parameters["created"], result.parameters.get("expires"))


@given(target=st.just("/") | paths.flatmap(damaged) | st.text(max_size=8), method=damaged("POST") | st.text(max_size=5))
def test_whatever_target_we_sign_the_library_reads_the_same(target: str, method: str) -> None:
    request = CoveredRequest(method=method, target=target)
    try:
        headers = sign(request, HMAC, keyid="k", created=1, nonce="n")
    except ValueError:
        return
    assert library_accepts(request, headers["Signature-Input"], headers["Signature"]) is not None


@pytest.mark.parametrize(
    "signature_input",
    [
        f"sig1=( {COMPONENTS[1:]};{PARAMETERS}",
        f"sig1={COMPONENTS.replace(' ', '  ')};{PARAMETERS}",
        f"sig1={COMPONENTS}; {PARAMETERS}",
        f"sig1={COMPONENTS};{PARAMETERS.replace('=', '=0', 1)}",
        f"sig1={COMPONENTS};created=1;{PARAMETERS}",
        f" {CANONICAL}",
        f"{CANONICAL} ",
    ],
)
def test_other_spellings_than_the_canonical_one_are_refused_though_the_library_reads_them(
    signature_input: str,
) -> None:
    canonical = http_sf.ser(http_sf.parse(signature_input.encode(), tltype="dictionary"))
    parsed = parse_signature(REQUEST, canonical, "sig1=:AAAA:")
    assert isinstance(parsed, ParsedSignature)
    signature = http_sf.ser({"sig1": HMAC.sign(parsed.base)})
    assert library_accepts(REQUEST, signature_input, signature) is not None
    assert parse_signature(REQUEST, signature_input, signature) is Refusal.SIGNATURE_INVALID


@pytest.mark.parametrize("spelling", ["sig1=:{}8:", "sig1=:{}9=:", "sig1=:{}8=:;p", "sig1=:{}8=: "])
def test_other_spellings_of_the_signature_are_refused_though_the_library_reads_them(spelling: str) -> None:
    for attempt in range(64):  # the last character of a code's Base64 has two free bits: find one that ends in "8="
        headers = sign(REQUEST, HMAC, keyid="k", created=attempt, nonce="n")
        if headers["Signature"].endswith("8=:"):
            signature = spelling.format(headers["Signature"].removeprefix("sig1=:").removesuffix("8=:"))
            assert library_accepts(REQUEST, headers["Signature-Input"], signature) is not None
            assert parse_signature(REQUEST, headers["Signature-Input"], signature) is Refusal.SIGNATURE_INVALID
            return
    pytest.fail("no signature ended in 8=")


@given(header=damaged('"key"') | names.map(http_sf.ser) | st.text(printable, max_size=6).map(lambda text: f'"{text}"'))
def test_a_quoted_idempotency_key_is_read_as_a_structured_string(header: str) -> None:
    if not header.startswith('"'):
        return
    key = parse_idempotency_key(header)
    try:
        item = http_sf.parse(header.encode(), tltype="item")
    except ValueError:
        assert key is Refusal.FIELD_INVALID
        return
    assert isinstance(item, tuple)
    value, parameters = item
    is_key = not parameters and not header.endswith(" ") and value != ""
    assert key == (value if is_key else Refusal.FIELD_INVALID)


anything = st.text(st.characters(exclude_categories=()), max_size=40)
headers_of_any_kind = (
    st.none() | anything | damaged(CANONICAL) | damaged("sig1=:AAAA:") | damaged('sha-256=:AA==:, "k"')
)


@given(
    method=anything | st.just("POST"),
    target=anything | st.just("/v1/x"),
    headers=st.tuples(headers_of_any_kind, headers_of_any_kind, headers_of_any_kind, headers_of_any_kind),
    body=st.binary(max_size=8),
)
def test_no_input_raises(
    method: str, target: str, headers: tuple[str | None, str | None, str | None, str | None], body: bytes
) -> None:
    digest, key, signature_input, signature = headers
    request = CoveredRequest(method=method, target=target, content_digest=digest, idempotency_key=key)
    assert isinstance(parse_signature(request, signature_input, signature), Refusal | ParsedSignature)
    assert isinstance(parse_idempotency_key(key), Refusal | str)
    assert check_content_digest(digest, body) in (None, Refusal.CONTENT_DIGEST_MISMATCH)
