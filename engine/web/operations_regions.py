"""What the contract says of the roll-out of scenarios by region."""

from collections.abc import Mapping
from typing import Final

from engine.core.refusals import Refusal
from engine.core.scenarios import SCENARIOS
from engine.web.operation import Operation, Parameter, Tag, text_schema
from engine.web.wire_participants import ApprovalView, ReasonRequest
from engine.web.wire_regions import RegionScenarioList, RegionScenarioView

REGION_CODE: Final = Parameter(
    name="code",
    text="The region, GB/T 2260; 000000 is the whole country.",
    schema={"type": "string", "pattern": "^[0-9]{6}$"},
    place="path",
)
SCENARIO: Final = Parameter(
    name="scenario",
    text="The scenario.",
    schema=text_schema(*(scenario.name for scenario in SCENARIOS)),
    place="path",
)

_READING: Final = (
    Refusal.NOT_FOUND,
    Refusal.SCOPE_NOT_AUTHORIZED,
    Refusal.REGION_UNKNOWN,
    Refusal.REGION_NOT_PERMITTED,
)
_SWITCHING: Final = (*_READING, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS)

REGION_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/v1/regions/{code}/scenarios"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="What may be paid for in a region",
        text="For operators of the region, and for merchants in it. What is decided nearest above a merchant counts;"
        " where nobody has decided, a scenario is on.",
        parameters=(REGION_CODE,),
        response=RegionScenarioList,
        refusals=_READING,
    ),
    ("POST", "/v1/regions/{code}/scenarios/{scenario}/switch-off"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="Switch a scenario off in a region",
        text="For operators. One is enough. It is off in all of the region: exceptions below end. Payments for it are"
        " refused from the answer on; captures, refunds and cancellations of earlier ones are not.",
        parameters=(REGION_CODE, SCENARIO),
        request=ReasonRequest,
        response=RegionScenarioView,
        refusals=_SWITCHING,
    ),
    ("POST", "/v1/regions/{code}/scenarios/{scenario}/switch-on"): Operation(
        tag=Tag.PARTICIPANTS,
        summary="Switch a scenario on in a region",
        text="For operators. Another operator has to approve it. Where it is off above the region, this is an"
        " exception. What is off below stays off.",
        parameters=(REGION_CODE, SCENARIO),
        request=ReasonRequest,
        status=202,
        response=ApprovalView,
        refusals=(*_SWITCHING, Refusal.SCENARIO_STATE_CONFLICT),
    ),
}
