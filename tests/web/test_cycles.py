"""Cycles over HTTP: how far they are, what they move, who is late, and the settlement bank's answer, which is final."""

import asyncio

import pytest

from engine.core.calendar import CycleNumber, cycle_text, settlement_date
from engine.core.ids import BankId, IdKind, id_text
from engine.core.settlement import AlarmKind
from engine.store.settlement import insert_cap, note_pulled
from engine.workers.timetable import close_due_cycles, instruct_by_hand
from tests.flows.business_time import a_day_ahead, at_hour, set_now
from tests.web.api import Api, Json, Reply, nobodys_id
from tests.web.operators import add_operators, approve

CYCLES = "/v1/clearing/cycles"
CAPS = "/v1/clearing/caps"
CONFIRMED = {"status": "confirmed", "reference": "C-1"}
LIST_FIELDS = {
    *("cycle", "business_date", "state", "cutoff_at", "closed_at", "netted_at", "published_at", "settled_at"),
    *("settlement_date", "alarms"),
}


@pytest.fixture
async def office(api: Api) -> Api:
    """A node with operators, one cycle with items published, and an empty one open."""
    await add_operators(api)
    for card, amount in ((0, 100_500), (1, 100_700), (2, 900)):
        reply = await api.pay(card=card, amount=amount, caller=f"merchant-{card % 2}")
        assert reply.status == 201, reply.body
    await api.publish()
    return api


def of_bank(api: Api, bank: int) -> str:
    """A bank's id as it is written outside."""
    return id_text(api.world.banks[bank])


async def closed_cycle(api: Api) -> str:
    """The cycle that is published last."""
    return cycle_text(CycleNumber(await api.sql.fetchval("SELECT max(cycle) FROM clearing_run")))


async def show(api: Api, cycle: str, *, caller: str = "alpha") -> Json:
    """One cycle as a caller sees it."""
    reply = await api.get(f"{CYCLES}/{cycle}", caller=caller)
    assert reply.status == 200, reply.body
    return reply.json


async def answer(api: Api, cycle: str, body: object = None, *, caller: str = "bank-2", key: str | None = None) -> Reply:
    """The settlement bank's answer."""
    return await api.post(f"{CYCLES}/{cycle}/settlement", body or CONFIRMED, caller=caller, key=key)


def items(shown: Json, name: str) -> list[Json]:
    """The objects under a name."""
    found = shown[name]
    assert isinstance(found, list)
    return found


async def test_operators_see_all_of_a_published_cycle(office: Api) -> None:
    cycle = await closed_cycle(office)
    shown = await show(office, cycle)
    assert (shown["state"], shown["settled_at"], shown["cutoff_at"]) == ("published", None, None)
    run = await office.sql.fetchrow("SELECT settlement_date FROM clearing_run")
    assert run is not None
    assert shown["settlement_date"] == str(run["settlement_date"])
    nets = {position["bank"]: position["net"] for position in items(shown, "positions")}
    assert set(nets) == {of_bank(office, n) for n in range(3)}
    assert sum(int(str(net)) for net in nets.values()) == 0
    stored = {row["name"] for row in await office.sql.fetch("SELECT name FROM clearing_file")}
    assert {file["name"] for file in items(shown, "files")} == stored
    assert {file["bank"] for file in items(shown, "files")} == set(nets)


async def test_a_bank_sees_its_own_part_only(office: Api) -> None:
    cycle = await closed_cycle(office)
    await instruct_by_hand(office.node.database_url, books=office.node.clearing)
    own = of_bank(office, 0)
    shown = await show(office, cycle, caller="bank-0")
    for part in ("positions", "files", "settlement_positions"):
        assert {one["bank"] for one in items(shown, part)} == {own}
    settlement_bank = await show(office, cycle, caller="bank-2")
    assert {one["bank"] for one in items(settlement_bank, "positions")} == {of_bank(office, 2)}
    assert {one["bank"] for one in items(settlement_bank, "settlement_positions")} == {
        of_bank(office, n) for n in range(3)
    }


@pytest.mark.parametrize("caller", ["merchant-0", "agency", "channel"])
async def test_cycles_do_not_exist_for_others(api: Api, caller: str) -> None:
    cycle = cycle_text((await api.node.reads.business_now()).control.cycle)
    assert (await api.get(CYCLES, caller=caller)).refused == (404, "not-found")
    assert (await api.get(f"{CYCLES}/{cycle}", caller=caller)).refused == (404, "not-found")
    assert (await answer(api, cycle, caller=caller)).refused == (404, "not-found")


async def test_the_open_cycle_heads_the_list_and_pages_follow(office: Api) -> None:
    control = (await office.node.reads.business_now()).control
    for _ in range(3):
        await office.publish()
    whole = (await office.get(CYCLES, caller="alpha")).items
    assert all(set(item) == LIST_FIELDS for item in whole)
    assert [item["state"] for item in whole] == ["open", *["published"] * 4]
    assert whole[3]["cycle"] == cycle_text(control.cycle)
    assert [item["cycle"] for item in whole] == sorted((item["cycle"] for item in whole), reverse=True, key=str)
    paged: list[Json] = []
    query = "limit=2"
    while True:
        reply = await office.get(f"{CYCLES}?{query}", caller="bank-0")
        paged += reply.items
        if reply["next_cursor"] is None:
            break
        query = f"limit=2&cursor={reply['next_cursor']}"
    assert [item["cycle"] for item in paged] == [item["cycle"] for item in whole]
    assert len((await office.get(f"{CYCLES}?business_date={control.business_date}", caller="alpha")).items) == 5
    assert (await office.get(f"{CYCLES}?business_date=2020-01-01", caller="alpha")).items == []
    assert (await office.get(f"{CYCLES}?cursor=tomorrow", caller="alpha")).pointers == ["/cursor"]


@pytest.mark.parametrize("cycle", ["20200101-01", "today", "20261301-01", "20261124"])
async def test_a_cycle_that_is_none_is_not_found(api: Api, cycle: str) -> None:
    assert (await api.get(f"{CYCLES}/{cycle}", caller="bank-0")).refused == (404, "not-found")
    assert (await answer(api, cycle)).refused == (404, "not-found")


async def test_what_is_not_published_moves_nothing_that_a_bank_may_see(office: Api) -> None:
    await office.pay(card=1, amount=50)
    await office.sql.execute("UPDATE timetable SET publish_after_s = 3600")
    control = (await office.node.reads.business_now()).control
    await office.sql.execute("UPDATE control SET cutoff_at = clock_timestamp()")
    await close_due_cycles(office.node.database_url, office.node.signing_keys[0], books=office.node.clearing)
    cycle = cycle_text(control.cycle)
    operator, bank = [await show(office, cycle, caller=caller) for caller in ("alpha", "bank-0")]
    assert (operator["state"], bank["state"]) == ("netted", "netted")
    assert len(items(operator, "positions")) == 3
    assert (bank["positions"], bank["files"], operator["files"]) == ([], [], [])


async def test_a_confirmation_is_final_and_confirming_twice_replays(office: Api) -> None:
    cycle = await closed_cycle(office)
    assert (await answer(office, cycle)).refused == (409, "settlement-not-instructed")
    await instruct_by_hand(office.node.database_url, books=office.node.clearing)
    first = await answer(office, cycle, key="once")
    assert (first.status, first.is_replay) == (200, False)
    assert first.json.items() >= {"cycle": cycle, "attempt": 1, **CONFIRMED}.items()
    for key in ("once", "again"):
        repeated = await answer(office, cycle, key=key)
        assert (repeated.status, repeated.is_replay, repeated.body) == (200, True, first.body)
    other = {"status": "confirmed", "reference": "C-2"}
    assert (await answer(office, cycle, other)).refused == (409, "settlement-final")
    assert (await answer(office, cycle, {"status": "failed", "reference": "F-1"})).refused == (409, "settlement-final")
    reused = await answer(office, cycle, other, key="once")
    assert (reused.refused, reused.pointers) == ((422, "idempotency-key-reused"), ["/reference"])
    assert (await show(office, cycle))["state"] == "settled"
    assert items(await show(office, cycle), "settlements") == [first.json]


async def test_what_failed_is_shown_and_comes_again(office: Api) -> None:
    cycle = await closed_cycle(office)
    await instruct_by_hand(office.node.database_url, books=office.node.clearing)
    failed = await answer(office, cycle, {"status": "failed", "reference": "F-1"})
    assert (failed.status, failed["status"]) == (200, "failed")
    assert (await answer(office, cycle)).refused == (409, "settlement-not-instructed")
    await close_due_cycles(office.node.database_url, office.node.signing_keys[0], books=office.node.clearing)
    shown = await show(office, cycle)
    assert shown["state"] == "published"
    assert [(alarm["kind"], alarm["bank"]) for alarm in items(shown, "alarms")] == [
        ("settlement_failed", of_bank(office, 2))
    ]
    assert items(await show(office, cycle, caller="bank-0"), "alarms") == []
    await instruct_by_hand(office.node.database_url, books=office.node.clearing)
    assert (await answer(office, cycle, {"status": "confirmed", "reference": "F-1"})).refused == (
        409,
        "settlement-reference-used",
    )
    assert (await answer(office, cycle))["attempt"] == 2
    statuses = [one["status"] for one in items(await show(office, cycle), "settlements")]
    assert statuses == ["failed", "confirmed"]


async def test_only_the_settlement_bank_answers(office: Api) -> None:
    cycle = await closed_cycle(office)
    await instruct_by_hand(office.node.database_url, books=office.node.clearing)
    for caller in ("bank-0", "bank-1", "alpha"):
        assert (await answer(office, cycle, caller=caller)).refused == (404, "not-found")
    assert (await show(office, cycle))["state"] == "published"


async def test_many_answers_at_once_settle_once(office: Api) -> None:
    cycle = await closed_cycle(office)
    await instruct_by_hand(office.node.database_url, books=office.node.clearing)
    bodies = [{"status": "confirmed", "reference": f"C-{n % 3}"} for n in range(9)]
    replies = await asyncio.gather(*(answer(office, cycle, body) for body in bodies))
    assert sorted(reply.status for reply in replies) == [200] * 3 + [409] * 6
    assert len({reply.body for reply in replies if reply.status == 200}) == 1
    assert [reply.is_replay for reply in replies if reply.status == 200].count(False) == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"status": "confirmed"}, "/reference"),
        ({"status": "perhaps", "reference": "C-1"}, "/status"),
        ({"status": "confirmed", "reference": "two words"}, "/reference"),
        ({"status": "confirmed", "reference": ""}, "/reference"),
        ({"status": "confirmed", "reference": "x" * 36}, "/reference"),
        ({"status": "confirmed", "reference": "C-1", "amount": 5}, "/amount"),
    ],
)
async def test_an_answer_that_is_none_is_named(api: Api, body: Json, pointer: str) -> None:
    cycle = cycle_text((await api.node.reads.business_now()).control.cycle)
    reply = await answer(api, cycle, body)
    assert (reply.status, reply.pointers) == (400, [pointer])


async def test_banks_that_are_late_are_shown(office: Api) -> None:
    day = a_day_ahead()
    await set_now(office.sql, at_hour(day, 0, 30))
    await office.publish()
    cycle = await closed_cycle(office)
    names = {str(file["bank"]): str(file["name"]) for file in items(await show(office, cycle), "files")}
    now = (await office.node.reads.business_now()).now
    await note_pulled(office.node.pool, names[of_bank(office, 1)], at=now)
    await set_now(office.sql, at_hour(day, 6))
    await close_due_cycles(office.node.database_url, office.node.signing_keys[0], books=office.node.clearing)
    shown = await show(office, cycle)
    late = {alarm["bank"] for alarm in items(shown, "alarms") if alarm["kind"] == AlarmKind.NOT_PULLED}
    assert late == {of_bank(office, 0), of_bank(office, 2)}
    assert shown["state"] in ("published", "settled")
    (own,) = items(await show(office, cycle, caller="bank-0"), "alarms")
    assert (own["bank"], own["ended_at"]) == (of_bank(office, 0), None)
    pulled = [file for file in items(shown, "files") if file["pulled_at"] is not None]
    assert [file["name"] for file in pulled] == [names[of_bank(office, 1)]]


async def test_a_file_is_pulled_once_its_last_byte_is(office: Api) -> None:
    cycle = await closed_cycle(office)
    shown = await show(office, cycle, caller="bank-0")
    first, second, third, *_ = [str(file["name"]) for file in items(shown, "files")]
    assert (await office.get(f"/v1/clearing/files/{first}", caller="bank-0")).status == 200
    for name, part in ((second, "bytes=0-4"), (third, "bytes=-5")):
        reply = await office.get(f"/v1/clearing/files/{name}", caller="bank-0", headers={"Range": part})
        assert reply.status == 206
    while await office.sql.fetchval("SELECT count(*) FROM file_receipt") < 2:
        pass  # it is noted after the last byte is out
    pulled = {
        file["name"]
        for file in items(await show(office, cycle, caller="bank-0"), "files")
        if file["pulled_at"] is not None
    }
    assert pulled == {first, third}


async def test_two_operators_change_a_cap_and_what_it_held_back_comes_out(office: Api) -> None:
    bank = office.world.banks[2]  # it holds the personal accounts, so it owes
    now = (await office.node.reads.business_now()).now
    await insert_cap(office.sql, BankId(bank), cap=1, approval="first", at=now)
    await office.pay(card=1, amount=700, caller="merchant-0")
    control = (await office.node.reads.business_now()).control
    await office.sql.execute("UPDATE control SET cutoff_at = clock_timestamp()")
    await close_due_cycles(office.node.database_url, office.node.signing_keys[0], books=office.node.clearing)
    cycle = cycle_text(control.cycle)
    held = await show(office, cycle)
    assert held["state"] == "netted"
    assert [alarm["kind"] for alarm in items(held, "alarms")] == ["cap_exceeded"]
    open_cycle = cycle_text((await office.node.reads.business_now()).control.cycle)
    (look,) = items(await show(office, open_cycle), "liquidity")
    assert (look["bank"], look["cap"]) == (of_bank(office, 2), 1)
    assert items(await show(office, open_cycle, caller="bank-0"), "liquidity") == []

    body = {"bank": of_bank(office, 2), "cap": 10**12, "reason": "collateral"}
    asked = await office.post(CAPS, body, caller="alpha", key="cap")
    assert (asked.status, asked["kind"]) == (202, "net_debit_cap")
    assert (await office.post(CAPS, body, caller="alpha", key="cap")).is_replay
    await close_due_cycles(office.node.database_url, office.node.signing_keys[0], books=office.node.clearing)
    assert (await show(office, cycle))["state"] == "netted"
    assert (await approve(office, asked, by="alpha")).refused == (403, "approval-required")
    decided = await approve(office, asked)
    assert (decided.status, decided["result"]) == (200, {"bank": of_bank(office, 2), "cap": 10**12})
    await close_due_cycles(office.node.database_url, office.node.signing_keys[0], books=office.node.clearing)
    shown = await show(office, cycle)
    assert shown["state"] == "published"
    (alarm,) = items(shown, "alarms")
    assert alarm["ended_at"] is not None


async def test_a_cap_is_asked_for_by_operators_and_for_banks(office: Api) -> None:
    body = {"bank": of_bank(office, 1), "cap": 5, "reason": "r"}
    assert (await office.post(CAPS, body, caller="bank-1")).refused == (404, "not-found")
    assert (await office.post(CAPS, body, caller="delta")).refused == (403, "scope-not-authorized")
    nobody = {**body, "bank": nobodys_id(IdKind.BANK)}
    for wrong in (nobody, {**body, "bank": "bank_1"}):
        reply = await office.post(CAPS, wrong, caller="alpha")
        assert (reply.status, reply.pointers) == (400, ["/bank"])
    assert (await office.post(CAPS, {**body, "cap": -1}, caller="alpha")).pointers == ["/cap"]
    assert (await office.post(CAPS, {**body, "cap": None}, caller="alpha")).status == 202


async def test_the_timetable_instructs_what_the_view_then_shows(office: Api) -> None:
    cycle = await closed_cycle(office)
    run = await office.sql.fetchrow("SELECT settlement_date FROM clearing_run")
    assert run is not None
    await set_now(office.sql, at_hour(run["settlement_date"], 9))
    await close_due_cycles(office.node.database_url, office.node.signing_keys[0], books=office.node.clearing)
    (shown,) = items(await show(office, cycle), "settlements")
    assert (shown["status"], shown["settlement_date"]) == ("instructed", str(run["settlement_date"]))
    assert settlement_date(run["settlement_date"]) > run["settlement_date"]
