"""What the contract says of corrections by hand."""

from collections.abc import Mapping
from typing import Final

from engine.core.refusals import Refusal
from engine.web.field_notes import FILE_NAME_PATTERN
from engine.web.operation import Operation, Parameter, Tag
from engine.web.operations_reconciliation import RECONCILIATION_ID
from engine.web.wire_corrections import PostingRequest, ResolutionRequest
from engine.web.wire_participants import ApprovalView, ReasonRequest

_OPERATORS: Final = (
    Refusal.NOT_FOUND,
    Refusal.SCOPE_NOT_AUTHORIZED,
    Refusal.REGION_NOT_PERMITTED,
    Refusal.IDEMPOTENCY_KEY_IN_PROGRESS,
)

CORRECTION_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/clearing/files/{name}/reissue"): Operation(
        tag=Tag.CLEARING,
        summary="Make a published file again",
        text="For operators; another one has to approve it. The file stays as it is; its next version names it.",
        parameters=(
            Parameter(
                name="name",
                text="The file.",
                schema={"type": "string", "pattern": FILE_NAME_PATTERN},
                place="path",
            ),
        ),
        request=ReasonRequest,
        status=202,
        response=ApprovalView,
        refusals=_OPERATORS,
    ),
    ("POST", "/v1/postings"): Operation(
        tag=Tag.CLEARING,
        summary="Post by hand",
        text="For operators; another one has to approve it. It is not cleared, and never touches a personal account.",
        request=PostingRequest,
        status=202,
        response=ApprovalView,
        refusals=_OPERATORS,
    ),
    ("POST", "/v1/reconciliations/{id}/items/{n}/resolution"): Operation(
        tag=Tag.CLEARING,
        summary="Handle a difference",
        text="For operators; another one has to approve it. What goes into suspense, comes out of it or is written off"
        " is posted.",
        parameters=(
            RECONCILIATION_ID,
            Parameter(name="n", text="The difference.", schema={"type": "string", "pattern": "^[0-9]+$"}, place="path"),
        ),
        request=ResolutionRequest,
        status=202,
        response=ApprovalView,
        refusals=_OPERATORS,
    ),
}
