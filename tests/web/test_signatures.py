"""Who may speak: every request is signed by a known key, is fresh, and is what was signed."""

import secrets
from collections.abc import Mapping

import pytest

from engine.codes.http_signature import CoveredRequest, HmacKey, SigningKey, content_digest, sign
from tests.web.api import ED25519_KEY, ED25519_PUBLIC, Api, a_key, credentials

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIST = "/v1/payments"
NOON = 1_795_500_000.0  # nothing is booked at this instant
A_STRANGER = HmacKey(secrets.token_bytes(32))


def without(headers: Mapping[str, str], *names: str) -> dict[str, str]:
    """The headers but those."""
    return {name: value for name, value in headers.items() if name not in names}


@pytest.mark.parametrize("missing", [("Signature", "Signature-Input"), ("Signature",), ("Signature-Input",)])
async def test_unsigned_request_is_refused(city: Api, missing: tuple[str, ...]) -> None:
    reply = await city.send("GET", LIST, headers=without(city.signed("GET", LIST), *missing))
    assert reply.refused == (401, "signature-missing")
    assert reply.headers["WWW-Authenticate"] == "Signature"


@pytest.mark.parametrize(
    ("age_s", "status"), [(0, 200), (300, 200), (301, 401), (-300, 200), (-301, 401), (10**8, 401)]
)
async def test_signature_is_good_for_five_minutes_before_and_after(city: Api, age_s: int, status: int) -> None:
    with city.clock.held(NOON):
        reply = await city.send("GET", LIST, headers=city.signed("GET", LIST, created=int(NOON) - age_s))
    assert reply.status == status
    assert status == 200 or reply.code == "signature-expired"


async def test_five_minutes_are_counted_exactly(city: Api) -> None:
    with city.clock.held(NOON + 0.001):
        reply = await city.send("GET", LIST, headers=city.signed("GET", LIST, created=int(NOON) - 300))
    assert reply.refused == (401, "signature-expired")


async def test_nonce_is_good_once(city: Api) -> None:
    headers = city.signed("GET", LIST)
    first, second = [await city.send("GET", LIST, headers=headers) for _ in range(2)]
    assert (first.status, second.refused) == (200, (401, "request-replayed"))


async def test_nonce_of_a_payment_is_good_once(city: Api) -> None:
    body = b'{"order_no":"A-1"}'
    headers = city.signed("POST", "/v1/payments/cancel", body=body, key_header=a_key())
    first, second = [await city.send("POST", "/v1/payments/cancel", headers=headers, body=body) for _ in range(2)]
    assert (first.status, second.refused) == (200, (401, "request-replayed"))


async def test_two_keys_may_draw_the_same_nonce(city: Api) -> None:
    for caller in ("merchant-0", "merchant-1"):
        reply = await city.send("GET", LIST, headers=city.signed("GET", LIST, caller=caller, nonce="both-drew-this"))
        assert reply.status == 200


async def test_forged_request_uses_nothing_up(city: Api) -> None:
    forged = city.signed("GET", LIST, nonce="seen-on-the-wire", signing_key=A_STRANGER)
    assert (await city.send("GET", LIST, headers=forged)).refused == (401, "signature-invalid")
    genuine = city.signed("GET", LIST, nonce="seen-on-the-wire")
    assert (await city.send("GET", LIST, headers=genuine)).status == 200


async def test_unknown_key_is_named_so(city: Api) -> None:
    reply = await city.send("GET", LIST, headers=city.signed("GET", LIST, caller="nobody"))
    assert reply.refused == (401, "signature-key-unknown")


async def test_age_is_told_before_an_unknown_key(city: Api) -> None:
    headers = city.signed("GET", LIST, caller="nobody", created=1)
    assert (await city.send("GET", LIST, headers=headers)).refused == (401, "signature-expired")


async def test_another_body_than_the_signed_one_is_refused(city: Api) -> None:
    key = a_key()
    sent = city.payment()
    headers = city.signed("POST", LIST, body=b"{}", key_header=key)
    reply = await city.post(LIST, sent, headers=headers)
    assert reply.refused == (401, "content-digest-mismatch")
    assert (await city.get(f"{LIST}?order_no={sent['order_no']}")).items == []


async def test_body_without_digest_is_refused(city: Api) -> None:
    headers = city.signed("POST", LIST, key_header=a_key())
    reply = await city.send("POST", LIST, headers=headers, body=b"{}")
    assert reply.refused == (401, "content-digest-mismatch")


async def test_digest_that_is_not_signed_is_refused(city: Api) -> None:
    headers = {**city.signed("POST", LIST, key_header=a_key()), "Content-Digest": content_digest(b"{}")}
    reply = await city.send("POST", LIST, headers=headers, body=b"{}")
    assert reply.refused == (401, "signature-invalid")


@pytest.mark.parametrize("change", ["another", "none"])
async def test_idempotency_key_is_signed(city: Api, change: str) -> None:
    signed = city.signed("POST", "/v1/payments/cancel", body=b"{}", key_header="mine")
    changed = without(signed, "Idempotency-Key") | ({"Idempotency-Key": "theirs"} if change == "another" else {})
    reply = await city.send("POST", "/v1/payments/cancel", headers=changed, body=b"{}")
    assert reply.refused == (401, "signature-invalid")


@pytest.mark.parametrize(
    ("caller", "key"),
    [
        ("bank-0-ed25519", HmacKey(ED25519_PUBLIC)),  # everybody knows a public key: it must never serve as a secret
        ("merchant-0", ED25519_KEY),
        ("merchant-0", A_STRANGER),
        ("bank-0-ed25519", credentials("merchant-0").key),
    ],
)
async def test_the_key_decides_the_algorithm(city: Api, caller: str, key: SigningKey) -> None:
    headers = city.signed("GET", "/v1/clearing/files", caller=caller, signing_key=key)
    assert (await city.send("GET", "/v1/clearing/files", headers=headers)).refused == (401, "signature-invalid")


@pytest.mark.parametrize(
    ("signed", "sent"),
    [
        (("GET", LIST), ("GET", f"{LIST}?limit=1")),
        (("GET", f"{LIST}?limit=1"), ("GET", f"{LIST}?limit=2")),
        (("GET", f"{LIST}?limit=1"), ("GET", LIST)),
        (("GET", "/v1/clearing/files"), ("GET", "/v1/clearing/positions")),
        (("GET", LIST), ("GET", "/v1/%70ayments")),
        (("GET", LIST), ("POST", LIST)),
    ],
)
async def test_signature_is_for_one_method_path_and_query(
    city: Api, signed: tuple[str, str], sent: tuple[str, str]
) -> None:
    reply = await city.send(*sent, headers=city.signed(*signed))
    assert reply.refused == (401, "signature-invalid")


async def test_empty_query_is_the_same_as_none(city: Api) -> None:
    assert (await city.send("GET", f"{LIST}?", headers=city.signed("GET", LIST))).status == 200


async def test_any_label_will_do(city: Api) -> None:
    request = CoveredRequest(method="GET", target=LIST)
    key = credentials("merchant-0").key
    created = int(city.clock.wall_s())
    headers = sign(request, key, keyid="merchant-0", created=created, nonce=a_key(), label="hospital")
    assert (await city.send("GET", LIST, headers=headers)).status == 200


async def test_header_with_bytes_that_are_no_text_is_refused(city: Api) -> None:
    headers = {**city.signed("GET", LIST), "Signature": "sig1=:\udcff:"}
    assert (await city.send("GET", LIST, headers=headers)).refused == (401, "signature-invalid")


async def test_bank_signs_with_a_private_key_of_its_own(city: Api) -> None:
    assert (await city.get("/v1/clearing/files", caller="bank-0-ed25519")).status == 200


async def test_suspended_caller_is_refused_everywhere(city: Api) -> None:
    assert (await city.get(LIST, caller="suspended")).refused == (403, "caller-suspended")
    sent = city.payment()
    assert (await city.pay(sent, caller="suspended")).refused == (403, "caller-suspended")
    assert (await city.get(f"{LIST}?order_no={sent['order_no']}")).items == []


async def test_nobody_else_learns_that_a_caller_is_suspended(city: Api) -> None:
    headers = city.signed("GET", LIST, caller="suspended", signing_key=A_STRANGER)
    assert (await city.send("GET", LIST, headers=headers)).refused == (401, "signature-invalid")
