"""What the contract says of cycles, their settlement and net debit caps."""

from collections.abc import Mapping
from typing import Final

from engine.core.refusals import Refusal
from engine.web.field_notes import CYCLE_PATTERN
from engine.web.operation import BUSINESS_DATE, PAGE, Operation, Parameter, Tag
from engine.web.wire_cycles import CapRequest, CycleDetailView, CycleList, SettlementRequest, SettlementView
from engine.web.wire_participants import ApprovalView

CYCLE: Final = Parameter(
    name="cycle",
    text="The cycle, such as `20261124-01`.",
    schema={"type": "string", "pattern": CYCLE_PATTERN},
    place="path",
)

CYCLE_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/v1/clearing/cycles"): Operation(
        tag=Tag.CLEARING,
        summary="Cycles",
        text="For operators, and for banks, which see their own alarms.",
        parameters=(BUSINESS_DATE, *PAGE),
        response=CycleList,
        refusals=(Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED),
    ),
    ("GET", "/v1/clearing/cycles/{cycle}"): Operation(
        tag=Tag.CLEARING,
        summary="One cycle",
        text="For operators, and for banks; the settlement bank sees what it has to move for every bank.",
        parameters=(CYCLE,),
        response=CycleDetailView,
        refusals=(Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED),
    ),
    ("POST", "/v1/clearing/cycles/{cycle}/settlement"): Operation(
        tag=Tag.CLEARING,
        summary="Answer the instruction of a cycle",
        text="For the settlement bank. A confirmation is final: whatever was wrong is corrected by opposite postings in"
        " a later cycle. A cycle that failed joins the next working day's instruction. The same answer is a replay.",
        parameters=(CYCLE,),
        request=SettlementRequest,
        response=SettlementView,
        refusals=(
            Refusal.NOT_FOUND,
            Refusal.IDEMPOTENCY_KEY_IN_PROGRESS,
            Refusal.SETTLEMENT_NOT_INSTRUCTED,
            Refusal.SETTLEMENT_REFERENCE_USED,
            Refusal.SETTLEMENT_FINAL,
        ),
    ),
    ("POST", "/v1/clearing/caps"): Operation(
        tag=Tag.CLEARING,
        summary="Change a bank's net debit cap",
        text="For operators; another one has to approve it. A cycle in which a bank would owe more than its cap, over"
        " everything that is not settled, is not published until the cap is raised.",
        request=CapRequest,
        status=202,
        response=ApprovalView,
        refusals=(
            Refusal.NOT_FOUND,
            Refusal.IDEMPOTENCY_KEY_IN_PROGRESS,
            Refusal.SCOPE_NOT_AUTHORIZED,
            Refusal.REGION_NOT_PERMITTED,
        ),
    ),
}
