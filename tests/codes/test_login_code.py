"""Codes, access tokens, subjects and keys of logins: good for one thing, and nobody else's."""

import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from engine.codes.keys import Keyring
from engine.codes.login_code import bearer_of, login_key_of, new_login_key, read_bearer, subject_of

KEYRING, OTHER = Keyring(bytes(32)), Keyring(bytes(31) + b"\1")
TOKEN = bytes(range(16))


def test_code_leads_back_to_its_login_only() -> None:
    code = bearer_of(KEYRING, TOKEN, "code")
    assert read_bearer(KEYRING, code, "code") == TOKEN
    assert read_bearer(KEYRING, code, "access") is None
    assert read_bearer(OTHER, code, "code") is None
    assert read_bearer(KEYRING, bearer_of(KEYRING, bytes(16), "code")[:22] + code[22:], "code") is None


@pytest.mark.parametrize("text", ["", "a", "." * 66, "é" * 66, "\x00" * 66, bearer_of(KEYRING, TOKEN, "code") + "A"])
def test_what_is_no_code(text: str) -> None:
    assert read_bearer(KEYRING, text, "code") is None


def test_portals_cannot_compare_whom_they_know() -> None:
    subjects = {subject_of(KEYRING, client=bytes([client]) * 16, person=TOKEN) for client in (1, 1, 2)}
    assert len(subjects) == 2
    assert all(TOKEN.hex() not in subject for subject in subjects)


def test_id_token_is_verified_by_the_published_half() -> None:
    key = login_key_of("login-1", new_login_key("login-1").to_der())
    published = KeySet.import_key_set({"keys": [msgspec.to_builtins(key.jwk)]})
    assert "d" not in msgspec.to_builtins(key.jwk)
    token = jwt.decode(key.id_token({"sub": "somebody"}), published, algorithms=["ES256"])
    assert (token.claims, token.header["kid"]) == ({"sub": "somebody"}, "login-1")
