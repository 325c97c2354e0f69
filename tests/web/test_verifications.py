"""Verification over HTTP: one answer for all factors, that does not say which, and not as often as one likes."""

import asyncio

import pytest
import pytest_asyncio

from engine.core.ids import CallerId, IdKind
from engine.core.verification import SUBJECT_FAILURES_MAX
from tests.builders import an_id
from tests.people import person
from tests.web.api import Api, Json, a_key
from tests.web.operators import add_keys
from tests.web.register import Carried, bring_in, open_register
from tests.web.test_bills import add_agencies

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/identity/verifications"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> Api:
    """The city with a register, and an agency."""
    await open_register(city)
    await add_agencies(city, "housing")
    return city


def asked(who: Carried, **changes: object) -> Json:
    """The body that verifies name and ID number, with changes."""
    body: Json = {
        "id_number": who.person.id_number,
        "name": who.person.name,
        "request_no": "V-1",
        "purpose": "housing loan",
    }
    return body | changes


async def result(api: Api, who: Carried, *, caller: str = "channel", **changes: object) -> tuple[object, object]:
    """What is answered, and for how many factors."""
    reply = await api.post(PATH, asked(who, **changes), caller=caller)
    assert reply.status == 201, reply.body
    assert sorted(reply.json) == ["created_at", "factors", "id", "purpose", "request_no", "result"], "and nothing more"
    return reply["result"], reply["factors"]


async def test_two_to_four_factors_are_all_of_one_person_or_a_mismatch(desk: Api) -> None:
    who, other = await bring_in(desk, 1), await bring_in(desk, 2)
    p, o = who.person, other.person
    for fitting, factors in (
        ({}, 2),
        ({"card_no": p.card_no}, 3),
        ({"phone": p.phone}, 3),
        ({"card_no": p.card_no, "bank_account": p.account}, 4),
        ({"phone": p.phone, "bank_account": p.account}, 4),
    ):
        assert await result(desk, who, **fitting) == ("match", factors)
    assert await result(desk, who, id_number=p.id_number.lower(), caller="housing") == ("match", 2)
    for wrong in (
        {"name": o.name},
        {"card_no": o.card_no},
        {"phone": o.phone},
        {"card_no": p.card_no, "bank_account": o.account},
    ):
        assert (await result(desk, who, **wrong))[0] == "mismatch"
    stranger = Carried(person(3), "")
    assert await result(desk, stranger) == ("mismatch", 2), "whom nobody knows is no other answer"


async def test_card_out_of_use_is_no_factor(desk: Api) -> None:
    who = await bring_in(desk, 4)
    factor = {"card_no": who.person.card_no}
    assert (await result(desk, who, **factor))[0] == "match"
    await desk.post(f"{who.path}/loss-report", {}, caller="alpha")
    assert (await result(desk, who, **factor))[0] == "mismatch"
    assert (await result(desk, who, phone=who.person.phone, bank_account=who.person.account))[0] == "mismatch"
    assert (await result(desk, who, phone=who.person.phone))[0] == "match", "the person is no other"


async def test_who_is_guessed_at_together_is_guessed_at_five_times(desk: Api) -> None:
    who = await bring_in(desk, 5)
    first = a_key()
    guesses = [asked(who, name=person(100 + n).name) for n in range(12)]
    keys = [first, *(a_key() for _ in guesses[1:])]
    replies = await asyncio.gather(
        *(desk.post(PATH, body, caller="channel", key=key) for body, key in zip(guesses, keys, strict=True))
    )
    answers = [reply["result"] for reply in replies if reply.status == 201]
    assert answers == ["mismatch"] * SUBJECT_FAILURES_MAX
    assert {reply.refused for reply in replies if reply.status != 201} == {(429, "too-many-attempts")}
    for caller in ("channel", "housing"):
        reply = await desk.post(PATH, asked(who), caller=caller)
        assert reply.refused == (429, "too-many-attempts"), "not even the right name is told"
    answered = next(n for n, reply in enumerate(replies) if reply.status == 201)
    again = await desk.post(PATH, guesses[answered], caller="channel", key=keys[answered])
    assert (again.body, again.is_replay) == (replies[answered].body, True), "what was told once may be asked again"
    # An hour later it may be tried again.
    await desk.sql.execute("UPDATE verification SET at = at - interval '61 minutes' WHERE NOT is_match")
    assert (await result(desk, who))[0] == "match"


async def test_what_was_asked_is_traced_and_names_nobody(desk: Api) -> None:
    who = await bring_in(desk, 6)
    key = a_key()
    for _ in range(2):  # the repeat tells nothing new
        await desk.post(PATH, asked(who, purpose="visa 17", card_no=who.person.card_no), caller="channel", key=key)
    await desk.post(PATH, asked(who, purpose="visa 17", card_no=person(7).card_no), caller="channel")
    rows = await desk.sql.fetch(
        "SELECT subject, result FROM audit_entry WHERE action = 'identity.verification' AND purpose = 'visa 17' "
        "ORDER BY at"
    )
    assert [(row["subject"], row["result"]) for row in rows] == [(who.card, "allowed"), (None, "allowed")]
    kept = [
        str(row["v"])
        for table in ("verification", "audit_entry", "request_answer")
        for row in await desk.sql.fetch(f"SELECT t::text AS v FROM {table} t")  # noqa: S608  # names from the line above
    ]
    assert kept
    assert [secret for secret in who.person.secrets for text in kept if secret in text] == []


async def test_request_says_what_for_and_which_factors(desk: Api) -> None:
    who = await bring_in(desk, 8)
    p = who.person
    assert (await desk.post(PATH, asked(who, purpose=None), caller="channel")).refused == (403, "purpose-required")
    for changes, pointer in (
        ({"purpose": f"about {p.id_number}"}, "/purpose"),
        ({"card_no": p.card_no, "phone": p.phone}, "/phone"),
        ({"bank_account": p.account}, "/bank_account"),
        ({"request_no": "a b"}, "/request_no"),
    ):
        reply = await desk.post(PATH, asked(who, **changes), caller="channel")
        assert (reply.refused, reply.pointers) == ((400, "field-invalid"), [pointer])
    for number in (p.id_number[:17] + "?", "１" * 18, "110101199913019999"):
        reply = await desk.post(PATH, asked(who, id_number=number), caller="channel")
        assert (reply.refused, reply.pointers) == ((422, "id-number-invalid"), ["/id_number"])
    used = a_key()
    await desk.post(PATH, asked(who), caller="channel", key=used)
    other = await desk.post(PATH, asked(who, name="别人"), caller="channel", key=used)
    assert (other.refused, other.pointers) == ((422, "idempotency-key-reused"), ["/factors"])


async def test_only_channels_and_agencies_that_are_registered_verify(desk: Api) -> None:
    who = await bring_in(desk, 9)
    await add_keys(desk, {"stray": CallerId(an_id(IdKind.AGENCY))})
    for caller in ("merchant-0", "bank-0", "alpha"):
        assert (await desk.post(PATH, asked(who), caller=caller)).refused == (404, "not-found")
    assert (await desk.post(PATH, asked(who), caller="stray")).refused == (403, "scope-not-authorized")
