"""Certification over HTTP: a benefit is paid while it is shown to be due, however that is shown."""

from collections.abc import AsyncIterator
from datetime import date, timedelta

import msgspec
import pytest
import pytest_asyncio

from engine.core.certification import DUE_DAYS, LATE_DAYS_MAX, OVERDUE_DAYS, add_months
from engine.core.ids import CardId, IdKind, id_text, parse_id
from engine.flows.disburse_send import Sender
from tests.agencies import a_batch, benefit_line
from tests.people import person
from tests.web.api import Api, Json, Reply, a_key, nobodys_id
from tests.web.register import Carried, account_of, bring_in, give_password, issue, issued, open_register, sealed
from tests.web.test_bills import add_agencies
from tests.web.test_disbursements import let_go, lines, sent_in
from tests.web.test_passkeys import challenge, with_passkey

pytestmark = pytest.mark.asyncio(loop_scope="module")

BENEFICIARIES, PATH = "/v1/identity/beneficiaries", "/v1/identity/certifications"
EVIDENCE = "counter_protocol:" + "5f" * 32
PROOF = "household_register:" + "5f" * 32


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> AsyncIterator[Api]:
    """The city with a register, and two agencies that pay benefits."""
    await open_register(city)
    await add_agencies(city, "payer", "other")
    yield city


async def today(api: Api) -> date:
    """The open business date."""
    return (await api.node.reads.business_now()).control.business_date


async def registered(api: Api, card: str, *, late: int | None = None, caller: str = "payer", **fields: object) -> Reply:
    """A benefit of a card that was registered; *late*: so many days over."""
    body: Json = {"card_id": card, "benefit_code": "PENSION", **fields}
    if late is not None:
        body["due_on"] = (await today(api) - timedelta(days=late)).isoformat()
    reply = await api.post(BENEFICIARIES, body, caller=caller)
    assert reply.status == 201, reply.body
    return reply


async def status(api: Api, benefit: Reply, *, caller: str = "payer") -> object:
    """Where a benefit stands."""
    return (await api.get(f"{PATH}/{benefit['id']}", caller=caller))["status"]


async def offline(api: Api, card: str, *, caller: str = "payer", key: str | None = None, **changes: object) -> Reply:
    """An office certifies."""
    body = {"card_id": card, "method": "offline", "evidence": EVIDENCE, **changes}
    return await api.post(PATH, body, caller=caller, key=key)


async def by_passkey(api: Api, who: Carried, **changes: object) -> Reply:
    """The person certifies in the channel's app."""
    device, key = await with_passkey(api, who), a_key()
    signed = device.sign(await challenge(api, who, "certify", who.id))
    return await api.post(
        PATH, {"card_id": who.id, "method": "self", "passkey": signed, **changes}, caller="channel", key=key
    )


async def test_line_of_whoever_is_late_is_held_and_paid_in_the_cycle_after_it_is_shown(desk: Api) -> None:
    late, gone, good, free = [await issued(desk, n, level=2) for n in (1, 2, 3, 4)]
    await give_password(desk, late)
    benefit = await registered(desk, late.id, late=1)
    suspended = await registered(desk, gone.id, late=OVERDUE_DAYS + 1)
    await registered(desk, good.id, late=0)
    await registered(desk, free.id, late=1, benefit_code="SURVIVOR")  # another benefit than the one that is paid
    content = a_batch(benefit_line(who.id) for who in (late, gone, good, free))
    path = f"/v1/disbursements/{(await sent_in(desk, content))['id']}"
    await let_go(desk, path)
    sender = Sender(desk.node.pool, desk.node.ledger, desk.node.eligibility)
    assert await sender.send_due() == 2
    held = await lines(desk, path, "?status=held")
    assert [(line["card_id"], line["reason"]) for line in held] == [
        (late.id, "certification-overdue"),
        (gone.id, "certification-overdue"),
    ]
    assert [await status(desk, one) for one in (benefit, suspended)] == ["overdue", "suspended"]

    shown = await by_passkey(desk, late)
    assert (shown.status, shown["result"]) == (201, "certified"), shown.body
    assert (await offline(desk, gone.id)).status == 201
    assert [await status(desk, one) for one in (benefit, suspended)] == ["certified", "restored"]
    await desk.publish()
    assert await sender.send_due() == 2, "what was held is paid now"
    assert await lines(desk, path, "?status=held") == []


async def test_benefit_follows_the_person_to_the_next_card(desk: Api) -> None:
    old = await issued(desk, 41, level=2)
    benefit = await registered(desk, old.id, late=1)
    assert (await desk.post(f"{old.path}/cancel", {"reason": "moved"}, caller="alpha")).status == 200
    came = await bring_in(desk, 41, card_no=person(42).card_no)
    new = Carried(msgspec.structs.replace(old.person, card_no=person(42).card_no), came.id)
    await issue(desk, new)
    assert (await desk.post(f"{new.path}/level-2", account_of(new), caller="channel")).status == 200
    path = f"/v1/disbursements/{(await sent_in(desk, a_batch([benefit_line(new.id)])))['id']}"
    await let_go(desk, path)
    sender = Sender(desk.node.pool, desk.node.ledger, desk.node.eligibility)
    assert await sender.send_due() == 0, "a new card does not pay what the old one holds"
    listed = await desk.get(f"{PATH}?card_id={new.id}", caller="channel")
    assert [(one["id"], one["status"]) for one in listed.items] == [(benefit["id"], "overdue")]
    assert (await offline(desk, new.id)).status == 201
    assert await status(desk, benefit) == "certified"
    await desk.publish()
    assert await sender.send_due() == 1
    looks = "SELECT subject, channel IS NULL AS is_agency FROM audit_entry WHERE action = 'identity.certifications'"
    seen = [
        tuple(row) for row in await desk.sql.fetch(f"{looks} AND subject = ANY ($1) ORDER BY at", [old.card, new.card])
    ]
    assert seen == [(new.card, False), (old.card, True)]
    # What its agency says of the new card itself comes before.
    await registered(desk, new.id, late=1)
    another = await sent_in(desk, a_batch([benefit_line(new.id, period="202609")]))
    await let_go(desk, f"/v1/disbursements/{another['id']}")
    assert await sender.send_due() == 0


async def test_password_alone_does_not_show_that_somebody_lives(desk: Api) -> None:
    who = await issued(desk, 5)
    await give_password(desk, who)
    benefit = await registered(desk, who.id, late=1)
    body = {"card_id": who.id, "method": "self"}
    for given in (body, body | {"password_block": await sealed(desk, f"{who.id}/certify")}):
        assert (await desk.post(PATH, given, caller="channel")).refused == (403, "reauthentication-required")
    assert await status(desk, benefit) == "overdue"


async def test_relative_shows_it_by_an_act_of_his_own(desk: Api) -> None:
    ward, helper = await issued(desk, 6), await issued(desk, 7)
    await give_password(desk, helper)
    benefit = await registered(desk, ward.id, late=1)

    async def told(by: Carried, about: str) -> Reply:
        block = await sealed(desk, f"{about}/certify")
        body = {"card_id": ward.id, "method": "relative", "relative_card_id": by.id, "password_block": block}
        return await desk.post(PATH, body, caller="channel")

    assert (await told(helper, ward.id)).refused == (403, "relative-not-linked")
    link = await desk.post(
        f"{ward.path}/relatives",
        {**helper.person.identity, "relation": "child", "proof": PROOF, "expires_on": "2030-01-01"},
        caller="channel",
    )
    assert link.status == 201, link.body
    assert (await told(helper, helper.id)).refused[1] in ("password-block-invalid", "password-incorrect")
    assert await status(desk, benefit) == "overdue", "an act for something else is none for this"
    done = await told(helper, ward.id)
    assert (done.status, done["method"]) == (201, "relative"), done.body
    shown = (await desk.get(f"{PATH}/{benefit['id']}", caller="payer")).json["history"]
    assert isinstance(shown, list)
    assert [(one["method"], one["result"], one["evidence"][:9]) for one in shown] == [
        ("relative", "certified", "password:")
    ]
    await desk.post(f"{ward.path}/relatives/{link['id']}/revoke", caller="channel")
    assert (await told(helper, ward.id)).refused == (403, "relative-not-linked")


async def test_office_certifies_its_own_benefits_and_the_latest_day_counts(desk: Api) -> None:
    who, now = await issued(desk, 8), await today(desk)
    benefit = await registered(desk, who.id, late=1)
    assert (await offline(desk, who.id, caller="other")).refused == (422, "no-benefit-to-certify")
    assert (await offline(desk, who.id, benefit_code="RENT")).refused == (422, "no-benefit-to-certify")
    key = a_key()
    first, again = [await offline(desk, who.id, key=key) for _ in range(2)]
    assert (first.status, again.is_replay, again.body) == (201, True, first.body)
    seen = await desk.get(f"{PATH}/{benefit['id']}", caller="payer")
    assert (seen["last_certified_on"], seen["due_on"]) == (now.isoformat(), add_months(now, 12).isoformat())
    earlier = (now - timedelta(days=LATE_DAYS_MAX)).isoformat()
    assert (await offline(desk, who.id, certified_on=earlier)).status == 201, "told late, it takes nothing back"
    after = await desk.get(f"{PATH}/{benefit['id']}", caller="payer")
    history = after["history"]
    assert isinstance(history, list)
    assert (after["last_certified_on"], [one["certified_on"] for one in history]) == (
        now.isoformat(),
        [earlier, now.isoformat()],
    )


async def test_operator_brings_in_what_other_registers_know_of_its_region(desk: Api) -> None:
    who, far = await issued(desk, 9), await bring_in(desk, 10, region="310101")
    mine = await registered(desk, who.id, late=1)
    await desk.sql.execute("UPDATE agency SET region = 0 WHERE id = $1", await agency_id(desk, mine))
    theirs = await registered(desk, far.id, late=1)
    body = {
        "certification_ids": [mine["id"], theirs["id"], nobodys_id(IdKind.CERTIFICATION)],
        "certified_on": (await today(desk)).isoformat(),
        "evidence": EVIDENCE,
    }
    done = await desk.post(f"{PATH}/matches", body, caller="beijing")
    assert (done.status, done["certified"], done["unknown"]) == (200, 1, body["certification_ids"][1:])
    assert [await status(desk, one) for one in (mine, theirs)] == ["certified", "overdue"]
    assert (await offline(desk, far.id, caller="beijing")).refused == (403, "region-not-permitted")
    assert (await offline(desk, far.id, caller="shanghai")).status == 201
    for caller, refused in (("delta", (403, "scope-not-authorized")), ("payer", (404, "not-found"))):
        assert (await desk.post(f"{PATH}/matches", body, caller=caller)).refused == refused


async def agency_id(api: Api, benefit: Reply) -> bytes:
    """Whose benefit it is."""
    return parse_id(str(benefit["agency_id"]), IdKind.AGENCY)


async def test_benefit_is_registered_once_and_begins_as_its_agency_says(desk: Api) -> None:
    who, now = await bring_in(desk, 11), await today(desk)
    body: Json = {"card_id": who.id, "benefit_code": "PENSION", "cycle_months": 6}
    last = (now - timedelta(days=20)).isoformat()
    made = await desk.post(BENEFICIARIES, body | {"last_certified_on": last}, caller="payer")
    assert (made.status, made["status"], made["region"], made["is_pending"]) == (201, "certified", "110101", False)
    for caller in ("payer", "other"):
        assert (await desk.post(BENEFICIARIES, body, caller=caller)).refused == (409, "benefit-registered")
    for changes, pointer in (
        ({"due_on": "9999-12-31"}, "/due_on"),
        ({"due_on": "0001-01-01"}, "/due_on"),
        ({"last_certified_on": (now + timedelta(days=1)).isoformat()}, "/last_certified_on"),
        ({"cycle_months": 25}, "/cycle_months"),
        ({"benefit_code": "pension"}, "/benefit_code"),
        ({"card_id": "card_x"}, "/card_id"),
    ):
        reply = await desk.post(BENEFICIARIES, body | changes, caller="payer")
        assert (reply.refused, reply.pointers) == ((400, "field-invalid"), [pointer])
    nobody = body | {"card_id": nobodys_id(IdKind.CARD)}
    assert (await desk.post(BENEFICIARIES, nobody, caller="payer")).refused == (404, "not-found")
    far = await bring_in(desk, 12, region="310101")
    outside = body | {"card_id": far.id}
    assert (await desk.post(BENEFICIARIES, outside, caller="other")).refused == (403, "region-not-permitted")
    due = await registered(desk, who.id, late=-DUE_DAYS, benefit_code="RENT")
    not_yet = await registered(desk, who.id, late=-DUE_DAYS - 1, benefit_code="HEATING")
    assert [due["status"], not_yet["status"]] == ["due", "not_due"]


async def test_everybody_sees_their_own(desk: Api) -> None:
    who = await issued(desk, 13)
    first, second = [await registered(desk, who.id, benefit_code=code, caller="other") for code in ("A", "B")]
    page = await desk.get(f"{PATH}?limit=1", caller="other")
    rest = await desk.get(f"{PATH}?limit=1&cursor={page['next_cursor']}", caller="other")
    assert [item["id"] for item in (*page.items, *rest.items)] == [second["id"], first["id"]]
    assert rest["next_cursor"] is None
    for caller in ("channel", "beijing", "other"):
        listed = await desk.get(f"{PATH}?card_id={who.id}", caller=caller)
        assert [item["benefit_code"] for item in listed.items] == ["B", "A"]
        assert await status(desk, first, caller=caller) == "not_due"
    for caller in ("payer", "shanghai", "merchant-0", "bank-0"):
        assert (await desk.get(f"{PATH}/{first['id']}", caller=caller)).refused == (404, "not-found")
    assert (await desk.get(f"{PATH}?card_id={who.id}", caller="payer")).items == []
    overdue = await registered(desk, who.id, late=3, benefit_code="C", caller="other")
    for state, found in (("overdue", [overdue["id"]]), ("suspended", []), ("not_due", [second["id"], first["id"]])):
        listed = await desk.get(f"{PATH}?card_id={who.id}&status={state}", caller="other")
        assert [item["id"] for item in listed.items] == found
    assert (await desk.get(f"{PATH}?status=late", caller="other")).pointers == ["/status"]
    other = await bring_in(desk, 14)
    assert (await desk.get(f"{PATH}?card_id={other.id}", caller="channel")).refused == (404, "not-found")
    assert (await desk.get(PATH, caller="channel")).pointers == ["/card_id"]
    assert (await desk.get(f"{PATH}/{nobodys_id(IdKind.CERTIFICATION)}", caller="channel")).status == 404
    await issue(desk, other)
    body = {"card_id": other.id, "method": "self", "face": "AAAA"}
    assert (await desk.post(PATH, body, caller="channel")).refused == (503, "upstream-unavailable"), "nobody is asked"


@pytest.mark.parametrize(
    ("caller", "changes", "pointer"),
    [
        ("channel", {"method": "offline"}, "/method"),
        ("channel", {"method": "self", "evidence": EVIDENCE}, "/evidence"),
        ("channel", {"method": "self", "relative_card_id": nobodys_id(IdKind.CARD)}, "/relative_card_id"),
        ("channel", {"method": "relative"}, "/relative_card_id"),
        ("payer", {"method": "self"}, "/method"),
        ("payer", {"method": "offline"}, "/evidence"),
        ("payer", {"method": "offline", "evidence": EVIDENCE, "face": "AAAA"}, "/face"),
        ("alpha", {"method": "offline", "evidence": EVIDENCE, "certified_on": "2099-01-01"}, "/certified_on"),
    ],
)
async def test_each_way_to_show_it_is_for_somebody(desk: Api, caller: str, changes: Json, pointer: str) -> None:
    body = {"card_id": id_text(CardId(desk.world.cards[0])), **changes}
    reply = await desk.post(PATH, body, caller=caller)
    assert (reply.refused, reply.pointers) == ((400, "field-invalid"), [pointer])
