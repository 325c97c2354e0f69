"""Keys are added and rotated by two, revoked by one; a secret is told once; the old key works until it does not."""

import asyncio
import base64

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.codes.http_signature import HmacKey, SigningKey
from engine.core.ids import id_text
from engine.web.callers import FRESH_S
from engine.web.executors import executors_of
from engine.workers.approvals import keep_approvals
from tests.ledger.conftest import LoopClock
from tests.web.api import Api, Json, Reply
from tests.web.operators import a_bank, a_merchant, add_operators, approve, register

HMAC: Json = {"alg": "hmac-sha256"}


@pytest.fixture
async def office(api: Api) -> Api:
    """A node with operators."""
    await add_operators(api)
    return api


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> LoopClock:
    """The clock of this test's loop."""
    return LoopClock(monkeypatch)


def keys_path(api: Api) -> str:
    """The keys of merchant-0."""
    return f"/v1/participants/{id_text(api.world.merchants[0])}/keys"


async def get_as(api: Api, path: str, keyid: str, key: SigningKey) -> Reply:
    """A GET signed with a key of any name."""
    return await api.send("GET", path, headers=api.signed("GET", path, caller=keyid, signing_key=key))


def secret_of(decided: Reply) -> tuple[str, HmacKey]:
    """The key that was made, and how to sign with it."""
    secret = decided["secret"]
    assert isinstance(secret, dict)
    return str(secret["keyid"]), HmacKey(base64.b64decode(str(secret["key"])))


async def states(api: Api) -> dict[str, object]:
    """The state of each key of merchant-0."""
    return {str(item["keyid"]): item["status"] for item in (await api.get(keys_path(api), caller="alpha")).items}


async def ask_key(api: Api, body: Json, *, operation: str = "") -> Reply:
    """Ask for a key of merchant-0."""
    return await api.post(f"{keys_path(api)}{operation}", body | {"reason": "rotation"}, caller="alpha")


async def test_secret_is_made_on_approval_and_told_in_that_answer_only(office: Api) -> None:
    asked = await ask_key(office, HMAC)
    assert "secret" not in asked.json
    decided = await approve(office, asked, key="k")
    keyid, key = secret_of(decided)
    assert (await get_as(office, "/v1/payments", keyid, key)).status == 200
    assert (await approve(office, asked, key="k")).body == decided.body
    told = msgspec.convert(decided["secret"], dict[str, str])["key"]
    for path in (f"/v1/approvals/{asked['id']}", "/v1/approvals", keys_path(office)):
        shown = await office.get(path, caller="alpha")
        assert shown.status == 200
        assert told.encode() not in shown.body
    kept: list[object] = []
    for table in ("caller_key", "request_answer", "approval"):
        for row in await office.sql.fetch(f"SELECT * FROM {table}"):  # noqa: S608  # names from the line above
            kept += row.values()
    assert not [value for value in kept if isinstance(value, bytes) and told.encode() in value]


async def test_registration_brings_its_first_key(office: Api) -> None:
    await register(office, a_bank())
    private = Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    decided = await register(office, a_merchant(key={"alg": "ed25519", "public_key": pem}))
    result = decided["result"]
    assert isinstance(result, dict)
    assert "secret" not in decided.json
    assert (await get_as(office, f"/v1/participants/{result['id']}", result["keyid"], private)).status == 200


async def test_public_key_may_be_a_jwk(office: Api) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    x, y = (base64.urlsafe_b64encode(n.to_bytes(32)).rstrip(b"=").decode() for n in (numbers.x, numbers.y))
    jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    decided = await approve(office, await ask_key(office, {"alg": "ecdsa-p256-sha256", "public_key": jwk}))
    result = decided["result"]
    assert isinstance(result, dict)
    assert (await get_as(office, "/v1/payments", result["keyid"], private)).status == 200


@pytest.mark.parametrize(
    "body",
    [
        {"alg": "ed25519"},
        {"alg": "ed25519", "public_key": "nonsense"},
        {"alg": "hmac-sha256", "public_key": "nonsense"},
        {"alg": "ed25519", "public_key": "-----BEGIN PRIVATE KEY-----"},
        {"alg": "ed25519", "public_key": {"kty": "OKP", "crv": "Ed25519", "x": "AA"}},
        {"alg": "ed25519", "public_key": {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "d": "A" * 43}},
    ],
)
async def test_what_is_no_key_is_refused_when_asked_for(office: Api, body: Json) -> None:
    reply = await ask_key(office, body)
    assert (reply.refused, reply.pointers) == ((400, "field-invalid"), ["/public_key"])


async def test_operator_never_has_a_secret_that_another_saw(office: Api) -> None:
    operator = a_bank(kind="operator", code="li-wei", role="operations", key=HMAC)
    assert (await office.post("/v1/participants", operator, caller="alpha")).refused == (400, "field-invalid")
    beta = id_text(await office.sql.fetchval("SELECT id FROM operator WHERE code = 'beta'"))
    reply = await office.post(f"/v1/participants/{beta}/keys", HMAC | {"reason": "r"}, caller="alpha")
    assert (reply.refused, reply.pointers) == ((400, "field-invalid"), ["/alg"])


async def test_old_key_works_under_load_until_it_is_revoked(office: Api, clock: LoopClock) -> None:
    path = "/v1/payments"
    replies: list[Reply] = []

    async def till(keyid: str | None = None, key: SigningKey | None = None) -> None:
        for _ in range(20):
            reply = await office.get(path) if key is None else await get_as(office, path, keyid or "", key)
            replies.append(reply)  # tills run side by side

    async def rotate() -> tuple[str, HmacKey]:
        asked = await ask_key(office, HMAC | {"overlap_s": 3_600}, operation="/rotate")
        return secret_of(await approve(office, asked))

    rotating = asyncio.ensure_future(rotate())
    await asyncio.gather(*(till() for _ in range(6)))
    keyid, key = await rotating
    assert await states(office) == {keyid: "active", "merchant-0": "retiring", "suspended": "suspended"}
    await asyncio.gather(*(till() for _ in range(3)), *(till(keyid, key) for _ in range(3)))
    assert {reply.status for reply in replies} == {200}
    revoked = await office.post(f"{keys_path(office)}/merchant-0/revoke", {"reason": "leaked"}, caller="gamma")
    assert (revoked.status, revoked["status"]) == (200, "revoked")
    clock.advance(2 * FRESH_S)
    late = await asyncio.gather(*(office.get(path) for _ in range(4)))
    assert {reply.refused for reply in late} == {(401, "signature-key-unknown")}
    assert (await get_as(office, path, keyid, key)).status == 200


async def test_overlap_ends_by_itself(office: Api, clock: LoopClock) -> None:
    asked = await ask_key(office, HMAC | {"overlap_s": 0}, operation="/rotate")
    keyid, key = secret_of(await approve(office, asked))
    await keep_approvals(office.node.pool, executors_of(office.node))
    assert await states(office) == {keyid: "active", "merchant-0": "revoked", "suspended": "revoked"}
    clock.advance(2 * FRESH_S)
    assert (await office.get("/v1/payments")).refused == (401, "signature-key-unknown")
    assert (await get_as(office, "/v1/payments", keyid, key)).status == 200


async def test_overlap_that_lasts_is_left_alone(office: Api) -> None:
    await approve(office, await ask_key(office, HMAC | {"overlap_s": 60}, operation="/rotate"))
    await keep_approvals(office.node.pool, executors_of(office.node))
    assert (await states(office))["merchant-0"] == "retiring"


async def test_key_ids_are_never_given_twice(office: Api) -> None:
    first, _ = secret_of(await approve(office, await ask_key(office, HMAC)))
    await office.post(f"{keys_path(office)}/{first}/revoke", {"reason": "r"}, caller="alpha")
    second, _ = secret_of(await approve(office, await ask_key(office, HMAC)))
    assert first != second
    assert len(await states(office)) == 4


async def test_revoking_again_changes_nothing_and_nobody_elses_key_is_touched(office: Api) -> None:
    path = f"{keys_path(office)}/merchant-0/revoke"
    first, again = [await office.post(path, {"reason": "r"}, caller="alpha") for _ in range(2)]
    assert (first.status, again.body) == (200, first.body)
    other = await office.post(f"{keys_path(office)}/merchant-1/revoke", {"reason": "r"}, caller="alpha")
    assert other.refused == (404, "not-found")
    assert await office.sql.fetchval("SELECT count(*) FROM caller_key WHERE keyid = 'merchant-1'") == 1


async def test_key_of_a_suspended_bank_waits_for_its_reinstatement(office: Api) -> None:
    bank = f"/v1/participants/{id_text(office.world.banks[0])}"
    await office.post(f"{bank}/suspend", {"reason": "r"}, caller="alpha")
    asked = await office.post(f"{bank}/keys", HMAC | {"reason": "r"}, caller="alpha")
    keyid, key = secret_of(await approve(office, asked))
    assert (await get_as(office, "/v1/clearing/files", keyid, key)).refused == (403, "caller-suspended")


async def test_revoked_key_is_refused_at_once_by_the_process_that_revoked_it(office: Api) -> None:
    """Others notice when what they know of it has become old."""
    assert (await office.get("/v1/payments")).status == 200
    await office.post(f"{keys_path(office)}/merchant-0/revoke", {"reason": "r"}, caller="alpha")
    assert (await office.get("/v1/payments")).refused == (401, "signature-key-unknown")
