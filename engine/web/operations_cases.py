"""What the contract says of cases, and of who sees to a difference."""

from collections.abc import Mapping
from typing import Final

from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.web.field_notes import id_pattern
from engine.web.operation import PAGE, Operation, Parameter, Tag, text_schema
from engine.web.operations_reconciliation import RECONCILIATION_ID
from engine.web.wire_cases import AssignmentRequest, AssignmentView, CaseList, CaseView

_NOBODY_ELSES: Final = (Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED)

CASE_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/v1/clearing/cases"): Operation(
        tag=Tag.CLEARING,
        summary="Cases to take up with banks",
        text="For operators. `suspense`: an item that was given back and is not presented again. `rejected`: a file"
        " that its bank does not take.",
        parameters=(
            Parameter(name="kind", text="Only of this kind.", schema=text_schema("suspense", "rejected")),
            Parameter(
                name="bank",
                text="Only this bank's.",
                schema={"type": "string", "pattern": id_pattern(IdKind.BANK)},
            ),
            *PAGE,
        ),
        response=CaseList,
        refusals=_NOBODY_ELSES,
    ),
    ("GET", "/v1/clearing/cases/{id}"): Operation(
        tag=Tag.CLEARING,
        summary="One case",
        text="For operators.",
        parameters=(Parameter(name="id", text="The case.", schema={"type": "string"}, place="path"),),
        response=CaseView,
        refusals=_NOBODY_ELSES,
    ),
    ("POST", "/v1/reconciliations/{id}/items/{n}/assign"): Operation(
        tag=Tag.CLEARING,
        summary="Assign a difference",
        text="For operators: who sees to it from now on. A difference that is settled stays as it is.",
        parameters=(
            RECONCILIATION_ID,
            Parameter(name="n", text="The difference.", schema={"type": "string", "pattern": "^[0-9]+$"}, place="path"),
        ),
        request=AssignmentRequest,
        response=AssignmentView,
        refusals=(*_NOBODY_ELSES, Refusal.REGION_NOT_PERMITTED, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS),
    ),
}
