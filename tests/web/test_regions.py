"""The roll-out of scenarios by region: one operator switches off, two switch on, and payments follow at once."""

import asyncio
from urllib.parse import quote

import pytest
import pytest_asyncio

from engine.core.scenarios import SCENARIOS
from tests.web.api import Api, Json, Reply, a_key
from tests.web.operators import add_operators, approve, result_of

DONGCHENG, CITY, PROVINCE, COUNTRY = "110101", "110100", "110000", "000000"
REASON = {"reason": "pilot"}


in_town = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
async def api(api: Api) -> Api:
    """A node of one test's own, with operators."""
    await add_operators(api)
    return api


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(city: Api) -> Api:
    """A node with operators, for what changes nothing."""
    await add_operators(city)
    return city


def path(region: str, scenario: str = "pharmacy", *, to: str) -> str:
    """Where a scenario is switched."""
    return f"/v1/regions/{region}/scenarios/{scenario}/switch-{to}"


async def off(api: Api, region: str, *, by: str = "alpha", scenario: str = "pharmacy") -> Reply:
    """Switch a scenario off."""
    return await api.post(path(region, scenario, to="off"), REASON, caller=by)


async def on(api: Api, region: str, *, scenario: str = "pharmacy") -> Reply:
    """Two operators switch a scenario on."""
    asked = await api.post(path(region, scenario, to="on"), REASON, caller="alpha")
    assert asked.status == 202, asked.body
    return await approve(api, asked)


async def seen(api: Api, region: str = DONGCHENG, *, by: str = "alpha", scenario: str = "pharmacy") -> Json:
    """A scenario as the list shows it."""
    listed = await api.get(f"/v1/regions/{region}/scenarios", caller=by)
    assert (listed.status, listed["next_cursor"]) == (200, None), listed.body
    (found,) = (item for item in listed.items if item["scenario"] == scenario)
    return found


@in_town
async def test_list_has_the_whole_table_and_everything_is_on(town: Api) -> None:
    listed = await town.get(f"/v1/regions/{DONGCHENG}/scenarios", caller="alpha")
    assert [item["scenario"] for item in listed.items] == [scenario.name for scenario in SCENARIOS]
    assert {item["status"] for item in listed.items} == {"on"}
    pharmacy = SCENARIOS[1]
    assert await seen(town) == {
        "region": DONGCHENG,
        "scenario": "pharmacy",
        "name_zh": pharmacy.name_zh,
        "name_en": pharmacy.name_en,
        "status": "on",
        "switched_in": None,
        "switched_at": None,
        "switched_by": None,
        "reason": None,
        "tenders": ["pool_fund", "personal_account", "family_account", "bank_card"],
        "capture_rule": "may_hold",
        "no_password_up_to": pharmacy.no_password_up_to,
        "refund_window_days": pharmacy.refund_window_days,
    }


async def test_one_operator_switches_off_and_nothing_is_paid_any_more(api: Api) -> None:
    payment = await api.paid()
    switched = await off(api, CITY)
    assert switched.status == 200, switched.body
    assert (switched["region"], switched["status"], switched["switched_in"]) == (CITY, "off", CITY)
    assert (await api.pay()).refused == (403, "scenario-not-enabled")
    assert (await api.pay(scenario="outpatient")).status == 201, "another scenario"
    assert (await api.post(f"{payment}/refunds", {"refund_no": "R", "amount": 1})).status == 201


async def test_no_payment_succeeds_after_the_answer(api: Api) -> None:
    """Payments come without a pause while somebody switches off: each that is sent after the answer is refused."""
    switching = asyncio.ensure_future(off(api, DONGCHENG))
    while not switching.done():
        await asyncio.gather(*(api.pay(card=card) for card in range(4)))
    assert (await switching).status == 200
    after = await asyncio.gather(*(api.pay(card=card) for card in range(8)))
    assert {reply.refused for reply in after} == {(403, "scenario-not-enabled")}


async def test_two_operators_switch_on_as_an_exception_below(api: Api) -> None:
    await off(api, COUNTRY)
    decided = await on(api, CITY)
    assert result_of(decided) == {"region": CITY, "scenario": "pharmacy", "is_on": True}
    assert (await api.pay()).status == 201
    assert (await seen(api))["switched_in"] == CITY
    assert (await seen(api, "310101"))["status"] == "off"


async def test_what_is_off_above_ends_exceptions(api: Api) -> None:
    await off(api, COUNTRY)
    await on(api, CITY)
    await off(api, PROVINCE)
    assert (await seen(api))["switched_in"] == PROVINCE
    assert (await api.pay()).refused == (403, "scenario-not-enabled")
    await on(api, PROVINCE)
    assert (await api.pay()).status == 201


async def test_off_twice_changes_nothing_and_keeps_who_was_first(api: Api) -> None:
    await off(api, CITY)
    again = await off(api, CITY, by="gamma")
    assert again.json == await seen(api, CITY)
    assert str(again["switched_by"]).startswith("opr_")
    version = await api.sql.fetchval("SELECT count(DISTINCT at) FROM scenario_switch")
    assert version == 1


async def test_off_below_an_off_is_kept_for_when_that_one_ends(api: Api) -> None:
    await off(api, CITY)
    await off(api, DONGCHENG)
    await on(api, CITY)
    assert (await seen(api))["status"] == "off"


@in_town
async def test_request_to_switch_on_what_is_on_is_refused(town: Api) -> None:
    asked = await town.post(path(CITY, to="on"), REASON, caller="alpha")
    assert asked.refused == (409, "scenario-state-conflict")


async def test_what_was_switched_off_again_meanwhile_is_not_switched_on(api: Api) -> None:
    await off(api, CITY)
    asked = await api.post(path(DONGCHENG, to="on"), REASON, caller="alpha")
    await off(api, DONGCHENG)
    assert (await approve(api, asked)).refused == (409, "scenario-state-conflict")
    assert (await seen(api))["status"] == "off"


async def test_whoever_asks_does_not_approve(api: Api) -> None:
    await off(api, CITY)
    asked = await api.post(path(CITY, to="on"), REASON, caller="alpha")
    assert (await approve(api, asked, by="alpha")).refused == (403, "approval-required")
    assert (await seen(api))["status"] == "off"


@in_town
@pytest.mark.parametrize("to", ["off", "on"])
@pytest.mark.parametrize(
    ("by", "region", "refused"),
    [
        ("delta", CITY, (403, "scope-not-authorized")),  # auditors only look
        ("shanghai", CITY, (403, "region-not-permitted")),
        ("beijing", COUNTRY, (403, "region-not-permitted")),
        ("merchant-0", CITY, (404, "not-found")),
        ("bank-0", CITY, (404, "not-found")),
    ],
)
async def test_who_may_not_switch(town: Api, to: str, by: str, region: str, refused: tuple[int, str]) -> None:
    assert (await town.post(path(region, to=to), REASON, caller=by)).refused == refused
    assert (await seen(town))["status"] == "on"


async def test_reviewer_may_switch_off_and_not_ask_for_more(api: Api) -> None:
    assert (await off(api, CITY, by="gamma")).status == 200
    asked = await api.post(path(CITY, to="on"), REASON, caller="gamma")
    assert asked.refused == (403, "scope-not-authorized")


async def test_operator_of_a_province_switches_in_it(api: Api) -> None:
    assert (await off(api, DONGCHENG, by="beijing")).status == 200


@in_town
@pytest.mark.parametrize("region", ["000001", "110001", "11010", "1101011", "11010a", quote("１１０１０１"), "%20"])
async def test_what_is_no_region_is_said_so(town: Api, region: str) -> None:
    unknown = (422, "region-unknown")
    assert (await town.get(f"/v1/regions/{region}/scenarios", caller="alpha")).refused == unknown
    assert (await town.post(path(region, to="off"), REASON, caller="alpha")).refused == unknown


@in_town
@pytest.mark.parametrize("scenario", ["teleport", "Pharmacy", "2"])
@pytest.mark.parametrize("to", ["off", "on"])
async def test_scenario_that_there_is_not(town: Api, scenario: str, to: str) -> None:
    assert (await town.post(path(CITY, scenario, to=to), REASON, caller="alpha")).refused == (404, "not-found")


@in_town
@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 201}, {"reason": "a", "is_on": True}])
async def test_reason_is_needed_and_nothing_else(town: Api, body: Json) -> None:
    assert (await town.post(path(CITY, to="off"), body, caller="alpha")).status == 400
    assert (await seen(town))["status"] == "on"


@pytest.mark.parametrize("region", [DONGCHENG, CITY, PROVINCE, COUNTRY])
async def test_merchant_sees_the_regions_it_is_in_and_not_who_decides(api: Api, region: str) -> None:
    await off(api, COUNTRY)
    found = await seen(api, region, by="merchant-0")
    assert (found["status"], found["switched_in"]) == ("off", COUNTRY)
    assert (found["switched_by"], found["reason"]) == (None, None)


@in_town
@pytest.mark.parametrize(("by", "region"), [("merchant-0", "110102"), ("merchant-0", "310000"), ("bank-0", CITY)])
async def test_others_do_not_see_it(town: Api, by: str, region: str) -> None:
    assert (await town.get(f"/v1/regions/{region}/scenarios", caller=by)).refused == (404, "not-found")


async def test_repeated_request_is_answered_once(api: Api) -> None:
    key = a_key()
    first = await api.post(path(CITY, to="off"), REASON, caller="alpha", key=key)
    await on(api, CITY)
    again = await api.post(path(CITY, to="off"), REASON, caller="alpha", key=key)
    assert (again.body, again.is_replay) == (first.body, True)
    assert (await seen(api))["status"] == "on"
    other = await api.post(path(PROVINCE, to="off"), REASON, caller="alpha", key=key)
    assert other.refused == (422, "idempotency-key-reused")
