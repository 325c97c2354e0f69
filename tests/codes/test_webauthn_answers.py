"""What an authenticator answers: the right bytes verify, and any others are refused without a fault."""

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.codes.webauthn_answers import (
    Assertion,
    Credential,
    Registration,
    base64url_bytes,
    base64url_text,
    challenge_in,
    verify_assertion,
    verify_registration,
)
from engine.core.passkeys import CHALLENGE_BYTES, RelyingParty
from tests.authenticator import Authenticator

PARTY = RelyingParty(id="localhost", origin="http://localhost:8080")
CHALLENGE = bytes(range(CHALLENGE_BYTES))
DEVICE = Authenticator(PARTY.origin)


def _bytes(text: str) -> bytes:
    raw = base64url_bytes(text)
    assert raw is not None
    return raw


def registration() -> Registration:
    """A right one."""
    told = DEVICE.create({"challenge": base64url_text(CHALLENGE)})["response"]
    return Registration(
        credential_id=DEVICE.id,
        client_data=_bytes(told["clientDataJSON"]),
        attestation=_bytes(told["attestationObject"]),
    )


def assertion() -> Assertion:
    """A right one."""
    told = DEVICE.sign({"challenge": base64url_text(CHALLENGE)})["response"]
    return Assertion(
        credential_id=DEVICE.id,
        client_data=_bytes(told["clientDataJSON"]),
        authenticator_data=_bytes(told["authenticatorData"]),
        signature=_bytes(told["signature"]),
    )


REGISTRATION, ASSERTION = registration(), assertion()


def registered(answer: Registration = REGISTRATION) -> Credential | None:
    """What becomes of it."""
    return verify_registration(answer, challenge=CHALLENGE, party=PARTY)


def counted(answer: Assertion = ASSERTION) -> int | None:
    """What becomes of it."""
    credential = registered()
    assert credential is not None
    return verify_assertion(answer, challenge=CHALLENGE, party=PARTY, public_key=credential.public_key)


def test_right_answers_verify() -> None:
    credential = registered()
    assert credential is not None
    assert (credential.id, credential.sign_count) == (DEVICE.id, 0)
    assert counted() == 1
    assert challenge_in(ASSERTION.client_data) == CHALLENGE


@pytest.mark.parametrize(
    "client_data",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"challenge": 7}',
        b'{"challenge": "AA"}',
        json.dumps({"challenge": "é" * 43}).encode(),
        json.dumps({"challenge": "A" * 42 + "B"}).encode(),  # another spelling of the same bytes
    ],
)
def test_client_data_without_a_challenge_of_ours_has_none(client_data: bytes) -> None:
    assert challenge_in(client_data) is None


@pytest.mark.parametrize("text", ["A", "AB", "A=", "A+==", "é", "AA\n"])
def test_text_that_is_no_base64url_is_none(text: str) -> None:
    assert base64url_bytes(text) is None


def spoiled(raw: bytes, at: int, byte: int, cut: int) -> bytes:
    """The bytes with one of them changed, and cut off."""
    at %= max(len(raw), 1)
    return (raw[:at] + bytes([byte]) + raw[at + 1 :])[: len(raw) - cut % (len(raw) + 1)]


CHANGES = {"at": st.integers(0, 1_000), "byte": st.integers(0, 255), "cut": st.sampled_from([0, 0, 0, 1, 7, 40, 999])}
QUICK = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(**CHANGES)
@example(at=0, byte=0xBF, cut=0)
def test_spoiled_registration_is_refused_and_never_a_fault(at: int, byte: int, cut: int) -> None:
    attestation = spoiled(REGISTRATION.attestation, at, byte, cut)
    made = registered(
        Registration(credential_id=DEVICE.id, client_data=REGISTRATION.client_data, attestation=attestation)
    )
    # Without attestation nothing vouches for the key itself; the device's name for it and the rest have to be right.
    assert made is None or (made.id == DEVICE.id and len(attestation) == len(REGISTRATION.attestation))


@QUICK
@given(**CHANGES, part=st.sampled_from(["client_data", "authenticator_data", "signature"]))
def test_spoiled_assertion_is_refused_and_never_a_fault(at: int, byte: int, cut: int, part: str) -> None:
    parts = {name: getattr(ASSERTION, name) for name in ("client_data", "authenticator_data", "signature")}
    changed = parts | {part: spoiled(parts[part], at, byte, cut)}
    answer = Assertion(credential_id=DEVICE.id, **changed)
    assert counted(answer) == (1 if changed == parts else None)


@QUICK
@given(raw=st.binary(max_size=200))
def test_any_bytes_are_refused_and_never_a_fault(raw: bytes) -> None:
    assert registered(Registration(credential_id=b"i", client_data=REGISTRATION.client_data, attestation=raw)) is None
    assert (
        counted(Assertion(credential_id=b"i", client_data=ASSERTION.client_data, authenticator_data=raw, signature=raw))
        is None
    )
