"""Credentials: found by name in the sandbox's file, and shown to nobody."""

import base64
import json
from pathlib import Path

import pytest

from engine.client import Credentials
from tests.web.api import SECRET


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    """A file as the engine writes it."""
    caller = {"name": "pharmacy-1", "keyid": "k-1", "alg": "hmac-sha256", "key": SECRET}
    path = tmp_path / "sandbox.json"
    path.write_text(json.dumps({"callers": [caller]}))
    return path


def test_credentials_are_found_by_name_and_show_nothing(sandbox: Path) -> None:
    found = Credentials.from_sandbox(sandbox, "pharmacy-1")
    assert found.keyid == "k-1"
    for secret in (SECRET, repr(base64.b64decode(SECRET))[2:-1]):
        assert secret not in repr(found)


def test_name_that_nobody_has(sandbox: Path) -> None:
    with pytest.raises(KeyError):
        Credentials.from_sandbox(sandbox, "nobody")


def test_sandbox_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Credentials.from_sandbox(tmp_path / "sandbox.json", "pharmacy-1")


@pytest.mark.parametrize(("alg", "key"), [("ed25519", SECRET), ("hmac-sha256", "c2hvcnQ="), ("none", SECRET)])
def test_what_is_no_key_of_its_algorithm_is_refused_without_showing_it(alg: str, key: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # what it must not say is looked at below
        Credentials.load(keyid="k", alg=alg, key=key)
    assert key not in str(caught.value)
