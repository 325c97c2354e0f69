"""The signature profile by itself: what it accepts, one table for each refusal, and every changed byte."""

import string
from collections.abc import Mapping

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from engine.codes.http_signature import (
    CoveredRequest,
    HmacKey,
    ParsedSignature,
    SigningKey,
    check_age,
    content_digest,
    judge_signature,
    parse_signature,
    sign,
    verification_key,
    verify,
)
from engine.core.refusals import Refusal

HMAC = HmacKey(bytes(range(64)))
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ECDSA = ec.derive_private_key(0x1CE1CE1CE, ec.SECP256R1())
KEYS: list[SigningKey] = [HMAC, ED25519, ECDSA]

NOW_S = 1_764_000_000
BODY = b'{"order_no":"A-1001","amount":79971}'
REQUEST = CoveredRequest(
    method="POST",
    target="/v1/payments?dry_run=true",
    content_digest=content_digest(BODY),
    idempotency_key='"order-A-1001"',
)
COMPONENTS = '("@method" "@path" "@query" "content-digest" "idempotency-key")'
PARAMETERS = f';created={NOW_S};keyid="k";nonce="n";alg="hmac-sha256"'
SOME_BYTES = "sig1=:AAAA:"


def signed(key: SigningKey = HMAC, request: CoveredRequest = REQUEST, *, created: int = NOW_S) -> dict[str, str]:
    return sign(request, key, keyid="mer_1", created=created, nonce="nonce-1")


def parsed(key: SigningKey = HMAC, request: CoveredRequest = REQUEST, *, created: int = NOW_S) -> ParsedSignature:
    headers = signed(key, request, created=created)
    result = parse_signature(request, headers["Signature-Input"], headers["Signature"])
    assert isinstance(result, ParsedSignature)
    return result


def outcome(request: CoveredRequest, signature_input: str, signature: str, key: SigningKey = HMAC) -> Refusal | None:
    result = parse_signature(request, signature_input, signature)
    return result if isinstance(result, Refusal) else verify(result, verification_key(key))


def test_base_of_a_request_reads_as_the_profile_says() -> None:
    expected = (
        '"@method": POST\n"@path": /v1/payments\n"@query": ?dry_run=true\n'
        f'"content-digest": {content_digest(BODY)}\n"idempotency-key": "order-A-1001"\n'
        f'"@signature-params": {COMPONENTS};created={NOW_S};keyid="mer_1";nonce="nonce-1";alg="hmac-sha256"'
    )
    assert expected.encode() == parsed().base


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/v1/cards", "/v1/cards", "?"),
        ("/v1/cards?", "/v1/cards", "?"),
        ("/v1/cards?a=1&a=%E7%A4%BE&b", "/v1/cards", "?a=1&a=%E7%A4%BE&b"),
        ("/v1/cards?a=?/", "/v1/cards", "?a=?/"),
        ("/%e7%A4/../%2F//x;y@z:", "/%e7%A4/../%2F//x;y@z:", "?"),
        ("//host/x", "//host/x", "?"),
    ],
)
def test_path_and_query_enter_the_base_as_they_are_on_the_wire(target: str, path: str, query: str) -> None:
    base = parsed(request=CoveredRequest(method="GET", target=target)).base.decode()
    assert ['"@method": GET', f'"@path": {path}', f'"@query": {query}'] == base.splitlines()[:3]


@pytest.mark.parametrize("key", KEYS)
def test_a_signed_request_verifies(key: SigningKey) -> None:
    result = parsed(key)
    assert (result.keyid, result.nonce, result.created, result.expires) == ("mer_1", "nonce-1", NOW_S, None)
    assert judge_signature(result, verification_key(key), now_s=NOW_S) is None


@pytest.mark.parametrize("key", KEYS)
def test_the_same_request_is_signed_the_same_way(key: SigningKey) -> None:
    assert signed(key) == signed(key)


def test_signing_returns_every_covered_header() -> None:
    headers = signed()
    assert (REQUEST.content_digest, REQUEST.idempotency_key) == (headers["Content-Digest"], headers["Idempotency-Key"])
    assert {"Signature-Input", "Signature"} == set(signed(request=CoveredRequest(method="GET", target="/")))


@pytest.mark.parametrize(
    ("request_", "keyid", "nonce", "label", "created"),
    [
        (CoveredRequest(method="post", target="/"), "k", "n", "sig1", NOW_S),
        (CoveredRequest(method="GET", target="/a b"), "k", "n", "sig1", NOW_S),
        (CoveredRequest(method="GET", target="http://host/"), "k", "n", "sig1", NOW_S),
        (CoveredRequest(method="GET", target="/", idempotency_key="a\nb"), "k", "n", "sig1", NOW_S),
        (REQUEST, "", "n", "sig1", NOW_S),
        (REQUEST, "k", "", "sig1", NOW_S),
        (REQUEST, "k" * 129, "n", "sig1", NOW_S),
        (REQUEST, "k", "n" * 129, "sig1", NOW_S),
        (REQUEST, "k", "n\n", "sig1", NOW_S),
        (REQUEST, "k", "社", "sig1", NOW_S),
        (REQUEST, "k", "n", "Sig1", NOW_S),
        (REQUEST, "k", "n", "a=(),b", NOW_S),
        (REQUEST, "k", "n", "sig1", -1),
        (REQUEST, "k", "n", "sig1", 10**15),
    ],
)
def test_what_the_profile_cannot_spell_is_not_signed(
    request_: CoveredRequest, keyid: str, nonce: str, label: str, created: int
) -> None:
    with pytest.raises(ValueError, match=r"signed|profile"):
        sign(request_, HMAC, keyid=keyid, created=created, nonce=nonce, label=label)


@pytest.mark.parametrize("headers", [(None, None), (None, "x"), ("x", None), ("", "x"), ("x", "")])
def test_a_request_without_both_headers_is_unsigned(headers: tuple[str | None, str | None]) -> None:
    assert Refusal.SIGNATURE_MISSING is parse_signature(REQUEST, *headers)


@pytest.mark.parametrize(
    "parameters",
    [
        f';created={NOW_S};keyid="k";nonce="n";alg="hmac-sha256"',
        f';alg="ed25519";nonce="n";keyid="k";created={NOW_S}',
        f';nonce="n";created={NOW_S};alg="ecdsa-p256-sha256";expires=0;keyid="k";tag="t"',
        f';created={NOW_S};keyid="k";nonce="n";alg="hmac-sha256";tag=""',
        f';created={NOW_S};keyid="\\"\\\\";nonce=";created=1";alg="hmac-sha256"',
    ],
)
def test_parameters_come_in_any_order(parameters: str) -> None:
    assert isinstance(parse_signature(REQUEST, f"x={COMPONENTS}{parameters}", "x=:AAAA:"), ParsedSignature)


@pytest.mark.parametrize(
    "signature_input",
    [
        "sig1",
        "sig1=",
        f"sig1={COMPONENTS}",
        f"Sig1={COMPONENTS}{PARAMETERS}",
        f"sig1={COMPONENTS}{PARAMETERS},",
        f"sig1={COMPONENTS}{PARAMETERS}, ",
        f"sig1={COMPONENTS}{PARAMETERS} x",
        f"sig1={COMPONENTS}{PARAMETERS}, sig1={COMPONENTS}{PARAMETERS}",
        f"sig2={COMPONENTS}{PARAMETERS}",
        f"sig1=(){PARAMETERS}",
        f'sig1=("@method" "@path" "@query" "content-digest"){PARAMETERS}',
        f'sig1=("@method" "@path" "@query" "idempotency-key"){PARAMETERS}',
        f'sig1=("@path" "@method" "@query" "content-digest" "idempotency-key"){PARAMETERS}',
        f'sig1=("@method" "@path" "@query";req "content-digest" "idempotency-key"){PARAMETERS}',
        f'sig1=("@method" "@path" "@query" "content-digest" "idempotency-key" "date"){PARAMETERS}',
        f'sig1=("@method" "@path" "@query" "content-digest" "content-digest"){PARAMETERS}',
        f'sig1={COMPONENTS};keyid="k";nonce="n";alg="hmac-sha256"',
        f'sig1={COMPONENTS};created={NOW_S};nonce="n";alg="hmac-sha256"',
        f'sig1={COMPONENTS};created={NOW_S};keyid="k";alg="hmac-sha256"',
        f'sig1={COMPONENTS};created={NOW_S};keyid="k";nonce="n"',
        f'sig1={COMPONENTS};created={NOW_S};keyid="k";nonce="n";alg="rsa-pss-sha512"',
        f'sig1={COMPONENTS};created={NOW_S};keyid="k";nonce="n";alg=hmac-sha256',
        f'sig1={COMPONENTS};created="{NOW_S}";keyid="k";nonce="n";alg="hmac-sha256"',
        f'sig1={COMPONENTS};created={NOW_S}.0;keyid="k";nonce="n";alg="hmac-sha256"',
        f'sig1={COMPONENTS};created=-1;keyid="k";nonce="n";alg="hmac-sha256"',
        f'sig1={COMPONENTS};created=1000000000000000;keyid="k";nonce="n";alg="hmac-sha256"',
        f'sig1={COMPONENTS};created={NOW_S};keyid=1;nonce="n";alg="hmac-sha256"',
        f'sig1={COMPONENTS};created={NOW_S};keyid="";nonce="n";alg="hmac-sha256"',
        f'sig1={COMPONENTS};created={NOW_S};keyid="k";nonce="";alg="hmac-sha256"',
        f'sig1={COMPONENTS};created={NOW_S};keyid="{"k" * 129}";nonce="n";alg="hmac-sha256"',
        f'sig1={COMPONENTS};created={NOW_S};keyid="k";nonce="{"n" * 129}";alg="hmac-sha256"',
        f'sig1={COMPONENTS};created={NOW_S};keyid="k";nonce="\\n";alg="hmac-sha256"',
        f"sig1={COMPONENTS}{PARAMETERS};unknown=1",
        f"sig1={COMPONENTS}{PARAMETERS};flag",
        f"sig1={COMPONENTS};flag{PARAMETERS}",
        f"sig1={COMPONENTS}{PARAMETERS};expires=soon",
        f"sig1={COMPONENTS}{PARAMETERS};tag=word",
        f'sig1={COMPONENTS}{PARAMETERS};nonce="n"',
    ],
)
def test_what_is_not_the_profile_is_invalid(signature_input: str) -> None:
    assert Refusal.SIGNATURE_INVALID is parse_signature(REQUEST, signature_input, SOME_BYTES)


@pytest.mark.parametrize(
    "signature", ["sig1", "sig1=AAAA", 'sig1="AAAA"', "sig1=:AAA:", "sig1=:AA-_:", "sig2=:AAAA:", "sig1=:AAAA:,"]
)
def test_what_is_not_a_byte_sequence_is_invalid(signature: str) -> None:
    assert Refusal.SIGNATURE_INVALID is parse_signature(REQUEST, f"sig1={COMPONENTS}{PARAMETERS}", signature)


@pytest.mark.parametrize("digest", [None, content_digest(BODY)])
@pytest.mark.parametrize("key", [None, '"k"'])
def test_a_header_is_covered_if_and_only_if_it_is_sent(digest: str | None, key: str | None) -> None:
    sent = CoveredRequest(method="POST", target="/", content_digest=digest, idempotency_key=key)
    headers = signed(request=sent)
    for received in (
        msgspec.structs.replace(sent, content_digest=content_digest(BODY) if digest is None else None),
        msgspec.structs.replace(sent, idempotency_key='"k"' if key is None else None),
    ):
        assert Refusal.SIGNATURE_INVALID is outcome(received, headers["Signature-Input"], headers["Signature"])
    assert outcome(sent, headers["Signature-Input"], headers["Signature"]) is None


@pytest.mark.parametrize(
    "request_",
    [
        CoveredRequest(method="GET", target=""),
        CoveredRequest(method="GET", target="*"),
        CoveredRequest(method="GET", target="/a#b"),
        CoveredRequest(method="GET", target="/a|b"),
        CoveredRequest(method="GET", target="/%zz"),
        CoveredRequest(method="GET", target="/社"),
        CoveredRequest(method="get", target="/"),
        CoveredRequest(method="GET", target="/", content_digest="a\n"),
        CoveredRequest(method="GET", target="/", idempotency_key="a\r"),
        CoveredRequest(method="GET", target="/", idempotency_key="社"),
        CoveredRequest(method="GET", target="/", idempotency_key="\udc80"),
    ],
)
def test_a_request_that_no_base_can_spell_is_invalid(request_: CoveredRequest) -> None:
    listed = ["@method", "@path", "@query"]
    listed += ["content-digest"] if request_.content_digest else []
    listed += ["idempotency-key"] if request_.idempotency_key else []
    quoted = " ".join(f'"{name}"' for name in listed)
    assert Refusal.SIGNATURE_INVALID is parse_signature(request_, f"sig1=({quoted}){PARAMETERS}", SOME_BYTES)


OTHER = 'proxy=("@authority";req "date");created=1;by=:AAAA:;via=a/b;n=7;flag'


@pytest.mark.parametrize(
    ("signature_input", "signature"),
    [
        ("{ours}, {other}", "{sig}, proxy=:AA==:"),
        ("{other},{ours}", "proxy=:AA==:\t, \t{sig}"),
        ("{other} , {ours}", "{sig},proxy=::"),
    ],
)
def test_of_several_labels_the_one_of_the_profile_counts(signature_input: str, signature: str) -> None:
    headers = signed()
    received = signature_input.format(ours=headers["Signature-Input"], other=OTHER)
    assert outcome(REQUEST, received, signature.format(sig=headers["Signature"])) is None


def test_two_labels_of_the_profile_are_refused() -> None:
    first = signed()
    second = sign(REQUEST, HMAC, keyid="mer_2", created=NOW_S, nonce="nonce-2", label="sig2")
    received = [f"{first[name]}, {second[name]}" for name in ("Signature-Input", "Signature")]
    assert Refusal.SIGNATURE_INVALID is parse_signature(REQUEST, *received)


def test_both_headers_carry_the_same_labels() -> None:
    headers = signed()
    for signature_input, signature in (
        (f"{headers['Signature-Input']}, {OTHER}", headers["Signature"]),
        (headers["Signature-Input"], f"{headers['Signature']}, proxy=:AA==:"),
    ):
        assert Refusal.SIGNATURE_INVALID is parse_signature(REQUEST, signature_input, signature)


@pytest.mark.parametrize("signing", KEYS)
@pytest.mark.parametrize("verifying", KEYS)
def test_only_the_signing_key_verifies(signing: SigningKey, verifying: SigningKey) -> None:
    expected = None if signing is verifying else Refusal.SIGNATURE_INVALID
    assert expected is verify(parsed(signing), verification_key(verifying))
    assert Refusal.SIGNATURE_INVALID is verify(parsed(signing), HmacKey(bytes(32)))


def test_the_named_algorithm_is_the_keys_own() -> None:
    # The code is right; what it stands under calls itself Ed25519.
    claimed = parsed(ED25519)
    forged = msgspec.structs.replace(claimed, signature=HMAC.sign(claimed.base))
    assert HMAC.verify(forged.base, forged.signature)
    assert Refusal.SIGNATURE_INVALID is verify(forged, HMAC)


@pytest.mark.parametrize("length", [0, 31, 33, 63, 65])
@pytest.mark.parametrize("key", KEYS)
def test_a_signature_of_another_length_is_invalid(key: SigningKey, length: int) -> None:
    wrong = msgspec.structs.replace(parsed(key), signature=bytes(length))
    assert Refusal.SIGNATURE_INVALID is verify(wrong, verification_key(key))


def test_an_ecdsa_signature_is_64_bytes_even_if_its_numbers_are_right() -> None:
    original = parsed(ECDSA)
    padded = original.signature[:32] + b"\0" + original.signature[32:]
    assert Refusal.SIGNATURE_INVALID is verify(
        msgspec.structs.replace(original, signature=padded), verification_key(ECDSA)
    )


@pytest.mark.parametrize("key", KEYS)
def test_stray_bits_at_the_end_of_the_base64_are_refused(key: SigningKey) -> None:
    headers = signed(key)
    text = headers["Signature"].rstrip("=:")
    padding = headers["Signature"].removeprefix(text)
    accepted = [
        last
        for last in string.ascii_letters + string.digits + "+/"
        if outcome(REQUEST, headers["Signature-Input"], text[:-1] + last + padding, key) is None
    ]
    assert accepted == [text[-1]]


def test_spaces_around_a_header_do_not_count() -> None:
    headers = signed(request=msgspec.structs.replace(REQUEST, idempotency_key=f"  {REQUEST.idempotency_key} "))
    assert outcome(REQUEST, headers["Signature-Input"], headers["Signature"]) is None


def test_any_changed_character_of_a_header_or_component_is_refused() -> None:
    headers = signed()
    originals: Mapping[str, str] = {
        "method": REQUEST.method,
        "target": REQUEST.target,
        "content_digest": content_digest(BODY),
        "idempotency_key": '"order-A-1001"',
        "signature_input": headers["Signature-Input"],
        "signature": headers["Signature"],
    }
    accepted = []
    for field, text in originals.items():
        for index, original in enumerate(text):
            for character in set(string.printable) - {original}:
                values = {**originals, field: text[:index] + character + text[index + 1 :]}
                signature_input, signature = values.pop("signature_input"), values.pop("signature")
                if outcome(CoveredRequest(**values), signature_input, signature) is None:
                    accepted.append((field, index, character))
    assert accepted == []


@pytest.mark.parametrize("key", KEYS)
def test_any_flipped_bit_of_signature_or_base_is_refused(key: SigningKey) -> None:
    original = parsed(key)
    public = verification_key(key)
    for field, octets in (("signature", original.signature), ("base", original.base)):
        for bit in range(0, len(octets) * 8, 1 if field == "signature" else 7):
            flipped = (int.from_bytes(octets) ^ (1 << bit)).to_bytes(len(octets))
            changed = msgspec.structs.replace(original, **{field: flipped})
            assert Refusal.SIGNATURE_INVALID is verify(changed, public), (field, bit)


@pytest.mark.parametrize(
    ("age_s", "expires", "refusal"),
    [
        (-300.5, None, Refusal.SIGNATURE_EXPIRED),
        (-300, None, None),
        (0, None, None),
        (300, None, None),
        (300.5, None, Refusal.SIGNATURE_EXPIRED),
        (0, NOW_S, None),
        (0.5, NOW_S, Refusal.SIGNATURE_EXPIRED),
        (301, NOW_S + 900, Refusal.SIGNATURE_EXPIRED),
    ],
)
def test_a_signature_is_good_for_five_minutes_around_its_making(
    age_s: float, expires: int | None, refusal: Refusal | None
) -> None:
    signature = msgspec.structs.replace(parsed(), expires=expires)
    assert refusal is check_age(signature, now_s=NOW_S + age_s)


@pytest.mark.parametrize(
    ("key", "age_s", "refusal"),
    [  # in order of precedence
        (HmacKey(bytes(32)), 301, Refusal.SIGNATURE_INVALID),
        (HmacKey(bytes(32)), 0, Refusal.SIGNATURE_INVALID),
        (HMAC, 301, Refusal.SIGNATURE_EXPIRED),
        (None, 301, Refusal.SIGNATURE_EXPIRED),
        (None, 0, Refusal.SIGNATURE_KEY_UNKNOWN),
        (HMAC, 0, None),
    ],
)
def test_first_refusal_that_applies_is_the_one(key: HmacKey | None, age_s: int, refusal: Refusal | None) -> None:
    assert refusal is judge_signature(parsed(), key, now_s=NOW_S + age_s)


def test_no_representation_shows_a_key_or_a_query() -> None:
    secret = b"a-secret-of-more-than-32-bytes-here"
    request = CoveredRequest(method="GET", target="/v1/cards?holder=Zhang-San")
    for shown in (repr(HmacKey(secret)), str(HmacKey(secret)), repr(parsed(request=request))):
        assert "a-secret" not in shown
        assert "Zhang-San" not in shown
