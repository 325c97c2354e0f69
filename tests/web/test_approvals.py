"""Four eyes: nobody agrees with himself, everything is decided once, and what was decided stays so."""

import asyncio

import asyncpg
import msgspec
import pytest

from engine.core.approvals import APPROVAL_LASTS
from engine.core.ids import IdKind
from tests.web.api import Api, Json, Reply, nobodys_id
from tests.web.operators import HARBOUR_BANK, a_bank, add_operators, approve

BANKS = "SELECT count(*) FROM bank WHERE name_en = 'Harbour Bank'"
EVENTS = "SELECT count(*) FROM approval_event WHERE move <> 1"
A_WEEK_LATER = "UPDATE control SET sandbox_offset_us = sandbox_offset_us + $1"


@pytest.fixture
async def office(api: Api) -> Api:
    """A node with operators."""
    await add_operators(api)
    return api


async def test_who_asked_cannot_agree_with_himself(office: Api) -> None:
    asked = await office.post("/v1/participants", a_bank(), caller="alpha")
    reply = await approve(office, asked, by="alpha")
    assert (reply.refused, await office.sql.fetchval(BANKS)) == ((403, "approval-required"), 0)


async def test_who_asked_can_take_it_back(office: Api) -> None:
    asked = await office.post("/v1/participants", a_bank(), caller="alpha")
    taken = await office.post(f"/v1/approvals/{asked['id']}/reject", {"note": "mistake"}, caller="alpha")
    assert (taken.status, taken["status"], taken["note"]) == (200, "rejected", "mistake")
    assert (await approve(office, asked)).refused == (409, "approval-decided")
    assert await office.sql.fetchval(BANKS) == 0


async def test_of_two_who_decide_at_once_one_does_and_the_other_is_told(office: Api) -> None:
    for n in range(6):
        body = {"region": "510100", "fund_pay_type": f"3101{n:02d}", "bank": HARBOUR_BANK, "reason": "r"}
        if n == 0:
            await approve(office, await office.post("/v1/participants", a_bank(), caller="alpha"))
        asked = await office.post("/v1/funds", body, caller="alpha")
        before = await office.sql.fetchval(EVENTS)
        other = "reject" if n % 2 else "approve"
        replies = await asyncio.gather(
            *(approve(office, asked, by=name) for name in ("beta", "gamma")),
            office.post(f"/v1/approvals/{asked['id']}/{other}", caller="beta"),
        )
        assert sorted(reply.status for reply in replies) == [200, 409, 409]
        assert {reply.code for reply in replies if reply.status == 409} == {"approval-decided"}
        assert await office.sql.fetchval(EVENTS) == before + 1


async def test_second_decider_waits_for_the_first_and_is_told(office: Api) -> None:
    asked = await office.post("/v1/participants", a_bank(), caller="alpha")
    first = await asyncpg.connect(office.node.database_url)
    deciding = first.transaction()
    await deciding.start()
    await first.execute("SELECT 1 FROM approval FOR UPDATE")
    late = asyncio.ensure_future(approve(office, asked, by="gamma"))
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FROM approval%'"
    while not await office.sql.fetchval(waiting):
        assert not late.done()
    await first.execute(
        "UPDATE approval SET state = 3, decided_by = (SELECT id FROM operator WHERE code = 'beta'), decided_at = now()"
    )
    await deciding.commit()
    assert (await late).refused == (409, "approval-decided")
    await first.close()


async def test_decision_is_replayed_under_its_key(office: Api) -> None:
    asked = await office.post("/v1/participants", a_bank(), caller="alpha")
    first, again = [await approve(office, asked, key="k") for _ in range(2)]
    assert (first.status, again.status, again.body, again.is_replay) == (200, 200, first.body, True)
    assert await office.sql.fetchval(BANKS) == 1
    other = await office.post(f"/v1/approvals/{asked['id']}/approve", {"note": "n"}, caller="beta", key="k")
    assert (other.refused, other.pointers) == ((422, "idempotency-key-reused"), ["/note"])


async def test_one_decision_sent_many_times_at_once_is_one(office: Api) -> None:
    asked = await office.post("/v1/participants", a_bank(), caller="alpha")
    replies = await asyncio.gather(*(approve(office, asked, key="k") for _ in range(12)))
    assert {(reply.status, reply.body) for reply in replies} == {(200, replies[0].body)}
    assert await office.sql.fetchval(EVENTS) == 1


async def test_request_that_is_over_is_not_decided_on(office: Api) -> None:
    asked = await office.post("/v1/participants", a_bank(), caller="alpha")
    await office.sql.execute(A_WEEK_LATER, int(APPROVAL_LASTS.total_seconds()) * 1_000_000)
    for operation in ("approve", "reject"):
        reply = await office.post(f"/v1/approvals/{asked['id']}/{operation}", caller="beta")
        assert reply.refused == (410, "approval-expired")
    assert (await office.get(f"/v1/approvals/{asked['id']}", caller="beta"))["status"] == "expired"
    assert (await office.get("/v1/approvals?status=pending", caller="beta")).items == []
    assert len((await office.get("/v1/approvals?status=expired", caller="beta")).items) == 1
    assert await office.sql.fetchval(BANKS) == 0


async def test_request_is_decided_up_to_its_last_moment(office: Api) -> None:
    asked = await office.post("/v1/participants", a_bank(), caller="alpha")
    await office.sql.execute(A_WEEK_LATER, (int(APPROVAL_LASTS.total_seconds()) - 60) * 1_000_000)
    assert (await approve(office, asked)).status == 200


async def test_everything_that_happened_stays_on_record(office: Api) -> None:
    asked = await office.post("/v1/participants", a_bank(), caller="alpha")
    await office.post(f"/v1/approvals/{asked['id']}/reject", {"note": "no contract"}, caller="gamma")
    shown = await office.get(f"/v1/approvals/{asked['id']}", caller="delta")
    told = [(event["move"], event["note"]) for event in events_of(shown)]
    assert told == [("request", None), ("reject", "no contract")]
    assert events_of(shown)[1]["operator_id"] == shown["decided_by"]
    for statement in (
        "UPDATE approval_event SET note = 'other'",
        "DELETE FROM approval_event",
        "TRUNCATE approval_event",
        "DELETE FROM approval",
        "UPDATE approval SET reason = 'other'",
        "UPDATE approval SET payload = '\\x', payload_sha256 = sha256('\\x')",
        "UPDATE approval SET state = 2, outcome = 2",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await office.sql.execute(statement)


async def test_nobody_can_be_both_even_by_hand(office: Api) -> None:
    await office.post("/v1/participants", a_bank(), caller="alpha")
    with pytest.raises(asyncpg.CheckViolationError, match="four_eyes"):
        await office.sql.execute("UPDATE approval SET state = 2, outcome = 2, decided_by = requested_by")


async def test_list_is_paged_and_filtered(office: Api) -> None:
    for n in range(3):
        await office.post("/v1/participants", a_bank(name_en=f"Bank {n}"), caller="alpha")
    first = await office.get("/v1/approvals?limit=2&kind=register_participant", caller="gamma")
    rest = await office.get(f"/v1/approvals?cursor={first['next_cursor']}", caller="gamma")
    names = [registration_of(item)["name_en"] for item in first.items + rest.items]
    assert (names, rest["next_cursor"]) == (["Bank 2", "Bank 1", "Bank 0"], None)
    assert (await office.get("/v1/approvals?kind=manual_posting", caller="gamma")).items == []
    assert (await office.get("/v1/approvals?kind=other", caller="gamma")).refused == (400, "field-invalid")
    assert (await office.get("/v1/approvals", caller="shanghai")).items == []


async def test_approval_that_there_is_not(office: Api) -> None:
    for identifier in (nobodys_id(IdKind.APPROVAL), nobodys_id(IdKind.PAYMENT), "apr_1"):
        assert (await office.get(f"/v1/approvals/{identifier}", caller="beta")).refused == (404, "not-found")
        for operation in ("approve", "reject"):
            reply = await office.post(f"/v1/approvals/{identifier}/{operation}", caller="beta")
            assert reply.refused == (404, "not-found")


def events_of(shown: Reply) -> list[Json]:
    """The events of an approval as it was shown."""
    return msgspec.convert(shown["events"], list[Json])


def registration_of(item: Json) -> Json:
    """What an approval would bring in."""
    payload = item["payload"]
    assert isinstance(payload, dict)
    return msgspec.convert(payload["registration"], Json)
