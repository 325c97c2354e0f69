"""The fields beside a signature: the body's digest and the idempotency key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.codes.http_signature import check_content_digest, content_digest, parse_idempotency_key
from engine.core.refusals import Refusal

BODY = b'{"order_no":"A-1001","amount":79971}'
RIGHT = content_digest(BODY)
WRONG = content_digest(b"another body")


def test_digest_of_a_published_body_is_the_published_header() -> None:
    # RFC 9530 appendix B.1.
    assert content_digest(b'{"hello": "world"}\n') == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


@pytest.mark.parametrize(
    ("header", "body", "is_right"),
    [
        (RIGHT, BODY, True),
        (f"sha-512=:AAAA:, {RIGHT}", BODY, True),
        (f"{RIGHT},md5=:AAAA:", BODY, True),
        (content_digest(b""), b"", True),
        (None, b"", True),
        (None, BODY, False),
        ("", b"", False),
        (WRONG, BODY, False),
        (RIGHT, b"", False),
        (f"{RIGHT}, {RIGHT}", BODY, False),
        (f"{WRONG}, {RIGHT}", BODY, False),
        (f"sha-512=:AAAA:, {WRONG}", BODY, False),
        ("sha-512=:AAAA:", BODY, False),
        (f"{RIGHT},", BODY, False),
        (f"{RIGHT}, md5=AAAA", BODY, False),
        (RIGHT.upper(), BODY, False),
        (RIGHT.replace("sha-256", "sha-512"), BODY, False),
        (RIGHT.replace(":", "", 1), BODY, False),
    ],
)
def test_every_body_has_its_sha_256(header: str | None, body: bytes, *, is_right: bool) -> None:
    assert (None if is_right else Refusal.CONTENT_DIGEST_MISMATCH) is check_content_digest(header, body)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ('"abc"', "abc"),
        ("abc", "abc"),
        ('"a b"', "a b"),
        ('"a\\"b\\\\c"', 'a"b\\c'),
        ('a"b\\c', 'a"b\\c'),
        ("a" * 128, "a" * 128),
        (f'"{"a" * 128}"', "a" * 128),
        (f'"{chr(92) * 256}"', "\\" * 128),
        (None, Refusal.IDEMPOTENCY_KEY_MISSING),
        ("", Refusal.FIELD_INVALID),
        ('""', Refusal.FIELD_INVALID),
        ("a" * 129, Refusal.FIELD_INVALID),
        (f'"{"a" * 129}"', Refusal.FIELD_INVALID),
        ('"abc', Refusal.FIELD_INVALID),
        ('"', Refusal.FIELD_INVALID),
        ('"a"b"', Refusal.FIELD_INVALID),
        ('"a\\b"', Refusal.FIELD_INVALID),
        ('"abc";p=1', Refusal.FIELD_INVALID),
        ('"a", "b"', Refusal.FIELD_INVALID),
        ("a, b", Refusal.FIELD_INVALID),
        ("a b", Refusal.FIELD_INVALID),
        ("a\tb", Refusal.FIELD_INVALID),
        ("a\n", Refusal.FIELD_INVALID),
        ('"a\x7f"', Refusal.FIELD_INVALID),
        ("社保", Refusal.FIELD_INVALID),
    ],
)
def test_an_idempotency_key_is_quoted_or_bare(header: str | None, key: str | Refusal) -> None:
    assert key == parse_idempotency_key(header)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128))
def test_a_bare_key_and_its_quoted_form_are_the_same_key(key: str) -> None:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    assert key == parse_idempotency_key(f'"{escaped}"')
    assert key.startswith('"') or key == parse_idempotency_key(key)
