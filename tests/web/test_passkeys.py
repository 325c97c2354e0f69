"""Passkeys as channels and cardholders use them: made once, and each signature is good for one thing, once."""

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from engine.core.ids import IdKind, parse_id
from engine.core.passkeys import CHALLENGE_S, PASSKEYS_MAX
from engine.store.rows import remembered_of
from tests.authenticator import USER_PRESENT, USER_VERIFIED, Authenticator
from tests.web.api import Api, Reply, a_key
from tests.web.counter import verified
from tests.web.register import Carried, give_password, issue, issued, open_register, phone_of, sealed

pytestmark = pytest.mark.asyncio(loop_scope="module")

INVALID = (422, "passkey-invalid")
PATH = "/v1/identity/passkeys"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> Api:
    """The city with a register."""
    await open_register(city)
    return city


def origin_of(api: Api) -> str:
    """The engine's own address, as its pages have it."""
    return f"http://localhost:{api.base_url.port}"


async def carried(api: Api, n: int) -> Carried:
    """The *n*-th person, who can pay and has a password."""
    who = await issued(api, n, level=2)
    await give_password(api, who)
    return who


async def creation(api: Api, who: Carried, *, channel: str = "channel") -> dict[str, Any]:
    """What a device is asked to make, once the person has agreed by password."""
    body = {"card_id": who.id, "password_block": await sealed(api, f"{who.id}/register_passkey")}
    reply = await api.post(f"{PATH}/registration-options", body, caller=channel)
    assert reply.status == 201, reply.body
    options: dict[str, Any] = reply.json["options"]  # type: ignore[assignment]  # JSON has no types
    return options


async def register(api: Api, who: Carried, credential: object, *, channel: str = "channel") -> Reply:
    """The device's answer comes in."""
    return await api.post(PATH, {"card_id": who.id, "label": "王芳的手机", "credential": credential}, caller=channel)


async def with_passkey(api: Api, who: Carried) -> Authenticator:
    """A device whose passkey is registered."""
    device = Authenticator(origin_of(api))
    reply = await register(api, who, device.create(await creation(api, who)))
    assert reply.status == 201, reply.body
    return device


async def challenge(api: Api, who: Carried, act: str, bound_to: str, *, channel: str = "channel") -> dict[str, Any]:
    """What a passkey is asked to sign."""
    reply = await api.post(
        f"{PATH}/assertion-options", {"card_id": who.id, "act": act, "bound_to": bound_to}, caller=channel
    )
    assert reply.status == 201, reply.body
    options: dict[str, Any] = reply.json["options"]  # type: ignore[assignment]  # JSON has no types
    return options


async def end(api: Api, who: Carried, passkey: object, *, key: str | None = None, channel: str = "channel") -> Reply:
    """The person ends the card for good."""
    return await api.post(f"{who.path}/cancel", {"passkey": passkey}, caller=channel, key=key)


async def passkeys_of(api: Api, who: Carried) -> list[dict[str, Any]]:
    """The card's passkeys, as its channel sees them."""
    return (await api.get(f"{PATH}?card_id={who.id}", caller="channel")).items


async def waiting(api: Api, who: Carried) -> str:
    """The path of a payment that waits for the person."""
    await api.sql.execute("UPDATE payer SET no_password_up_to = 100 WHERE id = $1", who.card)
    phone = await phone_of(api, who)
    reply = await api.pay(pay_code=phone.pay_code(api, 0), amount=101)
    assert (reply.status, reply["status"]) == (201, "awaiting_user"), reply.body
    return str(reply["id"])


async def test_passkey_agrees_to_one_thing_once_and_its_answer_can_be_repeated(desk: Api) -> None:
    who = await carried(desk, 1)
    body = {"card_id": who.id, "password_block": await sealed(desk, f"{who.id}/register_passkey")}
    key = a_key()
    asked = [await desk.post(f"{PATH}/registration-options", body, caller="channel", key=key) for _ in range(2)]
    assert asked[0].body == asked[1].body
    options: Any = asked[0]["options"]
    assert options["rp"]["id"] == "localhost"
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert options["user"]["displayName"] == who.person.name[0] + "*" * (len(who.person.name) - 1)
    device, key = Authenticator(origin_of(desk)), a_key()
    made: dict[str, Any] = {"card_id": who.id, "label": "王芳的手机", "credential": device.create(options)}
    first, again = [await desk.post(PATH, made, caller="channel", key=key) for _ in range(2)]
    assert (first.status, again.body, again.is_replay) == (201, first.body, True), first.body
    for credential in (made["credential"], Authenticator(device.origin).create(options)):
        assert (await register(desk, who, credential)).refused == INVALID  # the challenge was used
    assert (first["status"], first["label"], first["used_at"]) == ("active", "王芳的手机", None)
    assert [one["id"] for one in await passkeys_of(desk, who)] == [first["id"]]

    asked_for = await challenge(desk, who, "cancel", who.id)
    assert [one["id"] for one in asked_for["allowCredentials"]] == [made["credential"]["id"]]
    signed, key = device.sign(asked_for), a_key()
    done = [await end(desk, who, signed, key=key) for _ in range(2)]  # the first answer was lost
    assert [(reply.status, reply["status"]) for reply in done] == [(200, "cancelled")] * 2, done[1].body
    assert (await end(desk, who, signed)).refused == INVALID
    kept = await desk.sql.fetchrow(
        "SELECT act, used_key FROM passkey_challenge WHERE card = $1 AND act = 'cancel'", who.card
    )
    assert kept is not None
    assert (kept["act"], kept["used_key"]) == ("cancel", key)
    rows = await desk.sql.fetch("SELECT t::text AS row FROM passkey t UNION ALL SELECT t::text FROM request_answer t")
    assert not [row for row in rows if "王芳" in row["row"] or "王芳".encode().hex() in row["row"]]


async def test_nothing_but_the_whole_answer_of_the_own_device_registers(desk: Api) -> None:
    who, other = await carried(desk, 2), await carried(desk, 3)
    await issue(desk, who, channel="channel-2")
    taken = await with_passkey(desk, other)
    origin = origin_of(desk)

    def unverified() -> Authenticator:
        device = Authenticator(origin)
        device.flags = USER_PRESENT
        return device

    def absent() -> Authenticator:
        device = Authenticator(origin)
        device.flags = USER_VERIFIED
        return device

    for device in (
        Authenticator("https://elsewhere.example"),
        Authenticator("http://localhost:1"),
        Authenticator(origin, rp_id="elsewhere.example"),
        unverified(),
        absent(),
        taken,  # its credential is another card's
    ):
        assert (await register(desk, who, device.create(await creation(desk, who)))).refused == INVALID
    device = Authenticator(origin)
    attested = device.create(await creation(desk, who), vouches=True)
    assert (await register(desk, who, attested)).refused == INVALID
    for options in (
        await creation(desk, other),
        # Asked for without the person: good for agreeing only, by a passkey that there is already.
        await challenge(desk, who, "register_passkey", who.id),
        {"challenge": "A" * 43},
        {"challenge": "AA"},
    ):
        assert (await register(desk, who, device.create(options))).refused == INVALID
    options = await creation(desk, who)
    assert (await register(desk, who, device.create(options), channel="channel-2")).refused == INVALID
    with desk.clock.held(desk.clock.wall_s() + CHALLENGE_S):
        assert (await register(desk, who, device.create(options))).refused == INVALID
    assert (await register(desk, who, device.create(options) | {"id": "AAAA"})).refused == INVALID
    assert (await register(desk, who, device.create(options))).status == 201
    assert len(await passkeys_of(desk, who)) == 1


async def test_registering_needs_the_person(desk: Api) -> None:
    who = await carried(desk, 4)
    for path, body in ((f"{PATH}/registration-options", {}), (f"{PATH}/links", {"label": "手机"})):
        body = {"card_id": who.id} | body
        assert (await desk.post(path, body, caller="channel")).refused == (403, "reauthentication-required")
        wrong = body | {"password_block": await sealed(desk, f"{who.id}/register_passkey", "123450")}
        assert (await desk.post(path, wrong, caller="channel")).refused == (403, "password-incorrect")
        right = body | {"password_block": await sealed(desk, f"{who.id}/register_passkey")}
        assert (await desk.post(path, right, caller="channel-2")).refused == (404, "not-found")
        assert (await desk.post(path, right, caller="alpha")).refused == (404, "not-found")
    first = await with_passkey(desk, who)
    # A passkey that there is lets another one be registered, as the password does.
    by_passkey = {"card_id": who.id, "passkey": first.sign(await challenge(desk, who, "register_passkey", who.id))}
    assert (await desk.post(f"{PATH}/registration-options", by_passkey, caller="channel")).status == 201


async def test_nothing_but_the_whole_answer_of_the_own_device_agrees(desk: Api) -> None:
    who, other = await carried(desk, 5), await carried(desk, 6)
    await issue(desk, who, channel="channel-2")
    device, others = await with_passkey(desk, who), await with_passkey(desk, other)
    origin = device.origin
    refused: list[Reply] = []

    async def tried(options: dict[str, Any], by: Authenticator = device) -> None:
        refused.append(await end(desk, who, by.sign(options)))

    for spoiled, value, right in (
        ("origin", "https://elsewhere.example", origin),
        ("origin", f"{origin}0", origin),
        ("rp_id", "elsewhere.example", "localhost"),
        ("flags", USER_PRESENT, device.flags),
        ("flags", USER_VERIFIED, device.flags),
    ):
        setattr(device, spoiled, value)
        await tried(await challenge(desk, who, "cancel", who.id))
        setattr(device, spoiled, right)
    await tried(await challenge(desk, who, "unlink", who.id))
    await tried(await challenge(desk, who, "cancel", other.id))
    await tried(await challenge(desk, other, "cancel", other.id))
    await tried(await challenge(desk, who, "cancel", who.id, channel="channel-2"))
    await tried(await challenge(desk, who, "cancel", who.id), others)
    await tried(await challenge(desk, who, "cancel", who.id), Authenticator(origin))
    await tried({"challenge": "A" * 43})
    forged = Authenticator(origin)
    forged.id = device.id
    await tried(await challenge(desk, who, "cancel", who.id), forged)
    signed = device.sign(await challenge(desk, who, "cancel", who.id))
    with desk.clock.held(desk.clock.wall_s() + CHALLENGE_S):
        refused.append(await end(desk, who, signed))
    assert [reply.refused for reply in refused] == [INVALID] * len(refused)
    assert len({(str(reply["detail"]), tuple(reply.pointers)) for reply in refused}) == 1  # never which
    both = {"passkey": signed, "password_block": await sealed(desk, f"{who.id}/register_passkey")}
    assert (await desk.post(f"{who.path}/cancel", both, caller="channel")).pointers == ["/passkey"]
    assert (await desk.get(who.path, caller="channel"))["status"] == "active"
    assert (await end(desk, who, signed))["status"] == "cancelled"
    # What has ended has no passkeys any more.
    assert (await end(desk, who, device.sign(await challenge(desk, who, "cancel", who.id)))).refused == INVALID


async def test_copy_gives_itself_away_and_neither_is_good_any_more(desk: Api) -> None:
    who = await carried(desk, 7)
    device = await with_passkey(desk, who)
    payment = await waiting(desk, who)
    confirmed = await confirm(desk, payment, device.sign(await challenge(desk, who, "confirm", payment)))
    assert (confirmed.status, confirmed["status"]) == (200, "captured"), confirmed.body
    device.count -= 1
    assert (await end(desk, who, device.sign(await challenge(desk, who, "cancel", who.id)))).refused == INVALID
    (told,) = await passkeys_of(desk, who)
    assert (told["status"], told["copied_at"] is not None) == ("copied", True)
    device.count += 10
    asked = await challenge(desk, who, "cancel", who.id)
    assert asked["allowCredentials"] == []
    assert (await end(desk, who, device.sign(asked))).refused == INVALID


async def test_passkey_that_never_counts_is_no_copy(desk: Api) -> None:
    who = await carried(desk, 8)
    device = await with_passkey(desk, who)
    for _ in range(2):
        device.count = -1
        payment = await waiting(desk, who)
        assert (await confirm(desk, payment, device.sign(await challenge(desk, who, "confirm", payment)))).status == 200


async def test_revoked_passkey_agrees_to_nothing(desk: Api) -> None:
    who, other = await carried(desk, 9), await carried(desk, 10)
    device = await with_passkey(desk, who)
    asked = await challenge(desk, who, "cancel", who.id)
    (told,) = await passkeys_of(desk, who)
    revoke = f"{PATH}/{told['id']}/revoke"
    assert (await desk.post(revoke, caller="channel-2")).refused == (404, "not-found")
    assert (await desk.post(revoke, caller="shanghai")).refused == (403, "region-not-permitted")
    key = a_key()
    done = [await desk.post(revoke, caller="channel", key=key) for _ in range(2)]
    assert [(reply["status"], reply.is_replay) for reply in done] == [("revoked", False), ("revoked", True)]
    assert (await end(desk, who, device.sign(asked))).refused == INVALID
    assert (await desk.get(f"{PATH}?card_id={other.id}", caller="channel-2")).refused == (404, "not-found")
    assert (await desk.get(f"{PATH}?card_id={who.id}", caller="alpha")).items[0]["status"] == "revoked"
    assert (await desk.get(PATH, caller="channel")).pointers == ["/card_id"]


async def test_card_has_ten_passkeys_and_a_lost_one_gets_none(desk: Api) -> None:
    who = await carried(desk, 11)
    spare = await creation(desk, who)
    for _ in range(PASSKEYS_MAX):
        await with_passkey(desk, who)
    late = await register(desk, who, Authenticator(origin_of(desk)).create(spare))
    assert late.refused == (409, "passkeys-too-many")
    lost = await carried(desk, 12)
    options = await creation(desk, lost)
    await desk.post(f"{lost.path}/loss-report", caller="channel")
    no = await register(desk, lost, Authenticator(origin_of(desk)).create(options))
    assert no.refused == (403, "card-reported-lost")


async def confirm(api: Api, payment: str, passkey: object, *, caller: str = "channel", key: str | None = None) -> Reply:
    """The person agrees to a payment."""
    return await api.post(f"/v1/payments/{payment}/confirmation", {"passkey": passkey}, caller=caller, key=key)


async def test_payment_is_confirmed_by_passkey_and_the_journal_says_so(desk: Api) -> None:
    who = await carried(desk, 13)
    device = await with_passkey(desk, who)
    payment, other = await waiting(desk, who), await waiting(desk, who)
    elsewhere = device.sign(await challenge(desk, who, "confirm", other))
    no = await confirm(desk, payment, elsewhere)
    assert (no.refused, no.pointers) == (INVALID, ["/passkey"])
    signed, key = device.sign(await challenge(desk, who, "confirm", payment)), a_key()
    assert (await confirm(desk, payment, signed, caller="merchant-0")).refused == INVALID
    neither = await desk.post(f"/v1/payments/{payment}/confirmation", {}, caller="channel")
    assert (neither.refused, neither.pointers) == ((400, "field-invalid"), ["/password_block"])

    first, again = [await confirm(desk, payment, signed, key=key) for _ in range(2)]
    assert (first.status, first["status"], again.body, again.is_replay) == (200, "captured", first.body, True)
    assert (await desk.get(f"/v1/payments/{payment}")).body == first.body
    assert (await confirm(desk, payment, signed)).refused == (409, "payment-state-conflict")
    block = await sealed(desk, "anything")
    by_password = await desk.post(
        f"/v1/payments/{payment}/confirmation", {"password_block": block}, caller="channel", key=key
    )
    assert (by_password.refused, by_password.pointers) == ((422, "idempotency-key-reused"), ["/passkey"])
    bodies = await desk.sql.fetch("SELECT body FROM event WHERE payment = $1", parse_id(payment, IdKind.PAYMENT))
    facts = [remembered_of(row["body"]).facts for row in bodies]
    assert [one[1:] for one in facts if len(one) == 2] == [(True,)]
    await verified(desk)


async def test_one_answer_for_two_requests_at_once_agrees_to_one(desk: Api) -> None:
    who = await carried(desk, 14)
    device = await with_passkey(desk, who)
    body = {"card_id": who.id, "passkey": device.sign(await challenge(desk, who, "register_passkey", who.id))}
    replies = await asyncio.gather(
        *(desk.post(f"{PATH}/registration-options", body, caller="channel") for _ in range(8))
    )
    assert sorted(reply.status for reply in replies) == [201] + [422] * 7
    assert [one["status"] for one in await passkeys_of(desk, who)] == ["active"]
