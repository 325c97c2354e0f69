"""What channels do for cardholders: issue, let pay, phones, relatives, and the end of it, each once."""

import asyncio

import pytest
import pytest_asyncio

from engine.core.cards import DEVICES_MAX, RELATIVES_MAX
from engine.core.ids import IdKind
from engine.flows.relatives import end_what_is_over
from tests.people import OTHER_BANK, person
from tests.web.api import Api, Reply, a_key, nobodys_id
from tests.web.register import (
    Carried,
    account_of,
    bring_in,
    give_password,
    issue,
    issued,
    open_register,
    phone_of,
    sealed,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROOF = "household_register:" + "5f" * 32


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> Api:
    """The city with a register."""
    await open_register(city)
    return city


async def test_two_channels_of_one_person_have_a_number_each_and_keep_it(desk: Api) -> None:
    who = await bring_in(desk, 1)
    signs = [await issue(desk, who, channel=channel) for channel in ("channel", "channel", "channel-2")]
    assert signs[0]["sign_no"] == signs[1]["sign_no"] != signs[2]["sign_no"]
    assert [(sign["sign_level"], sign["card_id"], sign["status"]) for sign in signs] == [(1, who.id, "active")] * 3


async def test_issued_twenty_times_at_once_it_is_one(desk: Api) -> None:
    who = await bring_in(desk, 2)
    # Ten a minute is what may be tried of one person.
    signs = await asyncio.gather(*(issue(desk, who) for _ in range(10)))
    assert len({str(sign["sign_no"]) for sign in signs}) == 1


async def test_card_is_issued_to_its_own_person_only(desk: Api) -> None:
    who, other = await bring_in(desk, 3), await bring_in(desk, 4)
    for body in (other.person.identity, who.person.identity | {"name": other.person.name}):
        reply = await desk.post(f"{who.path}/signs", body, caller="channel")
        assert (reply.refused, reply.pointers) == ((422, "identity-mismatch"), [])
    reply = await desk.post(f"{who.path}/signs", who.person.identity | {"id_number": "1"}, caller="channel")
    assert reply.refused == (422, "id-number-invalid")
    assert (await desk.get(who.path, caller="channel")).refused == (404, "not-found")


@pytest.mark.parametrize(
    ("n", "operation", "body", "refused"),
    [
        (5, "loss-report", {}, (403, "card-reported-lost")),
        (6, "suspend", {"reason": "so"}, (403, "card-not-usable")),
        (7, "cancel", {"reason": "so"}, (403, "card-not-usable")),
    ],
)
async def test_card_out_of_use_is_not_issued(
    desk: Api, n: int, operation: str, body: dict[str, object], refused: tuple[int, str]
) -> None:
    who = await bring_in(desk, n)
    await desk.post(f"{who.path}/{operation}", body, caller="alpha")
    assert (await desk.post(f"{who.path}/signs", who.person.identity, caller="channel")).refused == refused


@pytest.mark.parametrize("changes", [{"bank": OTHER_BANK}, {"bank_account": "6210"}, {"phone": "15499999999"}])
async def test_account_that_is_not_the_cards_lets_nothing_be_paid(desk: Api, changes: dict[str, object]) -> None:
    who = await issued(desk, {"bank": 8, "bank_account": 9, "phone": 10}[next(iter(changes))])
    reply = await desk.post(f"{who.path}/level-2", account_of(who, **changes), caller="channel")
    assert (reply.refused, reply.pointers) == ((422, "bank-account-mismatch"), [])
    phone = await phone_of(desk, who)
    assert (await desk.pay(pay_code=phone.pay_code(desk, 0))).refused == (403, "payment-not-enabled")


@pytest.mark.parametrize(("n", "missing"), [(11, "bank_account"), (12, "phone")])
async def test_account_that_is_not_activated_lets_nothing_be_paid(desk: Api, n: int, missing: str) -> None:
    who = await bring_in(desk, n, **{missing: None})
    await issue(desk, who)
    reply = await desk.post(f"{who.path}/level-2", account_of(who), caller="channel")
    assert reply.refused == (409, "bank-account-not-activated")


async def test_card_pays_from_its_second_level_on(desk: Api) -> None:
    who = await issued(desk, 13)
    phone = await phone_of(desk, who)
    assert (await desk.pay(pay_code=phone.pay_code(desk, 0))).refused == (403, "payment-not-enabled")
    key = a_key()
    enabled = [await desk.post(f"{who.path}/level-2", account_of(who), caller="channel", key=key) for _ in range(2)]
    assert [(reply["issue_level"], reply.is_replay) for reply in enabled] == [(2, False), (2, True)]
    assert (await desk.pay(pay_code=phone.pay_code(desk, 1))).status == 201
    signs = (await desk.get(who.path, caller="channel")).json["signs"]
    assert isinstance(signs, list)
    assert [sign["sign_level"] for sign in signs] == [2]


async def test_unlinking_needs_the_person_and_ends_paying_with_the_last(desk: Api) -> None:
    who = await issued(desk, 14, level=2)
    await give_password(desk, who)
    phone = await phone_of(desk, who)
    sign_no = str((await issue(desk, who))["sign_no"])
    unlink = f"{who.path}/signs/{sign_no}/unlink"
    assert (await desk.post(unlink, {}, caller="channel")).refused == (403, "reauthentication-required")
    wrong = {"password_block": await sealed(desk, f"{sign_no}/unlink", "123450")}
    assert (await desk.post(unlink, wrong, caller="channel")).refused == (403, "password-incorrect")
    right = {"password_block": await sealed(desk, f"{sign_no}/unlink")}
    assert (await desk.post(unlink, right, caller="channel-2")).refused == (404, "not-found")
    key = a_key()
    done = [await desk.post(unlink, right, caller="channel", key=key) for _ in range(2)]  # the first answer was lost
    assert [(reply.status, reply["unlinked_at"] is not None) for reply in done] == [(200, True)] * 2
    assert (await desk.get(who.path, caller="channel")).refused == (404, "not-found")
    assert (await desk.pay(pay_code=phone.pay_code(desk, 0))).refused == (403, "payment-not-enabled")
    assert (await issue(desk, who))["sign_no"] != sign_no  # linked anew, it is another


async def test_paying_goes_on_while_another_channel_lets_it(desk: Api) -> None:
    who = await issued(desk, 15, level=2)
    second = await issue(desk, who, channel="channel-2")
    await desk.post(f"{who.path}/level-2", account_of(who), caller="channel-2")
    body = {"reason": "the app is gone"}
    done = await desk.post(f"{who.path}/signs/{second['sign_no']}/unlink", body, caller="alpha")
    assert (done.status, (await desk.get(who.path, caller="channel"))["issue_level"]) == (200, 2)


async def test_secret_of_a_phone_is_handed_over_once(desk: Api) -> None:
    who = await issued(desk, 16, level=2)
    key = a_key()
    first, again = [await desk.post(f"{who.path}/devices", caller="channel", key=key) for _ in range(2)]
    assert (again.body, again.is_replay, again.headers["Cache-Control"]) == (first.body, True, "no-store")
    listed = await desk.get(f"{who.path}/devices", caller="channel")
    assert [item["device_no"] for item in listed.items] == [first["device_no"]]
    assert str(first["totp_key"]).encode() not in listed.body
    other = await desk.post(f"{who.path}/devices", caller="channel")
    assert (other["device_no"], other["totp_key"]) != (first["device_no"], first["totp_key"])


async def test_phones_are_bounded_and_a_revoked_one_pays_no_more(desk: Api) -> None:
    who = await issued(desk, 17, level=2)
    phones = [await phone_of(desk, who) for _ in range(DEVICES_MAX)]
    assert (await desk.post(f"{who.path}/devices", caller="channel")).refused == (409, "devices-too-many")
    revoke = f"{who.path}/devices/{phones[0].device_no:011d}/revoke"
    racing = [asyncio.ensure_future(desk.pay(pay_code=phones[0].pay_code(desk, n), amount=1)) for n in range(19)]
    assert (await desk.post(revoke, caller="channel"))["status"] == "revoked"
    query = "SELECT count(*) FROM payment WHERE payer = $1 AND captured > 0"
    taken = await desk.sql.fetchval(query, who.card)
    await asyncio.gather(*racing)
    assert await desk.sql.fetchval(query, who.card) == taken
    assert (await desk.pay(pay_code=phones[0].pay_code(desk, 19))).refused == (403, "device-revoked")
    assert (await desk.pay(pay_code=phones[1].pay_code(desk, 0))).status == 201
    assert (await desk.post(f"{who.path}/devices", caller="channel")).status == 201
    for device in ("00000000000", "1", "x" * 11):
        reply = await desk.post(f"{who.path}/devices/{device}/revoke", caller="channel")
        assert reply.refused == (404, "not-found")


async def link(
    desk: Api, who: Carried, ward: Carried, changes: dict[str, object] | None = None, *, key: str | None = None
) -> Reply:
    """The channel links a relative."""
    body = {**ward.person.identity, "relation": "child", "proof": PROOF, "expires_on": "2030-01-01", **(changes or {})}
    return await desk.post(f"{who.path}/relatives", body, caller="channel", key=key)


async def helper_of(desk: Api, ward: Carried) -> bytes | None:
    """Whose personal account helps, as the payer's row says."""
    helper: bytes | None = await desk.sql.fetchval("SELECT family FROM payer WHERE id = $1", ward.card)
    return helper


async def test_relative_is_helped_from_the_link_to_its_end(desk: Api) -> None:
    who, ward = await issued(desk, 18), await bring_in(desk, 19)
    key = a_key()
    linked, again = [await link(desk, who, ward, key=key) for _ in range(2)]
    assert (linked.status, linked["relative_card_id"], linked["name"]) == (201, ward.id, "欧***")
    assert (again.body, again.is_replay) == (linked.body, True)
    assert (await link(desk, who, ward))["id"] == linked["id"]
    assert await helper_of(desk, ward) == who.card
    listed = await desk.get(f"{who.path}/relatives", caller="channel")
    assert [(item["id"], item["relation"]) for item in listed.items] == [(linked["id"], "child")]
    end = f"{who.path}/relatives/{linked['id']}/revoke"
    assert (await desk.post(end, caller="channel-2")).refused == (404, "not-found")
    assert (await desk.post(end, caller="channel"))["ended_at"] is not None
    assert await helper_of(desk, ward) is None
    late = await link(desk, who, ward, key=key)  # a repeat of what has ended meanwhile links nothing
    assert (late.is_replay, await helper_of(desk, ward)) == (True, None)
    assert (
        await desk.post(f"{who.path}/relatives/{nobodys_id(IdKind.RELATIVE)}/revoke", caller="channel")
    ).status == 404


async def test_end_of_one_link_leaves_another_helper_alone(desk: Api) -> None:
    first, second, ward = await issued(desk, 20), await issued(desk, 21), await bring_in(desk, 22)
    earlier = await link(desk, first, ward)
    await link(desk, second, ward, {"relation": "parent"})
    await desk.post(f"{first.path}/relatives/{earlier['id']}/revoke", caller="channel")
    assert await helper_of(desk, ward) == second.card


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"name": "别人"}, (422, "identity-mismatch")),
        ({"id_number": "110101199003079973"}, (422, "id-number-invalid")),
        ({"expires_on": "2020-01-01"}, (400, "field-invalid")),
        ({"expires_on": "2099-01-01"}, (400, "field-invalid")),
        ({"relation": "friend"}, (400, "field-invalid")),
        ({"proof": "because"}, (400, "field-invalid")),
    ],
)
async def test_link_that_cannot_be(desk: Api, changes: dict[str, object], refused: tuple[int, str]) -> None:
    n = 30 + 2 * ["name", "id_number", "2020", "2099", "relation", "proof"].index(
        next(name for name in ("name", "id_number", "2020", "2099", "relation", "proof") if name in str(changes))
    )
    who, ward = await issued(desk, n), await bring_in(desk, n + 1)
    assert (await link(desk, who, ward, changes)).refused == refused
    assert (await link(desk, who, who)).refused == (400, "field-invalid")


async def test_nobody_helps_more_than_eight(desk: Api) -> None:
    who = await issued(desk, 50)
    for n in range(RELATIVES_MAX):
        assert (await link(desk, who, await bring_in(desk, 51 + n))).status == 201
    assert (await link(desk, who, await bring_in(desk, 70))).refused == (409, "relatives-too-many")


async def test_links_and_cards_end_by_themselves(desk: Api) -> None:
    who, ward = await issued(desk, 71, level=2), await bring_in(desk, 72)
    lost = await bring_in(desk, 73)
    assert (await desk.post(f"{lost.path}/loss-report", caller="alpha")).status == 200
    linked = await link(desk, who, ward)
    await desk.sql.execute("UPDATE relative SET expires_on = '2026-01-01' WHERE guardian = $1", who.card)
    cards = [who.card, lost.card]
    await desk.sql.execute("UPDATE physical_card SET valid_until = '2026-01-10' WHERE card = ANY($1)", cards)
    business = await desk.node.reads.business_now()
    for _ in range(2):
        await end_what_is_over(desk.node.pool, desk.node.ledger, now=business.now, today=business.control.business_date)
    assert await helper_of(desk, ward) is None
    assert (await desk.get(f"{who.path}/relatives", caller="channel")).items[0]["id"] == linked["id"]
    assert (await desk.get(who.path, caller="alpha"))["status"] == "expired"
    assert (await desk.get(lost.path, caller="alpha"))["status"] == "lost"
    body = {"card_no": person(571).card_no, "issued_on": "2026-11-01", "valid_until": "2036-11-01", "reason": "old"}
    assert (await desk.post(f"{who.path}/replace", body, caller="alpha"))["status"] == "active"
