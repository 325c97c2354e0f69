"""Admission over HTTP: a code lets somebody in or pays, once; nothing is posted; whoever asks has to be let ask."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from engine.core.channels import ChannelState
from engine.core.consents import Grant, Scope
from engine.core.ids import AgencyId, IdKind
from engine.core.scenarios import OUTPATIENT, PARK, PHARMACY
from engine.store.consents import insert_grant
from tests.builders import an_id
from tests.people import person
from tests.web.api import Api, Json, a_key
from tests.web.register import Carried, Phone, bring_in, issued, open_register, phone_of
from tests.web.test_bills import add_agencies

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/identity/admissions"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> Api:
    """The city with a register and a park, whose terminal is another merchant's as well."""
    await open_register(city)
    await city.sql.execute(
        "UPDATE merchant SET scenarios = $2 WHERE id = $1",
        city.world.merchants[0],
        [OUTPATIENT.number, PHARMACY.number, PARK.number],
    )
    return city


def entry(**changes: object) -> Json:
    """The body that lets somebody into the park."""
    return {"scenario": "park", "terminal_id": "T-01", "purpose": "entry", **changes}


async def shower(api: Api, n: int) -> tuple[Carried, Phone]:
    """The *n*-th person, who can pay, and the phone that shows codes."""
    who = await issued(api, n, level=2)
    return who, await phone_of(api, who)


async def test_shown_code_lets_in_once_and_shows_who_it_is_masked(desk: Api) -> None:
    who, phone = await shower(desk, 30)
    before = [row for row in await desk.books() if row[0] != "code_use"]
    body, key = entry(pay_code=phone.pay_code(desk, 0)), a_key()
    first, again = [await desk.post(PATH, body, key=key) for _ in range(2)]
    assert first.status == 201, first.body
    assert (again.body, again.is_replay) == (first.body, True)
    assert (first["status"], first["entitlement"], first["has_face"], first["scenario"]) == (
        "admitted",
        "full",
        False,
        "park",
    )
    number = who.person.id_number
    assert first["person"] == {"name": "欧***", "id_number": f"{number[0]}****{number[-1]}", "region": "110101"}
    assert (await desk.post(PATH, body)).refused == (409, "pay-code-used")
    assert (await desk.pay(pay_code=body["pay_code"])).refused == (409, "pay-code-used")
    other = await desk.post(PATH, body | {"terminal_id": "T-02"}, key=key)
    assert other.refused == (403, "terminal-unknown")
    assert [row for row in await desk.books() if row[0] != "code_use"] == before, "nothing is posted"
    row = await desk.sql.fetchrow("SELECT * FROM audit_entry WHERE subject = $1 AND result = 'allowed'", who.card)
    assert row is not None
    assert (row["action"], row["purpose"]) == ("identity.admission.park", "entry")
    refused = await desk.sql.fetch(
        "SELECT result FROM audit_entry WHERE subject = $1 AND result <> 'allowed'", who.card
    )
    assert [entry["result"] for entry in refused] == ["pay-code-used"]


async def test_code_that_has_paid_lets_nobody_in(desk: Api) -> None:
    _, phone = await shower(desk, 1)
    code = phone.pay_code(desk, 0)
    assert (await desk.pay(pay_code=code)).status == 201
    assert (await desk.post(PATH, entry(pay_code=code))).refused == (409, "pay-code-used")


async def test_of_a_payment_and_an_admission_at_once_one_gets_the_code(desk: Api) -> None:
    _, phone = await shower(desk, 2)
    for n in range(10):
        code = phone.pay_code(desk, n)
        replies = await asyncio.gather(
            *(desk.pay(pay_code=code) for _ in range(2)), *(desk.post(PATH, entry(pay_code=code)) for _ in range(2))
        )
        assert sorted(reply.status for reply in replies) == [201, 409, 409, 409]
        assert {reply.code for reply in replies if reply.status != 201} == {"pay-code-used"}


async def test_card_that_is_stopped_lets_nobody_in_and_its_code_is_not_used(desk: Api) -> None:
    who, phone = await shower(desk, 3)
    code = phone.pay_code(desk, 0)
    await desk.post(f"{who.path}/loss-report", {}, caller="alpha")
    by_card = entry(card_no=who.person.card_no)
    for body in (entry(pay_code=code), by_card):
        assert (await desk.post(PATH, body)).refused == (403, "card-reported-lost")
    await desk.post(f"{who.path}/reinstate", {}, caller="alpha")
    assert (await desk.post(PATH, entry(pay_code=code))).status == 201
    await desk.post(f"{who.path}/devices/{phone.device_no:011d}/revoke", {}, caller="channel")
    assert (await desk.post(PATH, entry(pay_code=phone.pay_code(desk, 1)))).refused == (403, "device-revoked")
    assert (await desk.post(PATH, by_card)).status == 201, "the physical card is in the hand"


async def test_phone_of_a_stopped_channel_shows_nobody_and_its_code_is_not_used(desk: Api) -> None:
    who, phone = await shower(desk, 31)
    code = phone.pay_code(desk, 0)
    state = "UPDATE channel SET state = $1 WHERE id = (SELECT caller FROM caller_key WHERE keyid = 'channel')"
    await desk.sql.execute(state, ChannelState.SUSPENDED)
    assert (await desk.post(PATH, entry(pay_code=code))).refused == (403, "channel-suspended")
    assert (await desk.post(PATH, entry(card_no=who.person.card_no))).status == 201, "the card is none of the channel's"
    await desk.sql.execute(state, ChannelState.LIVE)
    assert (await desk.post(PATH, entry(pay_code=code))).status == 201


async def test_nobody_is_let_in_after_a_loss_report_was_answered(desk: Api) -> None:
    who, phone = await shower(desk, 4)

    async def report() -> None:
        reply = await desk.post(f"{who.path}/loss-report", {}, caller="alpha")
        assert reply.status == 200
        late = await desk.post(PATH, entry(pay_code=phone.pay_code(desk, 9)))
        assert late.refused == (403, "card-reported-lost")

    codes = [phone.pay_code(desk, n) for n in range(8)]
    *replies, _ = await asyncio.gather(*(desk.post(PATH, entry(pay_code=code)) for code in codes), report())
    assert {reply.status for reply in replies if reply is not None} <= {201, 403}


async def test_what_is_no_good_code_is_told_as_at_a_till(desk: Api) -> None:
    _, phone = await shower(desk, 5)
    code = phone.pay_code(desk, 0)
    wrong = code[:14] + f"{(int(code[14:23]) + 1) % 10**9:09d}"
    total = sum(sum(divmod(int(digit) * (2 - n % 2), 10)) for n, digit in enumerate(wrong + "0"))
    for shown, refused in (
        (wrong + str(-total % 10), (422, "pay-code-wrong")),
        (code[:-1] + str((int(code[-1]) + 1) % 10), (422, "pay-code-malformed")),
        ("134567890123456789", (422, "pay-code-foreign")),
        (desk.pay_code(age_s=150), (410, "pay-code-expired")),
    ):
        assert (await desk.post(PATH, entry(pay_code=shown))).refused == refused


@pytest.mark.parametrize(
    ("changes", "caller", "refused"),
    [
        ({"scenario": "pharmacy"}, "merchant-0", (403, "code-scene-not-allowed")),
        ({"scenario": "government_hall"}, "merchant-0", (403, "code-scene-not-allowed")),
        ({"scenario": "museum"}, "merchant-0", (403, "scenario-not-enabled")),
        ({"scenario": "park"}, "merchant-1", (403, "scenario-not-enabled")),
        ({"terminal_id": "T-77"}, "merchant-0", (403, "terminal-unknown")),
        ({"purpose": None}, "merchant-0", (403, "purpose-required")),
        ({"scenario": "moon"}, "merchant-0", (400, "field-invalid")),
        ({}, "bank-0", (404, "not-found")),
        ({}, "channel", (404, "not-found")),
        ({}, "agency", (403, "scope-not-authorized")),
    ],
)
async def test_place_has_to_be_one_where_codes_show_who_it_is(
    desk: Api, changes: Json, caller: str, refused: tuple[int, str]
) -> None:
    assert (await desk.post(PATH, entry(pay_code=desk.pay_code(), **changes), caller=caller)).refused == refused


async def test_scenario_that_is_switched_off_in_the_city_lets_nobody_in(desk: Api) -> None:
    who = await bring_in(desk, 6)
    body = entry(card_no=who.person.card_no)
    assert (await desk.post(PATH, body)).status == 201
    off = await desk.post("/v1/regions/110101/scenarios/park/switch-off", {"reason": "flood"}, caller="alpha")
    assert off.status == 200, off.body
    assert (await desk.post(PATH, body)).refused == (403, "scenario-not-enabled")
    await desk.sql.execute("DELETE FROM scenario_switch")
    await desk.sql.execute("UPDATE control SET rules_version = rules_version + 1")


async def granted(api: Api, agency: AgencyId, *scopes: Scope, purpose: str = "entry") -> None:
    """The department may look at this of everybody in the city, from yesterday on."""
    today = (await api.node.reads.business_now()).control.business_date
    for scope in scopes:
        await insert_grant(
            api.sql,
            Grant(
                id=an_id(IdKind.GRANT),
                holder=agency,
                scope=scope,
                purpose=purpose,
                region=110100,
                valid_from=today - timedelta(days=1),
                valid_until=today,
                version=1,
                approval=None,
                granted_at=datetime.now(UTC),
            ),
        )


async def test_department_needs_a_grant_for_what_it_asks(desk: Api) -> None:
    hall = (await add_agencies(desk, "hall"))["hall"]
    who, phone = await shower(desk, 7)
    body = entry(pay_code=phone.pay_code(desk, 0), scenario="government_hall")
    none = (403, "department-not-authorized")
    assert (await desk.post(PATH, body, caller="hall")).refused == none
    await granted(desk, hall, Scope.PROFILE)
    assert (await desk.post(PATH, body | {"purpose": "curiosity"}, caller="hall")).refused == none
    assert (await desk.post(PATH, body | {"face": "AAAA"}, caller="hall")).refused == none, "a face is another scope"
    done = await desk.post(PATH, body, caller="hall")
    assert (done.status, done["entitlement"]) == (201, "free"), done.body
    far = await bring_in(desk, 8, region="310101")
    by_card = body | {"pay_code": None, "card_no": far.person.card_no}
    assert (await desk.post(PATH, by_card, caller="hall")).refused == none, "a grant is of a region"
    await desk.sql.execute(
        "UPDATE access_grant SET revoked_at = now(), revoked_by = $1, revoked_reason = 'so' WHERE holder = $1", hall
    )
    by_card = body | {"pay_code": None, "card_no": who.person.card_no}
    assert (await desk.post(PATH, by_card, caller="hall")).refused == none, "withdrawn, it ends at once"


async def test_terminal_that_tries_card_numbers_is_told_nothing_more(desk: Api) -> None:
    who = await bring_in(desk, 9)
    seen = set()
    for n in range(30):
        reply = await desk.post(PATH, entry(card_no=person(200 + n).card_no))
        seen.add(reply.code)
        if reply.code == "too-many-attempts":
            break
    assert seen == {"not-found", "too-many-attempts"}
    assert (await desk.post(PATH, entry(card_no=who.person.card_no))).refused == (429, "too-many-attempts")
