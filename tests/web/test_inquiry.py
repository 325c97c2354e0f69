"""Inquiries as a channel makes them: seven topics, three authorizations, files and regions' own systems."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from engine.core.ids import AgencyId, CallerId, id_text
from engine.core.inquiry import FAILURES_MAX, REST_S, TOPICS
from engine.flows.inquiry.regional_systems import ANSWER_BYTES_MAX
from tests.agencies import an_agency
from tests.web.api import Api, Json, Reply, a_key
from tests.web.inquiries import (
    PURPOSE,
    RECORDS,
    RegionalOffice,
    a_file,
    ask,
    bring_records,
    consent,
    grant,
    open_office,
    revoke,
)
from tests.web.operators import approve
from tests.web.register import Carried, bring_in, give_password, issue, issued, open_register

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL = list(TOPICS)


class Desk(msgspec.Struct, frozen=True):
    """A node whose channel and one department may look at everything; persons are asked one by one."""

    api: Api
    channel: CallerId
    department: AgencyId


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> Desk:
    """The city with a register, a department, and grants of everything."""
    await open_register(city)
    channel = CallerId(await city.sql.fetchval("SELECT caller FROM caller_key WHERE keyid = 'channel'"))
    department = await an_agency(city.sql, city.world)
    for holder in (channel, department):
        await grant(city, holder, ALL)
    return Desk(city, channel, department)


@pytest_asyncio.fixture(loop_scope="module")
async def office() -> AsyncIterator[RegionalOffice]:
    """A region's own system."""
    async with open_office() as opened:
        yield opened


async def willing(desk: Desk, n: int, scopes: list[str] = ALL, *, purpose: str = PURPOSE) -> Carried:
    """The *n*-th person, who lets the channel look."""
    who = await issued(desk.api, n)
    await give_password(desk.api, who)
    given = await consent(desk.api, who, scopes, channel=desk.channel, purpose=purpose)
    assert given.status == 201, given.body
    return who


async def trail(api: Api, who: Carried) -> list[tuple[str, str]]:
    """What the audit trail says of looks at a person, in their order."""
    rows = await api.sql.fetch("SELECT action, result FROM audit_entry WHERE subject = $1 ORDER BY n", who.card)
    return [(row["action"], row["result"]) for row in rows if row["action"].startswith("inquiry.")]


async def test_each_topic_is_answered_from_what_the_region_has_sent_in(desk: Desk) -> None:
    who, other = await willing(desk, 1), await bring_in(desk.api, 2)
    for topic, (columns, rows) in RECORDS.items():
        empty = await ask(desk.api, who, topic)
        assert (empty.status, empty.json) == (200, {"items": [], "next_cursor": None})
        sent = await bring_records(desk.api, topic, a_file(topic, other, who))
        assert (sent["lines"], sent["taken"], sent["faults"]) == (2 * len(rows), 2 * len(rows), []), sent.body
        reply = await ask(desk.api, who, topic)
        names = columns.split(",")
        told = [[str(item[name] if item[name] is not None else "") for name in names] for item in reply.items]
        assert told == [row.split(",") for row in reversed(rows)]
        assert set(reply.items[0]) == set(names)
        assert reply.headers["Cache-Control"] == "no-store"
    assert await trail(desk.api, who) == [(f"inquiry.{topic}", "allowed") for topic in RECORDS for _ in range(2)]
    kept = await desk.api.sql.fetch("SELECT * FROM inquiry_record")
    assert not [row for row in kept if any("某厂".encode() in value for value in row.values() if type(value) is bytes)]


async def test_what_is_sent_again_takes_its_place_and_the_same_file_changes_nothing(desk: Desk) -> None:
    who = await willing(desk, 3, ["skill_levels"])
    row = RECORDS["skill_levels"][1][0]
    first = a_file("skill_levels", who)
    sent = [await bring_records(desk.api, "skill_levels", content) for content in (first, first)]
    assert sent[0].body == sent[1].body
    better = a_file("skill_levels", who, rows=[row.replace(",2,", ",3,"), row.replace(",2,", ",1,")])
    assert (await bring_records(desk.api, "skill_levels", better))["taken"] == 2
    assert (await bring_records(desk.api, "skill_levels", first)).body == sent[0].body
    assert [item["level"] for item in (await ask(desk.api, who, "skill_levels")).items] == [1]


async def test_bad_lines_are_told_and_cost_nobody_else_anything(desk: Desk) -> None:
    who = await willing(desk, 4, ["social_insurance"])
    columns, (good, *_) = RECORDS["social_insurance"]
    number = who.person.id_number
    lines = [
        f"id_number,{columns}",
        f"{number[:-1]}x,{good}" if not number.endswith("X") else f"{number[:-1]}0,{good}",
        f"{number},{good}",
        f"{number},{good.replace(',120,', ',1e2,')}",
        f"{number},{good.replace('pension', 'pensions')}",
        f"{number},{good.replace('110101', '310101')}",
        f"{number},{good.replace('2026-10-31', '2026-13-31')}",
        f"{number},{good},1",
        f'{number},"{good}',
        "",
    ]
    sent = await bring_records(desk.api, "social_insurance", "\n".join(lines).encode(), caller="beijing")
    assert (sent["lines"], sent["taken"], sent["faulty"]) == (8, 1, 7), sent.body
    faults = msgspec.convert(sent["faults"], list[dict[str, object]])
    assert [(fault["line"], fault["field"]) for fault in faults] == [
        (2, "id_number"),
        (4, "months_paid"),
        (5, "insurance"),
        (6, "region"),
        (7, "as_of"),
        (8, "record"),
        (9, "record"),
    ]
    assert not [secret for secret in who.person.secrets if secret.encode() in sent.body]
    assert len((await ask(desk.api, who, "social_insurance")).items) == 1
    for content, field in (
        (b"\n", "id_number"),
        (b"id_number,region\n", "insurance"),
        (b"\xff\n", "id_number"),
        (f"id_number,id_number,{columns}\n".encode(), "id_number"),
    ):
        wrong = await bring_records(desk.api, "social_insurance", content)
        assert field in {fault["field"] for fault in msgspec.convert(wrong["faults"], list[dict[str, object]])}


async def test_only_operators_of_a_region_bring_records_in(desk: Desk) -> None:
    content = a_file("employment", await bring_in(desk.api, 5))
    for caller, refused in (
        ("channel", (404, "not-found")),
        ("merchant-0", (404, "not-found")),
        ("delta", (403, "scope-not-authorized")),
    ):
        assert (await bring_records(desk.api, "employment", content, caller=caller)).refused == refused
    assert (await bring_records(desk.api, "shoe_sizes", content)).refused == (404, "not-found")
    assert (await bring_records(desk.api, "employment", content, caller="shanghai"))["taken"] == 0


async def test_the_first_of_three_that_is_missing_is_named(desk: Desk) -> None:
    api, topic = desk.api, "qualifications"
    other = {"purpose": "housing"}
    who = await issued(api, 6)
    await give_password(api, who)

    async def asked() -> Reply:
        return await ask(api, who, topic, purpose="housing")

    refused = []
    refused.append((await asked()).refused)
    await consent(api, who, [topic], channel=desk.channel, **other)
    refused.append((await asked()).refused)
    await grant(api, desk.department, [topic], region="310000", **other)  # of another region's persons
    refused.append((await asked()).refused)
    await grant(api, desk.department, [topic], region="110100", **other)
    refused.append((await asked()).refused)
    await grant(api, desk.channel, [topic], region="000000", **other)
    assert (await asked()).status == 200
    assert refused == [
        (403, "consent-required"),
        (403, "department-not-authorized"),
        (403, "department-not-authorized"),
        (403, "channel-not-authorized"),
    ]
    assert (await ask(api, who, "employment", purpose="housing")).refused == (403, "consent-required")
    for purpose in ("", "110101199003079972"):
        assert (await ask(api, who, topic, purpose=purpose)).refused == (403, "purpose-required")
    assert [result for _, result in await trail(api, who)] == [
        *(slug for _, slug in refused),
        "allowed",
        "consent-required",
        *["purpose-required"] * 2,
    ]


async def test_department_that_is_named_needs_consent_and_grant_of_its_own(desk: Desk) -> None:
    api, topic = desk.api, "guaranteed_loans"
    who = await willing(desk, 7, [topic])
    stranger = await an_agency(api.sql, api.world)
    for department, refused in ((desk.department, "consent-required"), (stranger, "consent-required")):
        reply = await ask(api, who, topic, query=f"&department_id={id_text(department)}")
        assert reply.refused == (403, refused)
    for department in (desk.department, stranger):
        given = await consent(api, who, [topic], channel=desk.channel, department_id=id_text(department))
        assert given.status == 201, given.body
    assert (await ask(api, who, topic, query=f"&department_id={id_text(desk.department)}")).status == 200
    reply = await ask(api, who, topic, query=f"&department_id={id_text(stranger)}")
    assert reply.refused == (403, "department-not-authorized")


async def test_card_that_is_not_the_channels_or_out_of_use_is_not_looked_into(desk: Desk) -> None:
    api, topic = desk.api, "employment"
    who, strange = await willing(desk, 8, [topic]), await bring_in(api, 9)
    assert (await ask(api, strange, topic)).refused == (404, "not-found")
    assert (await ask(api, who, topic, caller="channel-2")).refused == (404, "not-found")
    assert (await ask(api, who, topic, caller="alpha")).refused == (404, "not-found")
    missing = await api.get(f"/v1/inquiry/{topic}?purpose={PURPOSE}", caller="channel")
    assert (missing.refused, missing.pointers) == ((400, "field-invalid"), ["/card_id"])
    for query, pointer in (("&department_id=x", "/department_id"), ("&cursor=x", "/cursor"), ("&limit=0", "/limit")):
        reply = await ask(api, who, topic, query=query)
        assert (reply.refused, reply.pointers) == ((400, "field-invalid"), [pointer])
    await api.post(f"{who.path}/loss-report", caller="alpha")
    assert (await ask(api, who, topic)).refused == (403, "card-reported-lost")


async def test_grant_that_ends_while_pages_are_read_stops_the_next(desk: Desk) -> None:
    api, topic, purpose = desk.api, "qualifications", {"purpose": "licence"}
    who = await willing(desk, 10, [topic], **purpose)
    grants = [await grant(api, holder, [topic], **purpose) for holder in (desk.channel, desk.department)]
    row = RECORDS[topic][1][0]
    await bring_records(api, topic, a_file(topic, who, rows=[row.replace("K-1", f"K-{n}") for n in range(5)]))
    told: list[object] = []
    cursor = ""
    while True:
        page = await ask(api, who, topic, purpose="licence", query=f"&limit=2{cursor}")
        told += [item["certificate_no"] for item in page.items]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert told == [f"K-{n}" for n in reversed(range(5))]
    assert (await ask(api, who, topic, purpose="licence", query="&cursor=1")).items == []
    assert (await ask(api, who, topic, purpose="licence", query=cursor)).status == 200
    await revoke(api, grants[0][0])
    assert (await ask(api, who, topic, purpose="licence", query=cursor)).refused == (403, "channel-not-authorized")
    await revoke(api, grants[1][0])
    assert (await ask(api, who, topic, purpose="licence", query=cursor)).refused == (403, "department-not-authorized")


async def use_office(desk: Desk, office: RegionalOffice, topic: str, region: str) -> None:
    """Two operators decide that the region is asked itself; nothing of what came before counts against it."""
    body = {"region": region, "base_url": office.url, "reason": "contract 13"}
    decided = await approve(desk.api, await desk.api.post(f"/v1/inquiry/{topic}/sources", body, caller="alpha"))
    assert decided.status == 200, decided.body
    desk.api.clock.ahead_s += REST_S


async def stop_office(desk: Desk, topic: str, region: str) -> None:
    """One operator decides that it is not."""
    body = {"region": region, "reason": "over"}
    stopped = await desk.api.post(f"/v1/inquiry/{topic}/sources/stop", body, caller="alpha")
    assert stopped.status == 200, stopped.body


LOAN: Json = {
    "region": "110101",
    "application_no": "L-9",
    "amount": 1,
    "interest_discount_bp": 0,
    "bank": "某行",
    "status": "repaid",
    "due_on": None,
}


def an_answer(*items: Json, **more: object) -> bytes:
    """What a region's system answers."""
    return msgspec.json.encode({"items": list(items), **more})


async def test_region_is_asked_itself_and_goes_on_with_its_own_cursor(desk: Desk, office: RegionalOffice) -> None:
    api, topic = desk.api, "guaranteed_loans"
    who = await willing(desk, 11, [topic])
    await bring_records(api, topic, a_file(topic, who))
    await use_office(desk, office, topic, "110000")
    listed = await api.get(f"/v1/inquiry/{topic}/sources", caller="beijing")
    assert [(item["region"], item["base_url"]) for item in listed.items] == [("110000", office.url)]
    office.answer = an_answer(LOAN, next_cursor="p2")
    page = await ask(api, who, topic, query="&limit=1")
    assert (page.items, page["next_cursor"]) == ([LOAN], "p2")
    office.answer = an_answer()
    assert (await ask(api, who, topic, query="&limit=1&cursor=p2")).json == {"items": [], "next_cursor": None}
    path, body, headers = office.heard[-1]
    assert path == f"/ssc/inquiry/{topic}"
    assert msgspec.json.decode(body) == {"id_number": who.person.id_number, "cursor": "p2", "limit": 1}
    assert {"Signature", "Signature-Input", "Content-Digest"} <= set(headers)
    await stop_office(desk, topic, "110000")
    assert [item["application_no"] for item in (await ask(api, who, topic)).items] == ["L-1"]
    assert len(office.heard) == 2


async def test_region_that_lies_or_fails_is_unavailable_and_named(desk: Desk, office: RegionalOffice) -> None:
    api, topic = desk.api, "guaranteed_loans"
    who = await willing(desk, 12, [topic])
    await use_office(desk, office, topic, "110100")
    lies = [
        b"<html>",
        b"[]",
        an_answer(LOAN | {"amount": "1"}),
        an_answer(LOAN | {"shoe_size": 42}),
        an_answer({name: LOAN[name] for name in LOAN if name != "bank"}),
        an_answer(LOAN, LOAN),
        an_answer(LOAN, next_cursor="again"),
        an_answer(LOAN | {"region": "310101"}),
        b'{"items": ["' + who.person.id_number.encode() + b'"]}',
        an_answer() + b" " * ANSWER_BYTES_MAX,
    ]
    for lie in lies:
        office.answer = lie
        api.clock.ahead_s += REST_S
        reply = await ask(api, who, topic, query="&limit=1&cursor=again")
        assert (reply.refused, reply.pointers) == ((503, "upstream-unavailable"), ["/region"]), lie[:60]
        assert (b"110100" in reply.body, "Retry-After" in reply.headers) == (True, True)
        assert who.person.id_number.encode() not in reply.body
    office.answer = an_answer(LOAN)
    for status in (302, 404, 500):
        office.status = status
        api.clock.ahead_s += REST_S
        assert (await ask(api, who, topic)).refused == (503, "upstream-unavailable")
    office.status = 200
    api.clock.ahead_s += REST_S
    assert (await ask(api, who, topic)).items == [LOAN]
    assert (await trail(api, who))[-3:] == [
        (f"inquiry.{topic}", "allowed"),
        (f"inquiry.{topic}", "upstream-unavailable"),
        (f"inquiry.{topic}", "allowed"),
    ]
    await stop_office(desk, topic, "110100")


async def test_region_that_is_down_is_given_a_rest(desk: Desk) -> None:
    api, topic = desk.api, "vocational_training"
    who = await willing(desk, 13, [topic])
    async with open_office() as gone:
        pass
    await use_office(desk, gone, topic, "110101")
    for _ in range(FAILURES_MAX):
        assert (await ask(api, who, topic)).refused == (503, "upstream-unavailable")
    async with open_office() as back:
        await use_office(desk, back, topic, "110101")
        api.clock.ahead_s -= REST_S
        assert (await ask(api, who, topic)).refused == (503, "upstream-unavailable")
        assert back.heard == []
        api.clock.ahead_s += REST_S
        assert (await ask(api, who, topic)).status == 200
        assert (await ask(api, who, topic)).status == 200
    await stop_office(desk, topic, "110101")


async def test_region_that_hangs_is_not_waited_for(desk: Desk, office: RegionalOffice) -> None:
    api, topic = desk.api, "vocational_training"
    who = await willing(desk, 14, [topic])
    await use_office(desk, office, topic, "110101")
    office.may_answer.clear()
    usual, api.node.regional.answer_s_max = api.node.regional.answer_s_max, 0.05
    assert (await ask(api, who, topic)).refused == (503, "upstream-unavailable")
    api.node.regional.answer_s_max = usual
    office.may_answer.set()
    assert (await ask(api, who, topic)).status == 200
    await stop_office(desk, topic, "110101")


async def test_consent_that_is_withdrawn_while_the_region_thinks_lets_nothing_be_shown(
    desk: Desk, office: RegionalOffice
) -> None:
    api, topic = desk.api, "employment_services"
    who = await willing(desk, 15, [topic])
    await use_office(desk, office, topic, "110101")
    service: Json = {"region": "110101", "registration_no": "R-1", "status": "employed", "registered_on": "2026-01-05"}
    office.answer = an_answer(service)
    office.may_answer.clear()
    asking = asyncio.ensure_future(ask(api, who, topic))
    await office.has_heard.wait()
    listed = await api.get(f"/v1/consents?card_id={who.id}", caller="channel")
    withdraw = f"/v1/consents/{listed.items[0]['id']}/withdraw"
    assert (await api.post(withdraw, {"reason": "asked by the person"}, caller="alpha"))["status"] == "revoked"
    office.may_answer.set()
    assert (await asking).refused == (403, "consent-required")
    assert [result for _, result in await trail(api, who)] == ["allowed", "consent-required"]
    await stop_office(desk, topic, "110101")


async def test_where_numbers_are_sent_is_decided_by_two(desk: Desk) -> None:
    api, path = desk.api, "/v1/inquiry/employment/sources"
    body: Json = {"region": "110000", "base_url": "http://127.0.0.1:1/x", "reason": "so"}
    asked = await api.post(path, body, caller="alpha", key=(key := a_key()))
    assert (asked.status, asked["status"]) == (202, "pending")
    assert (await api.post(path, body, caller="alpha", key=key)).body == asked.body
    assert (await api.get(path, caller="alpha")).items == []
    assert (await approve(api, asked, by="alpha")).refused == (403, "approval-required")
    for changes, caller, refused in (
        ({}, "channel", (404, "not-found")),
        ({}, "shanghai", (403, "region-not-permitted")),
        ({}, "gamma", (403, "scope-not-authorized")),
        ({"region": "110001"}, "alpha", (422, "region-unknown")),
        ({"base_url": "http://10.0.0.1/x"}, "alpha", (422, "callback-url-not-allowed")),
        ({"base_url": "http://127.0.0.1:1/x/"}, "alpha", (422, "callback-url-not-allowed")),
        ({"base_url": "http://127.0.0.1:1/x?y=1"}, "alpha", (422, "callback-url-not-allowed")),
    ):
        assert (await api.post(path, body | changes, caller=caller)).refused == refused
    stop = await api.post(f"{path}/stop", {"region": "110000", "reason": "so"}, caller="shanghai")
    assert stop.refused == (403, "region-not-permitted")


async def test_channel_that_is_not_for_inquiries_in_the_persons_region_sees_nothing(desk: Desk) -> None:
    api, topic = desk.api, "skill_levels"
    who = await willing(desk, 16, [topic])
    await issue(api, who)
    await api.sql.execute("UPDATE channel SET regions = '{310000}' WHERE id = $1", desk.channel)
    assert (await ask(api, who, topic)).refused == (403, "channel-not-authorized")
    await api.sql.execute("UPDATE channel SET regions = '{0}' WHERE id = $1", desk.channel)
    assert (await ask(api, who, topic)).status == 200
