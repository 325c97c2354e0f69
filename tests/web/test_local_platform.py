"""A local platform moves: declared, filled, compared line by line, let in by two, proven by the books, switched on."""

import asyncio
import subprocess
from pathlib import Path

import msgspec
import pytest

from engine.core.ids import IdKind, parse_id
from engine.workers.territory import keep_territory
from tests.e2e.processes import run_engine
from tests.people import HEADER, Person, person
from tests.web.api import Api, Json, Reply, a_key
from tests.web.operators import approve
from tests.web.register import bring_in, open_register

CITY, DONGCHENG = "110100", "110101"
PATH = f"/v1/regions/{CITY}/local-platform"
REASON = {"reason": "moving"}
CONFLICT, NOT_EQUAL = (409, "local-platform-state-conflict"), (409, "local-platform-not-equal")
POSTINGS = "SELECT payment, amount FROM posting WHERE kind = 3 AND payment = ANY ($1::uuid[]) ORDER BY amount"


@pytest.fixture
async def office(api: Api) -> Api:
    """A node of one test's own, with operators and banks that issue cards."""
    await open_register(api)
    return api


def declared(cards: int, balance: int) -> Json:
    """The body of a declaration."""
    return {"name": "北京市社保卡平台", "cards": cards, "balance": balance}


def balances(*lines: tuple[Person, int]) -> bytes:
    """A file of balances."""
    return "\n".join(("card_no,balance", *(f"{who.card_no},{amount}" for who, amount in lines), "")).encode()


async def send(api: Api, content: bytes, *, by: str = "beijing") -> Reply:
    """The answer to a file of balances."""
    return await api.post(f"{PATH}/balances", content, caller=by)


async def declare(api: Api, cards: int, balance: int) -> Reply:
    """A declaration that is taken."""
    reply = await api.post(PATH, declared(cards, balance), caller="beijing")
    assert reply.status == 200, reply.body
    return reply


async def ask(api: Api, to: str) -> Reply:
    """Whether an operator of the province may ask for something."""
    return await api.post(f"{PATH}/{to}", REASON, caller="beijing")


async def differences(api: Api) -> list[Json]:
    """All of them, a page of one at a time."""
    found: list[Json] = []
    target = f"{PATH}/differences?limit=1"
    cursor: object = None
    while True:
        page = await api.get(target + (f"&cursor={cursor}" if cursor is not None else ""), caller="beijing")
        assert page.status == 200, page.body
        found += page.items
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def keep(api: Api) -> None:
    """What the loop behind the node does in a turn."""
    node = api.node
    await keep_territory(node.database_url, node.pool, node.ledger, node.reads)


async def state(api: Api) -> Json:
    """How far it is."""
    return (await api.get(PATH, caller="beijing")).json


async def test_region_moves_from_declaration_to_payment(office: Api) -> None:
    api = office
    people = [await bring_in(api, n) for n in (1, 2, 3)]
    cards = [who.card for who in people]
    one, two, three = (who.person for who in people)

    # Declared: nothing is paid for in the region, and nobody switches it on around the move.
    assert (await api.pay()).status == 201
    begun = await declare(api, 3, 700)
    assert (begun["state"], begun["is_equal"]) == ("prepared", False)
    assert begun["found"] == {"cards": 3, "lines": 0, "balance": 0, "strangers": 0, "silent": 3}
    assert (await api.pay()).refused == (403, "scenario-not-enabled")
    for region in (CITY, DONGCHENG):
        on = await api.post(f"/v1/regions/{region}/scenarios/pharmacy/switch-on", REASON, caller="alpha")
        assert on.refused == (409, "scenario-state-conflict")

    # A file with a fault counts for nothing.
    await ask_refused(api, "openings", CONFLICT)
    wrong = await send(api, balances((one, 500), (one, 1), (two, 10**10 + 1)) + b"nonsense\n")
    assert (wrong.status, wrong["is_taken"], wrong["faulty"]) == (200, False, 3)
    assert [(fault["line"], fault["field"]) for fault in faults_of(wrong)] == [
        (3, "card_no"),
        (4, "balance"),
        (5, "record"),
    ]
    assert one.card_no.encode() not in wrong.body
    assert (await state(api))["state"] == "prepared"

    # Differences are told line by line; a card of another region is a stranger here.
    abroad = await bring_in(api, 5, region="310101")
    taken = await send(api, balances((one, 500), (abroad.person, 200), (person(900), 0)))
    assert (taken["is_taken"], taken["lines"], taken["balance"]) == (True, 3, 700)
    silent = [{"kind": "balance_missing", "line": None, "card_id": who.id} for who in people[1:]]
    told = [{name: item[name] for name in ("kind", "line", "card_id")} for item in await differences(api)]
    assert told == [{"kind": "card_missing", "line": line, "card_id": None} for line in (3, 4)] + sorted(
        silent, key=lambda item: parse_id(str(item["card_id"]), IdKind.CARD)
    )
    await ask_refused(api, "openings", NOT_EQUAL)

    # One fen too few is not equal either; the declaration may be corrected.
    right = balances((one, 500), (two, 0), (three, 199))
    assert (await send(api, right))["is_taken"] is True
    assert await differences(api) == []
    await ask_refused(api, "openings", NOT_EQUAL)
    assert (await declare(api, 3, 699))["is_equal"] is True

    # What is approved is the file that was asked about, and no other.
    asked = await ask(api, "openings")
    await send(api, balances((one, 499), (two, 0), (three, 200)))
    assert (await approve(api, asked)).refused == CONFLICT
    await send(api, right)
    asked = await ask(api, "openings")
    assert (await approve(api, asked, by="shanghai")).refused == (404, "not-found")
    assert (await approve(api, asked, by="beijing")).refused == (403, "approval-required")
    assert (await approve(api, asked)).status == 200
    assert (await state(api))["state"] == "opening"
    for refused in (await send(api, right), await api.post(PATH, declared(1, 1), caller="beijing")):
        assert refused.refused == CONFLICT
    await ask_refused(api, "switch-on", CONFLICT)

    # The books have to have every line: one whose posting is missing keeps the region out.
    await api.sql.execute("UPDATE local_balance SET is_opened = true WHERE amount = 199")
    await keep(api)
    assert ((await state(api))["state"], (await state(api))["is_equal"]) == ("opening", False)
    missing = {"kind": "posting_differs", "line": 4, "card_id": people[2].id, "balance": 199, "posted": 0}
    assert await differences(api) == [missing]
    await api.sql.execute("UPDATE local_balance SET is_opened = false")  # and every mark is lost
    await asyncio.gather(keep(api), keep(api))
    proven = await state(api)
    assert (proven["state"], proven["is_equal"], proven["found"]) == ("proven", True, None)
    assert [tuple(row) for row in await api.sql.fetch(POSTINGS, cards)] == [(cards[2], 199), (cards[0], 500)]
    assert await differences(api) == []

    # Only then, and by two, the region is on again.
    assert (await api.pay()).refused == (403, "scenario-not-enabled")
    asked = await ask(api, "switch-on")
    assert (await approve(api, asked)).status == 200
    assert (await api.pay()).status == 201
    assert (await state(api))["state"] == "switched_on"
    await ask_refused(api, "switch-on", CONFLICT)
    assert (await api.post(PATH, declared(1, 1), caller="beijing")).refused == CONFLICT


async def ask_refused(api: Api, to: str, refused: tuple[int, str]) -> Reply:
    """It is refused so."""
    reply = await ask(api, to)
    assert reply.refused == refused
    return reply


def faults_of(reply: Reply) -> list[Json]:
    """What is wrong with a file."""
    found = reply["faults"]
    assert isinstance(found, list)
    return found


async def test_what_others_decide_about_scenarios_outlives_the_move(office: Api) -> None:
    api = office
    await api.post(f"/v1/regions/{CITY}/scenarios/outpatient/switch-off", REASON, caller="alpha")
    await declare(api, 0, 0)
    await send(api, b"card_no,balance\n")
    assert (await approve(api, await ask(api, "openings"))).status == 200
    await keep(api)
    # Off and on again above the region in the meantime: the region stays off until it is switched on itself.
    await api.post("/v1/regions/110000/scenarios/pharmacy/switch-off", REASON, caller="alpha")
    on = await api.post("/v1/regions/110000/scenarios/pharmacy/switch-on", REASON, caller="alpha")
    assert (await approve(api, on)).status == 200
    assert (await api.pay()).refused == (403, "scenario-not-enabled")
    assert (await approve(api, await ask(api, "switch-on"))).status == 200
    listed = await api.get(f"/v1/regions/{CITY}/scenarios", caller="alpha")
    assert [item["scenario"] for item in listed.items if item["status"] == "off"] == ["outpatient"]


async def test_switching_on_that_was_asked_for_before_the_move_is_refused_after(office: Api) -> None:
    api = office
    await api.post(f"/v1/regions/{CITY}/scenarios/pharmacy/switch-off", REASON, caller="alpha")
    asked = await api.post(f"/v1/regions/{DONGCHENG}/scenarios/pharmacy/switch-on", REASON, caller="alpha")
    await declare(api, 0, 0)
    assert (await approve(api, asked)).refused == (409, "scenario-state-conflict")


async def test_who_may_move_a_platform_and_which(office: Api) -> None:
    api = office
    for by, refused in (
        ("shanghai", (403, "region-not-permitted")),
        ("delta", (403, "scope-not-authorized")),
        ("merchant-0", (404, "not-found")),
        ("channel", (404, "not-found")),
    ):
        assert (await api.post(PATH, declared(0, 0), caller=by)).refused == refused
        assert (await send(api, balances(), by=by)).refused == refused
    for region in ("110101", "110000", "000000", "119900"):  # a district, a province, the country, and no place at all
        reply = await api.post(f"/v1/regions/{region}/local-platform", declared(0, 0), caller="alpha")
        assert reply.refused == (422, "region-unknown"), region
    assert (await send(api, balances())).refused == (404, "not-found"), "none is declared"
    await declare(api, 0, 0)
    for target in (PATH, f"{PATH}/differences"):
        assert (await api.get(target, caller="shanghai")).refused == (403, "region-not-permitted")
        assert (await api.get(target, caller="delta")).status == 200, "auditors look"
    assert (await api.get(f"{PATH}/differences?cursor=4-x", caller="beijing")).pointers == ["/cursor"]
    key = a_key()
    first = await api.post(PATH, declared(1, 1), caller="beijing", key=key)
    again = await api.post(PATH, declared(1, 1), caller="beijing", key=key)
    assert (again.body, again.is_replay) == (first.body, True)


async def test_same_bytes_from_an_operator_of_another_region_are_judged_anew(office: Api) -> None:
    content = "\n".join((HEADER, person(1).line(), person(2).line(region="310101"), "")).encode()
    there = await office.post("/v1/cards/import", content, caller="shanghai")
    assert (there["fresh"], there["faulty"]) == (1, 1)
    here = await office.post("/v1/cards/import", content, caller="beijing")
    assert (here["fresh"], here["faulty"]) == (1, 1)
    everywhere = await office.post("/v1/cards/import", content, caller="alpha")
    assert (everywhere["unchanged"], everywhere["faulty"]) == (2, 0)
    assert (await office.post("/v1/cards/import", content, caller="beijing")).body == here.body


async def test_command_takes_a_file_whole_or_not_at_all(office: Api, tmp_path: Path) -> None:
    who = await bring_in(office, 1)
    file = tmp_path / "balances.csv"

    async def run(content: bytes) -> subprocess.CompletedProcess[str]:
        file.write_bytes(content)
        options = ("--region", CITY, "--data-dir", str(tmp_path))
        return await asyncio.to_thread(
            run_engine, "cards", "balances", str(file), *options, database_url=office.node.database_url
        )

    right = balances((who.person, 500))
    await declare(office, 1, 500)
    wrong = await run(right + balances((who.person, 1)).partition(b"\n")[2])
    assert wrong.returncode == 1
    assert "line 3, card_no: named before" in wrong.stderr
    assert who.person.card_no not in wrong.stdout + wrong.stderr
    assert (await state(office))["is_equal"] is False
    done = await run(right)
    assert done.returncode == 0, done.stderr
    assert msgspec.json.decode(done.stdout) | {"sha256": ""} == {"sha256": "", "lines": 1, "balance": 500, "faulty": 0}
    assert (await state(office))["is_equal"] is True
