"""The roll-out of scenarios over HTTP: operators switch them by region, merchants look at their own."""

from aiohttp import web

from engine.core.ids import IdKind, region_of
from engine.core.participants import Right, covers, is_region
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NAME, SCENARIOS, Scenario
from engine.flows.answer_once import Done, NotDone
from engine.flows.approve import Asking
from engine.flows.switch_scenario import ask_switch_on, switch_off
from engine.store.barrier import pass_all_lanes
from engine.store.rollouts import load_rollout
from engine.web.body import Refused, read_body
from engine.web.boundary import BODY, CALLER, caller_id
from engine.web.lists import no_parameters
from engine.web.node import NODE
from engine.web.operator_requests import (
    asked_for,
    do_once,
    done_response,
    operator_of_request,
    reading_operator,
    wish_of,
)
from engine.web.payments import json_response
from engine.web.render import encode_json
from engine.web.wire_participants import ReasonRequest
from engine.web.wire_regions import RegionScenarioList, region_scenario_view


async def get_region_scenarios(request: web.Request) -> web.Response:
    """`GET /v1/regions/{code}/scenarios`: what may be paid for there; merchants may ask for where they are."""
    is_merchant = request[CALLER].kind is IdKind.MERCHANT
    operator = await reading_operator(request) if not is_merchant else None
    no_parameters(request)
    region = region_in(request)
    if operator is not None and not operator.may(Right.READ, region):
        raise Refused(Refusal.REGION_NOT_PERMITTED)
    if is_merchant and not covers(region, region_of(caller_id(request))):
        raise Refused(Refusal.NOT_FOUND)
    rollout = await load_rollout(request.app[NODE].pool)
    items = tuple(
        region_scenario_view(rollout, region, scenario, is_for_operators=not is_merchant) for scenario in SCENARIOS
    )
    return json_response(encode_json(RegionScenarioList(items=items)))


async def post_switch_off(request: web.Request) -> web.Response:
    """`POST /v1/regions/{code}/scenarios/{scenario}/switch-off`: once it is answered, nothing is paid for it there."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ReasonRequest)
    region, scenario = region_in(request), _scenario_in(request)

    async def step(asked: Asking) -> Done | NotDone:
        rollout = await switch_off(asked, region, scenario, reason=given.reason)
        if isinstance(rollout, NotDone):
            return rollout
        return Done(200, encode_json(region_scenario_view(rollout, region, scenario, is_for_operators=True)))

    answer = await do_once(request, wish_of(request, "switch_scenario_off", _facts(region, scenario, given)), step)
    await pass_all_lanes(request.app[NODE].pool)
    return done_response(answer)


async def post_switch_on(request: web.Request) -> web.Response:
    """`POST /v1/regions/{code}/scenarios/{scenario}/switch-on`: ask for it to be on there, whatever holds above."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ReasonRequest)
    region, scenario = region_in(request), _scenario_in(request)

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_switch_on(asked, region, scenario, reason=given.reason))

    wish = wish_of(request, "switch_scenario_on", _facts(region, scenario, given))
    return done_response(await do_once(request, wish, step))


def _facts(region: int, scenario: Scenario, given: ReasonRequest) -> dict[str, object]:
    return {"region": f"{region:06d}", "scenario": scenario.name, "reason": given.reason}


def region_in(request: web.Request) -> int:
    """The region that the path names.

    Raises:
        Refused: it is none.
    """
    code = request.match_info["code"]
    if len(code) != 6 or not (code.isascii() and code.isdigit()) or not is_region(int(code)):
        raise Refused(Refusal.REGION_UNKNOWN)
    return int(code)


def _scenario_in(request: web.Request) -> Scenario:
    scenario = BY_NAME.get(request.match_info["scenario"])
    if scenario is None:
        raise Refused(Refusal.NOT_FOUND)
    return scenario
