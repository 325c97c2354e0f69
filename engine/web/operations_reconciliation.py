"""What the contract says of banks' statements and of what they differ in."""

from collections.abc import Mapping
from typing import Final

from engine.core.differences import ReconciliationState
from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.web.field_notes import id_pattern
from engine.web.operation import BUSINESS_DATE, PAGE, Operation, Parameter, Tag, text_schema
from engine.web.wire_reconciliation import (
    CLASSES_BY_NAME,
    STATES_BY_NAME,
    DifferenceList,
    ReconciliationList,
    ReconciliationView,
    StatementReceiptView,
)

RECONCILIATION_ID: Final = Parameter(
    name="id",
    text="The reconciliation.",
    schema={"type": "string", "pattern": id_pattern(IdKind.RECONCILIATION)},
    place="path",
)
_NOBODY_ELSES: Final = (Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED)

RECONCILIATION_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/clearing/statements"): Operation(
        tag=Tag.CLEARING,
        summary="Send a statement",
        text="For banks: `camt.053.001.08`, the flat form, or UnionPay's ZM; up to 512 MiB, read as it comes. A file"
        " counts whole or not at all, and once: the same bytes under the same file id are answered with the same"
        " receipt, whatever the key; other bytes are refused.",
        parameters=(
            Parameter(
                name="business_date",
                text="The settlement date of a form that does not tell it.",
                schema={"type": "string", "format": "date"},
            ),
            Parameter(
                name="file_name",
                text="What the file is called; the file id of a form that has none.",
                schema={"type": "string", "pattern": "^[0-9A-Za-z._-]{1,35}$"},
            ),
        ),
        upload_media_types=("application/xml", "text/plain", "application/octet-stream"),
        status=201,
        response=StatementReceiptView,
        refusals=(
            Refusal.NOT_FOUND,
            Refusal.CLEARING_FILE_NOT_READY,
            Refusal.FILE_DUPLICATE,
            Refusal.FILE_MALFORMED,
            Refusal.CONTROL_TOTAL_MISMATCH,
        ),
    ),
    ("GET", "/v1/reconciliations"): Operation(
        tag=Tag.CLEARING,
        summary="Reconciliations",
        text="For banks, which see their own, and for operators.",
        parameters=(
            Parameter(
                name="bank",
                text="Only this bank's; for operators.",
                schema={"type": "string", "pattern": id_pattern(IdKind.BANK)},
            ),
            BUSINESS_DATE,
            Parameter(
                name="state",
                text="Only in this state.",
                schema=text_schema(*(state.name.lower() for state in ReconciliationState)),
            ),
            *PAGE,
        ),
        response=ReconciliationList,
        refusals=_NOBODY_ELSES,
    ),
    ("GET", "/v1/reconciliations/{id}"): Operation(
        tag=Tag.CLEARING,
        summary="One reconciliation",
        text="For the bank that it is about, and for operators.",
        parameters=(RECONCILIATION_ID,),
        response=ReconciliationView,
        refusals=_NOBODY_ELSES,
    ),
    ("GET", "/v1/reconciliations/{id}/items"): Operation(
        tag=Tag.CLEARING,
        summary="Differences of a reconciliation",
        text="Everything but what matched. `date_diff` is what both sides have on other dates, or in other statements;"
        " within one business day it is resolved by itself.",
        parameters=(
            RECONCILIATION_ID,
            Parameter(name="class", text="Only of this class.", schema=text_schema(*CLASSES_BY_NAME)),
            Parameter(name="state", text="Only in this state.", schema=text_schema(*STATES_BY_NAME)),
            *PAGE,
        ),
        response=DifferenceList,
        refusals=_NOBODY_ELSES,
    ),
}
