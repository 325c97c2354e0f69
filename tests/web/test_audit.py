"""The audit trail over HTTP: looks at personal data are in it, those who may read it do, and are in it as well."""

import asyncio
from urllib.parse import quote

import pytest

from engine.core.audit import Access
from engine.core.ids import CardId, IdKind
from engine.flows.verify_books import verify_books
from engine.store.audit import append_access
from engine.web.audit.looks import ALLOWED
from tests.builders import an_id
from tests.people import person
from tests.web.api import Api, Reply, nobodys_id
from tests.web.register import bring_in, issue, open_register

WHY = "purpose=complaint%20C-17"


async def trail(api: Api, query: str = "", caller: str = "delta") -> Reply:
    """A page of the audit trail."""
    reply = await api.get(f"/v1/audit?{WHY}{query}", caller=caller)
    assert reply.status == 200, reply.body
    return reply


def shown(reply: Reply) -> list[tuple[object, ...]]:
    """Action, purpose and result of each item."""
    return [(item["action"], item["purpose"], item["result"]) for item in reply.json["items"]]  # type: ignore[attr-defined]  # JSON


async def test_looks_are_in_the_trail_and_so_is_reading_it(api: Api) -> None:
    await open_register(api)
    who = await bring_in(api, 1)
    await issue(api, who)
    seen = await api.get(who.path, caller="channel")
    assert seen.status == 200
    await api.post("/v1/cards/search", who.person.identity, caller="channel")
    await api.post("/v1/cards/search", {"id_number": who.person.id_number}, caller="beijing")
    refused = await api.get(who.path, caller="shanghai")
    assert refused.refused == (403, "region-not-permitted")
    unknown = await api.get(f"/v1/cards/{nobodys_id(IdKind.CARD)}", caller="alpha")
    assert unknown.status == 404

    first = await trail(api, f"&card={who.id}")
    assert shown(first) == [
        ("audit.read", "complaint C-17", ALLOWED),
        ("card.read", None, "region-not-permitted"),
        ("card.search", None, ALLOWED),
        ("card.search", None, ALLOWED),
        ("card.read", None, ALLOWED),
    ]
    # Whoever reads later sees who has read before, and what about.
    again = await trail(api, f"&card={who.id}&limit=2")
    assert [item["object"] for item in again.json["items"]] == [f"card={who.id}"] * 2  # type: ignore[attr-defined]  # JSON
    rest = await trail(api, f"&card={who.id}&limit=4&cursor={again['next_cursor']}")
    assert shown(rest) == shown(first)[1:]
    assert rest["next_cursor"] is None

    # So is that somebody has not said what for.
    unsaid = await api.get(f"/v1/audit?card={who.id}", caller="delta")
    assert unsaid.refused == (403, "purpose-required")
    told = await trail(api, f"&trace_id={unsaid['trace_id']}")
    assert shown(told) == [("audit.read", None, "purpose-required")]

    # By channel, by request, by time.
    channel = next(item["channel"] for item in first.json["items"] if item["channel"] is not None)  # type: ignore[attr-defined]  # JSON
    assert len(shown(await trail(api, f"&channel={channel}"))) == 2
    trace_id = str(refused["trace_id"])
    assert shown(await trail(api, f"&trace_id={trace_id}")) == [("card.read", None, "region-not-permitted")]
    at = quote(first.json["items"][-1]["at"], safe="")  # type: ignore[index]  # JSON
    assert ("card.read", None, ALLOWED) not in shown(await trail(api, f"&since={at}&until={at}"))
    assert ("card.read", None, ALLOWED) in shown(await trail(api, f"&card={who.id}&since={at}"))

    # A province sees its own; nobody else's.
    assert shown(await trail(api, f"&card={who.id}", caller="shanghai")) == []
    assert len(shown(await trail(api, f"&card={who.id}", caller="beijing"))) >= 8
    for secret in person(1).secrets:
        assert secret.encode() not in first.body
    report = await verify_books(api.node.database_url, public_keys=None, progress=lambda *_: None)
    assert (report.violation, report.counts.accesses >= 10) == (None, True)


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("", (403, "purpose-required")),
        ("?purpose=", (403, "purpose-required")),
        ("?purpose=11010119900307997X", (400, "field-invalid")),
        ("?purpose=138%200013%208000", (400, "field-invalid")),
        ("?purpose=%E6%8A%95%E8%AF%89", (400, "field-invalid")),
        (f"?{WHY}&card=card_1", (400, "field-invalid")),
        (f"?{WHY}&payment={nobodys_id(IdKind.CARD)}", (400, "field-invalid")),
        (f"?{WHY}&trace_id=1", (400, "field-invalid")),
        (f"?{WHY}&since=2026-13-01T00:00:00Z", (400, "field-invalid")),
        (f"?{WHY}&until=2026-11-01T00:00:00%2B08:00", (400, "field-invalid")),
        (f"?{WHY}&cursor=99999999999999999-3-1-", (400, "field-invalid")),
        (f"?{WHY}&cursor=999999999999999999999-3-1", (400, "field-invalid")),
        (f"?{WHY}&name=1", (400, "unknown-field")),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_the_first_thing_that_is_wrong_is_refused(city: Api, query: str, refused: tuple[int, str]) -> None:
    if not await city.sql.fetchval("SELECT count(*) FROM operator"):
        await open_register(city)
    status, code = refused
    reply = await city.get(f"/v1/audit{query}", caller="delta")
    assert (reply.code, reply.status) == (code, status)


@pytest.mark.asyncio(loop_scope="module")
async def test_nobody_but_operators_reads_it(city: Api) -> None:
    for caller in ("channel", "agency", "merchant-0"):
        assert (await city.get(f"/v1/audit?{WHY}", caller=caller)).status == 404


async def test_look_that_cannot_be_kept_is_not_answered(api: Api) -> None:
    await open_register(api)
    who = await bring_in(api, 1)
    await api.sql.execute(
        "CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the disk' USING ERRCODE = '40001'; END $$;"
        "CREATE CONSTRAINT TRIGGER gone AFTER INSERT ON audit_entry DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION gone()"
    )
    reply = await api.get(who.path, caller="alpha")
    assert (reply.status, "Retry-After" in reply.headers) == (503, True), reply.body
    assert (await api.get(f"{who.path}/personal-data?{WHY}", caller="gamma")).status == 503
    await api.sql.execute("DROP TRIGGER gone ON audit_entry")
    assert (await api.get(who.path, caller="alpha")).status == 200


async def test_many_look_at_once_and_what_is_rolled_back_was_no_look(api: Api) -> None:
    cards = [CardId(an_id(IdKind.CARD)) for _ in range(3)]
    now = (await api.node.reads.business_now()).now

    async def look(n: int) -> None:
        access = Access(
            caller=cards[0],
            subject=cards[n % 3],
            action="card.read",
            purpose=None,
            object=None,
            result=ALLOWED,
            trace_id=f"{n:032x}",
        )
        async with api.node.pool.acquire() as connection:
            going = connection.transaction()
            await going.start()
            await append_access(connection, access, now=now)
            await (going.rollback() if n % 5 == 0 else going.commit())

    await asyncio.gather(*map(look, range(40)))
    assert await api.sql.fetchval("SELECT count(*) FROM audit_entry") == 32
    report = await verify_books(api.node.database_url, public_keys=None, progress=lambda *_: None)
    assert (report.violation, report.counts.accesses) == (None, 32)
