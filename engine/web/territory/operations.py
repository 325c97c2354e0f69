"""What the contract says of regions as a tree, activation figures, and the move of local platforms."""

from collections.abc import Mapping
from typing import Final

from engine.core.refusals import Refusal
from engine.web.operation import BUSINESS_DATE, PAGE, Operation, Parameter, Tag
from engine.web.operations_regions import REGION_CODE
from engine.web.territory.wire import (
    ActivationHistory,
    ActivationList,
    BalancesView,
    LocalPlatformRequest,
    LocalPlatformView,
    PlatformDifferenceList,
    RegionList,
)
from engine.web.wire_participants import ApprovalView, ReasonRequest

_PARENT: Final = Parameter(
    name="parent",
    text="Only what lies right below this region; 000000 is the whole country.",
    schema={"type": "string", "pattern": "^[0-9]{6}$"},
)
_READING: Final = (
    Refusal.NOT_FOUND,
    Refusal.SCOPE_NOT_AUTHORIZED,
    Refusal.REGION_UNKNOWN,
    Refusal.REGION_NOT_PERMITTED,
)
_CHANGING: Final = (*_READING, Refusal.IDEMPOTENCY_KEY_MISSING, Refusal.LOCAL_PLATFORM_STATE_CONFLICT)
_ONCE: Final = (*_CHANGING, Refusal.IDEMPOTENCY_KEY_REUSED, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS)

TERRITORY_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/v1/regions"): Operation(
        tag=Tag.REGIONS,
        summary="Regions as a tree",
        text="For every caller. The country, its provinces, each followed by its cities (GB/T 2260).",
        parameters=(_PARENT,),
        response=RegionList,
        refusals=(Refusal.REGION_UNKNOWN,),
    ),
    ("GET", "/v1/regions/{code}/activation"): Operation(
        tag=Tag.REGIONS,
        summary="How far the electronic card is in use",
        text="For operators of the region. Each of its cities that has card holders, as it stood when the business date"
        " began: by default the newest that was counted.",
        parameters=(REGION_CODE, BUSINESS_DATE),
        response=ActivationList,
        refusals=_READING,
    ),
    ("GET", "/v1/regions/{code}/activation/history"): Operation(
        tag=Tag.REGIONS,
        summary="The same, day by day",
        text="For operators of the region. What all of it adds up to on each business date that was counted.",
        parameters=(REGION_CODE, *PAGE),
        response=ActivationHistory,
        refusals=_READING,
    ),
    ("POST", "/v1/regions/{code}/local-platform"): Operation(
        tag=Tag.REGIONS,
        summary="Begin the move of a local platform",
        text="For operators; a city at a time. Every scenario is off in it from the answer on, until it is switched on"
        " again at the end. What is declared here may be corrected, by asking again, until balances are let in.",
        parameters=(REGION_CODE,),
        request=LocalPlatformRequest,
        response=LocalPlatformView,
        refusals=_ONCE,
    ),
    ("GET", "/v1/regions/{code}/local-platform"): Operation(
        tag=Tag.REGIONS,
        summary="How far a local platform has come",
        text="For operators of the region.",
        parameters=(REGION_CODE,),
        response=LocalPlatformView,
        refusals=_READING,
    ),
    ("POST", "/v1/regions/{code}/local-platform/balances"): Operation(
        tag=Tag.REGIONS,
        summary="Send the balances of a local platform",
        text="For operators. CSV as in `schemas/balances.csv`, a line for every card. A file with a fault counts for"
        " nothing; one without takes the place of the one before. Nothing is posted yet. Cards come in by"
        " `/v1/cards/import`, before or after.",
        parameters=(REGION_CODE,),
        upload_media_types=("text/csv",),
        response=BalancesView,
        refusals=(*_CHANGING, Refusal.BODY_TOO_LARGE),
    ),
    ("GET", "/v1/regions/{code}/local-platform/differences"): Operation(
        tag=Tag.REGIONS,
        summary="In what a local platform and the engine differ",
        text="For operators of the region, line by line.",
        parameters=(REGION_CODE, *PAGE),
        response=PlatformDifferenceList,
        refusals=_READING,
    ),
    ("POST", "/v1/regions/{code}/local-platform/openings"): Operation(
        tag=Tag.REGIONS,
        summary="Let the balances of a local platform in",
        text="For operators. Refused unless cards and balances are what was declared, one by one. Another operator has"
        " to approve it; then each is posted once, and the region is `proven` when the journal has them all.",
        parameters=(REGION_CODE,),
        request=ReasonRequest,
        status=202,
        response=ApprovalView,
        refusals=(*_ONCE, Refusal.LOCAL_PLATFORM_NOT_EQUAL),
    ),
    ("POST", "/v1/regions/{code}/local-platform/switch-on"): Operation(
        tag=Tag.REGIONS,
        summary="Switch a region on that has moved",
        text="For operators. Only one that is `proven`. Another operator has to approve it; then scenarios are what"
        " they were before, or what was decided about them since.",
        parameters=(REGION_CODE,),
        request=ReasonRequest,
        status=202,
        response=ApprovalView,
        refusals=_ONCE,
    ),
}
