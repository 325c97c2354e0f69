"""The register of cards: one card a person, found by what a person shows, masked, and with one status for ever."""

import asyncio

import pytest
import pytest_asyncio

from engine.core.cards import DEVICES_MAX
from engine.core.ids import IdKind
from engine.flows.verify_books import verify_books
from tests.people import HEADER, person
from tests.web.api import Api, Reply, a_key, nobodys_id
from tests.web.register import (
    Carried,
    bring_in,
    give_password,
    issue,
    issued,
    open_register,
    phone_of,
    sealed,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAYMENTS = 100


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> Api:
    """The city with a register."""
    await open_register(city)
    return city


async def test_card_comes_in_masked_and_pays_nothing_yet(desk: Api) -> None:
    reply = await desk.post("/v1/cards", person(1).record(), caller="alpha")
    assert (reply.status, reply["name"], reply["id_number"]) == (201, "欧***", f"1****{person(1).id_number[-1]}")
    assert (reply["card_no"], reply["phone"]) == (f"****{person(1).card_no[-4:]}", "****0001")
    assert (reply["status"], reply["issue_level"], reply["has_password"]) == ("active", 1, False)
    assert not [secret for secret in person(1).secrets if secret.encode() in reply.body]


async def test_nothing_of_a_person_is_stored_as_it_is(desk: Api) -> None:
    await bring_in(desk, 2)
    for table in ("person", "card", "physical_card", "card_number", "request_answer"):
        rows = await desk.sql.fetch(f"SELECT t::text AS text, t.* FROM {table} t")  # noqa: S608  # names from the line above
        kept = "".join(str(value) for row in rows for value in row.values())
        assert rows
        assert not [secret for secret in person(2).secrets if secret in kept or secret.encode().hex() in kept], table


@pytest.mark.parametrize(
    ("changes", "refused", "pointer"),
    [
        ({"id_number": "110101199003079973"}, (422, "id-number-invalid"), "/id_number"),
        ({"id_number": "110101199002309974"}, (422, "id-number-invalid"), "/id_number"),
        ({"id_number": "990101199003079972"}, (422, "id-number-invalid"), "/id_number"),
        ({"id_number": "11010119900307997２"}, (422, "id-number-invalid"), "/id_number"),
        ({"region": "990101"}, (422, "region-unknown"), "/region"),
        ({"region": "110001"}, (422, "region-unknown"), "/region"),
        ({"bank": "102100099995"}, (400, "field-invalid"), "/bank"),
        ({"bank": "104100000004"}, (400, "field-invalid"), "/bank"),
        ({"card_no": "Q00000039"}, (400, "field-invalid"), "/card_no"),
        ({"valid_until": "2026-01-05"}, (400, "field-invalid"), "/valid_until"),
        ({"issued_on": "2099-01-05"}, (400, "field-invalid"), "/issued_on"),
        ({"person_type": None}, (400, "field-invalid"), "/person_type"),
    ],
)
async def test_card_that_cannot_be_is_refused_by_its_field(
    desk: Api, changes: dict[str, object], refused: tuple[int, str], pointer: str
) -> None:
    reply = await desk.post("/v1/cards", person(3).record(**changes), caller="alpha")
    assert (reply.refused, reply.pointers[0]) == (refused, pointer)


async def test_lower_case_x_and_old_numbers_are_the_same_person(desk: Api) -> None:
    ends_in_x = next(n for n in range(100, 200) if person(n).id_number.endswith("X"))
    await bring_in(desk, ends_in_x)
    low = person(ends_in_x).record(id_number=person(ends_in_x).id_number.lower(), card_no=person(201).card_no)
    assert (await desk.post("/v1/cards", low, caller="alpha")).refused == (409, "card-already-exists")
    full = person(202).id_number
    await bring_in(desk, 202)
    old = person(202).record(id_number=full[:6] + full[8:17], card_no=person(203).card_no)
    assert (await desk.post("/v1/cards", old, caller="alpha")).refused == (409, "card-already-exists")


async def test_second_active_card_is_refused_and_a_cancelled_one_makes_room(desk: Api) -> None:
    first = await bring_in(desk, 4)
    another = person(4).record(card_no=person(205).card_no)
    assert (await desk.post("/v1/cards", another, caller="alpha")).refused == (409, "card-already-exists")
    assert (await desk.post("/v1/cards", person(4).record(), caller="alpha")).refused == (409, "card-already-exists")
    taken = person(206).record(card_no=person(4).card_no)
    assert (await desk.post("/v1/cards", taken, caller="alpha")).refused == (409, "card-already-exists")
    other_name = another | {"name": "别名"}
    assert (await desk.post("/v1/cards", other_name, caller="alpha")).refused == (422, "identity-mismatch")
    assert (await desk.post(f"{first.path}/cancel", {"reason": "moved"}, caller="alpha"))["status"] == "cancelled"
    second = await desk.post("/v1/cards", another, caller="alpha")
    assert (second.status, second["status"]) == (201, "active")
    assert second["id"] != first.id
    people = await desk.sql.fetchval("SELECT count(DISTINCT person) FROM card WHERE id = ANY($1)", [first.card])
    assert people == 1


async def test_same_person_twenty_times_at_once_gets_one_card(desk: Api) -> None:
    bodies = [person(7).record(card_no=person(300 + n).card_no) for n in range(20)]
    replies = await asyncio.gather(*(desk.post("/v1/cards", body, caller="alpha") for body in bodies))
    assert sorted(reply.status for reply in replies) == [201] + [409] * 19


async def test_lost_answer_is_fetched_by_the_same_key(desk: Api) -> None:
    key = a_key()
    first, again = [await desk.post("/v1/cards", person(8).record(), caller="alpha", key=key) for _ in range(2)]
    assert (again.body, again.is_replay, again.status) == (first.body, True, 201)
    other = await desk.post("/v1/cards", person(9).record(), caller="alpha", key=key)
    assert (other.refused, other.pointers) == ((422, "idempotency-key-reused"), ["/identity"])


@pytest.mark.parametrize(
    ("caller", "refused"),
    [
        ("merchant-0", (404, "not-found")),
        ("channel", (404, "not-found")),
        ("operator", (403, "scope-not-authorized")),
        ("gamma", (403, "scope-not-authorized")),
        ("delta", (403, "scope-not-authorized")),
        ("shanghai", (403, "region-not-permitted")),
    ],
)
async def test_who_may_not_bring_in_a_card(desk: Api, caller: str, refused: tuple[int, str]) -> None:
    assert (await desk.post("/v1/cards", person(10).record(), caller=caller)).refused == refused


async def test_channel_finds_a_card_by_all_three_and_is_never_told_which_is_wrong(desk: Api) -> None:
    who = await bring_in(desk, 11)
    found = await desk.post("/v1/cards/search", who.person.identity, caller="channel")
    assert (found.status, found["id"], found["name"]) == (200, who.id, "欧***")
    wrong = [
        {"name": person(12).name},
        {"card_no": person(12).card_no},
        {"id_number": person(12).id_number},
    ]
    replies = [await desk.post("/v1/cards/search", who.person.identity | one, caller="channel") for one in wrong]
    assert [reply.refused for reply in replies] == [(422, "identity-mismatch")] * 3
    assert len({str(reply["detail"]) + str(reply.pointers) for reply in replies}) == 1
    assert (await desk.post("/v1/cards/search", {"id_number": "1"}, caller="channel")).status == 400


async def test_guessing_at_a_person_is_slowed_down(desk: Api) -> None:
    who = await bring_in(desk, 13)
    guesses = [who.person.identity | {"card_no": person(400 + n).card_no} for n in range(12)]
    replies = [await desk.post("/v1/cards/search", guess, caller="channel") for guess in guesses]
    assert [reply.status for reply in replies] == [422] * 10 + [429] * 2


async def test_operator_finds_a_card_in_the_own_region_only(desk: Api) -> None:
    who = await bring_in(desk, 14)
    for body in ({"id_number": who.person.id_number}, {"card_no": who.person.card_no}):
        assert (await desk.post("/v1/cards/search", body, caller="beijing"))["id"] == who.id
        assert (await desk.post("/v1/cards/search", body, caller="shanghai")).refused == (404, "not-found")
    assert (await desk.post("/v1/cards/search", {}, caller="beijing")).status == 400
    assert (await desk.get(who.path, caller="shanghai")).refused == (403, "region-not-permitted")
    assert (await desk.get(who.path, caller="bank-0")).refused == (404, "not-found")
    assert (await desk.get(f"/v1/cards/{nobodys_id(IdKind.CARD)}", caller="alpha")).refused == (404, "not-found")


async def test_status_is_the_same_on_every_channel_and_its_history_is_the_journals(desk: Api) -> None:
    who = await issued(desk, 15, level=2)
    await issue(desk, who, channel="channel-2")
    moves = [
        ("suspend", "alpha", {"reason": "disputed"}, "suspended"),
        ("resume", "alpha", {"reason": "settled"}, "active"),
        ("loss-report", "channel-2", {}, "lost"),
        ("reinstate", "channel", {}, "active"),
    ]
    for operation, caller, body, status in moves:
        assert (await desk.post(f"{who.path}/{operation}", body, caller=caller))["status"] == status
        seen = [await desk.get(who.path, caller=caller) for caller in ("channel", "channel-2", "alpha")]
        assert [reply["status"] for reply in seen] == [status] * 3
        assert [len(list(reply.json["signs"])) for reply in seen] == [1, 1, 2]  # type: ignore[call-overload]  # a list
    history = (await desk.get(who.path, caller="alpha")).json["history"]
    assert isinstance(history, list)
    assert [line["status"] for line in history] == ["active", "lost", "active", "suspended", "active"]


@pytest.mark.parametrize("operation", ["suspend", "resume", "replace"])
async def test_what_only_operators_do(desk: Api, operation: str) -> None:
    who = await issued(desk, {"suspend": 16, "resume": 17, "replace": 18}[operation])
    body: dict[str, object] = {"reason": "a reason"}
    if operation == "replace":
        body |= {"card_no": person(500).card_no, "issued_on": "2026-11-01", "valid_until": "2036-11-01"}
    assert (await desk.post(f"{who.path}/{operation}", body, caller="channel")).refused == (404, "not-found")
    assert (await desk.post(f"{who.path}/{operation}", body, caller="delta")).refused == (403, "scope-not-authorized")


async def test_cancelled_card_is_over_for_good(desk: Api) -> None:
    who = await issued(desk, 19, level=2)
    phone = await phone_of(desk, who)
    assert (await desk.post(f"{who.path}/cancel", {"reason": "died"}, caller="alpha"))["status"] == "cancelled"
    assert (await desk.pay(pay_code=phone.pay_code(desk, 0))).refused == (403, "card-not-usable")
    for operation, body in (("resume", {"reason": "no"}), ("suspend", {"reason": "no"}), ("reinstate", {})):
        assert (await desk.post(f"{who.path}/{operation}", body, caller="alpha")).refused == (403, "card-not-usable")
    assert (await desk.post(f"{who.path}/devices", caller="channel")).refused == (403, "card-not-usable")


async def test_channel_cancels_with_the_persons_password_only(desk: Api) -> None:
    who = await issued(desk, 20)
    await give_password(desk, who)
    cancel = f"{who.path}/cancel"
    assert (await desk.post(cancel, {}, caller="channel")).refused == (403, "reauthentication-required")
    assert (await desk.post(cancel, {"reason": "so"}, caller="channel")).refused == (403, "reauthentication-required")
    wrong = {"password_block": await sealed(desk, f"{who.id}/cancel", "123450")}
    assert (await desk.post(cancel, wrong, caller="channel")).refused == (403, "password-incorrect")
    for_another = {"password_block": await sealed(desk, f"{nobodys_id(IdKind.CARD)}/cancel")}
    assert (await desk.post(cancel, for_another, caller="channel")).status == 422
    assert (await desk.get(who.path, caller="channel"))["status"] == "active"
    right = {"password_block": await sealed(desk, f"{who.id}/cancel")}
    assert (await desk.post(cancel, right, caller="channel"))["status"] == "cancelled"


async def test_wrong_passwords_are_counted_as_at_a_till(desk: Api) -> None:
    who = await issued(desk, 21)
    await give_password(desk, who)
    codes = []
    for _ in range(6):
        body = {"password_block": await sealed(desk, f"{who.id}/cancel", "123450")}
        codes.append((await desk.post(f"{who.path}/cancel", body, caller="channel")).code)
    assert codes == ["password-incorrect"] * 5 + ["password-locked"]
    right = {"password_block": await sealed(desk, f"{who.id}/cancel")}
    assert (await desk.post(f"{who.path}/cancel", right, caller="channel")).code == "password-locked"


def a_replacement(n: int, **changes: object) -> dict[str, object]:
    """The body of a replacement by the *n*-th person's number."""
    return {
        "card_no": person(n).card_no,
        "issued_on": "2026-11-01",
        "valid_until": "2036-11-01",
        "reason": "lost",
        **changes,
    }


async def test_lost_card_is_replaced_and_the_account_goes_on(desk: Api) -> None:
    who = await issued(desk, 22, level=2)
    phone = await phone_of(desk, who)
    await desk.post(f"{who.path}/loss-report", caller="channel")
    key = a_key()
    done = [await desk.post(f"{who.path}/replace", a_replacement(522), caller="alpha", key=key) for _ in range(2)]
    assert [(reply["status"], reply["card_no"]) for reply in done] == [
        ("active", f"****{person(522).card_no[-4:]}")
    ] * 2
    assert (await desk.pay(pay_code=phone.pay_code(desk, 1))).status == 201
    numbers = desk.node.card_numbers
    assert await numbers.card_of(who.person.card_no) is None
    assert await numbers.card_of(person(522).card_no) == who.card
    again = await desk.post(f"{who.path}/replace", a_replacement(22), caller="alpha")
    assert again.refused == (409, "card-already-exists")  # a number is never given twice


async def test_replacement_does_not_undo_a_loss_report_that_came_after_it(desk: Api) -> None:
    who = await bring_in(desk, 23)
    key = a_key()
    await desk.post(f"{who.path}/replace", a_replacement(523), caller="alpha", key=key)
    assert (await desk.post(f"{who.path}/loss-report", caller="alpha")).status == 200
    await desk.sql.execute("DELETE FROM answer WHERE key LIKE '%/replaced'")  # as if the node had died in between
    again = await desk.post(f"{who.path}/replace", a_replacement(523), caller="alpha", key=key)
    assert (again.is_replay, again["status"]) == (True, "lost")


async def test_loss_report_raced_by_a_hundred_payments_lets_none_commit_after_it(desk: Api) -> None:
    who = await issued(desk, 24, level=2)
    phones = [await phone_of(desk, who) for _ in range(DEVICES_MAX)]
    a_phone = PAYMENTS // DEVICES_MAX

    async def pay(n: int) -> Reply:
        return await desk.pay(pay_code=phones[n // a_phone].pay_code(desk, n % a_phone), amount=1)

    assert (await pay(0)).status == 201
    racing = [asyncio.ensure_future(pay(n)) for n in range(1, PAYMENTS)]
    report = await desk.post(f"{who.path}/loss-report", caller="channel")
    assert report["status"] == "lost"
    taken = await taken_by(desk, who)
    replies = await asyncio.gather(*racing)
    assert {reply.refused for reply in replies if reply.status != 201} <= {(403, "card-reported-lost")}
    assert await taken_by(desk, who) == taken == 1 + sum(1 for reply in replies if reply.status == 201)


async def taken_by(desk: Api, who: Carried) -> int:
    """How many payments have taken the cardholder's money."""
    query = "SELECT count(*) FROM payment WHERE payer = $1 AND captured > 0"
    return int(await desk.sql.fetchval(query, who.card))


async def test_file_over_http_brings_in_the_good_and_tells_of_the_bad(desk: Api) -> None:
    good = [person(n).line() for n in range(600, 605)]
    bad = person(605).line(id_number="110101199003079973")
    content = "\n".join((HEADER, *good[:2], bad, *good[2:], "")).encode()
    dry = await desk.post("/v1/cards/import?dry_run=true", content, caller="alpha")
    assert (dry.status, dry["fresh"], dry["faulty"]) == (200, 5, 1)
    assert await desk.node.card_numbers.card_of(person(600).card_no) is None
    done = await desk.post("/v1/cards/import", content, caller="alpha")
    assert (done["lines"], done["fresh"], done["unchanged"], done["faulty"]) == (6, 5, 0, 1)
    assert done["faults"] == [{"line": 4, "field": "id_number", "reason": "its check character does not fit"}]
    assert await desk.node.card_numbers.card_of(person(604).card_no) is not None
    again = await desk.post("/v1/cards/import", content, caller="alpha")
    assert again.body == done.body
    abroad = await desk.post("/v1/cards/import", (content.decode() + "\n").encode(), caller="shanghai")
    assert (abroad["fresh"], abroad["faulty"]) == (0, 7)
    for caller, refused in (("channel", (404, "not-found")), ("delta", (403, "scope-not-authorized"))):
        assert (await desk.post("/v1/cards/import", content, caller=caller)).refused == refused


async def test_books_are_right_with_all_of_it(desk: Api) -> None:
    report = await verify_books(desk.node.database_url, public_keys=None, progress=lambda *_: None)
    assert report.violation is None
