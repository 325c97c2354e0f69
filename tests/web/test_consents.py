"""Consents and grants over HTTP: a person's own act, two operators who let, one who stops."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import pytest_asyncio

from engine.core.consents import CONSENT_LASTS_MAX, Scope
from engine.core.ids import AgencyId, CallerId, IdKind, id_text
from engine.flows.answer_once import NotDone
from engine.flows.consents.authorization import why_not_authorized
from engine.flows.consents.record import GivenConsent, record_consent
from tests.agencies import an_agency
from tests.web.api import Api, Json, a_key, nobodys_id
from tests.web.inquiries import PURPOSE, agreement_body, ask, bound_to, consent, grant, revoke, today
from tests.web.operators import approve
from tests.web.register import WRONG, Carried, bring_in, give_password, issue, issued, open_register, sealed

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/consents"


class Desk(msgspec.Struct, frozen=True):
    """A node with a register, a channel and a department."""

    api: Api
    channel: CallerId
    department: AgencyId


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> Desk:
    """The city with a register."""
    await open_register(city)
    channel = CallerId(await city.sql.fetchval("SELECT caller FROM caller_key WHERE keyid = 'channel'"))
    return Desk(city, channel, await an_agency(city.sql, city.world))


async def somebody(desk: Desk, n: int) -> Carried:
    """The *n*-th person, whose card has a password."""
    who = await issued(desk.api, n)
    await give_password(desk.api, who)
    return who


async def in_force(desk: Desk, who: Carried) -> list[tuple[str, int]]:
    """What is agreed to now, with how often it was."""
    query = "SELECT scope, version FROM consent WHERE card = $1 AND revoked_at IS NULL ORDER BY scope"
    return [(row["scope"], row["version"]) for row in await desk.api.sql.fetch(query, who.card)]


async def test_channel_alone_cannot_say_that_a_person_agrees(desk: Desk) -> None:
    api, who = desk.api, await somebody(desk, 31)
    body = await agreement_body(api, who, ["employment"])
    wider = await agreement_body(api, who, ["employment", "biometric"])
    for act, refused in (
        ({}, (403, "reauthentication-required")),
        (
            {"password_block": await sealed(api, f"{bound_to(body, desk.channel)}/consent", WRONG)},
            (403, "password-incorrect"),
        ),
        (
            {"password_block": await sealed(api, f"{bound_to(wider, desk.channel)}/consent")},
            (422, "password-block-invalid"),
        ),
        ({"password_block": await sealed(api, f"{who.id}/consent")}, (422, "password-block-invalid")),
    ):
        assert (await api.post(PATH, body | act, caller="channel")).refused == refused
    assert await in_force(desk, who) == []
    assert (await api.get(f"{PATH}?card_id={who.id}", caller="channel")).items == []
    right = {"password_block": await sealed(api, f"{bound_to(body, desk.channel)}/consent")}
    assert (await api.post(PATH, body | right, caller="channel-2")).refused == (404, "not-found")
    assert (await api.post(PATH, body | right, caller="alpha")).refused == (404, "not-found")


async def test_what_is_agreed_to_is_kept_with_what_shows_it_and_is_answered_once(desk: Desk) -> None:
    api, who, key = desk.api, await somebody(desk, 32), a_key()
    body = await agreement_body(api, who, ["profile", "employment"], department_id=id_text(desk.department))
    body["password_block"] = await sealed(api, f"{bound_to(body, desk.channel)}/consent")
    first, again = [await api.post(PATH, body, caller="channel", key=key) for _ in range(2)]
    assert (first.status, again.status, again.is_replay, again.body) == (201, 201, True, first.body)
    kept = [(item["scope"], item["status"], item["version"], item["evidence_kind"]) for item in first.items]
    assert kept == [("profile", "granted", 1, "password"), ("employment", "granted", 1, "password")]
    assert {item["department_id"] for item in first.items} == {id_text(desk.department)}
    assert len({str(item["evidence_digest"]) for item in first.items}) == 1
    other = body | {"scopes": ["profile"]}
    reused = await api.post(PATH, other, caller="channel", key=key)
    assert reused.status == 422
    assert await in_force(desk, who) == [("employment", 1), ("profile", 1)]


async def test_agreed_to_twice_at_once_there_is_one_in_force(desk: Desk) -> None:
    api, who, day = desk.api, await somebody(desk, 39), await today(desk.api)
    given = GivenConsent(
        card=who.card,
        channel=desk.channel,
        department=None,
        scopes=(Scope.EMPLOYMENT,),
        purpose=PURPOSE,
        valid_from=day,
        valid_until=day,
        evidence_kind="login",
        evidence_digest="5f" * 32,
    )

    async def agree() -> None:
        async with api.node.pool.acquire() as connection, connection.transaction():
            kept = await record_consent(connection, api.node.ids, given, now=datetime.now(UTC))
            assert not isinstance(kept, NotDone)

    for count in (6, 12):
        await asyncio.gather(*(agree() for _ in range(6)))
        assert await in_force(desk, who) == [("employment", count)]


async def test_agreed_to_anew_there_is_one_in_force(desk: Desk) -> None:
    api, who = desk.api, await somebody(desk, 33)
    given = await asyncio.gather(*(consent(api, who, ["employment"], channel=desk.channel) for _ in range(3)))
    assert [reply.status for reply in given] == [201] * 3
    assert await in_force(desk, who) == [("employment", 3)]
    listed = await api.get(f"{PATH}?card_id={who.id}&limit=2", caller="channel")
    rest = await api.get(f"{PATH}?card_id={who.id}&limit=2&cursor={listed['next_cursor']}", caller="channel")
    assert sorted((item["version"], item["status"]) for item in listed.items + rest.items) == [
        (1, "revoked"),
        (2, "revoked"),
        (3, "granted"),
    ]


async def test_withdrawal_needs_the_person_or_an_operator_and_holds_at_once(desk: Desk) -> None:
    api, who, topic = desk.api, await somebody(desk, 34), "employment"
    for holder in (desk.channel, desk.department):
        await grant(api, holder, [topic])
    first, second = [
        (await consent(api, who, [topic], channel=desk.channel, **more)).items[0]["id"]
        for more in ({}, {"department_id": id_text(desk.department)})
    ]
    for_department = f"&department_id={id_text(desk.department)}"
    assert [(await ask(api, who, topic, query=query)).status for query in ("", for_department)] == [200, 200]
    withdraw = f"{PATH}/{first}/withdraw"
    right = {"password_block": await sealed(api, f"{first}/withdraw")}
    for body, caller, refused in (
        ({}, "channel", (403, "reauthentication-required")),
        ({"password_block": await sealed(api, f"{second}/withdraw")}, "channel", (422, "password-block-invalid")),
        (right, "channel-2", (404, "not-found")),
        ({}, "alpha", (400, "field-invalid")),
        ({"reason": "so"}, "shanghai", (403, "region-not-permitted")),
        ({"reason": "so"}, "delta", (403, "scope-not-authorized")),
    ):
        assert (await api.post(withdraw, body, caller=caller)).refused == refused
    key = a_key()
    done, again = [await api.post(withdraw, right, caller="channel", key=key) for _ in range(2)]
    assert (done.status, done["status"], again.body) == (200, "revoked", done.body)
    assert (await ask(api, who, topic)).refused == (403, "consent-required")
    assert (await ask(api, who, topic, query=for_department)).status == 200
    by_operator = await api.post(f"{PATH}/{second}/withdraw", {"reason": "asked by the person"}, caller="gamma")
    assert by_operator["status"] == "revoked"
    assert (await ask(api, who, topic, query=for_department)).refused == (403, "consent-required")
    nobodys = f"{PATH}/{nobodys_id(IdKind.CONSENT)}/withdraw"
    assert (await api.post(nobodys, {"reason": "so"}, caller="alpha")).refused == (404, "not-found")


async def test_consent_ends_with_its_last_day(desk: Desk) -> None:
    api, who = desk.api, await somebody(desk, 35)
    day = await today(api)
    await consent(api, who, ["profile"], channel=desk.channel, valid_until=day.isoformat())
    await grant(api, desk.department, ["profile"])
    await grant(api, desk.channel, ["profile"])

    async def why(days: int) -> str | None:
        refusal = await why_not_authorized(
            api.node.pool,
            card=who.card,
            region=110101,
            department=None,
            channel=desk.channel,
            scope=Scope.PROFILE,
            purpose=PURPOSE,
            today=day + timedelta(days=days),
        )
        return refusal.slug if refusal is not None else None

    assert [await why(days) for days in (-1, 0, 1)] == ["consent-required", None, "consent-required"]
    await api.sql.execute(
        "UPDATE consent SET valid_from = $2, valid_until = $2 WHERE card = $1", who.card, day - timedelta(1)
    )
    listed = await api.get(f"{PATH}?card_id={who.id}", caller="channel")
    assert [item["status"] for item in listed.items] == ["expired"]


async def test_what_cannot_be_agreed_to_is_refused(desk: Desk) -> None:
    api, who = desk.api, await somebody(desk, 36)
    day = await today(api)
    stranger = await bring_in(api, 37)
    for changes, refused, pointers in (
        ({"scopes": ["employment", "employment"]}, (400, "field-invalid"), ["/scopes"]),
        ({"scopes": ["shoe_size"]}, (400, "field-invalid"), ["/scopes/0"]),
        ({"purpose": "110101199003079972"}, (403, "purpose-required"), []),
        ({"valid_until": (day - timedelta(1)).isoformat()}, (400, "field-invalid"), ["/valid_until"]),
        (
            {"valid_until": (day + CONSENT_LASTS_MAX + timedelta(1)).isoformat()},
            (400, "field-invalid"),
            ["/valid_until"],
        ),
        ({"department_id": "x"}, (400, "field-invalid"), ["/department_id"]),
        ({"card_id": stranger.id}, (404, "not-found"), []),
    ):
        body = await agreement_body(api, who, ["employment"]) | changes
        reply = await api.post(PATH, body, caller="channel")
        assert (reply.refused, reply.pointers) == (refused, pointers), reply.body
    unknown = await consent(api, who, ["employment"], channel=desk.channel, department_id=nobodys_id(IdKind.AGENCY))
    assert (unknown.refused, unknown.pointers) == ((400, "field-invalid"), ["/department_id"])


async def test_others_consents_are_not_seen(desk: Desk) -> None:
    api, who = desk.api, await somebody(desk, 38)
    await issue(api, who, channel="channel-2")
    await consent(api, who, ["employment"], channel=desk.channel)
    listing = f"{PATH}?card_id={who.id}"
    assert (await api.get(listing, caller="channel-2")).items == []
    assert len((await api.get(listing, caller="beijing")).items) == 1
    assert (await api.get(listing, caller="shanghai")).refused == (403, "region-not-permitted")
    rows = await api.sql.fetch(
        "SELECT result FROM audit_entry WHERE action = 'consents.list' AND subject = $1 ORDER BY n", who.card
    )
    assert [row["result"] for row in rows] == ["allowed", "allowed", "region-not-permitted"]
    assert (await api.get(listing, caller="merchant-0")).refused == (404, "not-found")
    assert (await api.get(PATH, caller="channel")).refused == (400, "field-invalid")


async def a_grant(desk: Desk, **changes: object) -> Json:
    """The body that asks for a grant."""
    day = await today(desk.api)
    body: Json = {
        "holder": id_text(desk.department),
        "scopes": ["biometric", "applications"],
        "purpose": "certification",
        "region": "110000",
        "valid_from": day.isoformat(),
        "valid_until": (day + timedelta(days=9)).isoformat(),
        "reason": "contract 14",
    }
    return body | changes


async def test_grant_needs_two_operators_and_its_end_one(desk: Desk) -> None:
    api = desk.api
    asked = await api.post("/v1/grants", await a_grant(desk), caller="beijing")
    mine = f"/v1/grants?holder={id_text(desk.department)}&scope=biometric"
    assert (await api.get(mine, caller="beijing")).items == []
    assert (await approve(api, asked, by="beijing")).refused == (403, "approval-required")
    assert (await approve(api, asked, by="gamma")).status == 200
    (item,) = (await api.get(mine, caller="beijing")).items
    assert (item["status"], item["version"], item["region"]) == ("granted", 1, "110000")
    (again, *_) = await grant(api, desk.department, ["biometric"], purpose="certification")
    assert (await api.get(f"/v1/grants/{again}", caller="alpha"))["version"] == 2
    await revoke(api, again)
    await revoke(api, again)
    ended = await api.get(f"/v1/grants/{again}", caller="gamma")
    assert (ended["status"], ended["revoked_reason"]) == ("revoked", "over")
    for caller, refused in (
        ("shanghai", (404, "not-found")),
        ("delta", (403, "scope-not-authorized")),
        ("channel", (404, "not-found")),
    ):
        reply = await api.post(f"/v1/grants/{item['id']}/revoke", {"reason": "so"}, caller=caller)
        assert reply.refused == refused


async def test_holders_see_their_own_grants_and_no_others(desk: Desk) -> None:
    api = desk.api
    (one,) = await grant(api, desk.channel, ["applications"], purpose="housing")
    (other,) = await grant(api, desk.department, ["applications"], purpose="housing")
    seen = {item["id"] for item in (await api.get("/v1/grants?scope=applications", caller="channel")).items}
    assert (one in seen, other in seen) == (True, False)
    assert (await api.get(f"/v1/grants/{one}", caller="channel")).status == 200
    assert (await api.get(f"/v1/grants/{other}", caller="channel")).refused == (404, "not-found")
    assert (await api.get(f"/v1/grants/{one}", caller="shanghai")).refused == (404, "not-found")
    assert (await api.get(f"/v1/grants?holder={id_text(desk.channel)}", caller="channel")).status == 400
    assert (await api.get("/v1/grants?scope=x", caller="channel")).pointers == ["/scope"]
    assert (await api.get("/v1/grants", caller="merchant-0")).refused == (404, "not-found")


async def test_grant_that_cannot_be_is_not_asked_for(desk: Desk) -> None:
    api = desk.api
    day = await today(api)
    for changes, caller, refused, pointers in (
        ({"holder": nobodys_id(IdKind.AGENCY)}, "alpha", (400, "field-invalid"), ["/holder"]),
        ({"holder": nobodys_id(IdKind.BANK)}, "alpha", (400, "field-invalid"), ["/holder"]),
        ({"scopes": ["biometric", "biometric"]}, "alpha", (400, "field-invalid"), ["/scopes"]),
        ({"region": "110001"}, "alpha", (422, "region-unknown"), ["/region"]),
        ({"region": "310000"}, "beijing", (403, "region-not-permitted"), []),
        ({}, "gamma", (403, "scope-not-authorized"), []),
        ({}, "channel", (404, "not-found"), []),
        ({"purpose": "13900000001"}, "alpha", (403, "purpose-required"), []),
        ({"valid_until": (day - timedelta(1)).isoformat()}, "alpha", (400, "field-invalid"), ["/valid_until"]),
        ({"valid_until": "2099-01-01"}, "alpha", (400, "field-invalid"), ["/valid_until"]),
    ):
        reply = await api.post("/v1/grants", await a_grant(desk, **changes), caller=caller)
        assert (reply.refused, reply.pointers) == (refused, pointers), reply.body
